mod library;

use super::tree::{Put, Tree};
use super::{BadProof, BadState, Key, OutsideWindow, ProofEnd, State, StateProof, Value, proof};
use crate::codec;
use crate::crypto;
use crate::ledger::fixture::{World, deposit, genesis, key, parties};
use crate::ledger::operation::Operation;
use crate::message::tags;
use crate::types::{AssetId, Hash, PublicKey};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;

fn busy() -> World {
    let mut world = World::new();
    for (amount, partner) in [(1_000, 1), (2_000, 6), (3_000, 200), (4_000, 201)] {
        world.run(&key(5), vec![Operation::Deposit(deposit(amount, &key(5), Some(&key(partner))))]);
    }
    world
}

fn some_keys(state: &State) -> Vec<Key> {
    let absent = (0..200_u8).flat_map(|byte| {
        [
            Key::Account(PublicKey([byte; 32])),
            Key::AccountKey(u64::from(byte) + 1_000),
            Key::Asset(AssetId(byte.into())),
        ]
    });
    state.entries.keys().copied().chain(absent).collect()
}

#[test]
fn every_key_has_a_proof_of_its_value_or_its_absence() {
    let world = busy();
    let state = world.state();
    let mut ends = [0_u32; 3];
    for key in some_keys(state) {
        let (value, proof) = state.prove_at(state.height(), &key).unwrap();
        assert_eq!(proof.verify(&state.root(), &key, value), Ok(()));
        assert_eq!(value.is_some(), proof.end == ProofEnd::Here);
        ends[match proof.end {
            ProofEnd::Here => 0,
            ProofEnd::Nothing => 1,
            ProofEnd::Other { .. } => 2,
        }] += 1;
        let bytes = codec::encode(&proof);
        assert_eq!(codec::decode::<StateProof>(&bytes, proof::MAX_PROOF_BYTES), Ok(proof));
        assert!(bytes.len() < 600, "{} bytes", bytes.len());
    }
    assert!(ends.iter().all(|count| *count > 5), "all three kinds: {ends:?}");
}

#[test]
fn a_proof_proves_nothing_else() {
    let world = busy();
    let state = world.state();
    let key_of = |seed: u8| Key::Account(key(seed).public());
    let (value, good) = state.prove_at(state.height(), &key_of(5)).unwrap();
    let value = value.unwrap();
    let check =
        |proof: &StateProof, key: &Key, value: Option<&Value>| proof.verify(&state.root(), key, value).unwrap_err();
    assert_eq!(check(&good, &key_of(5), None), BadProof::OtherKind);
    assert!(matches!(check(&good, &key_of(6), Some(value)), BadProof::WrongRoot { .. }));
    assert!(matches!(check(&good, &key_of(5), Some(&Value::Clock(1))), BadProof::WrongRoot { .. }));
    assert!(matches!(good.verify(&Hash([1; 32]), &key_of(5), Some(value)), Err(BadProof::WrongRoot { .. })));
    for index in 0..good.siblings.len() {
        let mut bad = good.clone();
        bad.siblings[index] = match bad.siblings[index] {
            Some(_) => None,
            None => Some(Hash([3; 32])),
        };
        assert!(matches!(check(&bad, &key_of(5), Some(value)), BadProof::WrongRoot { .. }));
    }
    let mut short = good.clone();
    short.siblings.pop();
    assert!(matches!(check(&short, &key_of(5), Some(value)), BadProof::WrongRoot { .. }));
    let deep = StateProof { end: ProofEnd::Here, siblings: vec![None; 257] };
    assert_eq!(check(&deep, &key_of(5), Some(value)), BadProof::TooDeep { got: 257 });
    // Absence of a key that is there, by pointing at another leaf or at nothing.
    let value_hash = Hash([4; 32]);
    let other = ProofEnd::Other { place: proof::place(&key_of(6)), value_hash };
    assert_eq!(check(&StateProof { end: other, ..good.clone() }, &key_of(5), None), BadProof::OtherPlace);
    let same = ProofEnd::Other { place: proof::place(&key_of(5)), value_hash };
    assert_eq!(check(&StateProof { end: same, ..good.clone() }, &key_of(5), None), BadProof::OtherPlace);
    let nothing = StateProof { end: ProofEnd::Nothing, ..good.clone() };
    assert!(matches!(check(&nothing, &key_of(5), None), BadProof::WrongRoot { .. }));
}

#[test]
fn recent_heights_can_be_asked_and_proved_and_older_ones_are_pruned() {
    let mut world = World::new();
    let window = u64::from(world.state().parameters().proof_window_heights);
    let parties = parties(&key(5), &key(1));
    let channel = Key::Channel(parties);
    let mut nodes = Vec::new();
    let last = 2 * window + 10;
    for height in 1..=last {
        let operations = match height % 3 {
            0 => vec![Operation::Deposit(deposit(1_000, &key(5), Some(&key(1))))],
            _ => vec![],
        };
        world.run(&key(5), operations);
        nodes.push(world.state().tree_nodes());
    }
    let state = world.state();
    assert_eq!(state.oldest_height(), last - window);
    for height in last - window..=last {
        let header = world.client.header_at(height).unwrap();
        assert_eq!(header.height, height);
        let (value, proof) = state.prove_at(height, &channel).unwrap();
        assert_eq!(proof.verify(&header.state_root, &channel, value), Ok(()));
        let insurance = state.channel_at(height, &parties).unwrap().asset_or_zero(AssetId::FRD).insurance;
        assert_eq!(insurance, height / 3 * 1_000);
    }
    let outside = |got| Err(OutsideWindow { oldest: last - window, newest: last, got });
    assert_eq!(state.channel_at(last - window - 1, &parties), outside(last - window - 1));
    assert_eq!(state.channel_at(last + 1, &parties), outside(last + 1));
    assert!(world.client.header_at(last - window - 1).is_none());
    let settled = nodes[usize::try_from(window + 5).unwrap()];
    assert!(*nodes.last().unwrap() < settled + 50, "nodes stay bounded: {settled} → {}", nodes.last().unwrap());
}

