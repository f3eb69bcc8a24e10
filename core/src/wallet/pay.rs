//! Paying: route, lock, next route only after an irrevocable failure (docs/protocol.md, section 5).

use super::payment::{Attempt, AttemptState, Direction, Failure, Kind, Payment, PaymentState, reference_of};
use super::{Out, Refusal, Wallet};
use crate::account::RequestId;
use crate::channel::event::{Command, CommandFailure, OutgoingFailure, Reference};
use crate::channel::transition::FailReason;
use crate::crypto::{self, Secret};
use crate::limits;
use crate::message::{Signed, Verified};
use crate::ordered;
use crate::payment::address::Address;
use crate::payment::invoice::{Invoice, LatePolicy, RefundPolicy};
use crate::payment::onion::{self, BadOnion, Claim, Final, FirstLayer, RefundAddress};
use crate::payment::route::{self, Map, NoRoute, Route};
use crate::peers::Chain;
use crate::types::{Amount, AssetId, Hash, Parties, PublicKey, TimeMs, UsableHeight};

/// What can be paid through banks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payable {
    /// Provable.
    Invoice(Box<Verified<Invoice>>),
    /// Spontaneous.
    Address(Address),
}

impl Payable {
    fn payee(&self) -> PublicKey {
        match self {
            Self::Invoice(invoice) => invoice.body().payee,
            Self::Address(address) => address.key,
        }
    }

    fn banks(&self) -> &[PublicKey] {
        match self {
            Self::Invoice(invoice) => &invoice.body().banks,
            Self::Address(address) => &address.banks,
        }
    }
}

/// A payment that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) request: RequestId,
    pub(super) to: Payable,
    pub(super) asset: AssetId,
    pub(super) amount: Amount,
    pub(super) max_fee: Amount,
    pub(super) description: String,
}

/// A payment to a bank of ours.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    pub(super) request: RequestId,
    pub(super) bank: PublicKey,
    pub(super) asset: AssetId,
    pub(super) amount: Amount,
    /// The bank sees it.
    pub(super) note: Vec<u8>,
    /// It stays here.
    pub(super) description: String,
}

/// What a payment would cost and how it would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The cheapest way.
    pub route: Route,
    /// What of the money used is insured.
    pub insured: Amount,
    /// What of it is only promised.
    pub uninsured: Amount,
    /// The U at which it has ended at the latest.
    pub latest_end: UsableHeight,
    /// There will be a preimage to prove it.
    pub provable: bool,
}

