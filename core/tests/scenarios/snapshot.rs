//! Attack 37: a thief hands out a snapshot of a chain of its own, on which everything is the thief's.

use crate::ancient_keys::{Chain, OLD, certify, set};
use fair_core::chain::block::{Block, CertifiedBlock};
use fair_core::chain::certificate::Certificate;
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::light::{Candidate, Light};
use fair_core::chain::snapshot::{BadSnapshot, Manifest, Opened, Reader, Snapshot};
use fair_core::chain::walk::Turn;
use fair_core::codec;
use fair_core::types::Hash;

const THIEF: [u8; 4] = [9, 10, 11, 12];

type File = (String, Vec<u8>);

fn snapshot(
    genesis: &Genesis,
    turns: &[Turn],
    (header, certificate): (Header, Certificate),
    state: &Follower,
) -> Snapshot {
    Snapshot::new(genesis, turns.to_vec(), header, certificate, state.state())
}

/// The files of a snapshot under a manifest that may be another's.
fn files(snapshot: Snapshot, change: impl FnOnce(&mut Manifest)) -> Vec<File> {
    let mut manifest = snapshot.manifest();
    change(&mut manifest);
    snapshot.into_files(&manifest).collect()
}

fn read(chain_id: Hash, files: &[File], now: u64) -> Result<Opened, BadSnapshot> {
    let mut reader = Reader::new(chain_id, None, now);
    for (name, bytes) in files {
        reader.take(name, bytes)?;
    }
    reader.finish()
}

#[track_caller]
fn refused(chain_id: Hash, files: &[File], now: u64) -> BadSnapshot {
    read(chain_id, files, now).err().expect("the thief's snapshot is refused")
}

/// Attack 37. Rules: a snapshot is of the chain that the reader asks for, by the hash of its genesis; every set but
/// the first is believed because the one before it certified a header that names it; all entries together have the
/// root of the header.
#[test]
fn attack_37_self_certified_snapshot() {
    let honest = Chain::new();
    let (truth, now) = (honest.genesis.chain_id(), honest.now);
    let head = honest.at(honest.follower.height());
    let of = |candidate: Candidate| (candidate.header, candidate.certificate);
    let change = honest.change();
    let turn = Turn { header: change.header, certificate: change.certificate, next: change.next_validators };
    let good = || snapshot(&honest.genesis, std::slice::from_ref(&turn), of(head.clone()), &honest.follower);
    assert!(read(truth, &files(good(), |_| ()), now).is_ok());

    // The same network by its name, the same accounts, other validators: nothing is wrong with it but that.
    let genesis = Genesis { validators: set(THIEF), ..honest.genesis.clone() };
    let mut thief = Chain::at_genesis(genesis);
    thief.empty_blocks(3);
    let own = || snapshot(&thief.genesis, &[], of(thief.at(3)), &thief.follower);
    assert!(read(thief.genesis.chain_id(), &files(own(), |_| ()), now).is_ok());
    let error = refused(truth, &files(own(), |_| ()), now);
    assert!(matches!(&error, BadSnapshot::WrongNetwork { file, .. } if file == "manifest.bin"), "{error}");
    // Under the right name, with the own genesis.
    let error = refused(truth, &files(own(), |manifest| manifest.chain_id = truth), now);
    assert!(matches!(&error, BadSnapshot::WrongNetwork { file, .. } if file == "genesis.bin"), "{error}");

    // The right genesis, and then the own validators: named by a header that only they certified.
    let named = Header { next_validators_hash: set(THIEF).hash(), ..honest.at(1).header };
    let turn = Turn { certificate: certify(&named, &set(THIEF)), header: named, next: set(THIEF) };
    let header = Header { chain_id: truth, ..thief.at(3).header };
    let end = (header.clone(), certify(&header, &set(THIEF)));
    let error = refused(truth, &files(snapshot(&honest.genesis, &[turn], end, &thief.follower), |_| ()), now);
    assert!(matches!(&error, BadSnapshot::Unauthorised { file, .. } if file == "turns/000000.bin"), "{error}");
    // Or without saying so: the header names those of genesis, and others have signed it.
    let claimed = Header { validators_hash: set(OLD).hash(), next_validators_hash: set(OLD).hash(), ..header };
    let end = (claimed.clone(), certify(&claimed, &set(THIEF)));
    let error = refused(truth, &files(snapshot(&honest.genesis, &[], end, &thief.follower), |_| ()), now);
    assert!(matches!(&error, BadSnapshot::Unauthorised { file, .. } if file == "head.bin"), "{error}");

    // Everything right, but the entries are the thief's.
    let theirs = own();
    let chunks = theirs.manifest().chunks;
    let mut mixed = files(good(), |manifest| manifest.chunks = chunks.clone());
    mixed.retain(|(name, _)| !name.starts_with("state/"));
    mixed.extend(files(theirs, |_| ()).into_iter().filter(|(name, _)| name.starts_with("state/")));
    let error = refused(truth, &mixed, now);
    assert!(matches!(error, BadSnapshot::WrongState { .. }), "{error}");

    // Who begins at genesis, in either mode, does not follow the thief's blocks either, whatever they say.
    for header in [thief.at(1).header, Header { chain_id: truth, ..thief.at(1).header }, claimed_first(&honest)] {
        let certificate = certify(&header, &set(THIEF));
        let sets = (set(THIEF), set(THIEF));
        let candidate = Candidate {
            header: header.clone(),
            certificate: certificate.clone(),
            validators: sets.0,
            next_validators: sets.1,
        };
        assert!(Light::from_genesis(&honest.genesis).take(candidate, now).is_err());
        let block = CertifiedBlock { block: Block { header, batches: Vec::new() }, certificate };
        assert!(Follower::new(&honest.genesis).check(&block, now).is_err());
    }
}

/// The thief exchanges one file of an honest snapshot: the change of validators leads to the thief's.
#[test]
fn attack_37_exchanged_turn() {
    let honest = Chain::new();
    let head = honest.at(honest.follower.height());
    let change = honest.change();
    let header = change.header.clone();
    let turn = Turn { header: change.header, certificate: change.certificate, next: change.next_validators };
    let good = snapshot(&honest.genesis, &[turn], (head.header, head.certificate), &honest.follower);
    let mut exchanged = files(good, |_| ());
    let header = Header { next_validators_hash: set(THIEF).hash(), ..header };
    let turn = Turn { certificate: certify(&header, &set(THIEF)), header, next: set(THIEF) };
    let place = exchanged.iter().position(|(name, _)| name == "turns/000000.bin").unwrap();
    exchanged[place].1 = codec::encode(&turn);
    let error = refused(honest.genesis.chain_id(), &exchanged, honest.now);
    assert!(matches!(&error, BadSnapshot::OtherHeader { file } if file == "turns/000000.bin"), "{error}");
}

/// The true first block, to be certified by the wrong ones.
fn claimed_first(honest: &Chain) -> Header {
    let follower = Follower::new(&honest.genesis);
    let proposer = set(OLD).proposer(1, 0).unwrap().account;
    follower.build(&[], proposer, honest.genesis.time_ms).block.header
}
