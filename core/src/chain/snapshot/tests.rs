use super::*;
use crate::chain::block::CertifiedBlock;
use crate::chain::certificate::{Certificate, ValidatorSet};
use crate::chain::genesis::{Genesis, GenesisAccount};
use crate::chain::params::Parameters;
use crate::chain::verify::BadBlock;
use crate::chain::walk::{Turn, Unauthorised};
use crate::ledger::fixture::{START, World, certify_by, deposit, genesis, key, quick, validators};
use crate::ledger::operation::Operation;
use crate::types::{AssetId, PublicKey};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

type File = (String, Vec<u8>);

/// A chain on which the validators changed once, some channels, and its files at the head.
struct Written {
    world: World,
    turns: Vec<Turn>,
    files: Vec<File>,
    id: Hash,
}

fn quick_genesis() -> Genesis {
    Genesis { parameters: quick(), ..genesis() }
}

fn five() -> ValidatorSet {
    validators(&[(1, 25), (2, 25), (3, 25), (4, 25), (5, 25)])
}

fn snapshot(world: &World, turns: &[Turn], certificate: Certificate) -> Snapshot {
    let head = world.client.head().unwrap().clone();
    Snapshot::new(&world.genesis, turns.to_vec(), head, certificate, world.state())
}

impl Written {
    fn new() -> Self {
        let mut world = World::with(quick_genesis());
        let replica = World::with(quick_genesis());
        let mut blocks = world.turn(five());
        blocks.push(world.taken(&[]));
        let batch = world.batch(&key(5), vec![Operation::Deposit(deposit(1_000, &key(5), Some(&key(1))))]);
        blocks.push(world.taken(&[batch]));
        let turns = turns(replica, &blocks, world.now);
        assert_eq!(turns.len(), 1, "the validators changed once");
        let certificate = blocks.pop().unwrap().certificate;
        let snapshot = snapshot(&world, &turns, certificate);
        let manifest = snapshot.manifest();
        let id = manifest.hash();
        Self { world, turns, files: snapshot.into_files(&manifest).collect(), id }
    }

    fn place(&self, name: &str) -> usize {
        self.files.iter().position(|file| file.0 == name).unwrap()
    }

    fn refused(&self, change: impl FnOnce(&mut Vec<File>)) -> BadSnapshot {
        let mut files = self.files.clone();
        change(&mut files);
        read(&self.world, &files).err().unwrap()
    }
}

/// What a follower collects while it executes blocks.
fn turns(mut replica: World, blocks: &[CertifiedBlock], now: u64) -> Vec<Turn> {
    let mut turns = vec![];
    for certified in blocks {
        turns.extend(Turn::of(replica.client.state(), certified));
        let step = replica.client.check(certified, now).unwrap();
        replica.client.commit(step);
    }
    turns
}

fn read(world: &World, files: &[File]) -> Result<Opened, BadSnapshot> {
    let mut reader = Reader::new(world.genesis.chain_id(), None, world.now);
    for (name, bytes) in files {
        reader.take(name, bytes)?;
    }
    reader.finish()
}

#[test]
fn whoever_reads_a_snapshot_goes_on_as_if_it_had_executed_every_block() {
    let mut written = Written::new();
    let opened = read(&written.world, &written.files).unwrap();
    assert_eq!((opened.id, &opened.genesis, &opened.turns), (written.id, &written.world.genesis, &written.turns));
    let mut late = opened.follower;
    assert_eq!(late.head(), written.world.client.head());
    assert_eq!(late.state().oldest_height(), late.height(), "nothing is known below");
    assert!(late.state().encoded().eq(written.world.state().encoded()));
    for _ in 0..3 {
        let batch = written.world.batch(&key(6), vec![Operation::Deposit(deposit(700, &key(6), Some(&key(1))))]);
        let certified = written.world.taken(&[batch]);
        let step = late.check(&certified, written.world.now).unwrap();
        late.commit(step);
        assert_eq!(late.state().root(), written.world.state().root());
    }
    let head = late.height();
    assert!(late.state().prove_at(head - 3, &crate::ledger::state::Key::Clock).is_ok());
    assert!(late.state().prove_at(head - 4, &crate::ledger::state::Key::Clock).is_err());
}

