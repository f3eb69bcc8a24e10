//! What a merchant knows, and what follows from what its wallet does.
//!
//! **Invariant**: whatever an input came to, its records and events are part of the same write
//! ([`Desk::complete`]); nothing here is changed in another way. How much is kept, and for how long, is in
//! [`keeping`]; what is listed, in [`lists`].

use super::MERCHANT;
use super::entry::{ENTRY, Entry, Place, State};
use super::event::Recorder;
use super::outgoing::{OUTGOING, Outgoing, Stage, Sweep};
use super::view;
use super::webhooks::{ENDPOINT, Endpoint, EndpointId};
use crate::limits;
use axum::http::StatusCode;
use fair_core::channel::shared::ChainView as _;
use fair_core::channel::state::StateOrder;
use fair_core::codec::{self, DecodeError};
use fair_core::effect::{Effect, Write};
use fair_core::payment::invoice::{InvoiceId, LatePolicy};
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, Epoch, Hash, Height, PublicKey, TimeMs};
use fair_core::wallet::{Event, Input, NewInvoice, Wallet, usual_price};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;

mod keeping;
mod lists;

pub(super) use keeping::Keeping;
use keeping::Shelf;
use lists::Numbered;
pub(super) use lists::{Part, Wanted};

/// Blocks between two requests for insurance of one channel.
const INSURANCE_PAUSE_HEIGHTS: Height = 20;
/// When whoever asked too early may come again.
const NOT_READY_WAIT_S: u64 = 2;

/// What the operator decided.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(super) own: PublicKey,
    pub(super) chain_id: Hash,
    /// Web origin of the shop.
    pub(super) origin: Option<String>,
    /// How much in a hundred must be insured when an invoice does not say.
    pub(super) min_insured: u8,
    pub(super) sweep: Option<Sweep>,
    pub(super) keeping: Keeping,
}

