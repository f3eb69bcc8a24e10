//! Invoices, addresses and payments as pages see them.

use super::Core;
use crate::error::{Datum, Error, sentence};
use crate::events::now_ms;
use crate::explorer::{Explorer, asset};
use crate::limits;
use crate::qr;
use crate::request::{self, RequestId};
use crate::view::{
    ActivityPage, Address, Assurance, Attempt, Decoded, Invoice, LockExpiry, OwnInvoice, Payment, PaymentDetails, Quote,
};
use fair_core::channel::event::OutgoingFailure;
use fair_core::channel::transition::FailReason;
use fair_core::message::Verified;
use fair_core::ordered;
use fair_core::payment::address::{self, Address as CoreAddress};
use fair_core::payment::invoice::{
    self, BadInvoice, Description, Invoice as CoreInvoice, InvoiceId, LatePolicy, RefundPolicy,
};
use fair_core::payment::route::NoRoute;
use fair_core::payment::text::{self, Case};
use fair_core::peers::Chain as ChainView;
use fair_core::types::{AssetId, TimeMs, UsableHeight};
use fair_core::wallet::{
    AttemptState, CannotPay, Direction, Failure, Input, InvoiceState, Kind, NewInvoice, OwnInvoice as CoreOwnInvoice,
    Payable, Payment as CorePayment, PaymentState, Wallet as Machine,
};
use std::cmp::Reverse;
use std::rc::Rc;

/// An order as the page gives it.
pub(super) struct Order<'a> {
    pub(super) text: &'a str,
    pub(super) amount: Option<u64>,
    pub(super) asset: Option<AssetId>,
}

impl Core {
    pub(super) fn address(&self) -> Result<Address, Error> {
        let address = self.machine()?.address();
        Ok(Address { text: address.to_text(Case::Lower), qr: qr::draw(&address.to_text(Case::Upper))? })
    }

    pub(super) async fn create_invoice(
        self: &Rc<Self>,
        key: &str,
        asset: AssetId,
        amount: Option<u64>,
        description: Option<String>,
        seconds: u64,
    ) -> Result<OwnInvoice, Error> {
        let request = request::id(key);
        let new = NewInvoice {
            request,
            asset,
            amount,
            description: Description::Text(description.unwrap_or_default()),
            lifetime_ms: seconds.min(limits::MAX_INVOICE_SECONDS).saturating_mul(1000),
            origin: None,
            refunds: RefundPolicy::None,
            late: LatePolicy::Fail,
        };
        let same = self.machine()?.invoice(&InvoiceId(request)).map(|own| request::is_same(&own.invoice.body, &new));
        if same == Some(false) {
            return Err(Error::new("input.key_used", "Another invoice was made under this key."));
        }
        if same.is_none() {
            let known = self.explore(|explorer| explorer.state.asset(asset).is_some())?;
            if !known {
                return Err(Error::new("input.asset", "There is no such asset.").with("got", u64::from(asset.0)));
            }
            self.handle(Input::CreateInvoice(Box::new(new))).await?;
        }
        self.own_invoice(&InvoiceId(request))
    }

    pub(super) async fn cancel_invoice(self: &Rc<Self>, key: &str) -> Result<OwnInvoice, Error> {
        let id = InvoiceId(request::id(key));
        self.handle(Input::CancelInvoice(id)).await?;
        self.own_invoice(&id)
    }

    pub(super) fn own_invoice(&self, id: &InvoiceId) -> Result<OwnInvoice, Error> {
        self.ask(|machine, chain| {
            let unknown = || Error::new("payment.unknown_invoice", "There is no such invoice.");
            let own = machine.invoice(id).ok_or_else(unknown)?;
            self.view_own(&Explorer { state: chain.state, you: Some(machine.key()) }, own)
        })
    }