#[test]
fn a_snapshot_of_a_past_state_is_the_one_that_was_due_then() {
    let mut written = Written::new();
    let head = written.world.client.head().unwrap().clone();
    let certificate = certify_by(&head, &[101, 103, 104, 105], &five());
    for amount in [1, 2] {
        let batch = written.world.batch(&key(5), vec![Operation::Deposit(deposit(amount, &key(5), Some(&key(1))))]);
        written.world.taken(&[batch]);
    }
    let state = written.world.state();
    assert_eq!(state.height(), head.height + 2);
    let past = Snapshot::past(&written.world.genesis, written.turns.clone(), head, certificate, state).unwrap();
    assert_eq!(past.manifest().hash(), written.id);
    assert!(state.encoded_at(state.height() + 1).is_err());
    assert!(state.encoded_at(state.height()).unwrap().eq(state.encoded()));
}

#[test]
fn other_certificates_make_the_same_identity() {
    let written = Written::new();
    let head = written.world.client.head().unwrap().clone();
    let few = certify_by(&head, &[101, 103, 104, 105], &five());
    let mut turns = written.turns.clone();
    turns[0].certificate = certify_by(&turns[0].header, &[102, 103, 104], &written.world.genesis.validators);
    let other = snapshot(&written.world, &turns, few);
    let manifest = other.manifest();
    assert_eq!(manifest.hash(), written.id);
    let files: Vec<File> = other.into_files(&manifest).collect();
    assert_ne!(files, written.files);
    assert_eq!(read(&written.world, &files).unwrap().id, written.id);
}

/// Every byte of every file. The refusal names the file, or what contradicts a changed manifest.
#[test]
fn a_changed_byte_is_refused_wherever_it_is() {
    let written = Written::new();
    for (place, (name, bytes)) in written.files.iter().enumerate() {
        for at in 0..bytes.len() {
            let refused = written.refused(|files| files[place].1[at] ^= 1 << (at % 8));
            let named = serde_json::to_value(&refused).unwrap();
            let file = named["file"].as_str().map(str::to_owned);
            match name.as_str() {
                MANIFEST => {}
                _ => assert_eq!(file.as_deref(), Some(name.as_str()), "byte {at}: {refused:?}"),
            }
        }
    }
}

#[test]
fn a_shorter_or_longer_file_is_refused() {
    let written = Written::new();
    for place in 0..written.files.len() {
        written.refused(|files| files[place].1 = files[place].1.split_last().unwrap().1.to_vec());
        written.refused(|files| files[place].1.push(0));
        written.refused(|files| files[place].1.clear());
    }
}

#[test]
fn a_file_missing_added_or_exchanged_is_named() {
    let written = Written::new();
    let last = written.files.len() - 1;
    for place in 0..=last {
        let name = &written.files[place].0;
        let refused = written.refused(|files| drop(files.remove(place)));
        match refused {
            BadSnapshot::Missing { file } => assert!(place == last && file == *name),
            BadSnapshot::Unexpected { expected, got } => {
                assert_eq!((&expected, &got), (name, &written.files[place + 1].0));
            }
            other => panic!("{other:?}"),
        }
        let doubled = written.refused(|files| files.insert(place, files[place].clone()));
        assert!(matches!(doubled, BadSnapshot::Unexpected { got, .. } if got == *name));
        let added = written.refused(|files| files.insert(place, ("more\u{1b}.bin".into(), vec![])));
        assert_eq!(added, BadSnapshot::Unexpected { expected: name.clone(), got: "more.bin".into() });
        if place < last {
            let swapped = written.refused(|files| files.swap(place, place + 1));
            assert!(matches!(swapped, BadSnapshot::Unexpected { expected, .. } if expected == *name));
        }
    }
    let added = written.refused(|files| files.push(("state/000001.bin".into(), vec![0; 4])));
    let (expected, got) = ("the end".to_owned(), "state/000001.bin".to_owned());
    assert_eq!(added, BadSnapshot::Unexpected { expected, got });
}

