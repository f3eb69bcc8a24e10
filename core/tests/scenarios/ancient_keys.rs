//! Attack 38: keys of validators that were voted out long ago have leaked.

use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::conflict::{self, Conflict};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::chain::header::Header;
use fair_core::chain::light::{Candidate, Light, NotAccepted, Taken};
use fair_core::chain::params::Parameters;
use fair_core::chain::trust::{Confirmed, Lead, NoLead};
use fair_core::chain::verify::BadBlock;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{GovernanceAction, Operation, Propose, Vote};
use fair_core::limits::MAX_LEAD;
use fair_core::message::{Message as _, Signed};
use fair_core::types::{AssetId, Hash, Height};
use std::collections::BTreeMap;

const PERIOD: u64 = 30_000;
pub(crate) const OLD: [u8; 4] = [1, 2, 3, 4];
pub(crate) const NEW: [u8; 4] = [5, 6, 7, 8];

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn set(seeds: [u8; 4]) -> ValidatorSet {
    let mut validators: Vec<_> = seeds
        .iter()
        .map(|seed| Validator {
            account: key(*seed).public(),
            signing_key: key(100 + seed).public(),
            shares: 25,
            url: format!("http://validator-{seed}.example"),
        })
        .collect();
    validators.sort_by_key(|validator| validator.account);
    ValidatorSet { validators }
}

pub(crate) fn certify(header: &Header, set: &ValidatorSet) -> Certificate {
    let vote = Precommit { height: header.height, round: 0, block_hash: Some(header.hash()) };
    let signatures = set.validators.iter().map(|validator| {
        let signer = (101..=112).map(key).find(|key| key.public() == validator.signing_key)?;
        Some(vote.sign(&header.chain_id, &signer))
    });
    Certificate { height: header.height, round: 0, block_hash: header.hash(), signatures: signatures.collect() }
}

/// A chain whose first validators were all replaced.
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    pub(crate) follower: Follower,
    pub(crate) now: u64,
    headers: Vec<Candidate>,
    blocks: Vec<CertifiedBlock>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let parameters = Parameters {
            max_idle_ms: 1_000,
            stale_head_ms: 6_001,
            max_lead_ms: 6_000,
            voting_period_blocks: 11,
            validator_delay_blocks: 1,
            trust_period_ms: PERIOD,
            ..Parameters::DEMO
        };
        let asset = |id, ticker: &str| Asset {
            id,
            ticker: ticker.into(),
            name: ticker.into(),
            decimals: 2,
            supply: 12_000_000,
        };
        let balances = vec![(AssetId::FRD, 1_000_000), (AssetId::FRB, 1_000_000)];
        let genesis = Genesis {
            network: "ancient".into(),
            purpose: Purpose::Test,
            time_ms: 1_700_000_000_000,
            parameters,
            validators: set(OLD),
            assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
            accounts: (1..=12).map(|s| GenesisAccount { key: key(s).public(), balances: balances.clone() }).collect(),
            banks: Vec::new(),
        };
        let mut chain = Self::at_genesis(genesis);
        let action = GovernanceAction::SetValidators { validators: Box::new(set(NEW)) };
        chain.block(&[1], &Operation::Propose(Propose { action, text: String::new() }));
        chain.block(&OLD, &Operation::Vote(Vote { proposal: 1, approve: true, rationale: String::new() }));
        while chain.follower.state().validators() != &set(NEW) {
            chain.block(&[], &Operation::Vote(Vote { proposal: 1, approve: true, rationale: String::new() }));
        }
        chain.empty_blocks(2);
        chain
    }

    pub(crate) fn at_genesis(genesis: Genesis) -> Self {
        genesis.check().unwrap();
        let now = genesis.time_ms;
        Self { follower: Follower::new(&genesis), genesis, now, headers: Vec::new(), blocks: Vec::new() }
    }

    fn block(&mut self, signers: &[u8], operation: &Operation) {
        self.now += 1_000;
        let state = self.follower.state();
        let batch = |seed: &u8| {
            let signer = key(*seed);
            let nonce = state.account(&signer.public()).unwrap().nonce;
            let valid_until = state.height() + 20;
            let entries = vec![Entry { group: None, operation: operation.clone() }];
            let batch = Batch { signer: signer.public(), nonce, valid_until, fee_rate: 10, entries };
            Signed::new(batch, &state.chain_id(), &signer)
        };
        let batches: Vec<_> = signers.iter().map(batch).collect();
        let (validators, next_validators) = (state.validators().clone(), state.next_validators().clone());
        let proposer = validators.proposer(state.height() + 1, 0).unwrap().account;
        let built = self.follower.build(&batches, proposer, self.now);
        assert!(built.left_out.is_empty());
        let certificate = certify(&built.block.header, &validators);
        let certified = CertifiedBlock { certificate: certificate.clone(), block: built.block };
        let step = self.follower.check(&certified, self.now).unwrap();
        self.follower.commit(step);
        self.blocks.push(certified.clone());
        self.headers.push(Candidate { header: certified.block.header, certificate, validators, next_validators });
    }

    pub(crate) fn empty_blocks(&mut self, count: usize) {
        for _ in 0..count {
            self.block(&[], &Operation::Vote(Vote { proposal: 1, approve: true, rationale: String::new() }));
        }
    }

    pub(crate) fn at(&self, height: Height) -> Candidate {
        self.headers[usize::try_from(height).unwrap() - 1].clone()
    }

    /// The header that names the new validators as next.
    pub(crate) fn change(&self) -> Candidate {
        let changes = |it: &&Candidate| it.header.next_validators_hash != it.header.validators_hash;
        self.headers.iter().find(changes).unwrap().clone()
    }

    /// What the thief makes with the keys of a set.
    fn forged(&self, height: Height, seeds: [u8; 4], time_ms: u64) -> Candidate {
        let set = set(seeds);
        let mut header = self.at(height.min(self.follower.height())).header;
        (header.height, header.time_ms, header.state_root) = (height, time_ms, Hash([0xee; 32]));
        (header.validators_hash, header.next_validators_hash) = (set.hash(), set.hash());
        let certificate = certify(&header, &set);
        Candidate { header, certificate, validators: set.clone(), next_validators: set }
    }

    fn walked(&self) -> Light {
        let mut light = Light::from_genesis(&self.genesis);
        for candidate in [self.at(5), self.change(), self.at(self.follower.height())] {
            assert_eq!(light.take(candidate, self.now), Ok(Taken::Accepted));
        }
        light
    }
}