/// Why a payment cannot be made. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotPay {
    /// No way.
    #[error(transparent)]
    Route(#[from] NoRoute),
    /// The head is too old to lock by.
    #[error("the chain's newest verified block is too old")]
    StaleHead,
    /// The invoice is too old.
    #[error("the invoice expired")]
    Expired {
        /// When, in milliseconds since 1970.
        at_ms: TimeMs,
    },
    /// To ourselves.
    #[error("this is your own")]
    Own,
    /// It was paid, or is being paid.
    #[error("this invoice was paid, or is being paid, already")]
    AlreadyPaid,
    /// The invoice says another asset.
    #[error("the invoice asks for asset {expected}, not {got}")]
    WrongAsset {
        /// The invoice's.
        expected: AssetId,
        /// What was asked for.
        got: AssetId,
    },
    /// The invoice says another amount.
    #[error("the invoice asks for {expected}, not {got}")]
    WrongAmount {
        /// The invoice's.
        expected: Amount,
        /// What was asked for.
        got: Amount,
    },
    /// A key on the way cannot be sealed to.
    #[error(transparent)]
    Onion(#[from] BadOnion),
    /// The description is too long to keep.
    #[error("the description is too long")]
    Description,
    /// The name is in use by another payment.
    #[error("another payment has this name")]
    RequestUsed,
}

impl Wallet {
    /// What a payment would cost now.
    ///
    /// # Errors
    /// [`CannotPay`] says why it cannot be made.
    pub fn quote(
        &self,
        to: &Payable,
        asset: AssetId,
        amount: Amount,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<Quote, CannotPay> {
        self.check_order(to, asset, amount, chain, now_ms)?;
        let route = self.find_route(to.payee(), to.banks(), asset, amount, Amount::MAX, &[], chain)?;
        let (insured, uninsured) = match self.channel(&route.first_hop()) {
            Some(channel) => {
                let parts = super::Parts::of(channel, asset);
                let uninsured = route.sent().min(parts.uninsured);
                (route.sent().saturating_sub(uninsured).min(parts.insured), uninsured)
            }
            None => (0, 0),
        };
        let latest_end = if self.partner(to).is_some() {
            chain.head.usable_height
        } else {
            let expiry = route.expiries(chain.head.usable_height, chain.parameters()).first().copied().unwrap_or(0);
            expiry.saturating_add(chain.parameters().margin_blocks.into())
        };
        Ok(Quote { route, insured, uninsured, latest_end, provable: matches!(to, Payable::Invoice(_)) })
    }

    /// The bank itself, when the address is that of one of our own: nobody is between, so nothing is locked.
    fn partner(&self, to: &Payable) -> Option<PublicKey> {
        match to {
            Payable::Address(address) => self.channel(&address.key).map(|_| address.key),
            Payable::Invoice(_) => None,
        }
    }

    fn check_order(
        &self,
        to: &Payable,
        asset: AssetId,
        amount: Amount,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<(), CannotPay> {
        if chain.is_stale(now_ms) {
            return Err(CannotPay::StaleHead);
        }
        if to.payee() == self.key() {
            return Err(CannotPay::Own);
        }
        let Payable::Invoice(invoice) = to else { return Ok(()) };
        let invoice = invoice.body();
        if invoice.is_expired(now_ms) && invoice.late == LatePolicy::Fail {
            return Err(CannotPay::Expired { at_ms: invoice.expires_ms });
        }
        if invoice.asset != asset {
            return Err(CannotPay::WrongAsset { expected: invoice.asset, got: asset });
        }
        if let Some(expected) = invoice.amount.filter(|expected| *expected != amount) {
            return Err(CannotPay::WrongAmount { expected, got: amount });
        }
        let alive = self.with_hash(invoice.lock_hash).any(|payment| payment.state != PaymentState::Failed);
        if alive { Err(CannotPay::AlreadyPaid) } else { Ok(()) }
    }

    pub(super) fn pay(
        &mut self,
        order: Order,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        if let Some(payment) = self.payments.get(&order.request) {
            let invoice = match &order.to {
                Payable::Invoice(invoice) => Some(invoice.signed()),
                Payable::Address(_) => None,
            };
            let same = payment.direction == Direction::Out
                && payment.counterparty == Some(order.to.payee())
                && (payment.asset, payment.amount) == (order.asset, order.amount)
                && payment.invoice.as_ref() == invoice;
            return if same { Ok(()) } else { Err(CannotPay::RequestUsed.into()) };
        }
        if order.description.len() > limits::MAX_DESCRIPTION_BYTES {
            return Err(CannotPay::Description.into());
        }
        self.check_order(&order.to, order.asset, order.amount, chain, now_ms)?;
        if let Some(bank) = self.partner(&order.to) {
            // What waits for a bank cannot be taken back, so it does not wait.
            self.find_route(bank, &[], order.asset, order.amount, order.max_fee, &[], chain)
                .map_err(CannotPay::from)?;
            let Order { request, asset, amount, description, .. } = order;
            return self.pay_direct(
                Direct { request, bank, asset, amount, note: Vec::new(), description },
                chain,
                now_ms,
                out,
            );
        }
        let (payee, banks) = (order.to.payee(), order.to.banks().to_vec());
        let (kind, hash, preimage, invoice) = match order.to {
            Payable::Invoice(invoice) => (Kind::Invoice, invoice.body().lock_hash, None, Some(invoice.into_signed())),
            Payable::Address(_) => {
                let secret = self.entropy.secret();
                (Kind::Spontaneous, crypto::lock_hash(&secret), Some(secret), None)
            }
        };
        let mut payment = Payment {
            id: order.request,
            direction: Direction::Out,
            kind,
            asset: order.asset,
            amount: order.amount,
            fee: 0,
            counterparty: Some(payee),
            description: order.description,
            state: PaymentState::Locking,
            failure: None,
            created_ms: now_ms,
            ended_ms: None,
            ended_height: None,
            hash: Some(hash),
            preimage,
            invoice,
            attempts: Vec::new(),
            max_fee: order.max_fee,
            payee_banks: banks,
            reference: None,
            lock: None,
        };
        self.attempt(&mut payment, chain, now_ms, out)?;
        self.keep(payment, out);
        Ok(())
    }

    /// Locks along the cheapest way that was not tried.
    fn attempt(
        &mut self,
        payment: &mut Payment,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let payee = payment.counterparty.unwrap_or(self.key());
        let tried: Vec<_> = payment.attempts.iter().map(|attempt| attempt.route.clone()).collect();
        let (asset, amount) = (payment.asset, payment.amount);
        let route = self
            .find_route(payee, &payment.payee_banks, asset, amount, payment.max_fee, &tried, chain)
            .map_err(CannotPay::from)?;
        let hash = payment.hash.unwrap_or(Hash::ZERO);
        let onion = self.wrap(&route, payment, &hash, chain)?;
        let expiries = route.expiries(chain.head.usable_height, chain.parameters());
        let expiry = expiries.first().copied().unwrap_or(0);
        let reference = reference_of(&payment.id, payment.attempts.len());
        let command = Command::Lock { asset, amount: route.sent(), hash, expiry, onion, reference };
        self.peers.command(&route.first_hop(), command, chain, now_ms, out)?;
        payment.fee = route.fee();
        payment.attempts.push(Attempt { route, reference, state: AttemptState::Open, started_ms: now_ms, expiry });
        Ok(())
    }

    fn wrap(&mut self, route: &Route, payment: &Payment, hash: &Hash, chain: &Chain<'_>) -> Result<Vec<u8>, CannotPay> {
        let claim = match (&payment.invoice, payment.preimage) {
            (Some(invoice), _) => Claim::Invoice { id: invoice.body.id, payment_secret: invoice.body.payment_secret },
            (None, preimage) => Claim::Spontaneous { preimage: preimage.unwrap_or(Secret([0; 32])) },
        };
        // Only a payee that promised refunds learns who pays.
        let wants_refunds = |invoice: &Signed<Invoice>| invoice.body.refunds == RefundPolicy::OnRequest;
        let is_promised = payment.invoice.as_ref().is_some_and(wants_refunds);
        let refund = is_promised.then(|| RefundAddress { key: self.key(), bank: route.first_hop() });
        let last = |amount, least_expiry| Final {
            asset: payment.asset,
            amount,
            total: amount,
            least_expiry,
            claim,
            refund: refund.clone(),
        };
        let layers = route.layers(chain.head.usable_height, chain.parameters(), last);
        let (chain_id, max_hops) = (self.peers.chain_id(), chain.parameters().max_hops);
        Ok(onion::build(&chain_id, hash, &layers, FirstLayer::Open, max_hops, &mut self.entropy)?)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a request")]
    fn find_route(
        &self,
        payee: PublicKey,
        payee_banks: &[PublicKey],
        asset: AssetId,
        amount: Amount,
        max_fee: Amount,
        tried: &[Route],
        chain: &Chain<'_>,
    ) -> Result<Route, NoRoute> {
        let in_court = |key: &PublicKey| chain.channel(self.peers.own_key(), *key).dispute().is_some();
        let works = |peer: &crate::peers::Peer| peer.channel.suspended().is_none() && !peer.channel.is_frozen();
        let peers = self.peers.iter().filter(|(key, peer)| peer.connected && works(peer) && !in_court(key));
        let available = ordered::map(peers.map(|(key, peer)| (*key, peer.channel.spendable(asset))));
        let payee_banks = payee_banks.to_vec();
        let request = route::Request { asset, amount, payee, payee_banks, available, max_fee };
        route::cheapest(&network(chain), &request, chain.parameters().max_hops, tried)
    }

    pub(super) fn learned(&mut self, hash: Hash, secret: Secret, out: &mut Out) {
        let waiting = self.with_hash(hash).find(|payment| payment.state == PaymentState::Locking).cloned();
        let Some(mut payment) = waiting else { return };
        payment.preimage = Some(secret);
        payment.state = PaymentState::Settling;
        self.keep(payment, out);
    }

    /// Own locks whose secret the registry shows: the payee has it, and so has the payment its proof. One that stands
    /// in every possible outcome and was revealed in time can only be paid.
    pub(super) fn learn_from_registry(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        let mut learned = Vec::new();
        for (_, peer) in self.peers.iter() {
            for (id, lock) in peer.channel.outgoing_locks() {
                let Some(entry) = chain.state.hashlock(&lock.hash) else { continue };
                if entry.revealed_at <= lock.expiry {
                    learned.push((lock.hash, entry.secret, peer.channel.is_irrevocable(&id)));
                }
            }
        }
        for (hash, secret, is_irrevocable) in learned {
            self.learned(hash, secret, out);
            let settling = self.with_hash(hash).find(|payment| payment.state == PaymentState::Settling).cloned();
            if let (true, Some(mut payment)) = (is_irrevocable, settling) {
                payment.end(PaymentState::Paid, now_ms, chain.head.height);
                self.keep(payment, out);
            }
        }
    }

    fn by_reference(&self, reference: Option<Reference>) -> Option<Payment> {
        self.payments.get(self.references.get(&reference?)?).cloned()
    }

    /// After data loss a lock's wish is forgotten; its hash still says which payment it was.
    fn by_hash(&self, hash: &Hash) -> Option<Payment> {
        self.with_hash(*hash).find(|payment| payment.ended_ms.is_none()).cloned()
    }

    pub(super) fn outgoing_settled(
        &mut self,
        reference: Option<Reference>,
        secret: Secret,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let found = self.by_reference(reference).or_else(|| self.by_hash(&crypto::lock_hash(&secret)));
        let Some(mut payment) = found else { return };
        for attempt in &mut payment.attempts {
            if attempt.state == AttemptState::Open && reference.is_none_or(|named| named == attempt.reference) {
                attempt.state = AttemptState::Paid;
            }
        }
        payment.preimage = Some(secret);
        if payment.state != PaymentState::Paid {
            payment.end(PaymentState::Paid, now_ms, chain.head.height);
        }
        self.keep(payment, out);
    }

    /// The attempt is in no possible outcome: only now another way may be tried.
    pub(super) fn outgoing_failed(
        &mut self,
        reference: Option<Reference>,
        hash: Hash,
        reason: OutgoingFailure,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let Some(mut payment) = self.by_reference(reference).or_else(|| self.by_hash(&hash)) else { return };
        for attempt in &mut payment.attempts {
            if attempt.state == AttemptState::Open && reference.is_none_or(|named| named == attempt.reference) {
                attempt.state = AttemptState::Failed(reason.clone());
            }
        }
        let is_final =
            matches!(reason, OutgoingFailure::ByPartner { reason: FailReason::Rejected } | OutgoingFailure::Expired);
        let open = payment.state == PaymentState::Locking && !chain.is_stale(now_ms);
        let again = !is_final && open && self.attempt(&mut payment, chain, now_ms, out).is_ok();
        // Paid is paid: the payee showed the secret, whatever court made of the lock while nobody here was looking.
        if !again && payment.state != PaymentState::Paid {
            payment.failure = Some(Failure::Attempt(reason));
            payment.end(PaymentState::Failed, now_ms, chain.head.height);
        }
        self.keep(payment, out);
    }

    pub(super) fn pay_direct(
        &mut self,
        wish: Direct,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let Direct { request, bank, asset, amount, note, description } = wish;
        if let Some(payment) = self.payments.get(&request) {
            let same = (payment.direction, payment.kind) == (Direction::Out, Kind::Direct)
                && payment.counterparty == Some(bank)
                && (payment.asset, payment.amount) == (asset, amount);
            return if same { Ok(()) } else { Err(CannotPay::RequestUsed.into()) };
        }
        let reference = reference_of(&request, 0);
        let command = Command::Pay { asset, amount, note, reference };
        self.peers.command(&bank, command, chain, now_ms, out)?;
        let payment = Payment {
            reference: Some(reference),
            description,
            ..Payment::bare(request, Direction::Out, Kind::Direct, asset, amount, bank, now_ms)
        };
        self.keep(payment, out);
        Ok(())
    }

    pub(super) fn direct_ended(
        &mut self,
        reference: Reference,
        failure: Option<CommandFailure>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let Some(mut payment) = self.by_reference(Some(reference)) else { return };
        let state = if failure.is_none() { PaymentState::Paid } else { PaymentState::Failed };
        payment.failure = failure.map(Failure::Channel);
        payment.end(state, now_ms, chain.head.height);
        self.keep(payment, out);
    }
}

impl Payment {
    /// A payment between channel partners, under way.
    pub(super) fn bare(
        id: RequestId,
        direction: Direction,
        kind: Kind,
        asset: AssetId,
        amount: Amount,
        counterparty: PublicKey,
        now_ms: TimeMs,
    ) -> Self {
        Self {
            id,
            direction,
            kind,
            asset,
            amount,
            fee: 0,
            counterparty: Some(counterparty),
            description: String::new(),
            state: PaymentState::Locking,
            failure: None,
            created_ms: now_ms,
            ended_ms: None,
            ended_height: None,
            hash: None,
            preimage: None,
            invoice: None,
            attempts: Vec::new(),
            max_fee: 0,
            payee_banks: Vec::new(),
            reference: None,
            lock: None,
        }
    }
}

/// Banks and the funded channels between them, as the chain shows them.
fn network(chain: &Chain<'_>) -> Map {
    let banks: Vec<_> = chain.state.banks().take(limits::MAX_ROUTE_BANKS).collect();
    let mut map = Map::new(banks.iter().copied());
    for (position, a) in banks.iter().enumerate() {
        for b in banks.iter().skip(position.saturating_add(1)) {
            let funded = |parties: &Parties| !chain.state.channel(parties).assets.is_empty();
            if Parties::new(a.key, b.key).as_ref().is_some_and(funded) {
                map.link(a.key, b.key);
            }
        }
    }
    map
}
