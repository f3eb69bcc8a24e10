//! What a party may rely on, kept from its events and nothing else, and the checks of rule 11 against it.

use super::chain::Row;
use fair_core::channel::delta::NumberLine;
use fair_core::channel::event::{Closed, Command, Event, Reference};
use fair_core::channel::state::{ChannelState, Lock, LockId};
use fair_core::crypto::Secret;
use fair_core::ledger::operation::WithdrawalConsent;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Side};
use std::collections::BTreeMap;

/// What became of something that a party wished to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It may still be paid.
    Open,
    /// It was paid.
    Paid,
    /// It is never paid.
    Failed,
}

/// One party's own accounts of one channel, in FRD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// What it wished to pay: amount and what became of it.
    pub issued: BTreeMap<Reference, (Amount, Fate)>,
    /// Sum of unconditional payments received.
    pub received: Amount,
    /// Number of unconditional payments received.
    pub payments_received: u64,
    /// Incoming locks that were reported and are open.
    pub open: BTreeMap<LockId, Lock>,
    /// Incoming locks that ended.
    pub closed: BTreeMap<LockId, (Amount, Closed)>,
    /// Secrets of own locks that became known.
    pub learned: BTreeMap<Hash, Secret>,
    /// Prices of insurance: received less paid.
    pub prices: i128,
    /// Put in on-chain, less taken out.
    pub deposited: i128,
    /// Most credit ever granted.
    pub credit: Amount,
    /// Consents received.
    pub consents: Vec<Signed<WithdrawalConsent>>,
    /// Withdrawals of the partner that wait for an answer.
    pub asked: u64,
    /// Secrets that have to go on-chain.
    pub reveals_due: Vec<LockId>,
    /// Anything that an honest partner never causes.
    pub accusations: Vec<Event>,
    /// Data was lost: the book before is gone too.
    pub lost: bool,
}

impl Book {
    /// A wish was taken up by the channel.
    pub fn commanded(&mut self, command: &Command) {
        match command {
            Command::Pay { amount, reference, .. } | Command::Lock { amount, reference, .. } => {
                let new = self.issued.insert(*reference, (*amount, Fate::Open)).is_none();
                assert!(new, "references are used once");
            }
            Command::SetCredit { limit, .. } => self.credit = self.credit.max(*limit),
            _ => {}
        }
    }

    /// An event of the channel of `side`.
    pub fn event(&mut self, side: Side, event: &Event) {
        match event {
            Event::Paid { reference } => self.decide(*reference, Fate::Paid),
            Event::OutgoingSettled { reference: Some(reference), .. } => self.decide(*reference, Fate::Paid),
            Event::OutgoingFailed { reference: Some(reference), .. } => self.decide(*reference, Fate::Failed),
            Event::CommandFailed { command, .. } => {
                if let Command::Pay { reference, .. } = **command {
                    self.decide(reference, Fate::Failed);
                }
            }
            Event::PayReceived { amount, .. } => {
                self.received += amount;
                self.payments_received += 1;
            }
            Event::LockReceived { id, lock, .. } => {
                assert!(self.open.insert(*id, lock.clone()).is_none(), "a lock is reported once");
            }
            Event::IncomingClosed { id, lock, closed, .. } => {
                self.open.remove(id);
                assert!(self.closed.insert(*id, (lock.amount, *closed)).is_none(), "a lock is closed once");
            }
            Event::SecretLearned { hash, secret } => {
                self.learned.insert(*hash, *secret);
            }
            Event::InsurancePaid { by, price, .. } => {
                self.prices += if *by == side { -i128::from(*price) } else { i128::from(*price) };
            }
            Event::WithdrawalRequested { .. } => self.asked += 1,
            Event::WithdrawalGranted { proof } if !self.consents.contains(proof) => {
                self.consents.push((**proof).clone());
            }
            Event::RevealDue { id, .. } => self.reveals_due.push(*id),
            Event::Restoring { .. } => self.lost = true,
            Event::Misbehaviour(_) | Event::Suspended(_) => self.accusations.push(event.clone()),
            _ => {}
        }
    }

    fn decide(&mut self, reference: Reference, fate: Fate) {
        let Some(entry) = self.issued.get_mut(&reference) else {
            assert!(self.lost, "nothing is decided that was not wished: {reference}");
            return;
        };
        assert_eq!(entry.1, Fate::Open, "{reference} is decided once, now {fate:?}");
        entry.1 = fate;
    }

    /// What the party owns at least: everything that it counts as received, less everything that it ever
    /// wished to pay and that has not failed.
    pub fn entitlement(&self) -> i128 {
        let settled =
            |(amount, closed): &(Amount, Closed)| if *closed == Closed::Settled { i128::from(*amount) } else { 0 };
        let spent = |(amount, fate): &(Amount, Fate)| if *fate == Fate::Failed { 0 } else { i128::from(*amount) };
        self.deposited + i128::from(self.received) + self.prices + self.closed.values().map(settled).sum::<i128>()
            - self.issued.values().map(spent).sum::<i128>()
    }

    /// Rule 11: by whatever state court decides, the party owns what it counts on, and of that no more
    /// than the credit that it granted is only promised. Locks that it gave count as paid, locks that it
    /// was given as not.
    ///
    /// # Errors
    /// A sentence with the numbers.
    pub fn check_loss(&self, side: Side, state: &ChannelState, row: &Row, consented: Amount) -> Result<(), String> {
        if self.lost {
            return Ok(());
        }
        let asset = AssetId::FRD;
        let facts = row.facts.assets.iter().find(|entry| entry.asset == asset);
        let (insurance, ondelta) = facts.map_or((0, 0), |entry| (entry.insurance, entry.ondelta));
        let given: Amount = state.locks_of(side).filter(|(id, _)| id.asset == asset).map(|(_, lock)| lock.amount).sum();
        let balance = NumberLine::new(insurance, ondelta, state.offdelta(asset)).balance(side) - i128::from(given);
        let covered = balance.min(i128::from(insurance) - i128::from(consented)).max(0);
        let entitled = self.entitlement();
        if balance < entitled {
            return Err(format!("{side:?} owns {balance} by {:?} but counts on {entitled}", state.order()));
        }
        if covered < entitled - i128::from(self.credit) {
            return Err(format!(
                "{side:?} can lose {} of {entitled} by {:?}, having granted {}",
                entitled - covered,
                state.order(),
                self.credit
            ));
        }
        Ok(())
    }

    /// Whether nothing that was wished or reported is open.
    pub fn is_settled(&self) -> bool {
        self.open.is_empty() && self.issued.values().all(|(_, fate)| *fate != Fate::Open)
    }

    /// Sum of what was paid.
    pub fn paid(&self) -> Amount {
        self.issued.values().filter(|(_, fate)| *fate == Fate::Paid).map(|(amount, _)| amount).sum()
    }

    /// Sum of what was received, unconditionally or by locks.
    pub fn earned(&self) -> Amount {
        let settled = self.closed.values().filter(|(_, closed)| *closed == Closed::Settled);
        self.received + settled.map(|(amount, _)| amount).sum::<Amount>()
    }
}