    /// Newest first.
    pub(super) fn invoices(&self) -> Result<Vec<OwnInvoice>, Error> {
        self.ask(|machine, chain| {
            let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
            let created = |own: &&CoreOwnInvoice| Reverse(own.invoice.body.created_ms);
            let newest = ordered::first_by_key(machine.invoices(), limits::MAX_INVOICES_LISTED, created);
            newest.into_iter().map(|own| self.view_own(&explorer, own)).collect()
        })
    }

    fn view_own(&self, explorer: &Explorer<'_>, own: &CoreOwnInvoice) -> Result<OwnInvoice, Error> {
        let verified =
            invoice::check(own.invoice.clone(), &explorer.state.chain_id()).map_err(|error| bad_invoice(&error))?;
        let view = view_invoice(explorer, &verified);
        let expired = verified.body().is_expired(now_ms());
        let origin = self.config.relays.first().map(String::as_str).unwrap_or_default();
        let state = match own.state {
            InvoiceState::Open if expired => "expired",
            // Its secret is out, so it takes no payment any more.
            InvoiceState::Void => "expired",
            InvoiceState::Cancelled => "cancelled",
            InvoiceState::Open => "open",
            InvoiceState::Pending => "pending",
            InvoiceState::Paid => "paid",
        };
        Ok(OwnInvoice {
            key: request::text(&verified.body().id.0),
            state,
            received: own.received,
            link: format!("{origin}/pay#{}", view.text),
            // Drawing takes longer than everything else that a payment needs here.
            qr: (state == "open").then(|| qr::draw(&invoice::to_text(&verified, Case::Upper))).transpose()?,
            invoice: view,
        })
    }

    pub(super) fn decode(&self, text: &str) -> Result<Decoded, Error> {
        let payable = self.explore(|explorer| read_payable(text, &explorer))??;
        self.explore(|explorer| match &payable {
            Payable::Invoice(invoice) => {
                if Some(invoice.body().payee) == explorer.you {
                    return Err(cannot_pay(&CannotPay::Own));
                }
                let accepts_late = invoice.body().late == LatePolicy::Accept;
                if !accepts_late && invoice.body().is_expired(now_ms()) {
                    return Err(cannot_pay(&CannotPay::Expired { at_ms: invoice.body().expires_ms }));
                }
                Ok(Decoded::Invoice { invoice: Box::new(view_invoice(&explorer, invoice)) })
            }
            Payable::Address(address) => Ok(Decoded::Address {
                text: address.to_text(Case::Lower),
                payee: explorer.reference(&address.key),
                banks: address.banks.iter().map(|bank| explorer.reference(bank)).collect(),
            }),
        })?
    }

    pub(super) fn quote(&self, order: &Order<'_>) -> Result<Quote, Error> {
        let (to, asset_id, amount) = self.read_order(order)?;
        self.ask(|machine, chain| {
            let quote = machine.quote(&to, asset_id, amount, chain, now_ms()).map_err(|error| cannot_pay(&error))?;
            let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
            let known = chain.state.asset(asset_id).map(asset);
            Ok(Quote {
                asset: known.ok_or_else(|| Error::new("input.asset", "There is no such asset."))?,
                amount,
                fee: quote.route.fee(),
                route: quote.route.banks.iter().map(|bank| explorer.reference(bank)).collect(),
                assurance: Assurance { insured: quote.insured, uninsured: quote.uninsured },
                latest_end: latest(chain, quote.latest_end).into(),
                provable: quote.provable,
            })
        })
    }

    pub(super) async fn pay(
        self: &Rc<Self>,
        key: &str,
        order: &Order<'_>,
        max_fee: u64,
        description: Option<String>,
    ) -> Result<Payment, Error> {
        let (to, asset, amount) = self.read_order(order)?;
        let request = request::id(key);
        let to = Box::new(to);
        let description = description.unwrap_or_default();
        self.handle(Input::Pay { request, to, asset, amount, max_fee, description }).await?;
        self.payment_view(&request)
    }

