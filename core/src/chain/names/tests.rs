use super::*;

#[test]
fn names_and_addresses_keep_their_form() {
    let longest = "a".repeat(limits::MAX_NAME_BYTES);
    let too_long = "a".repeat(limits::MAX_NAME_BYTES + 1);
    for (good, handle) in [
        (true, "a"),
        (true, "bank-2"),
        (true, longest.as_str()),
        (false, ""),
        (false, "Bank"),
        (false, "bank_2"),
        (false, "bänk"),
        (false, too_long.as_str()),
    ] {
        assert_eq!(is_handle(handle), good, "{handle}");
    }
    for (good, ticker) in [(true, "FRD"), (true, "X1"), (false, ""), (false, "frd"), (false, "FRD "), (false, "F-D")] {
        assert_eq!(is_ticker(ticker), good, "{ticker}");
    }
    for (good, name) in [(true, "Fair dollar"), (true, "é"), (false, ""), (false, "a\nb"), (false, too_long.as_str())]
    {
        assert_eq!(is_name(name), good, "{name}");
    }
    let fits = format!("http://{}", "a".repeat(limits::MAX_URL_BYTES - 7));
    for (good, url) in [
        (true, "http://127.0.0.1:9000"),
        (true, "https://bank.example/x"),
        (true, fits.as_str()),
        (false, ""),
        (false, "http://"),
        (false, "ftp://bank.example"),
        (false, "http://bank example"),
        (false, &format!("{fits}a")),
    ] {
        assert_eq!(is_url(url), good, "{url}");
    }
}
