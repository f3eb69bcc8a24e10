use super::*;
use crate::crypto::{Secret, SecretKey};
use crate::payment::onion::Claim;
use proptest::prelude::*;

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

fn bank(seed: u8, fee_base: Amount, fee_ppm: u32) -> Bank {
    Bank { key: key(seed), handle: format!("b{seed}"), url: String::new(), fee_base, fee_ppm, insurance_price: 0 }
}

/// Banks 1 (dear), 2 (cheap) and 3 (behind 1 and 2); payee 9 at bank 3, we at 1 and 2.
fn map() -> Map {
    let mut map = Map::new(&[bank(1, 50, 0), bank(2, 1, 1_000), bank(3, 0, 500)]);
    map.link(key(1), key(3));
    map.link(key(2), key(3));
    map
}

fn request(amount: Amount) -> Request {
    Request {
        asset: AssetId::FRD,
        amount,
        payee: key(9),
        payee_banks: vec![key(3)],
        available: [(key(1), 1_000_000), (key(2), 100_000)].into(),
        max_fee: 10_000,
    }
}

#[test]
fn fees_round_up() {
    let fee = Fee { base: 2, ppm: 1_000 };
    assert_eq!([0, 1, 1_000, 1_001].map(|amount| fee.on(amount)), [Some(2), Some(3), Some(3), Some(4)]);
    assert_eq!(Fee { base: 1, ppm: u32::MAX }.on(u64::MAX), None);
    assert_eq!(Fee { base: 1, ppm: 0 }.incoming(u64::MAX), None);
}

#[test]
fn the_cheapest_comes_first_then_the_alternatives() {
    let first = cheapest(&map(), &request(10_000), 4, &[]).unwrap();
    // 3 takes 5 of 10,000; 2 takes 1 and 11 of 10,005.
    assert_eq!((first.banks.clone(), first.amounts.clone()), (vec![key(2), key(3)], vec![10_017, 10_005, 10_000]));
    assert_eq!((first.first_hop(), first.sent(), first.received(), first.fee()), (key(2), 10_017, 10_000, 17));
    let second = cheapest(&map(), &request(10_000), 4, std::slice::from_ref(&first)).unwrap();
    assert_eq!((second.banks.clone(), second.fee()), (vec![key(1), key(3)], 55));
    assert!(matches!(cheapest(&map(), &request(10_000), 4, &[first, second]), Err(NoRoute::Exhausted { .. })));
}

#[test]
fn a_direct_peer_needs_no_bank_and_a_bank_can_be_paid() {
    let direct = cheapest(&map(), &Request { payee: key(1), payee_banks: vec![], ..request(500) }, 4, &[]).unwrap();
    assert_eq!((direct.banks.len(), direct.amounts.clone()), (0, vec![500]));
    let behind = cheapest(&map(), &Request { payee: key(3), payee_banks: vec![], ..request(500) }, 4, &[]).unwrap();
    assert_eq!(behind.banks, vec![key(2)]);
}

#[test]
fn each_reason_has_its_error() {
    let check = |request: Request, max_hops: u8, expected: NoRoute| {
        assert_eq!(cheapest(&map(), &request, max_hops, &[]), Err(expected));
    };
    check(Request { payee_banks: vec![key(7)], ..request(1) }, 4, NoRoute::NotConnected);
    check(request(1_000), 2, NoRoute::NotConnected);
    check(request(0), 4, NoRoute::Amount);
    check(Request { max_fee: 16, ..request(10_000) }, 4, NoRoute::FeeTooHigh { fee: 17, max_fee: 16 });
    let poor = Request { available: [(key(2), 10_016)].into(), ..request(10_000) };
    check(poor, 4, NoRoute::TooMuch { available: 10_016, needed: 10_017 });
}

#[test]
fn every_hop_has_time_and_is_told_its_part() {
    let route = cheapest(&map(), &request(10_000), 4, &[]).unwrap();
    let k = Parameters::DEMO;
    let delta = u64::from(k.hop_delta_blocks);
    assert_eq!(route.expiries(100, &k), [100 + 3 * delta, 100 + 2 * delta, 100 + delta]);
    let layers = route.layers(100, &k, |amount, least_expiry| Final {
        asset: AssetId::FRD,
        amount,
        total: amount,
        least_expiry,
        claim: Claim::Spontaneous { preimage: Secret([1; 32]) },
        refund: None,
    });
    let forward = |amount, hops: u64, next| Layer::Forward {
        asset: AssetId::FRD,
        amount,
        expiry: 100 + hops * delta,
        next: key(next),
    };
    assert_eq!(layers[0], (key(2), forward(10_005, 2, 3)));
    assert_eq!(layers[1], (key(3), forward(10_000, 1, 9)));
    assert!(matches!(&layers[2], (to, Layer::Final(last))
        if *to == key(9) && last.amount == 10_000 && last.least_expiry == 100 + delta));
}

proptest! {
    #[test]
    fn every_bank_on_a_route_gets_exactly_its_fee(amount in 1..1_u64 << 40, fees in proptest::collection::vec((0..1_000_u64, 0..10_000_u32), 4)) {
        let banks: Vec<_> = fees.iter().zip(1..).map(|((base, ppm), seed)| bank(seed, *base, *ppm)).collect();
        let mut map = Map::new(&banks);
        for (a, b) in [(1, 2), (2, 3), (3, 4), (1, 3), (2, 4)] {
            map.link(key(a), key(b));
        }
        let request = Request {
            payee_banks: vec![key(4)],
            available: [(key(1), u64::MAX)].into(),
            max_fee: u64::MAX,
            ..request(amount)
        };
        let mut tried = vec![];
        let mut last_fee = 0;
        while let Ok(route) = cheapest(&map, &request, 6, &tried) {
            prop_assert_eq!(route.received(), amount);
            prop_assert!(route.fee() >= last_fee);
            last_fee = route.fee();
            for (position, bank) in route.banks.iter().enumerate() {
                let fee = map.fee(bank).unwrap().on(route.amounts[position + 1]).unwrap();
                prop_assert_eq!(route.amounts[position], route.amounts[position + 1] + fee);
            }
            tried.push(route);
        }
        // 1→3→4, 1→2→4, 1→2→3→4, 1→3→2→4.
        prop_assert_eq!(tried.len(), 4);
    }
}
