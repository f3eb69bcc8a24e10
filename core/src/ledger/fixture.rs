//! A small chain for tests: four validators, some accounts, and a builder and a client that must agree on
//! every block.

use super::batch::{Batch, Entry};
use super::operation::{
    Answer, Deposit, Dispute, GovernanceAction, Operation, Propose, Vote, Withdraw, WithdrawalConsent,
};
use super::receipt::{BatchOutcome, Opening, OperationOutcome, Purpose as FlowPurpose, Receipt, SkipReason};
use super::state::{ChannelAsset, Key, ProposalState, State};
use crate::chain::block::CertifiedBlock;
use crate::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use crate::chain::follow::{Built, Follower};
use crate::chain::genesis::{Asset, Bank, Genesis, GenesisAccount, Purpose};
use crate::chain::header::Header;
use crate::chain::light::Candidate;
use crate::chain::params::Parameters;
use crate::channel::shared::Sides;
use crate::channel::state::{ChannelState, Sub};
use crate::crypto::SecretKey;
use crate::message::{Message as _, Signed};
use crate::types::{Amount, AssetId, Hash, Parties, PublicKey, Side, UsableHeight};

/// What each of the genesis accounts starts with, of each asset.
pub(crate) const START: Amount = 10_000_000;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// Accounts 1 to 4 are validators, 1 is bank `main`, 5 and 6 are others. All have [`START`] of FRD and FRB.
pub(crate) fn genesis() -> Genesis {
    let account = |seed: u8| GenesisAccount {
        key: key(seed).public(),
        balances: vec![(AssetId::FRD, START), (AssetId::FRB, START)],
    };
    let accounts: Vec<_> = (1..=6).map(account).collect();
    let asset = |id, ticker: &str, name: &str| Asset {
        id,
        ticker: ticker.into(),
        name: name.into(),
        decimals: 2,
        supply: 6 * START,
    };
    let genesis = Genesis {
        network: "fixture".into(),
        purpose: Purpose::Test,
        time_ms: 1_700_000_000_000,
        parameters: Parameters::DEMO,
        validators: validators(&[(1, 25), (2, 25), (3, 25), (4, 25)]),
        assets: vec![asset(AssetId::FRD, "FRD", "Fair dollar"), asset(AssetId::FRB, "FRB", "Fair bet")],
        accounts,
        banks: vec![Bank {
            key: key(1).public(),
            handle: "main".into(),
            url: "http://127.0.0.1:9001".into(),
            fee_base: 0,
            fee_ppm: 0,
            insurance_price: 0,
        }],
    };
    genesis.check().unwrap();
    genesis
}

/// Validators by the seeds of their accounts, with shares; they sign with the key of seed + 100.
pub(crate) fn validators(shares: &[(u8, u64)]) -> ValidatorSet {
    let validator = |&(seed, shares): &(u8, u64)| Validator {
        account: key(seed).public(),
        signing_key: key(100 + seed).public(),
        shares,
        url: format!("http://127.0.0.1:{}", 9000 + u16::from(seed)),
    };
    let mut validators: Vec<_> = shares.iter().map(validator).collect();
    validators.sort_by_key(|validator| validator.account);
    ValidatorSet { validators }
}

/// The shortest delays that keep every rule.
pub(crate) fn quick() -> Parameters {
    Parameters {
        max_idle_ms: 1_000,
        stale_head_ms: 6_001,
        max_lead_ms: 6_000,
        margin_blocks: 17,
        hop_delta_blocks: 28,
        max_hops: 1,
        lock_horizon_blocks: 73,
        max_consent_blocks: 11,
        proof_window_heights: 6,
        dispute_delay_blocks: 24,
        bank_dispute_delay_blocks: 24,
        hashlock_keepalive_blocks: 238,
        voting_period_blocks: 11,
        validator_delay_blocks: 1,
        ..Parameters::DEMO
    }
}

