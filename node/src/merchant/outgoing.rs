//! Money that a merchant sends: refunds, payouts, and what it sweeps away by itself. Each has the id of the wallet's
//! payment, so that whatever crashes, it is paid once.

use super::MERCHANT;
use super::desk::{Changes, Desk, Refused};
use super::view;
use crate::limits;
use crate::wallet::operator::usual_fee;
use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::codec;
use fair_core::effect::Effect;
use fair_core::effect::Write;
use fair_core::payment::address::Address;
use fair_core::payment::invoice::InvoiceId;
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey, TimeMs};
use fair_core::wallet::{Event, Input, Payable, PaymentState, Wallet};

pub(super) const OUTGOING: u8 = b'o';

/// What money is sent for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum Purpose {
    /// Somebody who paid gets it back.
    Refund { invoice: InvoiceId },
    /// The shop pays.
    Payout,
    /// More was there than the operator wants.
    Sweep,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(super) enum Stage {
    /// Whoever has the link says where it goes.
    Claimable,
    Pending,
    Paid,
    Failed,
    /// The shop took it back before anybody said where it goes.
    Cancelled,
}

impl Stage {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Claimable => "claimable",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn read(name: &str) -> Option<Self> {
        let all = [Self::Claimable, Self::Pending, Self::Paid, Self::Failed, Self::Cancelled];
        all.into_iter().find(|stage| stage.name() == name)
    }
}

/// Money on its way out.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Outgoing {
    pub(super) id: [u8; 16],
    /// Of what was asked for.
    pub(super) digest: Hash,
    pub(super) purpose: Purpose,
    pub(super) asset: AssetId,
    pub(super) amount: Amount,
    pub(super) stage: Stage,
    /// How it stood when it was made.
    pub(super) made_as: Stage,
    pub(super) created_ms: TimeMs,
    /// In the order in which refunds and payouts were made; 0 before it is.
    pub(super) number: u64,
}

impl Purpose {
    /// In the wallet's list of payments.
    const fn name(&self) -> &'static str {
        match self {
            Self::Refund { .. } => "Refund",
            Self::Payout => "Payout",
            Self::Sweep => "Sweep",
        }
    }
}

impl Outgoing {
    fn new(
        id: [u8; 16],
        digest: Hash,
        purpose: Purpose,
        asset: AssetId,
        amount: Amount,
        stage: Stage,
        created_ms: TimeMs,
    ) -> Self {
        Self { id, digest, purpose, asset, amount, stage, made_as: stage, created_ms, number: 0 }
    }

    pub(super) fn write(&self, write: &mut Write) {
        write.put([&[MERCHANT, OUTGOING], self.id.as_slice()].concat(), codec::encode(self));
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self.purpose {
            Purpose::Refund { .. } => "refund",
            Purpose::Payout | Purpose::Sweep => "payout",
        }
    }
}

/// What the operator wants to be gone by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sweep {
    /// Where it goes.
    pub(super) to: Address,
    /// What a channel may hold of FRD.
    pub(super) above: Amount,
    /// What stays there.
    pub(super) keep: Amount,
}

/// A refund that is wanted.
#[derive(Clone, Debug)]
pub(super) struct NewRefund {
    pub(super) id: [u8; 16],
    pub(super) digest: Hash,
    pub(super) invoice: InvoiceId,
    /// All that is left when not given.
    pub(super) amount: Option<Amount>,
    /// To whoever has the link, although the payer said where it goes.
    pub(super) link: bool,
}

/// A payout that is wanted.
#[derive(Clone, Debug)]
pub(super) struct NewPayout {
    pub(super) id: [u8; 16],
    pub(super) digest: Hash,
    pub(super) to: Payable,
    pub(super) asset: AssetId,
    pub(super) amount: Amount,
    pub(super) max_fee: Amount,
}

type Made<T> = (Vec<Effect<Event>>, Result<T, Refused>);

impl Desk {
    pub(super) fn outgoing(&self, id: &[u8; 16]) -> Option<&Outgoing> {
        self.outgoing.get(id)
    }

    /// What of an invoice was given back, and what is promised.
    pub(super) fn refunded(&self, refunds: &[[u8; 16]]) -> (Amount, Amount) {
        let all = || refunds.iter().filter_map(|id| self.outgoing.get(id));
        let sum = |which: fn(Stage) -> bool| {
            all().filter(|one| which(one.stage)).fold(0, |sum: Amount, one| sum.saturating_add(one.amount))
        };
        (sum(|stage| stage == Stage::Paid), sum(|stage| !matches!(stage, Stage::Failed | Stage::Cancelled)))
    }

