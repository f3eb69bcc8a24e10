//! Why somebody does not get what they asked for.

use crate::door::MINUTE;
use crate::pages;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// When a page asks again that found no place to wait; until then it is told nothing new.
const NO_PLACE: Duration = Duration::from_secs(5);

/// What is answered instead.
#[derive(Debug)]
pub(crate) enum Problem {
    /// There is no such order, page or picture.
    Nothing,
    /// The request is not one of the shop's pages'.
    Odd(&'static str),
    /// The order cannot be paid or cancelled any more.
    Over,
    /// More orders than a small shop takes.
    Crowded,
    /// More orders from one address than are left to others.
    Greedy,
    /// More wait for this order, or for all, than the shop remembers.
    Waiting,
    /// The merchant does not answer, or refuses.
    Merchant(anyhow::Error),
    /// A webhook that nobody knows to be the merchant's.
    Unsigned,
    /// The shop itself is at fault.
    Own(anyhow::Error),
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::Own(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, says) = match &self {
            Self::Nothing => (StatusCode::NOT_FOUND, "There is nothing here", "Check the address."),
            Self::Odd(says) => (StatusCode::BAD_REQUEST, "That did not work", *says),
            Self::Over => (StatusCode::CONFLICT, "This order is over", "Go back to it to see how it ended."),
            Self::Crowded => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many customers at once",
                "Nothing was ordered, and nothing was charged. Wait a minute, then go back and buy again.",
            ),
            Self::Greedy => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many orders from where you are",
                "Nothing was ordered, and nothing was charged. All who share your internet connection count together. \
                 Wait a minute, then go back and buy again.",
            ),
            Self::Waiting => {
                let says = "Ask without `known`, which does not wait.";
                let answer = Json(json!({ "code": "waiting.full", "message": says, "retryable": true }));
                let later = [(header::RETRY_AFTER, NO_PLACE.as_secs().to_string())];
                return (StatusCode::TOO_MANY_REQUESTS, later, answer).into_response();
            }
            Self::Merchant(_) => {
                (StatusCode::BAD_GATEWAY, "The till does not answer", "Nothing was charged. Try again in a moment.")
            }
            Self::Unsigned => (StatusCode::BAD_REQUEST, "Not signed", "This is no webhook of the shop's merchant."),
            Self::Own(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Something broke", "Nothing was charged. Try again."),
        };
        if let Self::Merchant(error) | Self::Own(error) = &self {
            eprintln!("{title}: {error:#}");
        }
        let mut response = (status, Html(pages::problem(title, says))).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, MINUTE.as_secs().into());
        }
        response
    }
}
