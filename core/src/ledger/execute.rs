//! Execution of a block: batch by batch, group by group, operation by operation
//! (docs/protocol.md, section 3). Nothing changes until the [`Transition`] is committed.

use super::batch::{self, Batch, Entry};
use super::court;
use super::debts::{self, Payments};
use super::deposit::{self, Applied};
use super::governance;
use super::inclusion::{self, InclusionError};
use super::operation::{Deposit, Operation};
use super::receipt::{BatchOutcome, Flow, Opening, OperationOutcome, Place, Purpose, Receipt, SkipReason};
use super::registry;
use super::state::{self, Key, State, Value};
use super::transition::Transition;
use super::view::{Changes, Overlay};
use super::withdraw;
use crate::chain::params::Parameters;
use crate::message::Signed;
use crate::types::{AssetId, Hash, Height, PublicKey, UsableHeight};
use std::collections::{BTreeMap, BTreeSet};

/// What operations may know of the block that they stand in.
pub(super) struct Context<'a> {
    pub(super) chain_id: Hash,
    pub(super) height: Height,
    pub(super) usable_height: UsableHeight,
    pub(super) proposer: PublicKey,
    pub(super) parameters: &'a Parameters,
}

impl<'a> Context<'a> {
    /// Of the block after `state`, built by `proposer`.
    pub(super) fn after(state: &'a State, proposer: PublicKey) -> Self {
        Self {
            chain_id: state.chain_id(),
            height: state.height().saturating_add(1),
            usable_height: state.usable_height(),
            proposer,
            parameters: state.parameters(),
        }
    }
}

/// Whether the next block would apply a deposit whose amount a withdrawal of its group has brought.
///
/// # Errors
/// [`SkipReason`] says why not.
pub(crate) fn try_funded_deposit(state: &State, signer: PublicKey, wanted: &Deposit) -> Result<(), SkipReason> {
    let mut overlay = Overlay::new(state);
    overlay.credit(signer, wanted.asset, wanted.amount).ok_or(SkipReason::OutOfBounds)?;
    deposit::apply(&mut overlay, &Context::after(state, signer), signer, wanted).map(|_| ())
}

/// A block being executed on top of a state.
pub(crate) struct Execution<'a> {
    state: &'a State,
    context: Context<'a>,
    overlay: Overlay<'a>,
    /// Accounts that have an ordinary batch in the block.
    signers: BTreeSet<PublicKey>,
    payments: Payments,
    openings: Vec<Opening>,
    outcomes: Vec<BatchOutcome>,
    room: Room,
}

impl<'a> Execution<'a> {
    /// Begins the block after `state`, built by `proposer`.
    pub(crate) fn new(state: &'a State, proposer: PublicKey) -> Self {
        let context = Context::after(state, proposer);
        let mut overlay = Overlay::new(state);
        let mut payments = Payments::of_block();
        let mut openings = court::open_block(&mut overlay, &context, &mut payments);
        openings.extend(governance::open_block(&mut overlay, &context));
        assert_conserved(&overlay);
        let room = Room::new(state.parameters());
        Self { state, context, overlay, signers: BTreeSet::new(), payments, openings, outcomes: Vec::new(), room }
    }

    /// Executes the next batch of the block.
    ///
    /// # Errors
    /// [`Excluded`] when it may not stand here; then nothing of it is done.
    pub(crate) fn include(&mut self, signed: &Signed<Batch>) -> Result<(), Excluded> {
        let room = self.room.with(signed)?;
        let signer = signed.body.signer;
        let is_ordinary = batch::class(&signed.body) == batch::Class::Ordinary;
        if is_ordinary && self.signers.contains(&signer) {
            return Err(InclusionError::SecondBatch { signer }.into());
        }
        let admitted = inclusion::admit(
            &self.overlay,
            &self.context.chain_id,
            self.context.parameters,
            signed,
            self.context.height,
        )?;
        self.payments.begin_step(self.context.parameters);
        let mut overlay = Overlay::new(&self.overlay);
        // Cannot fail: admission looked at the nonce and the balance.
        pay_fee(&mut overlay, signer, self.context.proposer, admitted.fee)
            .ok_or(InclusionError::CannotPayFee { fee: admitted.fee, balance: 0 })?;
        let entries = &admitted.batch.body().entries;
        let (parameters, payments) = (self.context.parameters, &mut self.payments);
        let mut debts = pay_debts(&mut overlay, parameters, payments, spent(signer, entries));
        let operations = run_groups(&mut overlay, &self.context, signer, entries);
        debts.extend(pay_debts(&mut overlay, parameters, payments, received(&operations)));
        assert_conserved(&overlay);
        let changes = overlay.into_changes();
        self.overlay.merge(changes);
        if is_ordinary {
            self.signers.insert(signer);
        }
        self.room = room;
        self.outcomes.push(BatchOutcome { hash: batch::hash(signed), signer, fee: admitted.fee, operations, debts });
        Ok(())
    }

