//! Small pages of the daemons: plain HTML without scripts.

use fair_core::types::Amount;

/// What such a page may do: show itself in its own style, and send a form back where it came from.
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Served as `/page.css`.
pub(crate) const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 1rem 0; }
dt { opacity: .75; } dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .4rem .75rem; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th:first-child, td:first-child { text-align: left; font-family: ui-monospace, monospace; }
form { display: grid; gap: .75rem; max-width: 40rem; } label { display: grid; gap: .25rem; }
input, textarea, button { font: inherit; padding: .5rem .75rem; min-height: 2.75rem; border-radius: .5rem; border: 1px solid; }
textarea { font-family: ui-monospace, monospace; min-height: 6rem; overflow-wrap: anywhere; }
button { justify-self: start; font-weight: 600; cursor: pointer; }
.risk { font-weight: 600; color: light-dark(#9a3412, #fdba74); }
";

/// The start of a page. `refresh_s`: seconds after which it is loaded anew; 0: never.
pub(crate) fn start(title: &str, refresh_s: u32) -> String {
    let refresh = if refresh_s > 0 { format!("<meta http-equiv=refresh content={refresh_s}>") } else { String::new() };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         {refresh}<title>{title}</title><link rel=stylesheet href=/page.css><h1>{title}</h1>",
        title = escaped(title),
    )
}

/// An amount with its decimals: 123456 with 2 is 1234.56.
pub(crate) fn decimal(amount: Amount, decimals: u8) -> String {
    let digits = usize::from(decimals);
    let text = format!("{amount:0>width$}", width = digits.saturating_add(1));
    let (whole, rest) = text.split_at(text.len().saturating_sub(digits));
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

/// The amount that such text stands for; `None` for anything else.
pub(crate) fn parse_decimal(text: &str, decimals: u8) -> Option<Amount> {
    let (whole, rest) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let missing = usize::from(decimals).checked_sub(rest.len())?;
    if whole.is_empty() || !digits(whole) || !digits(rest) {
        return None;
    }
    format!("{whole}{rest}{}", "0".repeat(missing)).parse().ok()
}

/// Text that is safe between tags and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_their_decimals() {
        for (amount, decimals, expected) in [(0, 2, "0.00"), (5, 2, "0.05"), (123_456, 2, "1234.56"), (7, 0, "7")] {
            assert_eq!(decimal(amount, decimals), expected);
        }
        assert_eq!(decimal(u64::MAX, 18), "18.446744073709551615");
    }

    #[test]
    fn text_becomes_an_amount_or_nothing() {
        for (text, expected) in [("5", Some(500)), ("5.0", Some(500)), (" 5.25 ", Some(525)), ("0.01", Some(1))] {
            assert_eq!(parse_decimal(text, 2), expected, "{text}");
        }
        for text in ["", ".", ".5", "5.001", "-5", "+5", "5,00", "5e3", "99999999999999999999", "1.2.3"] {
            assert_eq!(parse_decimal(text, 2), None, "{text}");
        }
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("<b a='\"&'>"), "&lt;b a=&#39;&quot;&amp;&#39;&gt;");
    }
}
