//! Answering: what a tower shows in court, in batches of its own account.
//!
//! One batch is under way at a time and holds as many answers as fit. It is submitted again with every block
//! until it is included or too old. When it waits for [`limits::TOWER_PATIENCE_HEIGHTS`] it is signed again under
//! the same number with a higher fee, with what it held before and what has become due since: only one of the
//! two can be included. At the highest rate that a tower offers it is signed again only for what has become due since,
//! at the least rate that takes the other's place; it never pays more than a full batch at the highest rate. An answer
//! that court skipped is not tried again in the same dispute.
//!
//! When there is not enough money for all, those come first whose clients have cost the least so far, then those
//! whose answer window ends first: whoever has a tower answer dispute after dispute of its own channels waits
//! behind everybody else.

use super::{Client, Event, Out, Tower, client_key};
use crate::account::{BadRecord, read};
use crate::channel::shared::Sides;
use crate::channel::state::ChannelState;
use crate::codec;
use crate::effect::Effect;
use crate::ledger::batch::{self, Batch, Entry};
use crate::ledger::operation::{Answer, Operation};
use crate::ledger::receipt::{BatchOutcome, Receipt, SkipReason};
use crate::ledger::state::State;
use crate::limits;
use crate::message::Signed;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, Height, Parties, PublicKey, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

const SENT: u8 = b'b';

/// The batch under way.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Sent {
    batch: Signed<Batch>,
    /// The head when it was signed.
    signed_at: Height,
}

/// Court did not take an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Skip {
    /// Names the dispute: when it began.
    start: UsableHeight,
}

/// An answer that court did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Whose channel.
    pub parties: Parties,
    /// Why.
    pub reason: SkipReason,
}

/// Whether the tower can pay for what it has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Money {
    /// It can.
    Enough,
    /// The account does not exist on-chain: nothing can be answered.
    Unregistered,
    /// Answers wait because they cost more than there is.
    Short {
        /// What the next answer costs.
        fee: Amount,
        /// What there is.
        balance: Amount,
    },
}

/// An answer that is due.
struct Due {
    spent: Amount,
    until: UsableHeight,
    parties: Parties,
}

impl Tower {
    pub(super) fn restore_sent(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        if key != [SENT] {
            return Ok(false);
        }
        self.sent = Some(read(SENT, value)?);
        Ok(true)
    }

    /// Looks whether the batch under way was included, or can no longer be.
    pub(super) fn settle(&mut self, outcomes: &[BatchOutcome], chain: &Chain<'_>, out: &mut Out) {
        let Some(sent) = &self.sent else { return };
        let is_included = self.nonce(chain.state) > sent.batch.body.nonce;
        if !is_included && chain.head.height < sent.batch.body.valid_until {
            return;
        }
        let sent = self.sent.take();
        out.write.delete(vec![SENT]);
        // Those of a block that was stored just before a crash are lost; what is still due is seen on the chain.
        let own = self.key();
        let outcome = outcomes.iter().find(|outcome| is_included && outcome.signer == own);
        if let (Some(sent), Some(outcome)) = (sent, outcome) {
            self.note_outcome(&sent, outcome, chain, out);
        }
    }

    /// The included batch may be an earlier signing of `sent`, whose answers are the first of those in it.
    fn note_outcome(&mut self, sent: &Sent, outcome: &BatchOutcome, chain: &Chain<'_>, out: &mut Out) {
        let (mut taken, mut skipped) = (0_usize, Vec::new());
        let count = Amount::try_from(outcome.operations.len()).unwrap_or(Amount::MAX);
        let share = outcome.fee.checked_div(count).unwrap_or(0);
        for (state, operation) in sent.states().zip(&outcome.operations) {
            let parties = state.parties;
            self.charge(&parties, share, out);
            match &operation.receipt {
                Receipt::Applied { .. } => taken = taken.saturating_add(1),
                Receipt::Skipped { reason } => {
                    let is_newest = self.holdings.get(&parties).is_some_and(|held| held.state == *state);
                    if let Some(dispute) = chain.state.dispute(&parties).filter(|_| is_newest) {
                        self.holdings.note_skip(&parties, Skip { start: dispute.start }, &mut out.write);
                    }
                    skipped.push(Skipped { parties, reason: reason.clone() });
                }
            }
        }
        out.notify(Event::Answered { taken, skipped });
    }

    fn charge(&mut self, parties: &Parties, fee: Amount, out: &mut Out) {
        for (client, partner) in [(parties.left(), parties.right()), (parties.right(), parties.left())] {
            if self.receipts.contains_key(&(client, partner)) {
                let known = self.clients.entry(client).or_default();
                known.spent = known.spent.saturating_add(fee);
                out.write.put(client_key(&client), codec::encode(known));
            }
        }
    }