/// A builder and a client on one chain.
pub(crate) struct World {
    pub(crate) genesis: Genesis,
    pub(crate) builder: Follower,
    pub(crate) client: Follower,
    pub(crate) now: u64,
    /// Keys that the newest block changed.
    pub(crate) changed: Vec<Key>,
    /// What fell due at the start of the newest block.
    pub(crate) openings: Vec<Opening>,
    /// All blocks, and what a light client would be shown of each.
    pub(crate) blocks: Vec<CertifiedBlock>,
    pub(crate) headers: Vec<Candidate>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(genesis())
    }

    pub(crate) fn with(genesis: Genesis) -> Self {
        let now = genesis.time_ms;
        let (builder, client) = (Follower::new(&genesis), Follower::new(&genesis));
        Self { builder, client, genesis, now, changed: vec![], openings: vec![], blocks: vec![], headers: vec![] }
    }

    pub(crate) fn state(&self) -> &State {
        self.client.state()
    }

    /// A batch with the right nonce, lifetime and fee.
    pub(crate) fn batch(&self, signer: &SecretKey, operations: Vec<Operation>) -> Signed<Batch> {
        self.grouped(signer, operations.into_iter().map(|operation| (None, operation)).collect())
    }

    /// The same with groups.
    pub(crate) fn grouped(&self, signer: &SecretKey, operations: Vec<(Option<u16>, Operation)>) -> Signed<Batch> {
        let batch = Batch {
            signer: signer.public(),
            nonce: self.state().account(&signer.public()).map_or(0, |account| account.nonce),
            valid_until: self.state().height() + 10,
            fee_rate: self.state().parameters().min_fee_rate,
            entries: operations.into_iter().map(|(group, operation)| Entry { group, operation }).collect(),
        };
        Signed::new(batch, &self.state().chain_id(), signer)
    }

    /// Builds and certifies a block without committing it.
    pub(crate) fn certified(&mut self, batches: &[Signed<Batch>]) -> (Built, CertifiedBlock) {
        self.now += self.genesis.parameters.min_block_interval_ms;
        let proposer = self.builder.state().validators().proposer(self.builder.height() + 1, 0).unwrap().account;
        let built = self.builder.build(batches, proposer, self.now);
        let everybody: Vec<u8> = (101..150).collect();
        let certificate = certify_by(&built.block.header, &everybody, self.builder.state().validators());
        let certified = CertifiedBlock { block: built.block.clone(), certificate };
        (built, certified)
    }

    /// Takes a block of exactly these batches through builder and client, and checks the invariants.
    pub(crate) fn block(&mut self, batches: &[Signed<Batch>]) -> Vec<BatchOutcome> {
        let (built, certified) = self.certified(batches);
        assert_eq!(built.left_out, vec![]);
        let step = self.client.check(&certified, self.now).unwrap();
        assert_eq!(step.outcomes(), built.step.outcomes());
        let outcomes = step.outcomes().to_vec();
        self.changed = step.transition().changes().iter().map(|(key, _)| *key).collect();
        self.openings = step.openings().to_vec();
        self.headers.push(Candidate {
            header: certified.block.header.clone(),
            certificate: certified.certificate.clone(),
            validators: self.client.state().validators().clone(),
            next_validators: self.client.state().next_validators().clone(),
        });
        self.blocks.push(certified);
        self.builder.commit(built.step);
        self.client.commit(step);
        self.check_invariants(&outcomes);
        outcomes
    }

    /// Lets governance decide another set and goes on until a header names it as the next. The blocks on the
    /// way, each certified.
    pub(crate) fn turn(&mut self, next: ValidatorSet) -> Vec<CertifiedBlock> {
        let action = GovernanceAction::SetValidators { validators: Box::new(next.clone()) };
        let voters: Vec<_> = self.state().validators().validators.iter().map(|validator| validator.account).collect();
        let voters: Vec<SecretKey> = (1..100).map(key).filter(|voter| voters.contains(&voter.public())).collect();
        let propose = Operation::Propose(Propose { action, text: "another set".into() });
        let mut blocks = vec![];
        let batch = self.batch(&voters[0], vec![propose]);
        blocks.push(self.taken(&[batch]));
        let proposal = self.state().proposals().next_back().unwrap().0;
        let vote = || Operation::Vote(Vote { proposal, approve: true, rationale: String::new() });
        let votes: Vec<_> = voters.iter().map(|voter| self.batch(voter, vec![vote()])).collect();
        blocks.push(self.taken(&votes));
        while self.client.head().unwrap().next_validators_hash != next.hash() {
            blocks.push(self.taken(&[]));
        }
        blocks
    }

    /// A block of exactly these batches, through builder and client.
    pub(crate) fn taken(&mut self, batches: &[Signed<Batch>]) -> CertifiedBlock {
        let (built, certified) = self.certified(batches);
        assert_eq!(built.left_out, vec![]);
        let step = self.client.check(&certified, self.now).unwrap();
        self.builder.commit(built.step);
        self.client.commit(step);
        certified
    }

    /// One batch in one block.
    pub(crate) fn run(&mut self, signer: &SecretKey, operations: Vec<Operation>) -> Vec<OperationOutcome> {
        let batch = self.batch(signer, operations);
        self.block(&[batch]).remove(0).operations
    }

    /// One operation that must be skipped for a reason and leave no trace beyond fee and nonce.
    pub(crate) fn assert_skipped(&mut self, signer: &SecretKey, operation: Operation, reason: SkipReason) {
        let batch = self.batch(signer, vec![operation]);
        let proposer = self.builder.state().validators().proposer(self.builder.height() + 1, 0).unwrap().account;
        let outcomes = self.block(&[batch]);
        assert_eq!(
            outcomes[0].operations,
            vec![OperationOutcome { receipt: Receipt::Skipped { reason }, flows: vec![] }]
        );
        let fee_moved = [
            Key::Clock,
            Key::Account(signer.public()),
            Key::Balance(signer.public(), AssetId::FRD),
            Key::Balance(proposer, AssetId::FRD),
        ];
        assert!(self.changed.iter().all(|key| fee_moved.contains(key)), "{:?}", self.changed);
    }

    fn check_invariants(&self, outcomes: &[BatchOutcome]) {
        for asset in self.state().assets() {
            assert_eq!(self.state().totals().get(&asset.id), Some(&u128::from(asset.supply)), "conservation");
        }
        let operations = outcomes.iter().flat_map(|outcome| &outcome.operations).map(|operation| &operation.flows);
        let debts = outcomes.iter().map(|outcome| &outcome.debts);
        for flows in operations.chain(debts).chain(self.openings.iter().map(|opening| &opening.flows)) {
            for asset in self.state().assets() {
                let flows = || flows.iter().filter(|flow| flow.asset == asset.id);
                let made = flows().any(|flow| flow.purpose == FlowPurpose::Issue);
                let expected = if made { i64::try_from(asset.supply).unwrap() } else { 0 };
                assert_eq!(flows().map(|flow| flow.amount).sum::<i64>(), expected, "flows sum up");
            }
        }
        let head = self.client.head().unwrap().clone();
        let stored: Vec<_> = self.state().encoded().collect();
        let restored = Follower::restore(
            &self.genesis,
            head,
            stored.iter().rev().map(|(key, value)| (key.as_slice(), value.as_slice())),
        );
        assert_eq!(restored.unwrap().state().root(), self.state().root(), "the root has no history");
    }

    /// Empty blocks until U is this.
    pub(crate) fn wait_until(&mut self, usable_height: UsableHeight) {
        while self.state().usable_height() < usable_height {
            self.block(&[]);
        }
    }

    /// A state of the channel of two keys, in its current epoch.
    pub(crate) fn channel_state(&self, a: &SecretKey, b: &SecretKey, frame: u64, subs: Vec<Sub>) -> ChannelState {
        let parties = parties(a, b);
        let epoch = self.state().channel(&parties).epoch;
        let default = ChannelState::default_of(self.state().chain_id(), parties, epoch, Hash::ZERO);
        ChannelState { frame, subs, ..default }
    }

    pub(crate) fn frd(&self, key: &SecretKey) -> Amount {
        self.state().balance(&key.public(), AssetId::FRD)
    }

    pub(crate) fn channel(&self, a: &SecretKey, b: &SecretKey, asset: AssetId) -> ChannelAsset {
        self.state().channel(&parties(a, b)).asset_or_zero(asset)
    }

    /// A consent of `other` that lets `withdrawer` take out, with the right epoch and number.
    pub(crate) fn consent(
        &self,
        withdrawer: &SecretKey,
        other: &SecretKey,
        asset: AssetId,
        amount: Amount,
    ) -> WithdrawalConsent {
        let parties = parties(withdrawer, other);
        let side = parties.side_of(&withdrawer.public()).unwrap();
        let channel = self.state().channel(&parties);
        WithdrawalConsent {
            chain_id: self.state().chain_id(),
            parties,
            epoch: channel.epoch,
            withdrawer: side,
            asset,
            amount,
            nonce: channel.asset_or_zero(asset).next_consent(side),
            expires_at: self.state().usable_height() + 10,
        }
    }

    pub(crate) fn withdraw(
        &self,
        withdrawer: &SecretKey,
        other: &SecretKey,
        asset: AssetId,
        amount: Amount,
    ) -> Operation {
        let consent = self.consent(withdrawer, other, asset, amount);
        signed_withdraw(consent, other)
    }
}