    fn read_order(&self, order: &Order<'_>) -> Result<(Payable, AssetId, u64), Error> {
        let to = self.explore(|explorer| read_payable(order.text, &explorer))??;
        let (asset, amount) = match &to {
            Payable::Invoice(invoice) => {
                (order.asset.or(Some(invoice.body().asset)), order.amount.or(invoice.body().amount))
            }
            Payable::Address(_) => (order.asset, order.amount),
        };
        let asset = asset.ok_or_else(|| Error::new("input.asset", "Say which asset."))?;
        let amount = amount.filter(|amount| *amount > 0);
        let amount = amount.ok_or_else(|| Error::new("input.amount", "Give an amount above zero."))?;
        Ok((to, asset, amount))
    }

    pub(super) fn payment_view(&self, id: &RequestId) -> Result<Payment, Error> {
        self.ask(|machine, chain| {
            let payment = machine.payment(id).ok_or_else(unknown_payment)?;
            Ok(view_payment(machine, chain, payment))
        })
    }

    pub(super) fn payment_details(&self, id: &str) -> Result<PaymentDetails, Error> {
        let id = request::id(id);
        self.ask(|machine, chain| {
            let payment = machine.payment(&id).ok_or_else(unknown_payment)?;
            let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
            let references = |banks: &[_]| banks.iter().map(|bank| explorer.reference(bank)).collect::<Vec<_>>();
            let attempts = payment.attempts.iter().map(|attempt| Attempt {
                route: references(&attempt.route.banks),
                state: match attempt.state {
                    AttemptState::Open => state_name(payment.state),
                    AttemptState::Paid => "paid",
                    AttemptState::Failed(_) => "failed",
                },
                error: match &attempt.state {
                    AttemptState::Failed(failure) => Some(attempt_failed(failure)),
                    AttemptState::Open | AttemptState::Paid => None,
                },
                started_at: attempt.started_ms.into(),
            });
            let invoice =
                payment.invoice.clone().and_then(|signed| invoice::check(signed, &chain.state.chain_id()).ok());
            let last = payment.attempts.last();
            Ok(PaymentDetails {
                payment: view_payment(machine, chain, payment),
                hash: payment.hash,
                proof: machine.proof(&id).map(|proof| proof.to_text()),
                preimage: payment.preimage.map(|secret| hex::encode(secret.0)),
                invoice: invoice.map(|invoice| invoice::to_text(&invoice, Case::Lower)),
                route: last.map(|attempt| references(&attempt.route.banks)).unwrap_or_default(),
                attempts: attempts.collect(),
                lock_expiry: last.map(|attempt| LockExpiry {
                    usable: attempt.expiry.into(),
                    time: latest(chain, attempt.expiry).into(),
                }),
                height: payment.ended_height.map(Into::into),
            })
        })
    }

    /// Newest first. `before` names the last payment of the page before.
    pub(super) fn activity(&self, before: Option<&str>, limit: u64) -> Result<ActivityPage, Error> {
        let before = before.map(request::id);
        let limit = usize::try_from(limit.clamp(1, limits::MAX_ACTIVITY_PAGE)).unwrap_or(usize::MAX);
        self.ask(|machine, chain| {
            let place = |payment: &CorePayment| (payment.created_ms, payment.id);
            let end = before.and_then(|id| machine.payment(&id)).map(place);
            let older = machine.payments().filter(|payment| end.is_none_or(|end| place(payment) < end));
            let mut payments = ordered::first_by_key(older, limit.saturating_add(1), |payment| Reverse(place(payment)));
            let more = payments.len() > limit;
            payments.truncate(limit);
            let next = payments.last().filter(|_| more).map(|payment| request::text(&payment.id));
            let payments = payments.into_iter().map(|payment| view_payment(machine, chain, payment)).collect();
            Ok(ActivityPage { payments, next })
        })
    }
}

fn unknown_payment() -> Error {
    Error::new("payment.unknown", "There is no such payment.")
}