    /// Ends the block: the clock and the validators move on, and the root is computed.
    pub(crate) fn finish(mut self) -> Transition {
        if self.room.is_usable() {
            let usable_height = self.context.usable_height.saturating_add(1);
            self.overlay.put(Key::Clock, Value::Clock(usable_height));
        }
        // Those whom this block's header names as next; whom the block itself decided, the next header names.
        let next = self.state.next_validators().clone();
        self.overlay.put(Key::Validators, Value::Validators(Box::new(next)));
        let (changes, before): (Vec<_>, Vec<_>) =
            self.overlay.differences().map(|(key, before, now)| ((*key, now.cloned()), before.cloned())).unzip();
        let tree = self.state.next_tree(&changes);
        let Self { openings, outcomes, .. } = self;
        Transition { height: self.context.height, changes, before, openings, outcomes, tree }
    }
}

/// Why a batch is not taken into a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Excluded {
    /// The block is full.
    NoRoom {
        /// Most bytes.
        limit: usize,
        /// With this batch.
        got: usize,
    },
    /// The batch may not stand there.
    Refused(InclusionError),
}

impl From<InclusionError> for Excluded {
    fn from(error: InclusionError) -> Self {
        Self::Refused(error)
    }
}

/// Bytes of a block that are taken. Ordinary batches fill at most K.max_block_bytes − K.court_room_bytes.
#[derive(Clone, Copy)]
struct Room {
    ordinary: usize,
    court: usize,
    ordinary_limit: usize,
    court_limit: usize,
    max_batch: usize,
}

impl Room {
    fn new(parameters: &Parameters) -> Self {
        let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            ordinary: 0,
            court: 0,
            ordinary_limit: size(parameters.max_block_bytes.saturating_sub(parameters.court_room_bytes)),
            court_limit: size(parameters.court_room_bytes),
            max_batch: size(parameters.max_batch_bytes),
        }
    }

    /// The room with one batch more.
    fn with(mut self, signed: &Signed<Batch>) -> Result<Self, Excluded> {
        let bytes = batch::signed_bytes(signed);
        let (taken, limit) = match batch::class(&signed.body) {
            batch::Class::Ordinary => (&mut self.ordinary, self.ordinary_limit),
            batch::Class::Court => (&mut self.court, self.court_limit),
        };
        let got = taken.saturating_add(bytes);
        if got > limit {
            return Err(Excluded::NoRoom { limit, got });
        }
        *taken = got;
        Ok(self)
    }

    /// Whether U counts the block: court batches left room for one more batch.
    fn is_usable(&self) -> bool {
        self.court_limit.saturating_sub(self.court) >= self.max_batch
    }
}

/// The fee goes to the proposer, and the nonce is used up.
fn pay_fee(overlay: &mut Overlay<'_>, signer: PublicKey, proposer: PublicKey, fee: u64) -> Option<()> {
    inclusion::use_up(overlay, signer, fee)?;
    overlay.credit(proposer, AssetId::FRD, fee)
}

/// Older debts of whoever spends or received, within the step of the batch.
fn pay_debts(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    payments: &mut Payments,
    touched: impl Iterator<Item = (PublicKey, AssetId)>,
) -> Vec<Flow> {
    let mut flows = Vec::new();
    for (debtor, asset) in touched {
        debts::pay(overlay, parameters, payments, debtor, asset, &mut flows);
    }
    flows
}

/// What the signer of a batch would spend: FRD for its fee, and what it deposits.
fn spent(signer: PublicKey, entries: &[Entry]) -> impl Iterator<Item = (PublicKey, AssetId)> {
    let deposits = entries.iter().filter_map(|entry| match &entry.operation {
        Operation::Deposit(deposit) => Some(deposit.asset),
        _ => None,
    });
    std::iter::once(AssetId::FRD).chain(deposits).map(move |asset| (signer, asset))
}