/// Attack 38. Rules: only conflicts within K.trust_period of the head stop anybody; a header is accepted only if a
/// trusted set leads to its own; trust that slept longer than K.trust_period leads nowhere.
#[test]
fn a38_ancient_keys() {
    let mut chain = Chain::new();
    let slept_at = chain.at(5);
    let chain_id = chain.genesis.chain_id();

    // A second block 5, while block 5 is young, stops whoever sees it: those who signed it can be held to account.
    let mut light = chain.walked();
    let second = chain.forged(5, OLD, chain.at(5).header.time_ms);
    assert_eq!(light.take(second.clone(), chain.now), Ok(Taken::Conflict(Conflict::Stops)));

    // Long after the old validators have left, it stops nobody, whatever time it claims. It is kept.
    chain.empty_blocks(40);
    let mut light = chain.walked();
    for time_ms in [second.header.time_ms, chain.now] {
        let second = chain.forged(5, OLD, time_ms);
        assert_eq!(light.take(second.clone(), chain.now), Ok(Taken::Conflict(Conflict::IsKept)));
        let ours = chain.at(5).header;
        let judged = conflict::judge(&ours, &second.header, &second.certificate, &set(OLD), chain.now, PERIOD);
        assert_eq!(judged, Ok(Some(Conflict::IsKept)));
    }
    // A second block at the head, by the validators of today, does stop.
    let head = chain.follower.height();
    let young = chain.forged(head, NEW, chain.now);
    assert_eq!(light.take(young, chain.now), Ok(Taken::Conflict(Conflict::Stops)));

    // The old keys cannot continue the chain for anybody who follows it, in either mode.
    let next = chain.forged(head + 1, OLD, chain.now + 1_000);
    let refused = light.take(next.clone(), chain.now + 1_000);
    assert_eq!(refused, Err(NotAccepted::Unauthorised { trusted: head, got: head + 1 }));
    let built = chain.follower.build(&[], key(5).public(), chain.now + 1_000);
    let certificate = certify(&built.block.header, &set(OLD));
    let block = CertifiedBlock { block: built.block, certificate };
    let refused = chain.follower.check(&block, chain.now + 1_000).unwrap_err();
    assert!(matches!(refused, BadBlock::CertificateVote { .. }), "{refused}");

    // A client that slept since block 5, for longer than trust lasts, believes nobody: neither the thief, who
    // continues from there with the old keys, nor the true chain. It asks for a fresh checkpoint.
    let sleeper = || Light::from_checkpoint(chain_id, PERIOD, slept_at.clone()).unwrap();
    let expired =
        NotAccepted::Expired { trusted_ms: slept_at.header.time_ms, now_ms: chain.now, trust_period_ms: PERIOD };
    for candidate in [chain.forged(6, OLD, chain.now), chain.change(), chain.at(head)] {
        assert_eq!(sleeper().take(candidate, chain.now), Err(expired.clone()));
    }
    // One that slept less walks over the change.
    let mut dozer = sleeper();
    let awake = slept_at.header.time_ms + PERIOD - 1;
    let later = chain.at(chain.change().header.height + 2);
    let (trusted, got) = (slept_at.header.height, later.header.height);
    assert_eq!(dozer.take(later.clone(), awake), Err(NotAccepted::Unauthorised { trusted, got }));
    assert_eq!(dozer.take(chain.change(), awake), Ok(Taken::Accepted));
    assert_eq!(dozer.take(later, awake), Ok(Taken::Accepted));
}