/// An invoice or address out of what a person pasted, scanned or followed, or a bank's `@handle`.
fn read_payable(text: &str, explorer: &Explorer<'_>) -> Result<Payable, Error> {
    let text = text.trim();
    let chain_id = &explorer.state.chain_id();
    if text.starts_with('@') {
        return Ok(Payable::Address(CoreAddress::new(chain_id, explorer.resolve(text)?, &[])));
    }
    let text = text.rsplit_once('#').map_or(text, |(_, fragment)| fragment);
    let text = text.strip_prefix("web+").unwrap_or(text);
    let text = text.strip_prefix("fair:").or_else(|| text.strip_prefix("FAIR:")).unwrap_or(text);
    match text::kind_of(text).as_deref() {
        Some(address::KIND) => match CoreAddress::from_text(text, chain_id) {
            Ok(address) => Ok(Payable::Address(address)),
            Err(address::BadAddress::WrongNetwork) => Err(wrong_network()),
            Err(error) => Err(Error::new("payment.malformed", sentence(&error))),
        },
        Some(invoice::KIND) => {
            let invoice = invoice::from_text(text, chain_id).map_err(|error| bad_invoice(&error))?;
            Ok(Payable::Invoice(Box::new(invoice)))
        }
        _ => {
            Err(Error::new("payment.malformed", "This is neither an invoice nor an address, nor the @name of a bank."))
        }
    }
}

fn view_invoice(explorer: &Explorer<'_>, invoice: &Verified<CoreInvoice>) -> Invoice {
    let body = invoice.body();
    let unknown = crate::view::Asset {
        id: body.asset,
        ticker: format!("asset {}", body.asset),
        name: "unknown".to_owned(),
        decimals: 0,
        supply: 0,
    };
    Invoice {
        text: invoice::to_text(invoice, Case::Lower),
        id: body.id.to_string(),
        asset: explorer.state.asset(body.asset).map_or(unknown, asset),
        amount: body.amount,
        description: match &body.description {
            Description::Text(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Description::Hash(_) => None,
        },
        payee: explorer.reference(&body.payee),
        banks: body.banks.iter().map(|bank| explorer.reference(bank)).collect(),
        created: body.created_ms.into(),
        expires: body.expires_ms.into(),
        origin: body.origin.clone(),
        refunds: body.refunds == RefundPolicy::OnRequest,
        accepts_late: body.late == LatePolicy::Accept,
        hash: body.lock_hash,
    }
}

fn view_payment(machine: &Machine, chain: &ChainView<'_>, payment: &CorePayment) -> Payment {
    let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
    let end = payment.latest_end(chain.parameters().margin_blocks);
    Payment {
        id: request::text(&payment.id),
        direction: match payment.direction {
            Direction::In => "in",
            Direction::Out => "out",
        },
        kind: match payment.kind {
            Kind::Invoice => "invoice",
            Kind::Spontaneous => "address",
            Kind::Direct => "direct",
            Kind::InsurancePrice => "fee",
        },
        asset: payment.asset,
        amount: payment.amount,
        fee: payment.fee,
        counterparty: payment.counterparty.map(|key| explorer.reference(&key)),
        description: described(payment),
        state: state_name(payment.state),
        error: payment.failure.as_ref().map(payment_failed),
        created_at: payment.created_ms.into(),
        ended_at: payment.ended_ms.map(Into::into),
        latest_end: end.map(|end| latest(chain, end).into()),
        with_tower: machine.is_with_tower(payment),
    }
}

/// The person's own words, or else those of the invoice.
fn described(payment: &CorePayment) -> Option<String> {
    let of_invoice = payment.invoice.as_ref().and_then(|invoice| match &invoice.body.description {
        Description::Text(text) => Some(text.clone()),
        Description::Hash(_) => None,
    });
    [Some(payment.description.clone()), of_invoice].into_iter().flatten().find(|text| !text.is_empty())
}

const fn state_name(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Locking => "locking",
        PaymentState::Settling => "settling",
        PaymentState::Paid => "paid",
        PaymentState::Failed => "failed",
    }
}