    /// Gives back what was paid: to the payer's refund address, or to whoever has the link.
    pub(super) fn refund(
        &mut self,
        new: &NewRefund,
        wallet: &mut Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Made<Outgoing> {
        if let Some(known) = self.outgoing.get(&new.id) {
            return (Vec::new(), if known.digest == new.digest { Ok(known.clone()) } else { Err(Refused::NameUsed) });
        }
        match self.check_refund(new, wallet) {
            Ok((asset, amount, address)) => {
                let stage = if address.is_some() { Stage::Pending } else { Stage::Claimable };
                let purpose = Purpose::Refund { invoice: new.invoice };
                let made = Outgoing::new(new.id, new.digest, purpose, asset, amount, stage, now_ms);
                let Some(address) = address else { return self.enter(made, Vec::new()) };
                self.pay(made, Payable::Address(address), usual_fee(asset, amount), wallet, chain, now_ms)
            }
            Err(refused) => (Vec::new(), Err(refused)),
        }
    }

    fn check_refund(&self, new: &NewRefund, wallet: &Wallet) -> Result<(AssetId, Amount, Option<Address>), Refused> {
        let entry = self.entries.get(&new.invoice).ok_or(Refused::UnknownInvoice)?;
        let own = wallet.invoice(&new.invoice).ok_or(Refused::UnknownInvoice)?;
        if own.received == 0 {
            return Err(Refused::NotPaid);
        }
        if entry.refunds.len() >= limits::MERCHANT_REFUNDS {
            return Err(Refused::TooMany { what: "refunds of one invoice", most: limits::MERCHANT_REFUNDS });
        }
        let (_, promised) = self.refunded(&entry.refunds);
        let left = own.received.saturating_sub(promised);
        let amount = new.amount.unwrap_or(left);
        if amount == 0 || amount > left {
            return Err(Refused::TooMuch { left });
        }
        let said = own.payment.and_then(|payment| wallet.refund_address(&payment));
        let address = said.filter(|_| !new.link);
        Ok((own.invoice.body.asset, amount, address.map(|address| address.to_address(&self.rules.chain_id))))
    }

    /// Pays somebody.
    pub(super) fn payout(
        &mut self,
        new: NewPayout,
        wallet: &mut Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Made<Outgoing> {
        if let Some(known) = self.outgoing.get(&new.id) {
            return (Vec::new(), if known.digest == new.digest { Ok(known.clone()) } else { Err(Refused::NameUsed) });
        }
        let NewPayout { id, digest, to, asset, amount, max_fee } = new;
        let made = Outgoing::new(id, digest, Purpose::Payout, asset, amount, Stage::Pending, now_ms);
        self.pay(made, to, max_fee, wallet, chain, now_ms)
    }

    /// Sends a refund that waits for its claim.
    pub(super) fn claim(
        &mut self,
        id: [u8; 16],
        to: Payable,
        wallet: &mut Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Made<Outgoing> {
        match self.claimable(&id) {
            Ok(waiting) => {
                let max_fee = usual_fee(waiting.asset, waiting.amount);
                self.pay(Outgoing { stage: Stage::Pending, ..waiting }, to, max_fee, wallet, chain, now_ms)
            }
            Err(refused) => (Vec::new(), Err(refused)),
        }
    }

    /// A refund of which nobody has said where it goes.
    fn claimable(&self, id: &[u8; 16]) -> Result<Outgoing, Refused> {
        let is_refund = |one: &&Outgoing| matches!(one.purpose, Purpose::Refund { .. });
        let refund = self.outgoing.get(id).filter(is_refund).ok_or(Refused::UnknownRefund)?;
        match refund.stage {
            Stage::Claimable => Ok(refund.clone()),
            Stage::Cancelled => Err(Refused::TakenBack),
            Stage::Pending | Stage::Paid | Stage::Failed if refund.made_as == Stage::Claimable => Err(Refused::Claimed),
            Stage::Pending | Stage::Paid | Stage::Failed => Err(Refused::NoLink),
        }
    }

    /// Takes a refund back whose link nobody has used: the money may be refunded in another way.
    pub(super) fn take_back(&mut self, id: &[u8; 16], now_ms: TimeMs) -> Made<Outgoing> {
        match self.claimable(id) {
            Ok(waiting) => {
                let cancelled = Outgoing { stage: Stage::Cancelled, ..waiting };
                let mut changes = Changes::default();
                cancelled.write(&mut changes.write);
                self.put_outgoing(cancelled.clone());
                let data = view::outgoing(&cancelled, None, None);
                self.recorder.record("refund.cancelled", &data, now_ms, &mut changes.write);
                if let Purpose::Refund { invoice } = cancelled.purpose {
                    changes.notify.push(Event::Invoice(invoice));
                }
                (changes.added_to(Vec::new()), Ok(cancelled))
            }
            // Asked for again.
            Err(Refused::TakenBack) => (Vec::new(), self.outgoing.get(id).cloned().ok_or(Refused::UnknownRefund)),
            Err(refused) => (Vec::new(), Err(refused)),
        }
    }

    /// Lets the wallet pay, and keeps what it is for in the same transaction.
    fn pay(
        &mut self,
        made: Outgoing,
        to: Payable,
        max_fee: Amount,
        wallet: &mut Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Made<Outgoing> {
        let (to, description) = (Box::new(to), made.purpose.name().to_owned());
        let input = Input::Pay { request: made.id, to, asset: made.asset, amount: made.amount, max_fee, description };
        match wallet.handle(input, chain, now_ms) {
            Ok(effects) => self.enter(made, effects),
            Err(refusal) => (Vec::new(), Err(Refused::Wallet(refusal.to_string()))),
        }
    }

    fn enter(&mut self, mut made: Outgoing, effects: Vec<Effect<Event>>) -> Made<Outgoing> {
        if made.number == 0 {
            made.number = self.next_outgoing();
        }
        let mut changes = Changes::default();
        made.write(&mut changes.write);
        if let Purpose::Refund { invoice } = made.purpose
            && let Some(entry) = self.entries.get_mut(&invoice)
            && !entry.refunds.contains(&made.id)
        {
            entry.refunds.push(made.id);
            entry.write(&mut changes.write);
            changes.notify.push(Event::Invoice(invoice));
        }
        self.put_outgoing(made.clone());
        (changes.added_to(effects), Ok(made))
    }

    /// Tells how a payment of ours ended.
    pub(super) fn follow_payment(&mut self, id: &[u8; 16], wallet: &Wallet, now_ms: TimeMs, changes: &mut Changes) {
        let (Some(outgoing), Some(payment)) = (self.outgoing.get(id), wallet.payment(id)) else { return };
        let stage = match payment.state {
            PaymentState::Locking | PaymentState::Settling => Stage::Pending,
            PaymentState::Paid => Stage::Paid,
            PaymentState::Failed => Stage::Failed,
        };
        if outgoing.stage == stage {
            return;
        }
        let outgoing = Outgoing { stage, ..outgoing.clone() };
        outgoing.write(&mut changes.write);
        if matches!(stage, Stage::Paid | Stage::Failed) {
            let kind = format!("{}.{}", outgoing.kind(), stage.name());
            let data = view::outgoing(&outgoing, wallet.payment(id), None);
            self.recorder.record(&kind, &data, now_ms, &mut changes.write);
        }
        let purpose = outgoing.purpose.clone();
        self.put_outgoing(outgoing);
        if let (Stage::Paid, Purpose::Refund { invoice }) = (stage, purpose) {
            self.gave_back(&invoice, wallet, changes);
        }
    }

    /// Sends away what is more than the operator wants to keep, one payment at a time.
    pub(super) fn sweep(
        &mut self,
        banks: &[PublicKey],
        wallet: &mut Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Vec<Effect<Event>> {
        let Some(Sweep { to, above, keep }) = self.rules.sweep.clone() else { return Vec::new() };
        let height = chain.head.height;
        let is_sweep = |one: &Outgoing| one.purpose == Purpose::Sweep && one.stage == Stage::Pending;
        if self.sweep_from > height
            || chain.is_stale(now_ms)
            || self.sweeping.is_some_and(|id| self.outgoing.get(&id).is_some_and(is_sweep))
        {
            return Vec::new();
        }
        let most = banks.iter().map(|bank| wallet.parts(bank, AssetId::FRD).can_send).max().unwrap_or(0);
        let surplus = if most > above { most.saturating_sub(keep) } else { 0 };
        let max_fee = usual_fee(AssetId::FRD, surplus);
        let amount = surplus.saturating_sub(max_fee);
        if amount == 0 {
            return Vec::new();
        }
        self.sweep_from = height.saturating_add(SWEEP_PAUSE_HEIGHTS);
        let id = super::texts::id_of(&self.rules.own, "", "sweep", &format!("{height}"));
        // The one of this block, from before a restart, has come to an end: to make it again would only forget that.
        if self.outgoing.contains_key(&id) {
            return Vec::new();
        }
        let made = Outgoing::new(id, Hash::ZERO, Purpose::Sweep, AssetId::FRD, amount, Stage::Pending, now_ms);
        let (effects, result) = self.pay(made, Payable::Address(to), max_fee, wallet, chain, now_ms);
        match result {
            Ok(_) => self.sweeping = Some(id),
            Err(refused) => tracing::warn!(%refused, amount, "what is too much cannot be sent away"),
        }
        effects
    }
}

/// Between two sweeps.
const SWEEP_PAUSE_HEIGHTS: Height = 10;
