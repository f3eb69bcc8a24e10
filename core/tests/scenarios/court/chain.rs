//! A ledger alone: twelve accounts, batches, blocks.

use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::chain::params::Parameters;
use fair_core::channel::shared::Sides;
use fair_core::channel::state::{ChannelState, Lock, Sub};
use fair_core::crypto::{Secret, SecretKey, lock_hash};
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Answer, Deposit, Dispute, Operation, Reveal, Withdraw, WithdrawalConsent};
use fair_core::ledger::receipt::{BatchOutcome, Opening, Receipt, SkipReason};
use fair_core::ledger::state::State;
use fair_core::message::{Message as _, Signed};
use fair_core::types::{Amount, AssetId, Hash, Parties, Side, UsableHeight};

pub(crate) const FRD: AssetId = AssetId::FRD;
pub(crate) const START: Amount = 1_000_000;
pub(crate) const PEOPLE: usize = 12;
pub(crate) const SECRET: Secret = Secret([7; 32]);

/// Short delays, so that whole disputes fit into a test.
pub(crate) const PARAMETERS: Parameters = Parameters {
    min_block_interval_ms: 10_000,
    max_idle_ms: 10_000,
    margin_blocks: 13,
    hop_delta_blocks: 24,
    max_hops: 1,
    lock_horizon_blocks: 64,
    bank_dispute_delay_blocks: 16,
    dispute_delay_blocks: 20,
    hashlock_keepalive_blocks: 210,
    debt_payments_per_step: 4,
    max_block_bytes: 512 << 10,
    ..Parameters::DEMO
};

