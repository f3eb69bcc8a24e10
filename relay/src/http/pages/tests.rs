use super::*;

#[test]
fn names_with_a_hash_are_kept_for_ever() {
    for path in ["/pkg/fair_web_bg.0123456789abcdef.wasm", "/js/app.deadbeef.js"] {
        assert!(has_hash(path), "{path}");
    }
    for path in
        ["/", "/index.html", "/js/app.js", "/deadbeef", "/deadbeef/app.js", "/js/app.DEADBEEF.js", "/0123456789"]
    {
        assert!(!has_hash(path), "{path}");
    }
}

#[test]
fn only_test_networks_reach_the_own_machine() {
    assert!(POLICY_WITH_LOOPBACK.contains("ws://127.0.0.1:*"));
    assert!(!POLICY.contains("127.0.0.1") && !POLICY.contains("localhost"));
    for policy in [POLICY, POLICY_WITH_LOOPBACK] {
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("require-trusted-types-for 'script'"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
    }
}

#[test]
fn only_the_checkout_keeps_its_opener_and_only_the_element_is_for_other_sites() {
    let value = |path: &str, name: &str| {
        let own = headers_of(path).iter().find(|(own, _)| own.as_str() == name);
        own.or_else(|| HEADERS.iter().find(|(general, _)| general.as_str() == name)).map(|(_, value)| *value)
    };
    for path in ["/", "/index.html", "/payment", "/js/checkout/main.js", "/embedded"] {
        assert_eq!(value(path, "cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(value(path, "cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert_eq!(value(path, "access-control-allow-origin"), None, "{path}");
    }
    assert_eq!(value("/pay/", "cross-origin-opener-policy"), Some("unsafe-none"));
    assert_eq!(value("/pay/", "x-frame-options"), Some("DENY"));
    assert_eq!(value("/embed/fair-pay.js", "cross-origin-resource-policy"), Some("cross-origin"));
    assert_eq!(value("/embed/fair-pay.js", "access-control-allow-origin"), Some("*"));
}