/// Why the shop does not get what it asked for. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("There is no such invoice.")]
    UnknownInvoice,
    #[error("There is no such refund.")]
    UnknownRefund,
    #[error("There is no such payout.")]
    UnknownPayout,
    #[error("There is no such webhook.")]
    UnknownEndpoint,
    #[error("There is no event with this number.")]
    UnknownEvent,
    #[error("Events before number {first} are forgotten.")]
    ForgottenEvent { first: u64 },
    #[error("The merchant has no channel with a bank yet, through which somebody could pay: ask again in a moment.")]
    NotReady,
    #[error("More than {largest} cannot come in at once: the operator raises that (`node credit --limit`).")]
    AboveLimit { largest: Amount },
    #[error("{whose} has {most} open invoices, as many as it may: cancel some, let them end, or make shorter ones.")]
    TooManyOpen { whose: &'static str, most: usize, wait_s: u64 },
    #[error(
        "{whose} has {most} unpaid invoices that accept late payment, as many as it may: cancel those that nobody will \
         pay, or make this one without accepts_late."
    )]
    TooManyLate { whose: &'static str, most: usize, wait_s: u64 },
    #[error("Something else was asked for under this Idempotency-Key.")]
    NameUsed,
    #[error("There is no asset {0}.")]
    UnknownAsset(AssetId),
    #[error("The invoice is paid, or is being paid.")]
    Taken,
    #[error("The invoice is not paid.")]
    NotPaid,
    #[error("There is a receipt once the invoice is paid.")]
    NothingReceived,
    #[error("The refund was claimed already.")]
    Claimed,
    #[error("The shop took this refund back.")]
    TakenBack,
    #[error("The refund goes to an address, not to whoever has a link.")]
    NoLink,
    #[error("{left} of what was paid are left to refund.")]
    TooMuch { left: Amount },
    #[error("There are as many {what} as there may be: {most}.")]
    TooMany { what: &'static str, most: usize },
    #[error("The wallet refuses: {0}.")]
    Wallet(String),
}

impl Refused {
    /// Status and code of the error that the shop sees.
    pub(super) const fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownInvoice => (StatusCode::NOT_FOUND, "invoice.unknown"),
            Self::UnknownRefund => (StatusCode::NOT_FOUND, "refund.unknown"),
            Self::UnknownPayout => (StatusCode::NOT_FOUND, "payout.unknown"),
            Self::UnknownEndpoint => (StatusCode::NOT_FOUND, "webhook.unknown"),
            Self::UnknownEvent => (StatusCode::NOT_FOUND, "event.unknown"),
            Self::ForgottenEvent { .. } => (StatusCode::GONE, "event.forgotten"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            Self::AboveLimit { .. } => (StatusCode::CONFLICT, "invoice.above_limit"),
            Self::TooManyOpen { .. } => (StatusCode::TOO_MANY_REQUESTS, "invoice.too_many_open"),
            Self::TooManyLate { .. } => (StatusCode::TOO_MANY_REQUESTS, "invoice.too_many_late"),
            Self::UnknownAsset(_) => (StatusCode::CONFLICT, "asset.unknown"),
            Self::NameUsed => (StatusCode::CONFLICT, "idempotency.used"),
            Self::Taken => (StatusCode::CONFLICT, "invoice.taken"),
            Self::NotPaid => (StatusCode::CONFLICT, "refund.not_paid"),
            Self::NothingReceived => (StatusCode::CONFLICT, "receipt.not_paid"),
            Self::Claimed => (StatusCode::CONFLICT, "refund.claimed"),
            Self::TakenBack => (StatusCode::CONFLICT, "refund.cancelled"),
            Self::NoLink => (StatusCode::CONFLICT, "refund.no_link"),
            Self::TooMuch { .. } => (StatusCode::CONFLICT, "refund.too_much"),
            Self::TooMany { .. } => (StatusCode::CONFLICT, "too_many"),
            Self::Wallet(_) => (StatusCode::CONFLICT, "wallet.refused"),
        }
    }

    /// What a program is to know beside the code.
    pub(super) fn data(&self) -> Option<serde_json::Value> {
        match self {
            Self::AboveLimit { largest } => Some(serde_json::json!({ "largest": largest })),
            Self::TooMuch { left } => Some(serde_json::json!({ "left": left })),
            Self::ForgottenEvent { first } => Some(serde_json::json!({ "first": first })),
            _ => None,
        }
    }

    /// When it is worth asking again.
    pub(super) const fn wait_s(&self) -> Option<u64> {
        match self {
            Self::NotReady => Some(NOT_READY_WAIT_S),
            Self::TooManyOpen { wait_s, .. } | Self::TooManyLate { wait_s, .. } => Some(*wait_s),
            _ => None,
        }
    }
}

/// What is to be stored and told beside what the wallet came to.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) write: Write,
    pub(super) notify: Vec<Event>,
    /// When there is something to look at.
    pub(super) look_at: Option<TimeMs>,
}

impl Changes {
    /// One write, first, then everything else.
    pub(super) fn added_to(self, mut effects: Vec<Effect<Event>>) -> Vec<Effect<Event>> {
        if !self.write.is_empty() {
            match effects.first_mut() {
                Some(Effect::Write(write)) => {
                    self.write.puts.into_iter().for_each(|(key, value)| write.put(key, value));
                    self.write.deletes.into_iter().for_each(|key| write.delete(key));
                }
                _ => effects.insert(0, Effect::Write(self.write)),
            }
        }
        effects.extend(self.look_at.map(|at_ms| Effect::Timer { at_ms }));
        effects.extend(self.notify.into_iter().map(Effect::Notify));
        effects
    }
}

/// Paid invoices of one channel and asset of which a part is uninsured, oldest first.
#[derive(Debug, Default)]
struct Exposed {
    ids: BTreeSet<Place>,
    sum: u128,
}