/// Accounts in the order of their keys: of two, the lower place is left.
pub(crate) struct Chain {
    pub(crate) people: Vec<SecretKey>,
    follower: Follower,
    now: u64,
    pub(crate) openings: Vec<Opening>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self::with(PARAMETERS)
    }

    pub(crate) fn with(parameters: Parameters) -> Self {
        let mut people: Vec<_> = (1..=12).map(|seed| SecretKey::from_seed(&[seed; 32])).collect();
        people.sort_by_key(SecretKey::public);
        let supply = START * 12;
        let asset = |id, name: &str| Asset { id, ticker: name.into(), name: name.into(), decimals: 2, supply };
        let account =
            |key: &SecretKey| GenesisAccount { key: key.public(), balances: vec![(FRD, START), (AssetId::FRB, START)] };
        let genesis = Genesis {
            network: "court".into(),
            purpose: Purpose::Test,
            time_ms: 0,
            parameters,
            validators: ValidatorSet {
                validators: vec![Validator {
                    account: people[11].public(),
                    signing_key: SecretKey::from_seed(&[101; 32]).public(),
                    shares: 1,
                    url: String::new(),
                }],
            },
            assets: vec![asset(FRD, "FRD"), asset(AssetId::FRB, "FRB")],
            accounts: people.iter().map(account).collect(),
            banks: vec![],
        };
        genesis.check().unwrap();
        Self { people, follower: Follower::new(&genesis), now: 0, openings: vec![] }
    }

    pub(crate) fn state(&self) -> &State {
        self.follower.state()
    }

    pub(crate) fn u(&self) -> UsableHeight {
        self.state().usable_height()
    }

    pub(crate) fn frd(&self, who: usize) -> Amount {
        self.state().balance(&self.people[who].public(), FRD)
    }

    pub(crate) fn parties(&self, a: usize, b: usize) -> Parties {
        Parties::new(self.people[a].public(), self.people[b].public()).unwrap()
    }

    pub(crate) fn batch(&self, who: usize, ahead: u64, rate: Amount, operations: Vec<Operation>) -> Signed<Batch> {
        let entries = operations.into_iter().map(|operation| Entry { group: None, operation }).collect();
        self.batch_of(who, ahead, rate, entries)
    }

    fn batch_of(&self, who: usize, ahead: u64, rate: Amount, entries: Vec<Entry>) -> Signed<Batch> {
        let signer = self.people[who].public();
        let nonce = self.state().account(&signer).unwrap().nonce + ahead;
        let batch = Batch { signer, nonce, valid_until: self.state().height() + 10, fee_rate: rate, entries };
        Signed::new(batch, &self.state().chain_id(), &self.people[who])
    }

    /// Operations that apply or are skipped together.
    pub(crate) fn group(&self, who: usize, operations: Vec<Operation>) -> Signed<Batch> {
        let entries = operations.into_iter().map(|operation| Entry { group: Some(1), operation }).collect();
        self.batch_of(who, 0, 10, entries)
    }

    /// A block of those batches that the proposer may take; how many were left out, and the outcomes.
    pub(crate) fn offer(&mut self, batches: &[Signed<Batch>]) -> (usize, Vec<BatchOutcome>) {
        self.now += PARAMETERS.min_block_interval_ms;
        let built = self.follower.build(batches, self.people[11].public(), self.now);
        let outcomes = built.step.outcomes().to_vec();
        self.openings = built.step.transition().openings().to_vec();
        self.follower.commit(built.step);
        let totals = self.state().totals();
        let conserved = |asset: &Asset| totals.get(&asset.id) == Some(&u128::from(asset.supply));
        assert!(self.state().assets().all(conserved), "conservation");
        (built.left_out.len(), outcomes)
    }

    pub(crate) fn block(&mut self, batches: &[Signed<Batch>]) -> Vec<BatchOutcome> {
        let (left_out, outcomes) = self.offer(batches);
        assert_eq!(left_out, 0, "every batch may stand in the block");
        outcomes
    }

    /// One operation in one block.
    pub(crate) fn run(&mut self, who: usize, operation: Operation) -> Result<(), SkipReason> {
        let batch = self.batch(who, 0, 10, vec![operation]);
        self.run_batch(batch).remove(0)
    }

    /// One batch in one block.
    pub(crate) fn run_batch(&mut self, batch: Signed<Batch>) -> Vec<Result<(), SkipReason>> {
        let outcomes = self.block(&[batch]).remove(0).operations.into_iter();
        let said = outcomes.map(|outcome| match outcome.receipt {
            Receipt::Applied { .. } => Ok(()),
            Receipt::Skipped { reason } => Err(reason),
        });
        said.collect()
    }

    pub(crate) fn wait_until(&mut self, u: UsableHeight) {
        while self.u() < u {
            self.block(&[]);
        }
    }

    /// Empty blocks until the channel is out of court.
    pub(crate) fn end(&mut self, a: usize, b: usize) {
        while self.state().dispute(&self.parties(a, b)).is_some() {
            self.block(&[]);
        }
    }

    pub(crate) fn signed(&self, a: usize, b: usize, frame: u64, sub: Sub) -> ChannelState {
        let parties = self.parties(a, b);
        let epoch = self.state().channel(&parties).epoch;
        let default = ChannelState::default_of(self.state().chain_id(), parties, epoch, Hash::ZERO);
        ChannelState { frame, subs: if sub.is_zero() { vec![] } else { vec![sub] }, ..default }
    }

    pub(crate) fn dispute(&self, partner: usize, state: Option<ChannelState>) -> Operation {
        let key = &self.people[partner];
        let proof = state.map(|state| Signed::new(state, &self.state().chain_id(), key));
        Operation::Dispute(Dispute { partner: key.public(), proof })
    }

    /// With both signatures.
    pub(crate) fn answer(&self, state: &ChannelState) -> Operation {
        let sign = |key| {
            let key = self.people.iter().find(|person| person.public() == key).unwrap();
            Some(state.sign(&self.state().chain_id(), key))
        };
        let signatures = Sides { left: sign(state.parties.left()), right: sign(state.parties.right()) };
        Operation::Answer(Answer { state: state.clone(), signatures })
    }

    pub(crate) fn deposit(&self, amount: Amount, to: usize, partner: Option<usize>) -> Operation {
        Operation::Deposit(self.deposit_of(FRD, amount, to, partner))
    }

    pub(crate) fn deposit_of(&self, asset: AssetId, amount: Amount, to: usize, partner: Option<usize>) -> Deposit {
        Deposit {
            asset,
            amount,
            to: self.people[to].public(),
            partner: partner.map(|partner| self.people[partner].public()),
            keep: 0,
            epoch: None,
            invoice: None,
        }
    }

    /// What `other` lets `withdrawer` take out of their channel now.
    pub(crate) fn consent(&self, withdrawer: usize, other: usize, amount: Amount) -> WithdrawalConsent {
        let parties = self.parties(withdrawer, other);
        let side = if withdrawer < other { Side::Left } else { Side::Right };
        let channel = self.state().channel(&parties);
        WithdrawalConsent {
            chain_id: self.state().chain_id(),
            parties,
            epoch: channel.epoch,
            withdrawer: side,
            asset: FRD,
            amount,
            nonce: channel.asset(FRD).map_or(0, |part| part.next_consent(side)),
            expires_at: self.u() + 60,
        }
    }

    /// With that consent, signed by somebody.
    pub(crate) fn withdraw(&self, consent: WithdrawalConsent, signer: usize) -> Operation {
        let proof = Signed::new(consent, &self.state().chain_id(), &self.people[signer]);
        Operation::Withdraw(Withdraw { proof })
    }
}

pub(crate) fn sub(offdelta: i64) -> Sub {
    Sub { offdelta, ..Sub::zero(FRD) }
}

pub(crate) fn lock(amount: Amount, expiry: UsableHeight) -> Lock {
    Lock { index: 0, amount, hash: lock_hash(&SECRET), expiry }
}

pub(crate) fn reveal() -> Operation {
    Operation::Reveal(Reveal { secrets: vec![SECRET] })
}