#[test]
fn a_length_is_refused_before_the_bytes_come() {
    let written = Written::new();
    let mut reader = Reader::new(written.world.genesis.chain_id(), None, written.world.now);
    for (name, bytes) in &written.files {
        assert_eq!(reader.look(name, bytes.len()), Ok(()));
        let refused = reader.look(name, usize::MAX).unwrap_err();
        assert!(matches!(refused, BadSnapshot::TooLong { file, .. } if file == *name));
        reader.take(name, bytes).unwrap();
    }
    assert_eq!(reader.expected(), None);
    assert!(reader.look("state/000001.bin", 1).is_err());
}

#[test]
fn a_snapshot_of_another_network_or_layout_is_refused() {
    let written = Written::new();
    let elsewhere = World::with(Genesis { network: "elsewhere".into(), ..quick_genesis() });
    let refused = read(&elsewhere, &written.files).err().unwrap();
    let (expected, got) = (elsewhere.genesis.chain_id(), written.world.genesis.chain_id());
    assert_eq!(refused, BadSnapshot::WrongNetwork { file: MANIFEST.into(), expected, got });
    let refused = written.refused(|files| files[0].1[0] = 2);
    assert_eq!(refused, BadSnapshot::UnknownVersion { expected: VERSION, got: 2 });
}

/// Rewrites the manifest of changed files, as a forger would.
fn forge(files: &mut [File], change: impl FnOnce(&mut Manifest)) {
    let mut manifest: Manifest = codec::decode(&files[0].1, MAX_MANIFEST_BYTES).unwrap();
    manifest.chunks =
        files.iter().filter(|file| file.0.starts_with("state/")).map(|file| ChunkId::of(&file.1)).collect();
    change(&mut manifest);
    files[0].1 = codec::encode(&manifest);
}

#[test]
fn a_balance_changed_with_the_manifest_is_no_state_of_the_header() {
    let written = Written::new();
    let chunk = written.place("state/000000.bin");
    let refused = written.refused(|files| {
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> = codec::decode(&files[chunk].1, usize::MAX).unwrap();
        let balance = entries.iter_mut().find(|(key, _)| key[0] == 7).unwrap();
        balance.1[1] ^= 1;
        files[chunk].1 = codec::encode(&entries);
        forge(files, |_| {});
    });
    assert!(matches!(refused, BadSnapshot::WrongState { .. }), "{refused:?}");
}

#[test]
fn a_header_left_out_of_the_manifest_breaks_the_walk() {
    let written = Written::new();
    let refused = written.refused(|files| {
        files.remove(2);
        forge(files, |manifest| {
            let _ = manifest.headers.remove(0);
        });
    });
    let BadSnapshot::Unauthorised { file, error } = refused else { panic!("{refused:?}") };
    assert_eq!(file, HEAD);
    assert!(matches!(error, Unauthorised::Header(BadBlock::WrongValidators { .. })));
}

#[test]
fn a_header_from_the_future_is_refused() {
    let written = Written::new();
    let mut reader = Reader::new(written.world.genesis.chain_id(), None, written.world.now - 6_000);
    let refused = written.files.iter().find_map(|(name, bytes)| reader.take(name, bytes).err()).unwrap();
    let BadSnapshot::Unauthorised { file, error } = refused else { panic!("{refused:?}") };
    assert_eq!(file, HEAD);
    assert!(matches!(error, Unauthorised::Header(BadBlock::FromTheFuture { .. })));
}