/// A merchant's books.
pub(crate) struct Desk {
    pub(super) rules: Rules,
    pub(super) entries: BTreeMap<InvoiceId, Entry>,
    numbered: Numbered<State, InvoiceId>,
    /// Names that the shop gave, with the numbers of their invoices.
    references: BTreeSet<(String, u64)>,
    /// Open ones, by the end of their time.
    ends: BTreeSet<(TimeMs, InvoiceId)>,
    exposed: BTreeMap<(PublicKey, AssetId), Exposed>,
    /// The newest state of their channels before the block that is looked at.
    newest: BTreeMap<PublicKey, (Epoch, StateOrder)>,
    insurance_asked: BTreeMap<(PublicKey, AssetId), Height>,
    /// The block after which it was looked what is insured.
    assessed_at: Height,
    pub(super) outgoing: BTreeMap<[u8; 16], Outgoing>,
    refunds: Numbered<Stage, [u8; 16]>,
    payouts: Numbered<Stage, [u8; 16]>,
    pub(super) sweeping: Option<[u8; 16]>,
    pub(super) sweep_from: Height,
    pub(super) endpoints: BTreeMap<EndpointId, Endpoint>,
    pub(super) recorder: Recorder,
    /// The clock was compared with `ends` since the start.
    has_looked: bool,
    shelf: Shelf,
    /// The newest event that is durable.
    told: watch::Sender<u64>,
}

impl Desk {
    /// Empty books; the journal's lines are those of `first_event` to `last_event`.
    pub(super) fn new(rules: Rules, first_event: u64, last_event: u64) -> Self {
        let recorder = Recorder::new(rules.own, first_event, last_event);
        Self {
            shelf: Shelf::default(),
            told: watch::channel(last_event).0,
            rules,
            entries: BTreeMap::new(),
            numbered: Numbered::default(),
            references: BTreeSet::new(),
            ends: BTreeSet::new(),
            exposed: BTreeMap::new(),
            newest: BTreeMap::new(),
            insurance_asked: BTreeMap::new(),
            assessed_at: 0,
            outgoing: BTreeMap::new(),
            refunds: Numbered::default(),
            payouts: Numbered::default(),
            sweeping: None,
            sweep_from: 0,
            endpoints: BTreeMap::new(),
            recorder,
            has_looked: false,
        }
    }

