use super::{BadStore, Follower, LeftOut};
use crate::chain::block::{CertifiedBlock, batches_root};
use crate::chain::header::Header;
use crate::chain::verify::{self, BadBlock};
use crate::codec;
use crate::crypto::SecretKey;
use crate::ledger::fixture::{World, certify, deposit, genesis, key, parties};
use crate::ledger::inclusion::InclusionError;
use crate::ledger::operation::Operation;
use crate::ledger::state::{BadState, Key};
use crate::limits;
use crate::types::Hash;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The serde tag: the stable code of an error.
fn code(error: &BadBlock) -> String {
    serde_json::to_value(error).unwrap()["code"].as_str().unwrap().to_owned()
}

/// A chain of two blocks and a third that is right and not committed.
fn third_block() -> (World, CertifiedBlock) {
    let mut world = World::new();
    world.run(&key(5), vec![Operation::Deposit(deposit(1_000, &key(5), Some(&key(1))))]);
    world.block(&[]);
    let batches = [
        world.batch(&key(5), vec![Operation::Deposit(deposit(2_000, &key(5), Some(&key(200))))]),
        world.batch(&key(6), vec![world.withdraw(&key(1), &key(5), crate::types::AssetId::FRD, 10)]),
    ];
    let (_, certified) = world.certified(&batches);
    (world, certified)
}

fn refused(world: &World, certified: &CertifiedBlock) -> String {
    code(&world.client.check(certified, world.now).unwrap_err())
}

#[test]
fn the_right_block_is_accepted() {
    let (mut world, certified) = third_block();
    let step = world.client.check(&certified, world.now).unwrap();
    world.client.commit(step);
    assert_eq!(world.client.head(), Some(&certified.block.header));
    assert_eq!(refused(&world, &certified), "wrong_height");
}

/// Every single bit of every header field, each field under its own code.
#[test]
fn a_flipped_bit_in_any_header_field_is_refused_under_its_code() {
    let (world, certified) = third_block();
    // Field, offset and length in the layout of a header, and the codes that its bits show.
    let fields: &[(&str, usize, usize, &[&str])] = &[
        ("version", 0, 2, &["unknown_version"]),
        ("chain_id", 2, 32, &["wrong_chain"]),
        ("height", 34, 8, &["wrong_height"]),
        ("time_ms", 42, 8, &["too_early", "from_the_future", "certificate_for_other_block"]),
        ("proposer", 50, 32, &["unknown_proposer"]),
        ("previous", 82, 32, &["wrong_previous"]),
        ("usable_height", 114, 8, &["wrong_usable_height"]),
        ("batches_root", 122, 32, &["wrong_batches_root"]),
        ("state_root", 154, 32, &["wrong_state_root"]),
        ("validators_hash", 186, 32, &["wrong_validators"]),
        ("next_validators_hash", 218, 32, &["wrong_next_validators"]),
        ("parameters_hash", 250, 32, &["wrong_parameters"]),
    ];
    let bytes = codec::encode(&certified.block.header);
    assert_eq!(bytes.len(), 282);
    for (name, offset, length, codes) in fields {
        for bit in 0..length * 8 {
            let mut flipped = bytes.clone();
            flipped[offset + bit / 8] ^= 1 << (bit % 8);
            let mut other = certified.clone();
            other.block.header = codec::decode::<Header>(&flipped, limits::MAX_HEADER_BYTES).unwrap();
            let got = refused(&world, &other);
            assert!(codes.contains(&got.as_str()), "bit {bit} of {name}: {got}");
        }
    }
    assert_eq!(fields.iter().map(|field| field.2).sum::<usize>(), bytes.len());
}

/// Every single bit of the batches: either no canonical encoding, or not what the header commits to.
#[test]
fn a_flipped_bit_in_a_batch_or_its_signature_is_refused() {
    let (world, certified) = third_block();
    for index in 0..2 {
        let bytes = codec::encode(&certified.block.batches[index]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(batch) = codec::decode(&flipped, limits::MAX_BATCH_BYTES) else { continue };
            let mut other = certified.clone();
            other.block.batches[index] = batch;
            assert_eq!(refused(&world, &other), "wrong_batches", "bit {bit}");
        }
    }
}