#[test]
fn stored_bytes_that_are_not_the_state_are_refused_by_name() {
    type Stored = Vec<(Vec<u8>, Vec<u8>)>;
    type Change = fn(&mut Stored);
    type Is = fn(&BadState) -> bool;
    let world = busy();
    let (state, header) = (world.state(), world.client.head().unwrap());
    let restore = |stored: &Stored| {
        let pairs = stored.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
        State::restore(state.chain_id(), header.height, header.state_root, pairs).map(|state| state.root())
    };
    let good: Stored = state.encoded().collect();
    assert_eq!(restore(&good), Ok(state.root()));
    let cases: &[(Change, Is)] = &[
        (|stored| stored[3].0.push(0), |error| matches!(error, BadState::Decode { index: 3, .. })),
        (|stored| stored[5].1.push(0), |error| matches!(error, BadState::Decode { index: 5, .. })),
        (
            |stored| stored[5].1 = stored[6].1.clone(),
            |error| matches!(error, BadState::OutOfPlace { .. } | BadState::WrongRoot { .. }),
        ),
        (|stored| stored[0].1 = stored[1].1.clone(), |error| matches!(error, BadState::OutOfPlace { index: 0 })),
        (|stored| stored.push(stored[7].clone()), |error| matches!(error, BadState::OutOfPlace { .. })),
        (|stored| drop(stored.remove(0)), |error| *error == BadState::Incomplete),
        (|stored| stored.truncate(stored.len() - 1), |error| matches!(error, BadState::WrongRoot { .. })),
        (Vec::clear, |error| *error == BadState::Incomplete),
        (|stored| stored[0].1 = codec::encode(&Value::Clock(77)), |error| matches!(error, BadState::WrongRoot { .. })),
    ];
    for (index, (change, is_expected)) in cases.iter().enumerate() {
        let mut stored = good.clone();
        change(&mut stored);
        let error = restore(&stored).unwrap_err();
        assert!(is_expected(&error), "case {index}: {error:?}");
    }
}

#[test]
fn genesis_holds_its_supply() {
    let genesis = genesis();
    let state = State::genesis(&genesis);
    assert_eq!(
        state.totals().into_iter().collect::<Vec<_>>(),
        genesis.assets.iter().map(|asset| (asset.id, u128::from(asset.supply))).collect::<Vec<_>>()
    );
    assert_eq!(state.account_count(), 6);
    assert_eq!(state.accounts_after(4).map(|(id, _)| id).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(state.accounts_after(u64::MAX).count(), 0);
    assert_eq!(state.account_id(&key(3).public()), Some(3));
    assert_eq!(state.banks().count(), 1);
    assert_eq!(state.assets().count(), 2);
}

/// Places that share up to five first bytes, so that paths meet, split and merge.
fn place(number: u8) -> Hash {
    let mut place = [0; 32];
    for (byte, bit) in (0..5).zip([1, 2, 4, 8, 16]) {
        place[byte] = if number & bit == 0 { 0 } else { 0x11 << (byte % 2) };
    }
    place[31] = number;
    Hash(place)
}

fn value_hash(value: &[u8]) -> Hash {
    crypto::hash(tags::STATE_TREE, &[value])
}

/// What versions put and remove, by number of the place.
fn changes() -> impl Strategy<Value = Vec<BTreeMap<u8, Option<u8>>>> {
    let version = prop::collection::btree_map(0..48_u8, prop::option::weighted(0.6, any::<u8>()), 0..12);
    prop::collection::vec(version, 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Whatever was put and removed before, the root is that of a tree made of what is left, and old
    /// versions within the window keep theirs.
    #[test]
    fn the_root_has_no_history(
        versions in changes(),
        window in 0..6_u64,
    ) {
        let clock = |version: u64| (Hash([0xff; 32]), Some(value_hash(&version.to_le_bytes())));
        let mut values = BTreeMap::from([clock(0)]);
        let whole = |version, values: &BTreeMap<Hash, Option<Hash>>| {
            Tree::new(version, values.iter().map(|(place, value)| (*place, *value)))
        };
        let mut tree = whole(0, &values);
        for (version, changes) in (1..).zip(versions) {
            let puts: Vec<Put> = changes
                .iter()
                .map(|(number, value)| (place(*number), value.map(|byte| value_hash(&[byte]))))
                .chain([clock(version)])
                .collect();
            values.extend(puts.iter().copied());
            values.retain(|_, value| value.is_some());
            let update = tree.next(puts.into_iter());
            let fresh = whole(version, &values);
            prop_assert_eq!(update.root(), fresh.root());
            tree.commit(update, window);
            prop_assert_eq!(tree.oldest(), version.saturating_sub(window));
            for number in (0..48).filter(|number| (u64::from(*number) + version) % 6 == 0) {
                let place = place(number);
                prop_assert_eq!(tree.proof(&place, version), fresh.proof(&place, version));
                prop_assert!(tree.proof(&place, tree.oldest()).is_some());
            }
            if window == 0 {
                prop_assert_eq!(tree.node_count(), fresh.node_count());
            }
        }
    }
}