type Stored = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a host has on disk of a follower that verified each block so long after its time.
fn stored(genesis: &Genesis, blocks: &[CertifiedBlock], late_ms: u64) -> Stored {
    let mut follower = Follower::new(genesis);
    let mut stored: Stored = follower.encoded().collect();
    for block in blocks {
        let step = follower.check(block, block.block.header.time_ms + late_ms).unwrap();
        for (key, value) in step.encoded_changes() {
            match value {
                Some(value) => drop(stored.insert(key, value)),
                None => drop(stored.remove(&key)),
            }
        }
        follower.commit(step);
    }
    assert!(follower.encoded().eq(stored.iter().map(|(key, value)| (key.clone(), value.clone()))));
    stored
}

/// What it has when it opens that again.
fn opened(genesis: &Genesis, blocks: &[CertifiedBlock], stored: &Stored) -> Follower {
    let pairs = stored.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    Follower::restore(genesis, blocks.last().unwrap().block.header.clone(), pairs).unwrap()
}

fn restored(genesis: &Genesis, blocks: &[CertifiedBlock]) -> Follower {
    opened(genesis, blocks, &stored(genesis, blocks, 0))
}

/// Attack 38, for stores of before clients noted that they have arrived. Rule: whoever says nothing of it is held to
/// K.trust_period, by the age of its head; a first walk that says that it has not ended is not.
#[test]
fn a38_a_sleeper_of_before_the_rule() {
    let mut chain = Chain::new();
    chain.empty_blocks(40);
    let (genesis, known, next) = (&chain.genesis, &chain.blocks[..5], &chain.blocks[5]);
    let mut store = stored(genesis, known, 0);
    assert_eq!(store.remove(&[0xFF][..]), Some(vec![1]), "the mark, as it is on disk");
    let expired = Err(BadBlock::Expired {
        height: 5,
        trusted_ms: known[4].block.header.time_ms,
        now_ms: chain.now,
        trust_period_ms: PERIOD,
    });
    let sleeper = opened(genesis, known, &store);
    assert_eq!(sleeper.check(next, chain.now).map(drop), expired);
    // In time it goes on as ever, and the mark is there the next time.
    assert!(sleeper.check(next, next.block.header.time_ms).is_ok());
    assert_eq!(sleeper.encoded().collect::<Stored>().get(&[0xFF][..]), Some(&vec![1]));

    let walk = stored(genesis, known, PERIOD);
    assert_eq!(walk.get(&[0xFF][..]), Some(&vec![0]));
    let mut first = opened(genesis, known, &walk);
    for block in &chain.blocks[5..] {
        let step = first.check(block, chain.now).unwrap();
        first.commit(step);
    }
    assert_eq!(first.check_age(chain.now), Ok(()));
}