pub(crate) fn signed_withdraw(consent: WithdrawalConsent, other: &SecretKey) -> Operation {
    let chain_id = consent.chain_id;
    Operation::Withdraw(Withdraw { proof: Signed::new(consent, &chain_id, other) })
}

/// A dispute against a partner, with a state that it signed.
pub(crate) fn dispute(partner: &SecretKey, state: Option<ChannelState>) -> Operation {
    let proof = state.map(|state| {
        let chain_id = state.chain_id;
        Signed::new(state, &chain_id, partner)
    });
    Operation::Dispute(Dispute { partner: partner.public(), proof })
}

/// A dispute without a state, about the least that can be at stake.
pub(crate) fn bare_dispute(starter: &SecretKey, partner: &SecretKey) -> Vec<Operation> {
    vec![Operation::Deposit(deposit(1, starter, Some(partner))), dispute(partner, None)]
}

/// An answer with the signatures of those keys.
pub(crate) fn answer(state: ChannelState, signers: &[&SecretKey]) -> Operation {
    let mut signatures = Sides::default();
    for signer in signers {
        if let Some(side) = state.parties.side_of(&signer.public()) {
            *signatures.get_mut(side) = Some(state.sign(&state.chain_id, signer));
        }
    }
    Operation::Answer(Answer { state, signatures })
}

