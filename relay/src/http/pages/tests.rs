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