/// A world whose state fills several chunks.
fn wide() -> (World, Vec<File>) {
    let mut genesis = quick_genesis();
    for number in 0..2_500_u16 {
        let mut bytes = [9; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        genesis.accounts.push(GenesisAccount { key: PublicKey(bytes), balances: vec![(AssetId::FRD, 1)] });
    }
    genesis.assets[0].supply = 6 * START + 2_500;
    let mut world = World::with(genesis);
    let certified = world.taken(&[]);
    let snapshot = snapshot(&world, &[], certified.certificate);
    let manifest = snapshot.manifest();
    let files = snapshot.into_files(&manifest).collect();
    (world, files)
}

#[test]
fn chunks_are_filled_to_the_brim_and_stand_in_order() {
    let (world, files) = wide();
    let chunks: Vec<usize> = (0..files.len()).filter(|at| files[*at].0.starts_with("state/")).collect();
    assert!(chunks.len() > 1);
    assert!(files.iter().skip(chunks[0]).all(|file| file.1.len() <= limits::SNAPSHOT_CHUNK_BYTES));
    assert!(read(&world, &files).is_ok());
    let (first, second) = (chunks[0], chunks[1]);
    let refused = |change: &dyn Fn(&mut Vec<File>)| {
        let mut files = files.clone();
        change(&mut files);
        forge(&mut files, |_| {});
        read(&world, &files).err().unwrap()
    };
    let exchanged = refused(&|files| {
        let one = std::mem::take(&mut files[first].1);
        files[first].1 = std::mem::replace(&mut files[second].1, one);
    });
    assert!(matches!(exchanged, BadSnapshot::BadEntry { .. }), "{exchanged:?}");
    let entries =
        |files: &[File], at: usize| -> Vec<(Vec<u8>, Vec<u8>)> { codec::decode(&files[at].1, usize::MAX).unwrap() };
    let moved = refused(&|files| {
        let (mut one, mut two) = (entries(files, first), entries(files, second));
        two.insert(0, one.pop().unwrap());
        (files[first].1, files[second].1) = (codec::encode(&one), codec::encode(&two));
    });
    assert!(matches!(&moved, BadSnapshot::BadEntry { file, index: 0, .. } if *file == files[second].0), "{moved:?}");
    let reordered = refused(&|files| {
        let mut one = entries(files, first);
        one.swap(7, 8);
        files[first].1 = codec::encode(&one);
    });
    assert!(matches!(&reordered, BadSnapshot::BadEntry { file, index: 8, .. } if *file == files[first].0));
    let hollow = refused(&|files| files[second].1 = vec![0; 4]);
    assert!(matches!(hollow, BadSnapshot::BadEntry { index: 0, .. }));
    let exchanged = {
        let mut files = files.clone();
        let one = std::mem::take(&mut files[first].1);
        files[first].1 = std::mem::replace(&mut files[second].1, one);
        read(&world, &files).err().unwrap()
    };
    assert!(matches!(exchanged, BadSnapshot::OtherBytes { file, .. } if file == files[first].0));
}

#[test]
fn a_snapshot_is_due_at_height_1_and_whenever_blocks_fill_the_measure() {
    let mut world = World::new();
    let empty = world.taken(&[]);
    let length = codec::encode(&empty.block).len() as u64;
    let k = Parameters { snapshot_after_bytes: 3 * length, ..Parameters::DEMO };
    let (mut pace, due) = Pace::default().after(&empty.block, &k);
    assert!(due);
    let mut heights = vec![];
    for _ in 0..9 {
        let block = world.taken(&[]).block;
        let due;
        // As over a restart.
        (pace, due) = Pace::decode(&pace.encoded()).unwrap().after(&block, &k);
        heights.extend(due.then_some(block.header.height));
    }
    assert_eq!(heights, [4, 7, 10]);
    assert_eq!(Pace::decode(&[1; 7]), None);
}

#[test]
fn names_of_archives_are_canonical() {
    assert_eq!(archive_name(42), "Fair-42.tar.gz");
    assert_eq!(archive_height("Fair-42.tar.gz"), Some(42));
    for other in ["Fair-042.tar.gz", "Fair-+4.tar.gz", "Fair-.tar.gz", "Fair-4.tar", "../Fair-4.tar.gz", ""] {
        assert_eq!(archive_height(other), None, "{other}");
    }
}

fn pack(files: &[File]) -> Vec<u8> {
    let mut bytes = vec![];
    for (name, file) in files {
        bytes.extend_from_slice(&archive::header(name, file.len()));
        bytes.extend_from_slice(file);
        bytes.extend_from_slice(archive::padding(file.len()));
    }
    bytes.extend_from_slice(archive::end());
    bytes
}

fn unpack(world: &World, bytes: &[u8], piece: usize, limit: u64) -> Result<Opened, BadSnapshot> {
    let reader = Reader::new(world.genesis.chain_id(), None, world.now);
    let mut unpacker = archive::Unpacker::new(reader, limit);
    bytes.chunks(piece).try_for_each(|piece| unpacker.push(piece))?;
    unpacker.finish()
}

#[test]
fn an_archive_is_read_in_pieces_of_any_size() {
    let written = Written::new();
    let bytes = pack(&written.files);
    assert_eq!(bytes.len() % 512, 0);
    for piece in [1, 7, 511, 512, 513, 4_096, usize::MAX] {
        assert_eq!(unpack(&written.world, &bytes, piece, u64::MAX).unwrap().id, written.id);
    }
    let length = bytes.len() as u64;
    assert!(unpack(&written.world, &bytes, 4_096, length).is_ok());
    let refused = unpack(&written.world, &bytes, 4_096, length - 1).err();
    assert!(matches!(refused, Some(BadSnapshot::Archive { .. })));
}

#[test]
fn an_archive_cut_short_or_with_more_in_it_is_refused() {
    let written = Written::new();
    let bytes = pack(&written.files);
    for length in (0..bytes.len() - 1_024).step_by(97) {
        let refused = unpack(&written.world, &bytes[..length], 512, u64::MAX).err().unwrap();
        assert!(matches!(refused, BadSnapshot::Missing { .. } | BadSnapshot::Archive { .. }), "{refused:?}");
    }
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        unpack(&written.world, &bytes, 512, u64::MAX).err().unwrap()
    };
    assert!(matches!(refused(&|bytes| bytes.push(1)), BadSnapshot::Archive { .. }));
    // Another tool's record is filled up with zeros; more of them would be a bomb when they are packed.
    let with_zeros = |more: usize| unpack(&written.world, &[&bytes[..], &vec![0; more]].concat(), 512, u64::MAX);
    assert!(with_zeros(20 * 512).is_ok());
    assert!(matches!(with_zeros(1 << 20), Err(BadSnapshot::Archive { .. })));
    // A link, a size that is none, a name in two parts.
    for at in [156, 124, 345, 0, 148] {
        let error = refused(&|bytes| bytes[at] ^= 3);
        assert!(matches!(error, BadSnapshot::Archive { .. }), "{at}: {error:?}");
    }
    let huge = refused(&|bytes| bytes[..512].copy_from_slice(&archive::header(MANIFEST, 1 << 30)));
    assert!(matches!(huge, BadSnapshot::TooLong { .. }));
    let empty = refused(&|bytes| bytes[..512].copy_from_slice(&archive::header(MANIFEST, 0)));
    assert!(matches!(empty, BadSnapshot::Malformed { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, rng_seed: RngSeed::Fixed(37), ..ProptestConfig::default() })]

    /// Whatever files a stranger sends, the reader answers with an error and not with a panic.
    #[test]
    fn arbitrary_files_are_refused(
        files in proptest::collection::vec((0_usize..6, proptest::collection::vec(any::<u8>(), 0..400)), 0..8),
    ) {
        let names = [MANIFEST, GENESIS, "turns/000000.bin", HEAD, "state/000000.bin", "x"];
        let files: Vec<File> = files.into_iter().map(|(name, bytes)| (names[name].to_owned(), bytes)).collect();
        prop_assert!(read(&World::new(), &files).is_err());
    }
}