    /// Whether court has an older state of a channel than the tower, and the next block would take an answer.
    fn is_due(&self, parties: &Parties, chain: &Chain<'_>) -> Option<UsableHeight> {
        let held = self.holdings.get(parties)?;
        let dispute = chain.state.dispute(parties)?;
        let until = dispute.answers_until();
        let is_due = held.state.epoch == chain.state.channel(parties).epoch
            && held.state.order() > dispute.order()
            && chain.head.usable_height <= until
            && held.skip != Some(Skip { start: dispute.start });
        is_due.then_some(until)
    }

    /// Every answer that is due, in the order in which money is spent on them.
    fn due(&self, chain: &Chain<'_>) -> Vec<Parties> {
        // Only what is kept here: others' disputes may be many.
        let in_court: &mut dyn Iterator<Item = &Parties> = match &self.in_court {
            Some(in_court) => &mut in_court.iter(),
            None => &mut self.holdings.all().map(|(parties, _)| parties),
        };
        let mut due: Vec<Due> = in_court
            .filter_map(|parties| {
                let until = self.is_due(parties, chain)?;
                Some(Due { spent: self.spent_for(parties), until, parties: *parties })
            })
            .collect();
        due.sort_by_key(|due| (due.spent, due.until, due.parties));
        due.into_iter().map(|due| due.parties).collect()
    }

    /// What the client of a channel has cost; when both are clients, the one that has cost less.
    fn spent_for(&self, parties: &Parties) -> Amount {
        let spent = |client: PublicKey, partner: PublicKey| {
            let known = self.receipts.contains_key(&(client, partner)).then(|| self.clients.get(&client));
            known.flatten().map(|client: &Client| client.spent)
        };
        let (left, right) = (parties.left(), parties.right());
        spent(left, right).into_iter().chain(spent(right, left)).min().unwrap_or(0)
    }

    /// Signs a batch with what is due, if none is under way, or again with a higher fee, if it waits for long.
    /// Whether it did.
    pub(super) fn answer(&mut self, chain: &Chain<'_>, out: &mut Out) -> bool {
        self.look_at_money(chain, out);
        let due = self.due(chain);
        let least = chain.parameters().min_fee_rate;
        let most = least.saturating_mul(limits::TOWER_MOST_FEE_RATES);
        let (entries, rate, is_highest) = match &self.sent {
            None => (Vec::new(), least, false),
            Some(sent) => {
                let waits = chain.head.height.saturating_sub(sent.signed_at);
                if waits < limits::TOWER_PATIENCE_HEIGHTS {
                    return false;
                }
                let rate = sent.batch.body.fee_rate;
                let more = rate.saturating_add(rate.div_ceil(4)).max(least);
                let is_highest = more > most;
                (sent.batch.body.entries.clone(), if is_highest { rate } else { more }, is_highest)
            }
        };
        if due.is_empty() {
            return false;
        }
        let Some((mut batch, mut fee)) = self.assemble(entries, &due, rate, chain) else { return false };
        if let (true, Some(sent)) = (is_highest, &self.sent) {
            let Some(raised) = outbidding(&mut batch, sent, most, chain) else { return false };
            if raised > chain.state.balance(&self.key(), AssetId::FRD) {
                return false;
            }
            fee = raised;
        }
        let answers = batch.entries.len();
        let sent = Sent { batch: Signed::new(batch, &self.chain_id, &self.key), signed_at: chain.head.height };
        out.write.put(vec![SENT], codec::encode(&sent));
        out.after.push(Effect::Submit { batch: Box::new(sent.batch.clone()) });
        self.sent = Some(sent);
        out.notify(Event::Answering { answers, fee });
        true
    }

