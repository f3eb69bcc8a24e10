//! Why somebody does not get what they asked for.

use crate::pages;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

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
            Self::Crowded => (StatusCode::TOO_MANY_REQUESTS, "Too many customers", "Try again in a minute."),
            Self::Merchant(_) => {
                (StatusCode::BAD_GATEWAY, "The till does not answer", "Nothing was charged. Try again in a moment.")
            }
            Self::Unsigned => (StatusCode::BAD_REQUEST, "Not signed", "This is no webhook of the shop's merchant."),
            Self::Own(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Something broke", "Nothing was charged. Try again."),
        };
        if let Self::Merchant(error) | Self::Own(error) = &self {
            eprintln!("{title}: {error:#}");
        }
        (status, Html(pages::problem(title, says))).into_response()
    }
}
