use super::*;

fn check(peer: &str, forwarded: &[&str], trusted: &[&str], expected: &str) {
    let mut headers = HeaderMap::new();
    for value in forwarded {
        headers.append("x-forwarded-for", value.parse().unwrap());
    }
    let trusted: Vec<IpAddr> = trusted.iter().map(|text| text.parse().unwrap()).collect();
    let found = caller(peer.parse().unwrap(), &headers, &trusted);
    assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?} {trusted:?}");
}

#[test]
fn only_trusted_proxies_name_the_caller() {
    check("192.0.2.9", &["198.51.100.1"], &[], "192.0.2.9");
    check("192.0.2.9", &["198.51.100.1"], &["192.0.2.9"], "198.51.100.1");
    check("::ffff:192.0.2.9", &["198.51.100.1"], &["192.0.2.9"], "198.51.100.1");
    check("192.0.2.9", &["203.0.113.5, 198.51.100.1"], &["192.0.2.9"], "198.51.100.1");
    check("192.0.2.9", &["203.0.113.5", "192.0.2.8"], &["192.0.2.9", "192.0.2.8"], "203.0.113.5");
    check("192.0.2.9", &["203.0.113.5, nonsense"], &["192.0.2.9"], "192.0.2.9");
    check("192.0.2.9", &[], &["192.0.2.9"], "192.0.2.9");
}