/// The latest time at which the clock U can pass a value, if blocks come no slower than they must.
pub(super) fn latest(chain: &ChainView<'_>, usable: UsableHeight) -> TimeMs {
    let blocks = usable.saturating_sub(chain.head.usable_height);
    now_ms().saturating_add(blocks.saturating_mul(chain.parameters().max_idle_ms))
}

fn payment_failed(failure: &Failure) -> Error {
    match failure {
        Failure::Attempt(failure) => attempt_failed(failure),
        Failure::Channel(failure) => Error::of("channel", failure),
        Failure::Expired => Error::new("payment.expired", "The payment's time was up; nothing was paid."),
    }
}

fn attempt_failed(failure: &OutgoingFailure) -> Error {
    match failure {
        OutgoingFailure::ByPartner { reason } => match reason {
            FailReason::Rejected => Error::new("payment.rejected", "The payee did not want this payment."),
            FailReason::UnknownNextHop => {
                Error::new("payment.no_route", "The bank does not know whom to pay; the payee must use it first.")
            }
            FailReason::NextHopUnavailable => Error::passing(
                "payment.payee_offline",
                "The payee is not connected to its bank, or cannot receive that much now.",
            ),
            FailReason::FeeTooLow => Error::passing("payment.fee_rose", "The bank's fee has risen meanwhile."),
            FailReason::BadOnion | FailReason::ExpiryTooSoon | FailReason::Downstream => {
                Error::passing("payment.failed_on_the_way", "A bank on the way could not forward the payment.")
            }
        },
        OutgoingFailure::Expired => Error::new("payment.expired", "The payment's time was up; nothing was paid."),
        OutgoingFailure::NotAdded { reason } => Error::of("channel", reason),
        OutgoingFailure::ClosedByCourt => {
            Error::new("payment.closed_by_court", "A dispute with the bank ended it; nothing was paid.")
        }
    }
}

/// Why a payment cannot be made.
pub(super) fn cannot_pay(error: &CannotPay) -> Error {
    let text = sentence(error);
    match error {
        CannotPay::Route(NoRoute::TooMuch { available, needed }) => Error::new("payment.too_much", text)
            .with("available", Datum::Amount((*available).into()))
            .with("needed", Datum::Amount((*needed).into())),
        CannotPay::Route(NoRoute::FeeTooHigh { fee, max_fee }) => Error::new("payment.fee_rose", text)
            .with("got", Datum::Amount((*fee).into()))
            .with("expected", Datum::Amount((*max_fee).into())),
        CannotPay::Route(NoRoute::Amount) => Error::new("input.amount", text),
        CannotPay::Route(NoRoute::NotConnected | NoRoute::Exhausted { .. }) => Error::new("payment.no_route", text),
        CannotPay::StaleHead => Error::passing("payment.stale_head", text),
        CannotPay::Expired { at_ms } => Error::new("payment.expired", text).with("at", *at_ms),
        CannotPay::Own => Error::new("payment.own", text),
        CannotPay::AlreadyPaid => Error::new("payment.already_paid", text),
        CannotPay::WrongAsset { .. } => Error::new("payment.wrong_asset", text),
        CannotPay::WrongAmount { expected, got } => Error::new("payment.wrong_amount", text)
            .with("expected", Datum::Amount((*expected).into()))
            .with("got", Datum::Amount((*got).into())),
        CannotPay::Onion(_) => Error::new("payment.unusable_key", text),
        CannotPay::Description => Error::new("input.description", text),
        CannotPay::RequestUsed => Error::new("input.key", text),
    }
}

/// Why an invoice is not made or not taken.
pub(super) fn bad_invoice(error: &BadInvoice) -> Error {
    match error {
        BadInvoice::WrongNetwork { .. } => wrong_network(),
        other => Error::new("payment.malformed", sentence(other)),
    }
}

fn wrong_network() -> Error {
    Error::new("payment.wrong_network", "This belongs to another network.")
}