/// Attack 38, for those who execute every block. Rules: a head older than K.trust_period is continued by nobody's
/// signatures; a confirmed block is reached over headers that name each other, none of which is withheld, and over no
/// other block.
#[test]
fn a38_a_sleeper_that_executes() {
    let mut chain = Chain::new();
    chain.empty_blocks(40);
    let sleeper = || restored(&chain.genesis, &chain.blocks[..5]);
    let built = sleeper().build(&[], key(5).public(), chain.now);
    let certificate = certify(&built.block.header, &set(OLD));
    let forged = CertifiedBlock { block: built.block, certificate };
    let (slept_ms, now_ms) = (chain.blocks[4].block.header.time_ms, chain.now);
    let expired = BadBlock::Expired { height: 5, trusted_ms: slept_ms, now_ms, trust_period_ms: PERIOD };
    assert_eq!(sleeper().check(&forged, now_ms).unwrap_err(), expired);
    assert_eq!(sleeper().check(&chain.blocks[5], now_ms).unwrap_err(), expired);
    assert!(matches!(sleeper().check(&chain.blocks[5], slept_ms + PERIOD), Err(BadBlock::Expired { .. })));
    assert!(sleeper().check(&chain.blocks[5], slept_ms + PERIOD - 1).is_ok());
    // The first walk has no age.
    let mut first = Follower::new(&chain.genesis);
    for block in &chain.blocks {
        let step = first.check(block, now_ms).unwrap();
        first.commit(step);
    }

    // The way on: a block that somebody confirmed.
    let head = chain.blocks.last().unwrap().block.header.clone();
    let to = Confirmed { height: head.height, hash: head.hash() };
    assert_eq!(to.to_string().parse(), Ok(to));
    let mut lead = Lead::new(sleeper().place(), to).unwrap();
    let other = Err(NoLead::OtherCheckpoint { height: 6 });
    assert_eq!(lead.take(1, [&Header { height: 7, ..chain.blocks[5].block.header.clone() }]), other);
    assert_eq!(lead.take(1, [&Header { previous: Hash::ZERO, ..chain.blocks[5].block.header.clone() }]), other);
    let mut short = Lead::new(sleeper().place(), Confirmed { height: 6, ..to }).unwrap();
    assert_eq!(short.take(1, [&chain.blocks[5].block.header]), other);
    let headers: Vec<&Header> = chain.blocks[5..].iter().map(|block| &block.block.header).collect();
    for header in &headers {
        let mut waits = sleeper();
        waits.take_lead(lead.clone());
        assert_eq!(waits.check_age(now_ms), Err(expired.clone()));
        assert_eq!(lead.take(1, [*header]), Ok(()));
    }
    assert_eq!(lead.next(1), None);
    // Whoever has the confirmed block has those below it too.
    let all = headers.len() as u64;
    let mut withheld = Lead::new(sleeper().place(), to).unwrap();
    assert_eq!(withheld.next(1_000), Some((6, all)));
    let short = withheld.clone().take(1_000, headers[..headers.len() - 1].iter().copied());
    assert_eq!(short, Err(NoLead::Withheld { from: 6, asked: all, got: all - 1 }));
    assert_eq!(withheld.clone().take(2, [headers[0]]), Err(NoLead::Withheld { from: 6, asked: 2, got: 1 }));
    assert_eq!(withheld.clone().take(2, []), Err(NoLead::Withheld { from: 6, asked: 2, got: 0 }));
    // More than was asked for is passed over once it leads there.
    assert_eq!(withheld.take(1_000, headers.iter().copied().chain([headers[0]])), Ok(()));
    assert_eq!(withheld, lead);
    let mut follower = sleeper();
    follower.take_lead(lead);
    let got = forged.block.header.hash();
    let expected = chain.blocks[5].block.header.hash();
    assert_eq!(follower.check(&forged, now_ms).unwrap_err(), BadBlock::OtherCheckpoint { expected, got });
    for block in &chain.blocks[5..] {
        let step = follower.check(block, now_ms).unwrap();
        follower.commit(step);
    }
    assert_eq!(follower.check_age(now_ms), Ok(()));

    let behind = Lead::new(follower.place(), to).unwrap_err();
    assert_eq!(behind, NoLead::NotAhead { head: head.height, got: head.height });
    let far = Confirmed { height: MAX_LEAD + 7, ..to };
    assert!(matches!(Lead::new((6, Hash::ZERO), far), Err(NoLead::TooFar { .. })));
    assert!(Lead::new((7, Hash::ZERO), far).is_ok());
    assert_eq!(far.reach(), 7..=MAX_LEAD + 6);
    assert_eq!(to.reach(), 0..=to.height - 1);
}