#[test]
fn a_flipped_bit_in_the_certificate_is_refused_under_its_code() {
    let (world, certified) = third_block();
    let check = |change: &dyn Fn(&mut CertifiedBlock), expected: &str| {
        let mut other = certified.clone();
        change(&mut other);
        assert_eq!(refused(&world, &other), expected);
    };
    for bit in 0..64 {
        check(&|other| other.certificate.height ^= 1 << bit, "certificate_height");
    }
    for bit in 0..32 {
        check(&|other| other.certificate.round ^= 1 << bit, "certificate_vote");
    }
    for bit in 0..256 {
        check(&|other| other.certificate.block_hash.0[bit / 8] ^= 1 << (bit % 8), "certificate_block_hash");
    }
    for (place, bit) in (0..4).flat_map(|place| (0..512).map(move |bit| (place, bit))) {
        let flip = |other: &mut CertifiedBlock| {
            other.certificate.signatures[place].as_mut().unwrap().0[bit / 8] ^= 1 << (bit % 8);
        };
        check(&flip, "certificate_signature");
    }
    check(&|other| other.certificate.signatures.truncate(3), "certificate_length");
    check(&|other| other.certificate.signatures.push(None), "certificate_length");
    check(&|other| other.certificate.signatures.rotate_left(1), "certificate_vote");
    check(&|other| other.certificate.signatures[..2].fill(None), "no_quorum");
}

#[test]
fn three_of_four_certify() {
    let (world, mut certified) = third_block();
    certified.certificate = certify(&certified.block.header, &[101, 103, 104]);
    assert!(world.client.check(&certified, world.now).is_ok());
}

/// Validators with 2/3+ that certify something wrong are not believed either.
#[test]
fn a_quorum_cannot_certify_what_execution_does_not_give() {
    let (world, certified) = third_block();
    let forge = |change: &dyn Fn(&mut CertifiedBlock)| {
        let mut other = certified.clone();
        change(&mut other);
        other.block.header.batches_root = batches_root(&other.block.batches);
        other.certificate = certify(&other.block.header, &[101, 102, 103, 104]);
        world.client.check(&other, world.now).unwrap_err()
    };
    assert_eq!(code(&forge(&|other| other.block.header.state_root = Hash([7; 32]))), "wrong_state_root");
    assert_eq!(code(&forge(&|other| drop(other.block.batches.pop()))), "wrong_state_root");
    let signer = key(5).public();
    let bad_signature = |other: &mut CertifiedBlock| other.block.batches[0].signature.0[0] ^= 1;
    let expected = BadBlock::BadBatch { index: 0, reason: InclusionError::BatchSignature { signer } };
    assert_eq!(forge(&bad_signature), expected);
    let twice = |other: &mut CertifiedBlock| other.block.batches.push(other.block.batches[0].clone());
    let expected = BadBlock::BadBatch { index: 2, reason: InclusionError::SecondBatch { signer } };
    assert_eq!(forge(&twice), expected);
    // A real certificate of the set, for another block of the same height.
    let mut other = certified.clone();
    other.certificate = certify(&Header { time_ms: world.now + 1, ..certified.block.header.clone() }, &[101, 102, 103]);
    assert_eq!(refused(&world, &other), "certificate_for_other_block");
}

/// Ordinary batches beyond K.max_block − K.court_room: left out by a proposer, refused in a block.
#[test]
fn a_block_that_is_too_full_is_refused() {
    let mut genesis = genesis();
    genesis.parameters.max_batch_bytes = 600;
    genesis.parameters.court_room_bytes = 1_200;
    genesis.parameters.max_block_bytes = 2_400;
    let world = World::with(genesis);
    let pay_in = |signer: &SecretKey| Operation::Deposit(deposit(1, signer, Some(&key(1))));
    let batches: Vec<_> = [5, 6, 2, 3]
        .map(key)
        .iter()
        .map(|signer| world.batch(signer, vec![pay_in(signer), pay_in(signer), pay_in(signer)]))
        .collect();
    let bytes = crate::ledger::batch::signed_bytes(&batches[0]);
    assert!((301..=400).contains(&bytes), "{bytes}");
    let built = world.client.build(&batches, key(1).public(), 0);
    assert_eq!(built.left_out, vec![(3, LeftOut::NoRoom)]);
    assert!(world.client.execute(&built.block).is_ok());
    let mut full = built.block.clone();
    full.batches = batches;
    full.header.batches_root = batches_root(&full.batches);
    let error = world.client.execute(&full).unwrap_err();
    assert_eq!(error, BadBlock::TooLarge { limit: 1_200, got: 4 * bytes });
}

#[test]
fn times_are_held_against_the_predecessor_and_the_clock() {
    let (world, certified) = third_block();
    let time = certified.block.header.time_ms;
    assert!(world.client.check(&certified, time - limits::CLOCK_DRIFT_MS).is_ok());
    let early = world.client.check(&certified, time - limits::CLOCK_DRIFT_MS - 1).unwrap_err();
    assert_eq!(code(&early), "from_the_future");
    let built = world.client.build(&[], key(1).public(), 0);
    assert_eq!(built.block.header.time_ms, verify::earliest_time(&world.client.expected()));
    assert!(world.client.execute(&built.block).is_ok());
    let mut hasty = built.block;
    hasty.header.time_ms -= 1;
    assert_eq!(code(&world.client.execute(&hasty).unwrap_err()), "too_early");
}