    /// Takes a stored record back. `Ok(false)` when it is of another kind.
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, DecodeError> {
        let limit = fair_core::limits::MAX_RECORD_BYTES;
        match key {
            [MERCHANT, ENTRY, ..] => {
                let entry: Entry = codec::decode(value, limit)?;
                if let (Some(paid_in), true) = (entry.paid_in, entry.state == State::Paid && entry.uninsured > 0) {
                    self.expose(paid_in, entry.place(), entry.uninsured);
                }
                self.put(entry);
            }
            [MERCHANT, OUTGOING, ..] => {
                let outgoing: Outgoing = codec::decode(value, limit)?;
                if outgoing.purpose == super::outgoing::Purpose::Sweep && outgoing.stage == Stage::Pending {
                    self.sweeping = Some(outgoing.id);
                }
                self.put_outgoing(outgoing);
            }
            [MERCHANT, ENDPOINT, ..] => {
                let endpoint: Endpoint = codec::decode(value, limit)?;
                self.endpoints.insert(endpoint.id, endpoint);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Hears of events that are durable.
    pub(super) fn told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// What was recorded is durable. Whoever waits is woken also by a number that it has heard: that one may have
    /// been told a moment early.
    pub(crate) fn announce(&self) {
        self.told.send_replace(self.recorder.last());
    }

    fn expose(&mut self, paid_in: (PublicKey, AssetId), place: Place, uninsured: Amount) {
        let exposed = self.exposed.entry(paid_in).or_default();
        exposed.ids.insert(place);
        exposed.sum = exposed.sum.saturating_add(uninsured.into());
    }

    pub(super) fn entry(&self, id: &InvoiceId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Makes an invoice, once under its id.
    pub(super) fn create(
        &mut self,
        new: NewInvoice,
        entry: Entry,
        wallet: &mut Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> (Vec<Effect<Event>>, Result<(), Refused>) {
        if let Some(known) = self.entries.get(&entry.id) {
            let same = known.digest == entry.digest;
            return (Vec::new(), if same { Ok(()) } else { Err(Refused::NameUsed) });
        }
        let receivable = match self.check_room(&entry.key, now_ms).and_then(|()| check_reach(&new, wallet)) {
            Ok(receivable) => receivable,
            Err(refused) => return (Vec::new(), Err(refused)),
        };
        let accepts_late = new.late == LatePolicy::Accept;
        if let Some(refused) = accepts_late.then(|| self.check_late(&entry.key, wallet).err()).flatten() {
            return (Vec::new(), Err(refused));
        }
        match wallet.handle(Input::CreateInvoice(Box::new(new)), chain, now_ms) {
            Ok(effects) => {
                let number = self.numbered.last().map_or(1, |(last, _)| last.saturating_add(1));
                let entry = Entry { number, since_ms: now_ms, receivable, ..entry };
                if accepts_late {
                    self.note_late(&entry, wallet);
                }
                let mut changes = Changes::default();
                if let Some(ends) = end_of(wallet, &entry.id) {
                    self.ends.insert((ends, entry.id));
                    changes.look_at = self.next_look().filter(|first| *first == ends);
                }
                self.keep_entry(entry, &mut changes);
                (changes.added_to(effects), Ok(()))
            }
            Err(refusal) => (Vec::new(), Err(Refused::Wallet(refusal.to_string()))),
        }
    }

    /// When the first invoice ends. One timer is enough for all.
    fn next_look(&self) -> Option<TimeMs> {
        self.ends.first().map(|(ends, _)| *ends)
    }

    /// Notes how the channels stand whose epoch a block may end.
    pub(crate) fn before_block(&mut self, wallet: &Wallet) {
        let channels = self.exposed.keys().filter_map(|(bank, _)| Some((*bank, wallet.channel(bank)?)));
        let channels = channels.map(|(bank, channel)| (bank, (channel.epoch(), channel.agreement().state.order())));
        self.newest = channels.collect();
    }

    /// Adds what the shop is told to what an input came to.
    pub(crate) fn complete(
        &mut self,
        effects: Vec<Effect<Event>>,
        wallet: &Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Vec<Effect<Event>> {
        let mut changes = Changes::default();
        let newest = std::mem::take(&mut self.newest);
        // A block may decide a dispute, or pay a debt, of which the wallet says nothing.
        let mut moved = std::mem::replace(&mut self.assessed_at, chain.head.height) != chain.head.height;
        for effect in &effects {
            let Effect::Notify(event) = effect else { continue };
            match event {
                Event::Invoice(id) => self.follow_invoice(id, wallet, chain, now_ms, &mut changes),
                Event::InvoicePaidAgain(id) => self.paid_again(id, wallet, now_ms, &mut changes),
                Event::Payment(id) => self.follow_payment(id, wallet, now_ms, &mut changes),
                _ => {}
            }
            moved |= matches!(event, Event::Channel(_) | Event::Payment(_) | Event::Invoice(_));
        }
        if moved {
            self.forget_lost(&newest, wallet, chain, &mut changes);
            self.assess(wallet, chain, now_ms, &mut changes);
        }
        self.end_due(wallet, chain, now_ms, &mut changes);
        changes.added_to(effects)
    }

    /// Tells of invoices whose time is over.
    fn end_due(&mut self, wallet: &Wallet, chain: &Chain<'_>, now_ms: TimeMs, changes: &mut Changes) {
        let mut has_moved = !std::mem::replace(&mut self.has_looked, true);
        if has_moved {
            let open = self.entries.values().filter(|entry| entry.state == State::Open);
            self.ends = open.filter_map(|entry| Some((end_of(wallet, &entry.id)?, entry.id))).collect();
        }
        while let Some((ends, id)) = self.ends.first().copied().filter(|(ends, _)| *ends <= now_ms) {
            self.ends.remove(&(ends, id));
            self.follow_invoice(&id, wallet, chain, now_ms, changes);
            has_moved = true;
        }
        if has_moved {
            changes.look_at = self.next_look();
        }
    }

    /// Brings an entry to how its invoice stands, and says so.
    fn follow_invoice(
        &mut self,
        id: &InvoiceId,
        wallet: &Wallet,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        changes: &mut Changes,
    ) {
        let (Some(entry), Some(own)) = (self.entries.get(id), wallet.invoice(id)) else { return };
        let state = State::of(own, now_ms);
        // A clock that was put back opens nothing again.
        let reopened = state == State::Open && entry.state == State::Expired;
        if state == entry.state || reopened {
            return;
        }
        if entry.state == State::Open
            && let Some(ends) = end_of(wallet, id)
        {
            self.ends.remove(&(ends, *id));
            changes.look_at = self.next_look();
        }
        let mut entry = Entry { state, since_ms: now_ms, ..entry.clone() };
        let payment = own.payment.and_then(|payment| wallet.payment(&payment));
        if let Some(payment) = payment {
            entry.late = payment.created_ms > own.invoice.body.expires_ms;
            if let Some((bank, _)) = payment.lock {
                entry.paid_in = Some((bank, payment.asset));
            }
        }
        if state == State::Paid {
            if let Some((bank, asset)) = entry.paid_in {
                // What came last is what nothing stands behind.
                entry.uninsured = uninsured(wallet, chain, &bank, asset).min(own.received);
                if entry.uninsured > 0 {
                    self.expose((bank, asset), entry.place(), entry.uninsured);
                }
            }
            entry.assured = entry.has_enough(own.received);
        }
        self.keep_entry(entry, changes);
        self.tell_invoice(id, state.name(), wallet, now_ms, changes);
    }

    /// What was given back assures no other payment: of this one no more is uninsured than what was kept. So it does not
    /// matter through which bank it went.
    pub(super) fn gave_back(&mut self, id: &InvoiceId, wallet: &Wallet, changes: &mut Changes) {
        let Some(kept) = self.kept(id, wallet) else { return };
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.uninsured > kept) else { return };
        let less = entry.uninsured.saturating_sub(kept);
        entry.uninsured = kept;
        entry.write(&mut changes.write);
        let Some(exposed) = entry.paid_in.and_then(|paid_in| self.exposed.get_mut(&paid_in)) else { return };
        exposed.sum = exposed.sum.saturating_sub(less.into());
        if kept == 0 {
            exposed.ids.remove(&entry.place());
        }
    }

    fn paid_again(&mut self, id: &InvoiceId, wallet: &Wallet, now_ms: TimeMs, changes: &mut Changes) {
        let Some(entry) = self.entries.get(id).filter(|entry| !entry.duplicate) else { return };
        self.keep_entry(Entry { duplicate: true, ..entry.clone() }, changes);
        self.tell_invoice(id, "paid_again", wallet, now_ms, changes);
    }

    fn keep_entry(&mut self, entry: Entry, changes: &mut Changes) {
        entry.write(&mut changes.write);
        self.put(entry);
    }

    fn tell_invoice(&mut self, id: &InvoiceId, what: &str, wallet: &Wallet, now_ms: TimeMs, changes: &mut Changes) {
        let (Some(entry), Some(own)) = (self.entries.get(id), wallet.invoice(id)) else { return };
        let data = view::invoice(entry, own, self.refunded(&entry.refunds).0, wallet);
        self.recorder.record(&format!("invoice.{what}"), &data, now_ms, &mut changes.write);
        changes.notify.push(Event::Invoice(*id));
    }

    /// Where court has ended an epoch by a state before the newest one, nothing will ever stand behind what nothing stood
    /// behind: the channel owes it no more, and no debt says so.
    fn forget_lost(
        &mut self,
        newest: &BTreeMap<PublicKey, (Epoch, StateOrder)>,
        wallet: &Wallet,
        chain: &Chain<'_>,
        changes: &mut Changes,
    ) {
        let lost = newest.iter().filter(|(bank, newest)| has_lost(bank, **newest, wallet, chain));
        let lost: BTreeSet<PublicKey> = lost.map(|(bank, _)| *bank).collect();
        for ((bank, asset), exposed) in self.exposed.extract_if(.., |(bank, _), _| lost.contains(bank)) {
            tracing::error!(%bank, %asset, uninsured = exposed.sum, "court decided by an old state: this was promised");
            for (_, _, id) in &exposed.ids {
                let Some(entry) = self.entries.get_mut(id) else { continue };
                entry.paid_in = None;
                entry.write(&mut changes.write);
            }
        }
    }

    /// Looks what of paid invoices is insured now: what stands behind a channel stands behind the oldest first. Within an
    /// epoch what a bank owes uninsured falls as it is insured, paid or sent out, and after it as the debt is paid.
    fn assess(&mut self, wallet: &Wallet, chain: &Chain<'_>, now_ms: TimeMs, changes: &mut Changes) {
        let mut assured = Vec::new();
        let mut all = std::mem::take(&mut self.exposed);
        for ((bank, asset), exposed) in &mut all {
            let total = uninsured(wallet, chain, bank, *asset);
            if u128::from(total) >= exposed.sum {
                continue;
            }
            let mut left = total;
            for (_, _, id) in exposed.ids.iter().rev() {
                let (Some(entry), Some(kept)) = (self.entries.get(id), self.kept(id, wallet)) else { continue };
                let uninsured = entry.uninsured.min(left);
                left = left.saturating_sub(uninsured);
                if uninsured == entry.uninsured {
                    continue;
                }
                let Some(entry) = self.entries.get_mut(id) else { continue };
                entry.uninsured = uninsured;
                if !entry.assured && entry.has_enough(kept) {
                    entry.assured = true;
                    assured.push(*id);
                }
                entry.write(&mut changes.write);
            }
            exposed.ids.retain(|(_, _, id)| self.entries.get(id).is_some_and(|entry| entry.uninsured > 0));
            exposed.sum = total.saturating_sub(left).into();
        }
        all.retain(|_, exposed| !exposed.ids.is_empty());
        self.exposed = all;
        // The list was walked from the newest on.
        for id in assured.into_iter().rev() {
            self.tell_invoice(&id, "assured", wallet, now_ms, changes);
        }
    }

    /// What of an invoice was received and not given back.
    fn kept(&self, id: &InvoiceId, wallet: &Wallet) -> Option<Amount> {
        let (entry, own) = (self.entries.get(id)?, wallet.invoice(id)?);
        Some(own.received.saturating_sub(self.refunded(&entry.refunds).0))
    }

    /// What it wants of itself after a block: insurance for invoices that wait for it, and to be rid of what is too
    /// much.
    pub(crate) fn keep(&mut self, wallet: &mut Wallet, chain: &Chain<'_>, now_ms: TimeMs) -> Vec<Effect<Event>> {
        let mut effects = Vec::new();
        let waits = |(_, _, id): &Place| self.entries.get(id).is_some_and(|entry| !entry.assured);
        let waiting = self.exposed.iter().filter(|(_, exposed)| exposed.ids.iter().any(waits));
        // What is a debt on-chain nothing but money insures any more.
        let waiting = waiting.map(|(key, _)| *key).filter(|(bank, asset)| promised(wallet, bank, *asset) > 0);
        for (bank, asset) in waiting.collect::<Vec<_>>() {
            let terms = wallet.channel(&bank).and_then(|channel| {
                let terms = channel.agreement().shared.terms(asset, channel.side());
                terms.map(|terms| (terms.insurance_requested, terms.insure_above))
            });
            let (asked, threshold) = terms.unwrap_or_default();
            let height = chain.head.height;
            let from = self.insurance_asked.get(&(bank, asset)).copied().unwrap_or(0);
            if asked || from > height {
                continue;
            }
            self.insurance_asked.insert((bank, asset), height.saturating_add(INSURANCE_PAUSE_HEIGHTS));
            // What is insured above the threshold costs as much from then on.
            let amount = promised(wallet, &bank, asset).min(threshold.unwrap_or(Amount::MAX));
            let most_price = usual_price(amount.max(chain.parameters().min_insurance));
            match wallet.handle(Input::RequestInsurance { bank, asset, most_price }, chain, now_ms) {
                Ok(more) => effects.extend(more),
                Err(refusal) => tracing::warn!(%refusal, %bank, "insurance cannot be asked for"),
            }
        }
        let banks: Vec<PublicKey> = wallet.banks().map(|(bank, _)| bank).collect();
        effects.extend(self.sweep(&banks, wallet, chain, now_ms));
        self.forget_unpaid(wallet, now_ms).added_to(effects)
    }

    /// Whether another endpoint is too many.
    pub(super) fn check_endpoints(&self) -> Result<(), Refused> {
        let most = limits::MERCHANT_ENDPOINTS;
        if self.endpoints.len() < most { Ok(()) } else { Err(Refused::TooMany { what: "webhooks", most }) }
    }
}

/// When an invoice can no longer be paid, unless late.
fn end_of(wallet: &Wallet, id: &InvoiceId) -> Option<TimeMs> {
    wallet.invoice(id).map(|own| own.invoice.body.expires_ms.saturating_add(1))
}

/// The highest limit of credit that a bank gives.
fn limit_of(wallet: &Wallet, asset: AssetId) -> Option<Amount> {
    let channels = wallet.banks().filter_map(|(bank, _)| wallet.channel(&bank));
    let terms = channels.filter_map(|channel| channel.agreement().shared.terms(asset, channel.side()));
    terms.map(|terms| terms.credit_limit).max()
}

/// Whether there is a channel through which somebody could pay. Every bank is asked for credit in FRD.
pub(super) fn can_be_paid(wallet: &Wallet) -> bool {
    limit_of(wallet, AssetId::FRD).is_some()
}

/// Whether somebody could pay. Says how much can come in now when that is less than what is asked for: insurance
/// may raise it before the payer comes.
fn check_reach(new: &NewInvoice, wallet: &Wallet) -> Result<Option<Amount>, Refused> {
    if !can_be_paid(wallet) {
        return Err(Refused::NotReady);
    }
    let now = wallet.banks().map(|(bank, _)| wallet.parts(&bank, new.asset).can_receive).max().unwrap_or(0);
    let largest = limit_of(wallet, new.asset).unwrap_or(0).max(now);
    match new.amount {
        Some(amount) if amount > largest => Err(Refused::AboveLimit { largest }),
        Some(amount) if amount > now => Ok(Some(now)),
        _ => Ok(None),
    }
}

/// Whether the epoch of a channel's newest state was ended by another state, or nobody knows by which. One that is newer
/// still holds what this one did.
fn has_lost(bank: &PublicKey, newest: (Epoch, StateOrder), wallet: &Wallet, chain: &Chain<'_>) -> bool {
    let (epoch, order) = newest;
    let has_ended = wallet.channel(bank).is_some_and(|channel| channel.epoch() > epoch);
    let court = chain.channel(wallet.key(), *bank).court();
    let holds_all = court.epoch == epoch.saturating_add(1) && court.resolved.unwrap_or(StateOrder::DEFAULT) >= order;
    has_ended && !holds_all
}

/// What a bank owes in a channel beyond insurance.
fn promised(wallet: &Wallet, bank: &PublicKey, asset: AssetId) -> Amount {
    wallet.channel(bank).map_or(0, |channel| channel.agreement().line(asset).uninsured(channel.side()))
}

/// What a bank owes that nothing stands behind: in the channel, and what a court could not make it pay.
fn uninsured(wallet: &Wallet, chain: &Chain<'_>, bank: &PublicKey, asset: AssetId) -> Amount {
    let own = wallet.key();
    let debts = chain.state.debts_of(bank, asset).filter(|(_, debt)| debt.creditor == own);
    debts.fold(promised(wallet, bank, asset), |sum, (_, debt)| sum.saturating_add(debt.amount))
}

#[cfg(test)]
mod tests;
