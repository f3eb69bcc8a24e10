//! What names and addresses on the chain look like: the same at genesis and when somebody registers.

use crate::limits;

/// A bank's handle: 1 to [`limits::MAX_NAME_BYTES`] lower-case letters, digits and '-'. So no two of them look
/// the same.
pub(crate) fn is_handle(handle: &str) -> bool {
    length_fits(handle) && handle.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// An asset's ticker: 1 to [`limits::MAX_NAME_BYTES`] capital letters and digits.
pub(crate) fn is_ticker(ticker: &str) -> bool {
    length_fits(ticker) && ticker.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9'))
}

/// A full name: 1 to [`limits::MAX_NAME_BYTES`] bytes, without control characters.
pub(crate) fn is_name(name: &str) -> bool {
    length_fits(name) && !name.chars().any(char::is_control)
}

/// Where somebody is reached: `http://` or `https://` and visible ASCII, at most [`limits::MAX_URL_BYTES`].
pub(crate) fn is_url(url: &str) -> bool {
    let place = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.len() <= limits::MAX_URL_BYTES
        && place.is_some_and(|place| !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn length_fits(name: &str) -> bool {
    (1..=limits::MAX_NAME_BYTES).contains(&name.len())
}

#[cfg(test)]
mod tests;
