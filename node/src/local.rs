//! What is for the own machine alone, and errors as callers of a daemon see them.

use crate::host::Stopping;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use fair_core::account::RequestId;
use fair_core::codec;
use fair_core::ledger::operation::Operation;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Carries the operator's [`Token`]. No page of another origin can send it.
pub(crate) const OPERATOR_HEADER: &str = "x-fair-operator";

/// The name that whoever orders something gives it, as 32 hexadecimal digits: the same order again under this
/// name does nothing twice and gets the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Named(pub(crate) RequestId);

impl TryFrom<String> for Named {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut name = [0; 16];
        hex::decode_to_slice(text, &mut name).map_err(|_| "the name of a request is 32 hexadecimal digits")?;
        Ok(Self(name))
    }
}

/// A name that nobody has used.
pub(crate) fn fresh_name() -> Result<RequestId, getrandom::Error> {
    let mut name = [0; 16];
    getrandom::fill(&mut name)?;
    Ok(name)
}

/// A proposal, a vote or an entry of a register, from the hexadecimal of its canonical encoding.
pub(crate) fn read_operation(text: &str) -> Result<Operation, Refusal> {
    let bad = |reason: String| Refusal::new(StatusCode::BAD_REQUEST, "input.operation", reason);
    let bytes = hex::decode(text).map_err(|error| bad(error.to_string()))?;
    let operation = codec::decode(&bytes, crate::limits::ORDER_JSON_BYTES).map_err(|error| bad(error.to_string()))?;
    match operation {
        Operation::Propose(_)
        | Operation::Vote(_)
        | Operation::CreateAsset(_)
        | Operation::RegisterBank(_)
        | Operation::UpdateBank(_) => Ok(operation),
        other => Err(bad(format!("a {} is ordered in another way", other.name()))),
    }
}

/// An error: JSON `{code, message, retryable, data}`.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    code: String,
    message: String,
    retryable: bool,
    data: Box<serde_json::Value>,
    #[serde(skip)]
    wait_s: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let retryable = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let data = Box::default();
        Self { status, code: code.to_owned(), message: message.into(), retryable, data, wait_s: None }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says what a program is to know.
    pub(crate) fn with_data(mut self, data: serde_json::Value) -> Self {
        *self.data = data;
        self
    }

    /// Says when to come again.
    pub(crate) fn after(mut self, wait_s: u64) -> Self {
        *self.data = serde_json::json!({ "retryAfter": wait_s });
        self.wait_s = Some(wait_s);
        self
    }
}

impl From<Stopping> for Refusal {
    fn from(stopping: Stopping) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", stopping.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let wait_s = self.wait_s;
        let mut response = (self.status, Json(self)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = wait_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Lets through who calls from this machine, under one of its own names, and not by way of a proxy: a page
/// whose name was made to lead here names itself in `Host`.
pub(crate) fn only(from: SocketAddr, headers: &HeaderMap) -> Result<(), Refusal> {
    let proxied = ["x-forwarded-for", "forwarded", "x-real-ip"].iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let named_here = name == "localhost"
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if from.ip().to_canonical().is_loopback() && !proxied && named_here {
        Ok(())
    } else {
        Err(Refusal::new(StatusCode::FORBIDDEN, "local_only", "This is shown to the machine of the process alone."))
    }
}

/// Lets through who may make the process do something: from this machine, and with what only its operator can
/// read. A proxy on this machine that names nobody looks like this machine.
pub(crate) fn operator(from: SocketAddr, headers: &HeaderMap, token: &Token) -> Result<(), Refusal> {
    only(from, headers)?;
    let shown = headers.get(OPERATOR_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
    if bool::from(shown.ct_eq(token.0.as_bytes())) {
        Ok(())
    } else {
        let says = "The operator's token is missing or another; it is in the home's keys/operator.token.";
        Err(Refusal::new(StatusCode::FORBIDDEN, "operator_only", says))
    }
}

/// What an order shows to be the operator's.
#[derive(Clone)]
pub(crate) struct Token(Arc<Zeroizing<String>>);

impl Token {
    pub(crate) fn new(text: &str) -> Self {
        Self(Arc::new(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, host: &str, more: Option<(&'static str, &'static str)>, allowed: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some((name, value)) = more {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(only(from.parse().unwrap(), &headers).is_ok(), allowed, "{from} {host} {more:?}");
    }

    #[test]
    fn orders_need_the_token() {
        let token = Token::new("5ec7e7");
        let ask = |shown: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:7104"));
            headers.extend(
                shown.map(|shown| (header::HeaderName::from_static(OPERATOR_HEADER), HeaderValue::from_static(shown))),
            );
            operator("127.0.0.1:5000".parse().unwrap(), &headers, &token).is_ok()
        };
        assert!(ask(Some("5ec7e7")));
        for wrong in [None, Some(""), Some("1"), Some("5ec7e8"), Some("5ec7e77")] {
            assert!(!ask(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn only_this_machine_under_its_own_names() {
        check("127.0.0.1:5000", "127.0.0.1:7104", None, true);
        check("127.0.0.1:5000", "localhost:7104", None, true);
        check("[::1]:5000", "[::1]:7104", None, true);
        check("[::ffff:127.0.0.1]:5000", "127.0.0.1", None, true);
        check("192.0.2.1:5000", "127.0.0.1:7104", None, false);
        check("127.0.0.1:5000", "evil.example:7104", None, false);
        check("127.0.0.1:5000", "", None, false);
        check("127.0.0.1:5000", "127.0.0.1:7104", Some(("x-forwarded-for", "192.0.2.1")), false);
    }
}