    /// Those entries and as many answers that are due as fit and can be paid; `None` when that is nothing.
    fn assemble(
        &self,
        entries: Vec<Entry>,
        due: &[Parties],
        fee_rate: Amount,
        chain: &Chain<'_>,
    ) -> Option<(Batch, Amount)> {
        let balance = chain.state.balance(&self.key(), AssetId::FRD);
        let most = usize::try_from(chain.parameters().max_batch_bytes).unwrap_or(usize::MAX);
        let life = Height::from(chain.parameters().max_batch_life_heights);
        let valid_until = chain.head.height.saturating_add(life);
        let nonce = self.nonce(chain.state);
        let mut batch = Batch { signer: self.key(), nonce, valid_until, fee_rate, entries };
        let mut bytes = batch::bytes_when_signed(&batch);
        for parties in due {
            let Some(held) = self.holdings.get(parties) else { continue };
            if batch.entries.iter().filter_map(state_of).any(|state| *state == held.state) {
                continue;
            }
            let signatures = Sides { left: Some(held.signatures.left), right: Some(held.signatures.right) };
            let operation = Operation::Answer(Answer { state: held.state.clone(), signatures });
            let entry = Entry { group: None, operation };
            let with = bytes.saturating_add(codec::encode(&entry).len());
            let fits = with <= most && batch.entries.len() < limits::MAX_OPERATIONS;
            if fits && batch::fee(fee_rate, with).is_some_and(|fee| fee <= balance) {
                bytes = with;
                batch.entries.push(entry);
            }
        }
        let fee = batch::fee(fee_rate, bytes).filter(|fee| *fee <= balance)?;
        (!batch.entries.is_empty()).then_some((batch, fee))
    }

    /// Asks again for the batch under way to be brought to validators, as long as any of it is due.
    pub(super) fn submit(&self, chain: &Chain<'_>, out: &mut Out) {
        let Some(sent) = &self.sent else { return };
        if sent.states().any(|state| self.is_due(&state.parties, chain).is_some()) {
            out.after.push(Effect::Submit { batch: Box::new(sent.batch.clone()) });
        }
    }

    /// A tower says so before it needs money that it does not have: it wants to be able to pay for a largest answer.
    fn look_at_money(&mut self, chain: &Chain<'_>, out: &mut Out) {
        let money = self.money_at(chain);
        if std::mem::replace(&mut self.money, money) != money {
            out.notify(Event::Money(money));
        }
    }

    fn money_at(&self, chain: &Chain<'_>) -> Money {
        let key = self.key();
        if chain.state.account_id(&key).is_none() {
            return Money::Unregistered;
        }
        let fee = self.largest_fee(chain);
        let balance = chain.state.balance(&key, AssetId::FRD);
        if balance < fee { Money::Short { fee, balance } } else { Money::Enough }
    }

    /// What an answer with a largest state costs at the least fee rate.
    fn largest_fee(&self, chain: &Chain<'_>) -> Amount {
        let parameters = chain.parameters();
        let state = usize::try_from(parameters.max_state_bytes).unwrap_or(usize::MAX);
        batch::fee(parameters.min_fee_rate, state.saturating_add(limits::TOWER_ANSWER_BYTES)).unwrap_or(Amount::MAX)
    }

    fn nonce(&self, state: &State) -> u64 {
        state.account(&self.key()).map_or(0, |account| account.nonce)
    }

    /// Whether it can pay.
    pub fn money(&self) -> Money {
        self.money
    }

    /// Answers that are under way.
    pub fn answering(&self) -> usize {
        self.sent.as_ref().map_or(0, |sent| sent.batch.body.entries.len())
    }

    /// How many channels are in court with an older state than the tower's, and can still be answered.
    pub fn unanswered(&self, chain: &Chain<'_>) -> usize {
        self.due(chain).len()
    }

    /// Largest answers that its balance pays for.
    pub fn affordable(&self, chain: &Chain<'_>) -> u64 {
        chain.state.balance(&self.key(), AssetId::FRD).checked_div(self.largest_fee(chain)).unwrap_or(0)
    }
}

impl Sent {
    fn states(&self) -> impl Iterator<Item = &ChannelState> {
        self.batch.body.entries.iter().filter_map(state_of)
    }
}

/// Sets the least rate at which a batch with more answers takes the place of the one under way; what it costs then.
/// `None` when it holds no more, or would cost more than a full batch at the highest rate.
fn outbidding(batch: &mut Batch, sent: &Sent, most: Amount, chain: &Chain<'_>) -> Option<Amount> {
    if batch.entries.len() <= sent.batch.body.entries.len() {
        return None;
    }
    let before = batch::fee(sent.batch.body.fee_rate, batch::signed_bytes(&sent.batch))?;
    let bytes = batch::bytes_when_signed(batch);
    batch.fee_rate = batch.fee_rate.max(batch::outbidding_rate(before, bytes));
    let full = usize::try_from(chain.parameters().max_batch_bytes).unwrap_or(usize::MAX);
    let limit = batch::fee(most, full)?;
    batch::fee(batch.fee_rate, bytes).filter(|fee| *fee <= limit)
}

fn state_of(entry: &Entry) -> Option<&ChannelState> {
    match &entry.operation {
        Operation::Answer(answer) => Some(&answer.state),
        _ => None,
    }
}