pub(crate) fn parties(a: &SecretKey, b: &SecretKey) -> Parties {
    Parties::new(a.public(), b.public()).unwrap()
}

/// Signatures of those seeds over a header, each in its place of the set of genesis.
pub(crate) fn certify(header: &Header, seeds: &[u8]) -> Certificate {
    certify_by(header, seeds, &genesis().validators)
}

/// Signatures of those seeds over a header, each in its place of a set.
pub(crate) fn certify_by(header: &Header, seeds: &[u8], set: &ValidatorSet) -> Certificate {
    let vote = Precommit { height: header.height, round: 0, block_hash: Some(header.hash()) };
    let signatures = set.validators.iter().map(|validator| {
        let signer = seeds.iter().map(|seed| key(*seed)).find(|key| key.public() == validator.signing_key)?;
        Some(vote.sign(&header.chain_id, &signer))
    });
    Certificate { height: header.height, round: 0, block_hash: header.hash(), signatures: signatures.collect() }
}

/// A deposit of FRD with nothing optional.
pub(crate) fn deposit(amount: Amount, to: &SecretKey, partner: Option<&SecretKey>) -> Deposit {
    Deposit {
        asset: AssetId::FRD,
        amount,
        to: to.public(),
        partner: partner.map(SecretKey::public),
        keep: 0,
        epoch: None,
        invoice: None,
    }
}

/// An unregistered key that is `side` of a channel with `partner`.
pub(crate) fn stranger(side: Side, partner: &PublicKey) -> SecretKey {
    (150..=255_u8)
        .map(key)
        .find(|key| Parties::new(key.public(), *partner).and_then(|p| p.side_of(&key.public())) == Some(side))
        .unwrap()
}

/// Votes an action in: validators `yes` propose and approve, and empty blocks pass until it is executed.
pub(crate) fn vote_in(world: &mut World, action: GovernanceAction, yes: &[u8]) {
    let propose = Operation::Propose(Propose { action, text: String::new() });
    let proposer = key(*yes.first().unwrap());
    assert!(matches!(world.run(&proposer, vec![propose])[0].receipt, Receipt::Applied { .. }));
    let id = world.state().proposals().next_back().unwrap().0;
    let vote = Operation::Vote(Vote { proposal: id, approve: true, rationale: String::new() });
    let batches: Vec<_> = yes.iter().map(|seed| world.batch(&key(*seed), vec![vote.clone()])).collect();
    world.block(&batches);
    while !matches!(world.state().proposals().next_back().unwrap().1.state, ProposalState::Executed { .. }) {
        world.block(&[]);
    }
}

/// Other validators.
pub(crate) fn set_validators(shares: &[(u8, u64)]) -> GovernanceAction {
    GovernanceAction::SetValidators { validators: Box::new(validators(shares)) }
}