/// Who received what on-chain by what applied. Fees wait for their proposer's next step.
fn received(operations: &[OperationOutcome]) -> impl Iterator<Item = (PublicKey, AssetId)> {
    operations.iter().flat_map(|operation| &operation.flows).filter_map(|flow| match flow.place {
        Place::Account { key } if flow.amount > 0 && flow.purpose == Purpose::Transfer => Some((key, flow.asset)),
        _ => None,
    })
}

/// Operations in order; neighbours of one group apply wholly or are skipped wholly.
fn run_groups(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    entries: &[Entry],
) -> Vec<OperationOutcome> {
    let mut outcomes = Vec::with_capacity(entries.len());
    let neighbours = |a: &Entry, b: &Entry| a.group.is_some() && a.group == b.group;
    for group in entries.chunk_by(neighbours) {
        let result = run_group(overlay, context, signer, group);
        let first = outcomes.len();
        outcomes.extend(match result {
            Ok((changes, applied)) => {
                overlay.merge(changes);
                applied.into_iter().map(applied_outcome).collect::<Vec<_>>()
            }
            Err((failed, reason)) => skipped_outcomes(group.len(), first, failed, &reason),
        });
    }
    outcomes
}

/// All operations of a group on an overlay of their own, or the place of the first that fails and why.
fn run_group(
    below: &Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    group: &[Entry],
) -> Result<(Changes, Vec<Applied>), (usize, SkipReason)> {
    let mut overlay = Overlay::new(below);
    let mut applied = Vec::with_capacity(group.len());
    for (place, entry) in group.iter().enumerate() {
        let result = match &entry.operation {
            Operation::Deposit(operation) => deposit::apply(&mut overlay, context, signer, operation),
            Operation::Withdraw(operation) => withdraw::apply(&mut overlay, context, signer, operation),
            Operation::Dispute(operation) => court::dispute(&mut overlay, context, signer, operation),
            Operation::Answer(operation) => court::answer(&mut overlay, context, signer, operation),
            Operation::Reveal(operation) => court::reveal(&mut overlay, context, signer, operation),
            Operation::Propose(operation) => governance::propose(&mut overlay, context, signer, operation),
            Operation::Vote(operation) => governance::vote(&mut overlay, context, signer, operation),
            Operation::CreateAsset(operation) => registry::create_asset(&mut overlay, context, signer, operation),
            Operation::RegisterBank(operation) => registry::register_bank(&mut overlay, context, signer, operation),
            Operation::UpdateBank(operation) => registry::update_bank(&mut overlay, context, signer, operation),
        };
        applied.push(result.map_err(|reason| (place, reason))?);
    }
    Ok((overlay.into_changes(), applied))
}

fn applied_outcome(applied: Applied) -> OperationOutcome {
    OperationOutcome { receipt: Receipt::Applied { registered: applied.registered }, flows: applied.flows }
}

/// The operation that failed carries its reason, its neighbours name it.
fn skipped_outcomes(count: usize, first: usize, failed: usize, reason: &SkipReason) -> Vec<OperationOutcome> {
    let because = SkipReason::Group {
        failed: u32::try_from(first.saturating_add(failed)).unwrap_or(u32::MAX),
        because: Box::new(reason.clone()),
    };
    (0..count)
        .map(|place| {
            let reason = if place == failed { reason.clone() } else { because.clone() };
            OperationOutcome { receipt: Receipt::Skipped { reason }, flows: Vec::new() }
        })
        .collect()
}

/// Nothing is made or lost: over what was touched, each asset sums up to what it was, its supply counted against
/// it.
fn assert_conserved(overlay: &Overlay<'_>) {
    let mut sums: BTreeMap<AssetId, i128> = BTreeMap::new();
    for (key, before, now) in overlay.differences() {
        for (asset, amount) in state::holdings(key, before) {
            let sum = sums.entry(asset).or_default();
            *sum = sum.saturating_sub(i128::from(amount));
        }
        for (asset, amount) in state::holdings(key, now) {
            let sum = sums.entry(asset).or_default();
            *sum = sum.saturating_add(i128::from(amount));
        }
        for (value, sign) in [(before, 1), (now, -1)] {
            if let Some(Value::Asset(asset)) = value {
                let sum = sums.entry(asset.id).or_default();
                *sum = sum.saturating_add(i128::from(asset.supply).saturating_mul(sign));
            }
        }
    }
    assert!(sums.values().all(|sum| *sum == 0), "a batch must not make or lose money: {sums:?}");
}

#[cfg(test)]
mod tests;
