use super::*;
use crate::crypto::{Secret, SecretKey};
use crate::payment::onion::{Claim, Final};
use crate::types::{AssetId, Hash, Side};

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

const K: Parameters = Parameters::DEMO;
/// U of the head.
const NOW: UsableHeight = 1_000;

fn situation(parameters: &Parameters) -> Situation<'_> {
    Situation {
        parameters,
        usable_height: NOW,
        fee: Fee { base: 5, ppm: 10_000 },
        in_flight: InFlight { locks: 2, amount: 5_000 },
        max_forwards: 3,
        max_in_flight: Some(20_000),
    }
}

fn forward(amount: Amount, expiry: UsableHeight) -> Layer {
    Layer::Forward { asset: AssetId::FRD, amount, expiry, next: key(2) }
}

fn check(
    amount: Amount,
    expiry: UsableHeight,
    layer: Option<Layer>,
    change: impl FnOnce(&mut Situation<'_>),
    expected: Result<(), FailReason>,
) {
    let id = LockId { asset: AssetId::FRD, giver: Side::Left, index: 0 };
    let lock = Lock { index: 0, amount, hash: Hash([1; 32]), expiry };
    let mut situation = situation(&K);
    change(&mut situation);
    let decided = decide(&id, &lock, layer.as_ref(), &key(1), &situation);
    assert_eq!(decided.map(|_| ()), expected, "{amount} until {expiry} for {layer:?}");
}

#[test]
fn each_rule_has_its_reason() {
    let delta = u64::from(K.hop_delta_blocks);
    let margin = u64::from(K.margin_blocks);
    let out = NOW + margin + 1;
    let good = || Some(forward(10_000, out));
    // 1% of 10,000 and 5.
    check(10_105, out + delta, good(), |_| {}, Ok(()));
    check(10_104, out + delta, good(), |_| {}, Err(FailReason::FeeTooLow));
    check(10_105, out + delta - 1, good(), |_| {}, Err(FailReason::ExpiryTooSoon));
    check(10_105, out + delta, Some(forward(10_000, out - 1)), |_| {}, Err(FailReason::ExpiryTooSoon));
    check(10_105, u64::MAX, Some(forward(10_000, u64::MAX)), |_| {}, Err(FailReason::ExpiryTooSoon));
    check(u64::MAX, out + delta, Some(forward(u64::MAX, out)), |_| {}, Err(FailReason::FeeTooLow));
    check(10_105, out + delta, None, |_| {}, Err(FailReason::BadOnion));
    check(10_105, out + delta, Some(forward(0, out)), |_| {}, Err(FailReason::BadOnion));
    let back = Layer::Forward { asset: AssetId::FRD, amount: 10_000, expiry: out, next: key(1) };
    check(10_105, out + delta, Some(back), |_| {}, Err(FailReason::BadOnion));
    let other = Layer::Forward { asset: AssetId::FRB, amount: 10_000, expiry: out, next: key(2) };
    check(10_105, out + delta, Some(other), |_| {}, Err(FailReason::BadOnion));
    check(10_105, out + delta, good(), |s| s.in_flight.locks = 3, Err(FailReason::NextHopUnavailable));
    check(10_105, out + delta, good(), |s| s.in_flight.amount = 9_895, Ok(()));
    check(10_105, out + delta, good(), |s| s.in_flight.amount = 9_896, Err(FailReason::NextHopUnavailable));
    check(10_105, out + delta, good(), |s| s.in_flight.amount = u64::MAX, Err(FailReason::NextHopUnavailable));
    check(10_105, out + delta, good(), |s| s.max_in_flight = None, Err(FailReason::NextHopUnavailable));
    let claim = Claim::Spontaneous { preimage: Secret([0; 32]) };
    let last = Final { asset: AssetId::FRD, amount: 10_105, total: 10_105, least_expiry: 0, claim, refund: None };
    check(10_105, out + delta, Some(Layer::Final(last)), |_| {}, Err(FailReason::Rejected));
}