#[test]
fn a_proposer_leaves_out_what_may_not_stand_there() {
    let world = World::new();
    let good = world.batch(&key(5), vec![]);
    let mut forged = world.batch(&key(6), vec![]);
    forged.signature.0[0] ^= 1;
    let stranger = world.batch(&key(200), vec![]);
    let built = world.client.build([&forged, &good, &good, &stranger], key(1).public(), 0);
    assert_eq!(built.block.batches, vec![good]);
    let refused = |place, reason| (place, LeftOut::Refused(reason));
    assert_eq!(
        built.left_out,
        vec![
            refused(0, InclusionError::BatchSignature { signer: key(6).public() }),
            refused(2, InclusionError::SecondBatch { signer: key(5).public() }),
            refused(3, InclusionError::UnknownSigner { signer: key(200).public() }),
        ]
    );
    assert!(world.client.execute(&built.block).is_ok());
}

#[test]
fn a_store_of_another_network_or_head_is_refused() {
    let (world, _) = third_block();
    let stored: Vec<_> = world.state().encoded().collect();
    let pairs = || stored.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let head = world.client.head().unwrap().clone();
    let restored = Follower::restore(&world.genesis, head.clone(), pairs()).unwrap();
    assert_eq!(restored.expected(), world.client.expected());
    let mut elsewhere = world.genesis.clone();
    elsewhere.network = "another".into();
    let error = Follower::restore(&elsewhere, head.clone(), pairs()).err().unwrap();
    assert!(matches!(error, BadStore::WrongChain { .. }));
    let other_head = Header { state_root: Hash([1; 32]), ..head };
    assert!(matches!(Follower::restore(&world.genesis, other_head, pairs()).err(), Some(BadStore::State(_))));
}

/// What a host stores of a block to have its height back.
type Stored = Vec<(Header, Vec<u8>)>;

/// A busy chain of `heights` blocks, with what was stored of each, newest first.
fn long_chain(heights: u64) -> (World, Stored) {
    let mut world = World::new();
    let mut stored = Stored::new();
    for _ in 0..heights {
        add(&mut world, &mut stored, 1, limits::MAX_UNDO_BYTES);
    }
    (world, stored)
}

/// One more block, with so many new channels, whose way back is stored if it has at most so many bytes.
fn add(world: &mut World, stored: &mut Stored, channels: u8, most: usize) {
    let height = world.client.height() + 1;
    let partner = |more: u8| key(100 + u8::try_from(height).unwrap() + 20 * more);
    let deposit = |more| Operation::Deposit(deposit(600 + height, &key(5), Some(&partner(more))));
    let batch = world.batch(&key(5), (0..channels).map(deposit).collect());
    let (built, certified) = world.certified(&[batch]);
    let step = world.client.check(&certified, world.now).unwrap();
    assert!(step.encoded_undo().len() > 4, "it is never empty, however short");
    stored.insert(0, (step.header().clone(), step.transition().undo_within(most)));
    world.builder.commit(built.step);
    world.client.commit(step);
}

fn restored(world: &World) -> Follower {
    let pairs: Vec<_> = world.state().encoded().collect();
    let pairs = pairs.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    Follower::restore(&world.genesis, world.client.head().unwrap().clone(), pairs).unwrap()
}

#[test]
fn recent_heights_come_back_after_a_restart() {
    let window = u64::from(World::new().state().parameters().proof_window_heights);
    for heights in [1, 7, window + 9] {
        let (mut world, stored) = long_chain(heights);
        let mut follower = restored(&world);
        assert_eq!(follower.state().oldest_height(), heights);
        follower.recall(stored).unwrap();
        // A follower that never stopped knows genesis too, as long as that lies within the window.
        let oldest = world.state().oldest_height().max(1);
        assert_eq!(follower.state().oldest_height(), oldest);
        let compare = |follower: &Follower, world: &World, oldest: u64| {
            let newest = world.client.height();
            for height in oldest..=newest {
                assert_eq!(follower.header_at(height), world.client.header_at(height));
                for other in 100..=120 {
                    let key = Key::Channel(parties(&key(5), &key(other)));
                    let (got, expected) =
                        (follower.state().prove_at(height, &key), world.state().prove_at(height, &key));
                    assert_eq!(got, expected);
                }
            }
        };
        compare(&follower, &world, oldest);
        // And it goes on like the one that never stopped.
        let (built, certified) = world.certified(&[]);
        follower.commit(follower.check(&certified, world.now).unwrap());
        world.client.commit(built.step);
        compare(&follower, &world, oldest + u64::from(heights > window));
    }
}

