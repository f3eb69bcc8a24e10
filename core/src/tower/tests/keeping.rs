//! What is kept, what is declined, and floods.

use super::desk::*;
use crate::channel::shared::Sides;
use crate::channel::state::{ChannelState, Sub};
use crate::ledger::fixture::key;
use crate::tower::wire::*;
use crate::tower::*;
use crate::types::AssetId;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes in whatever order, from both parties, with restarts between: what is kept is the newest of
    /// all, and the receipts of one client never go back, in number or in state.
    #[test]
    fn an_older_state_never_replaces_a_newer_one(steps in prop::collection::vec((1_u64..20, any::<bool>(), any::<bool>()), 1..40)) {
        let mut desk = Desk::new();
        let clients = [key(5), key(1)];
        let mut newest = 0;
        let mut last: [Option<Receipt>; 2] = [None, None];
        for client in &clients {
            desk.connect(client);
        }
        for (frame, second, restarts) in steps {
            let who = usize::from(second);
            let deliver = desk.signed(&clients[0], &clients[1], frame);
            let receipt = desk.receipt(&clients[who], &deliver);
            newest = newest.max(frame);
            let held = desk.tower.holding(&deliver.state.parties).unwrap();
            prop_assert_eq!(held.state.frame, newest);
            prop_assert!(receipt.place.order.frame >= frame && receipt.place.order.frame <= newest);
            if let Some(before) = last[who].replace(receipt.clone()).filter(|before| *before != receipt) {
                prop_assert!(receipt.number > before.number && receipt.place > before.place);
            }
            if restarts {
                desk.restart();
                for client in &clients {
                    desk.connect(client);
                }
            }
        }
    }
}

#[test]
fn the_same_again_gets_the_same_receipt() {
    let mut desk = Desk::new();
    let (user, bank) = (key(5), key(1));
    desk.connect(&user);
    let deliver = desk.signed(&user, &bank, 3);
    let first = desk.receipt(&user, &deliver);
    assert_eq!((first.number, first.client, first.place.order.frame), (1, user.public(), 3));
    let rows = desk.rows.clone();
    desk.quiet_block(&[]);
    assert_eq!(desk.receipt(&user, &deliver), first);
    let older = desk.signed(&user, &bank, 2);
    assert_eq!(desk.receipt(&user, &older), first);
    desk.restart();
    desk.connect(&user);
    assert_eq!(desk.receipt(&user, &deliver), first);
    assert_eq!(desk.rows, rows);
    // The other party's receipts are its own.
    desk.connect(&bank);
    assert_eq!(desk.receipt(&bank, &older).place.order.frame, 3);
    let next = desk.signed(&user, &bank, 4);
    assert_eq!(desk.receipt(&user, &next).number, 2);
}

#[test]
fn what_is_forged_ends_the_session_and_changes_nothing() {
    let (user, bank, other) = (key(5), key(1), key(6));
    let desk = Desk::new();
    let good = desk.signed(&user, &bank, 3);
    let mut bad: Vec<(Vec<u8>, &str)> = vec![(vec![9], "no message"), (vec![], "nothing")];
    let encode = |deliver: Deliver| ToTower::Deliver(Box::new(deliver)).encode();
    let Sides { left, right } = good.signatures;
    bad.push((encode(Deliver { signatures: Sides { left: right, right: left }, ..good.clone() }), "swapped"));
    bad.push((encode(Deliver { signatures: Sides { left, right: left }, ..good.clone() }), "one twice"));
    let changed = ChannelState { frame: 4, ..good.state.clone() };
    bad.push((encode(Deliver { state: changed, ..good.clone() }), "another state"));
    bad.push((encode(desk.signed(&bank, &other, 3)), "not the client's"));
    let elsewhere = ChannelState { chain_id: Hash([7; 32]), ..good.state.clone() };
    bad.push((encode(sign(elsewhere, &user, &bank)), "another network"));
    let mut swapped = codec::encode(&good.state);
    let (head, rest) = swapped.split_at_mut(64);
    head[32..].swap_with_slice(&mut rest[..32]);
    let swapped: ChannelState = codec::decode(&swapped, 1 << 16).unwrap();
    bad.push((encode(sign(swapped, &user, &bank)), "parties out of order"));
    let mut long = encode(good);
    long.push(0);
    bad.push((long, "trailing bytes"));
    for (bytes, why) in bad {
        let mut desk = Desk::new();
        desk.connect(&user);
        desk.tell(Input::Message { peer: user.public(), bytes: &bytes }).unwrap();
        assert_eq!(desk.hung_up, vec![user.public()], "{why}");
        assert!(matches!(desk.events[..], [Event::Misbehaviour { .. }]), "{why}: {:?}", desk.events);
        assert!(desk.rows.is_empty() && desk.sent.is_empty(), "{why}");
        let refused = desk.tell(Input::Message { peer: user.public(), bytes: &[0] });
        assert_eq!(refused, Err(Refusal::NotConnected { client: user.public() }), "{why}");
    }
}