/// A block can be made to touch so much that its way back is longer than any that is read: it is not stored, and what
/// comes back after a restart begins there.
#[test]
fn a_way_back_that_is_too_long_is_left_out() {
    let (mut world, mut stored) = long_chain(3);
    let most = stored.iter().map(|(_, undo)| undo.len()).max().unwrap() + 20;
    for channels in [1, 5, 1, 1] {
        add(&mut world, &mut stored, channels, most);
    }
    assert_eq!(stored.iter().map(|(_, undo)| undo.is_empty()).collect::<Vec<_>>()[..4], [false, false, true, false]);
    let mut follower = restored(&world);
    follower.recall(stored).unwrap();
    assert_eq!((follower.state().oldest_height(), follower.height()), (5, 7));
    for height in 5..=7 {
        assert_eq!(follower.header_at(height), world.client.header_at(height));
        let key = Key::Channel(parties(&key(5), &key(105)));
        assert_eq!(follower.state().prove_at(height, &key), world.state().prove_at(height, &key));
    }
}

#[test]
fn a_past_that_does_not_lead_to_the_head_is_refused_and_changes_nothing() {
    type Change = fn(&mut Stored);
    let (world, stored) = long_chain(9);
    type Is = fn(&BadStore) -> bool;
    let cases: &[(Change, Is)] = &[
        (|stored| stored.swap(3, 4), |error| matches!(error, BadStore::OtherPast { .. })),
        (|stored| drop(stored.drain(..1)), |error| matches!(error, BadStore::OtherPast { height: 8 })),
        (|stored| stored[2].0.state_root = Hash([1; 32]), |error| *error == BadStore::OtherPast { height: 7 }),
        (
            |stored| stored[2].1 = stored[3].1.clone(),
            |error| matches!(error, BadStore::State(BadState::WrongRoot { .. })),
        ),
        (|stored| stored[2].1.truncate(3), |error| matches!(error, BadStore::State(BadState::Decode { index: 2, .. }))),
        (|stored| stored[2].1 = vec![0; 4], |error| matches!(error, BadStore::State(BadState::WrongRoot { .. }))),
    ];
    for (index, (change, is_expected)) in cases.iter().enumerate() {
        let mut follower = restored(&world);
        let mut stored = stored.clone();
        change(&mut stored);
        let error = follower.recall(stored).unwrap_err();
        assert!(is_expected(&error), "case {index}: {error:?}");
        assert_eq!(follower.state().oldest_height(), 9);
        assert_eq!(follower.expected(), world.client.expected());
    }
}

/// Mutated bytes of a certified block never panic and are never taken for another block.
#[test]
fn mutated_blocks_are_refused() {
    let (world, certified) = third_block();
    let original = codec::encode(&certified);
    let config = ProptestConfig {
        cases: 512,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    };
    let mutations = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..8_u8), 1..4);
    let check = |mutations: Vec<(prop::sample::Index, u8, u8)>| {
        let mut bytes = original.clone();
        for (index, byte, kind) in mutations {
            let place = index.index(bytes.len());
            match kind {
                0 => drop(bytes.drain(place..=place)),
                1 => bytes.insert(place, byte),
                2 => bytes.truncate(place.max(1)),
                _ => bytes[place] = byte,
            }
        }
        if let Ok(other) = codec::decode::<CertifiedBlock>(&bytes, limits::MAX_CERTIFIED_BLOCK_BYTES) {
            prop_assert_eq!(world.client.check(&other, world.now).is_ok(), bytes == original);
        }
        Ok(())
    };
    proptest::test_runner::TestRunner::new(config).run(&mutations, check).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Random bytes are no batch, and if they were, nothing would happen.
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = codec::decode::<crate::ledger::batch::Batch>(&bytes, limits::MAX_BATCH_BYTES);
        let _ = codec::decode::<crate::ledger::state::Key>(&bytes, crate::ledger::state::MAX_KEY_BYTES);
        let _ = codec::decode::<crate::ledger::state::Value>(&bytes, crate::ledger::state::MAX_VALUE_BYTES);
        let _ = codec::decode::<crate::ledger::state::StateProof>(&bytes, crate::ledger::state::MAX_PROOF_BYTES);
        let _ = codec::decode::<CertifiedBlock>(&bytes, limits::MAX_CERTIFIED_BLOCK_BYTES);
    }
}