#[test]
fn what_court_would_not_take_is_declined() {
    let mut desk = Desk::funded();
    let (user, bank) = (key(5), key(1));
    desk.connect(&user);
    let state = desk.state(&user, &bank, 3);
    let later = sign(ChannelState { epoch: 1, ..state.clone() }, &user, &bank);
    assert_eq!(desk.declined(&user, &later), Reason::EpochAhead);
    let mut bad = vec![ChannelState { frame: 0, ..state.clone() }];
    bad.push(ChannelState { subs: vec![Sub::zero(AssetId::FRD)], ..state.clone() });
    bad.push(ChannelState { subs: vec![Sub { offdelta: i64::MIN, ..Sub::zero(AssetId::FRD) }], ..state.clone() });
    bad.push(ChannelState { subs: vec![Sub { offdelta: 1, ..Sub::zero(AssetId(9)) }], ..state.clone() });
    let mut locks = large(&desk, &user, &bank, 3).state;
    let more = crate::channel::state::Lock { index: 999, ..locks.subs[0].left_locks[0].clone() };
    locks.subs[0].left_locks.push(more);
    bad.push(locks);
    for state in bad {
        assert_eq!(desk.declined(&user, &sign(state, &user, &bank)), Reason::NotForCourt);
    }
    let (nobody, nobody_else) = (key(170), key(171));
    desk.connect(&nobody);
    let strangers = desk.signed(&nobody, &nobody_else, 1);
    assert_eq!(desk.declined(&nobody, &strangers), Reason::Strangers);
    // A dispute without a proof is resolved: the epoch of what was delivered is over.
    let deliver = sign(state, &user, &bank);
    desk.dispute(&user, &bank, None);
    let end = desk.world.state().dispute(&deliver.state.parties).unwrap().end;
    desk.world.wait_until(end + 1);
    assert_eq!(desk.declined(&user, &deliver), Reason::EpochOver);
}

/// An attacker with accounts and any number of keys takes every room. Whoever is in stays in and hands over newer
/// states; nobody else gets in.
#[test]
fn a_flood_pushes_nobody_out() {
    let config =
        Config { channels: 5, strangers: 6, strangers_per_account: 4, channels_per_client: 3, ..Config::default() };
    let mut desk = Desk::with(config);
    let (user, bank, attacker, accomplice) = (key(5), key(1), key(2), key(3));
    desk.connect(&user);
    let first = desk.signed(&user, &bank, 1);
    desk.receipt(&user, &first);
    let honest_stranger = key(150);
    desk.connect(&honest_stranger);
    let strange = desk.signed(&honest_stranger, &bank, 1);
    desk.receipt(&honest_stranger, &strange);
    // Rooms of accounts: three of one client, whoever else it knows.
    desk.connect(&attacker);
    let mut reasons = vec![];
    for partner in [&accomplice, &key(4), &key(6), &user] {
        let deliver = desk.signed(&attacker, partner, 1);
        reasons.push(match desk.hand_over(&attacker, &deliver) {
            Some(FromTower::Receipt(_)) => None,
            Some(FromTower::Declined(declined)) => Some(declined.reason),
            None => panic!("no answer"),
        });
    }
    assert_eq!(reasons, vec![None, None, None, Some(Reason::Full)]);
    desk.connect(&accomplice);
    let last = desk.signed(&accomplice, &key(4), 1);
    desk.receipt(&accomplice, &last);
    let full = desk.signed(&accomplice, &key(6), 1);
    assert_eq!(desk.declined(&accomplice, &full), Reason::Full, "all rooms are taken");
    // Rooms of strangers: four with one account, then five and no more in all.
    let mut kept = 0;
    for seed in 180..200 {
        let made_up = key(seed);
        desk.connect(&made_up);
        let deliver = desk.signed(&made_up, &attacker, 1);
        kept += usize::from(matches!(desk.hand_over(&made_up, &deliver), Some(FromTower::Receipt(_))));
    }
    assert_eq!(kept, 4);
    for seed in 200..210 {
        let made_up = key(seed);
        desk.connect(&made_up);
        let deliver = desk.signed(&made_up, &accomplice, 1);
        kept += usize::from(matches!(desk.hand_over(&made_up, &deliver), Some(FromTower::Receipt(_))));
    }
    assert_eq!(kept, 5);
    assert_eq!(desk.tower.rooms_taken(), (5, 6));
    // Those who were there first hand over a larger state.
    for (client, frame) in [(&user, 2), (&honest_stranger, 2)] {
        let deliver = large(&desk, client, &bank, frame);
        assert_eq!(desk.receipt(client, &deliver).place.order.frame, 2);
    }
    desk.restart();
    assert_eq!(desk.tower.rooms_taken(), (5, 6), "counted anew from what is stored");
}

#[test]
fn who_hands_over_too_fast_waits() {
    let mut desk = Desk::new();
    let (user, bank) = (key(5), key(1));
    desk.connect(&user);
    for frame in 1..=limits::TOWER_BURST {
        let deliver = desk.signed(&user, &bank, frame);
        desk.receipt(&user, &deliver);
    }
    let deliver = desk.signed(&user, &bank, limits::TOWER_BURST + 1);
    assert_eq!(desk.declined(&user, &deliver), Reason::TooFast);
    desk.world.now += 20;
    desk.receipt(&user, &deliver);
}

#[test]
fn only_listed_clients_are_served() {
    let (user, other) = (key(5), key(6));
    let config = Config { clients: Some(BTreeSet::from([user.public()])), ..Config::default() };
    let mut desk = Desk::with(config);
    desk.connect(&user);
    let refused = desk.tell(Input::Connected { peer: other.public() });
    assert_eq!(refused, Err(Refusal::NotAClient { client: other.public() }));
}
