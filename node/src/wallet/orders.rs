//! Orders of the wallet's operator that end in a batch: a deposit, a splice. Each has a name; given again it
//! does nothing twice. What can be seen to fail is refused before anything is signed.

use axum::http::StatusCode;
use fair_core::account::{Action, RequestId, SentBatch};
use fair_core::effect::Effect;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, Parties, PublicKey, TimeMs};
use fair_core::wallet::{self, Event, Input, Target, Wallet};

/// On-chain money into the own side of the channel with a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DepositOrder {
    pub(super) request: RequestId,
    pub(super) bank: PublicKey,
    pub(super) asset: AssetId,
    pub(super) amount: Amount,
}

/// Insured money out of the channel with a bank and, in the same group of the same batch, into another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpliceOrder {
    pub(super) request: RequestId,
    pub(super) bank: PublicKey,
    pub(super) asset: AssetId,
    pub(super) amount: Amount,
    /// On whose side it arrives.
    pub(super) owner: PublicKey,
    /// The other party there.
    pub(super) partner: PublicKey,
}

/// A proposal, a vote, an entry of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryOrder {
    pub(super) request: RequestId,
    pub(super) operation: Operation,
}

/// Whether the bank may be asked for a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Nobody has asked yet.
    May,
    /// This order has: no consent and no withdrawal under way mean that the bank declined.
    Done,
}

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// The bank's consent is awaited.
    Asked,
    /// Its batch is signed.
    Sent,
}

/// Why an order is not taken. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("Give an amount above zero.")]
    Nothing,
    #[error("There is no asset {0}.")]
    UnknownAsset(AssetId),
    #[error("Nobody has a channel with themselves.")]
    OwnChannel,
    #[error("Another order has this name.")]
    RequestUsed,
    #[error("Another order is under way: wait until its batch is in a block.")]
    Busy,
    #[error("{needed} of asset {asset} are needed on-chain, fee included; the account has {balance}.")]
    Funds { asset: AssetId, needed: Amount, balance: Amount },
    #[error("The bank declined the withdrawal.")]
    Declined,
    #[error("{0}.")]
    Wallet(#[from] wallet::Refusal),
}

impl Refused {
    /// Status and code of the error that the caller sees.
    pub(super) const fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Nothing => (StatusCode::BAD_REQUEST, "input.amount"),
            Self::UnknownAsset(_) => (StatusCode::BAD_REQUEST, "input.asset"),
            Self::OwnChannel => (StatusCode::BAD_REQUEST, "input.owner"),
            Self::RequestUsed => (StatusCode::CONFLICT, "order.request_used"),
            Self::Busy => (StatusCode::CONFLICT, "order.busy"),
            Self::Funds { .. } => (StatusCode::CONFLICT, "order.funds"),
            Self::Declined => (StatusCode::CONFLICT, "order.declined"),
            Self::Wallet(_) => (StatusCode::CONFLICT, "order.refused"),
        }
    }
}

/// What a step of an order asks of the host, and how the order stands.
pub(super) type Step = (Vec<Effect<Event>>, Result<Stands, Refused>);

/// Signs the batch of a proposal, a vote or an entry of a register.
pub(super) fn entry(wallet: &mut Wallet, order: &EntryOrder, chain: &Chain<'_>, now_ms: TimeMs) -> Step {
    if let Some(sent) = wallet.on_chain().sent_for(&order.request) {
        let same = operations(sent).eq([&order.operation]);
        return (Vec::new(), if same { Ok(Stands::Sent) } else { Err(Refused::RequestUsed) });
    }
    let mut effects = drop_void(wallet, chain, now_ms);
    let added = check_idle(wallet).and_then(|()| {
        let operations = vec![order.operation.clone()];
        Ok(wallet.handle(Input::DraftAdd { operations }, chain, now_ms)?)
    });
    let step = added.map(|added| {
        effects.extend(added);
        let price = match order.operation {
            Operation::CreateAsset(_) | Operation::RegisterBank(_) => chain.state.parameters().account_creation_fee,
            _ => 0,
        };
        let (more, result) = send(wallet, order.request, AssetId::FRD, price, chain, now_ms);
        effects.extend(more);
        if result.is_err() {
            // The draft is as it was.
            effects.extend(remove_all(wallet, |_| true, chain, now_ms));
        }
        result
    });
    (effects, step.and_then(|result| result))
}

/// Signs the batch of a deposit.
pub(super) fn deposit(wallet: &mut Wallet, order: &DepositOrder, chain: &Chain<'_>, now_ms: TimeMs) -> Step {
    let operation = Operation::Deposit(Deposit {
        asset: order.asset,
        amount: order.amount,
        to: wallet.key(),
        partner: Some(order.bank),
        keep: 0,
        epoch: None,
        invoice: None,
    });
    if let Some(sent) = wallet.on_chain().sent_for(&order.request) {
        return (
            Vec::new(),
            if operations(sent).eq([&operation]) { Ok(Stands::Sent) } else { Err(Refused::RequestUsed) },
        );
    }
    let mut effects = drop_void(wallet, chain, now_ms);
    let step = check_terms(order.asset, order.amount, chain)
        .and_then(|()| check_idle(wallet))
        .and_then(|()| Ok(wallet.handle(Input::DraftAdd { operations: vec![operation] }, chain, now_ms)?));
    let step = step.map(|added| {
        effects.extend(added);
        let (more, result) = send(wallet, order.request, order.asset, order.amount, chain, now_ms);
        effects.extend(more);
        if result.is_err() {
            // The draft is as it was.
            effects.extend(remove_all(wallet, |_| true, chain, now_ms));
        }
        result
    });
    (effects, step.and_then(|result| result))
}

/// Asks for the bank's consent, or signs the batch once it is there. To be called again while it stands at
/// [`Stands::Asked`] and something changed.
pub(super) fn splice(
    wallet: &mut Wallet,
    order: &SpliceOrder,
    asking: Asking,
    chain: &Chain<'_>,
    now_ms: TimeMs,
) -> Step {
    let own = wallet.key();
    if let Some(sent) = wallet.on_chain().sent_for(&order.request) {
        let same = order.is(own, operations(sent));
        return (Vec::new(), if same { Ok(Stands::Sent) } else { Err(Refused::RequestUsed) });
    }
    let mut effects = drop_void(wallet, chain, now_ms);
    if order.is(own, wallet.on_chain().draft().map(|action| &action.operation)) {
        let (more, result) = send(wallet, order.request, order.asset, 0, chain, now_ms);
        effects.extend(more);
        return (effects, result);
    }
    let result = check_terms(order.asset, order.amount, chain)
        .and_then(|()| if order.owner == order.partner { Err(Refused::OwnChannel) } else { Ok(()) })
        .and_then(|()| check_idle(wallet))
        .and_then(|()| ask(wallet, order, asking, chain, now_ms));
    let result = result.map(|asked| effects.extend(asked));
    (effects, result.map(|()| Stands::Asked))
}

/// Starts the withdrawal, unless exactly this one is under way.
fn ask(
    wallet: &mut Wallet,
    order: &SpliceOrder,
    asking: Asking,
    chain: &Chain<'_>,
    now_ms: TimeMs,
) -> Result<Vec<Effect<Event>>, Refused> {
    let SpliceOrder { bank, asset, amount, owner, partner, .. } = *order;
    let target = Target::Channel { owner, partner, invoice: None };
    let held = wallet.channel(&bank).and_then(|channel| {
        let hold = channel.agreement().shared.hold(asset, channel.side())?;
        Some(hold.amount)
    });
    match (wallet.target(&bank, asset), asking) {
        (Some(under_way), _) if under_way == target && held.is_none_or(|held| held == amount) => Ok(Vec::new()),
        (Some(_), _) => Err(Refused::Busy),
        (None, Asking::Done) => Err(Refused::Declined),
        (None, Asking::May) => {
            let input = Input::RequestWithdrawal { bank, asset, amount, target };
            Ok(wallet.handle(input, chain, now_ms)?)
        }
    }
}

impl SpliceOrder {
    /// Whether operations are those of this order.
    fn is<'a>(&self, own: PublicKey, mut operations: impl Iterator<Item = &'a Operation>) -> bool {
        let (Some(Operation::Withdraw(withdraw)), Some(Operation::Deposit(deposit)), None) =
            (operations.next(), operations.next(), operations.next())
        else {
            return false;
        };
        let consent = &withdraw.proof.body;
        let from = Parties::new(own, self.bank);
        Some(consent.parties) == from
            && from.and_then(|parties| parties.side_of(&own)) == Some(consent.withdrawer)
            && (consent.asset, consent.amount) == (self.asset, self.amount)
            && (deposit.asset, deposit.amount) == (self.asset, self.amount)
            && (deposit.to, deposit.partner) == (self.owner, Some(self.partner))
    }
}

/// The operations of a batch.
fn operations(sent: &SentBatch) -> impl Iterator<Item = &Operation> {
    sent.batch.body.entries.iter().map(|entry| &entry.operation)
}

fn check_terms(asset: AssetId, amount: Amount, chain: &Chain<'_>) -> Result<(), Refused> {
    if chain.state.asset(asset).is_none() {
        Err(Refused::UnknownAsset(asset))
    } else if amount == 0 {
        Err(Refused::Nothing)
    } else {
        Ok(())
    }
}

/// An order's batch holds that order alone.
fn check_idle(wallet: &Wallet) -> Result<(), Refused> {
    let busy = wallet.on_chain().draft().next().is_some() || wallet.on_chain().under_way().is_some();
    if busy { Err(Refused::Busy) } else { Ok(()) }
}

/// Signs the draft, if the account can pay `amount` of an asset beside the fee.
fn send(
    wallet: &mut Wallet,
    request: RequestId,
    asset: AssetId,
    amount: Amount,
    chain: &Chain<'_>,
    now_ms: TimeMs,
) -> Step {
    let fee = wallet.on_chain().estimate(chain.state).fee;
    let own = wallet.key();
    let check = |asset, needed: Option<Amount>| {
        let (needed, balance) = (needed.unwrap_or(Amount::MAX), chain.state.balance(&own, asset));
        if needed > balance { Err(Refused::Funds { asset, needed, balance }) } else { Ok(()) }
    };
    let checked = match asset {
        AssetId::FRD => check(asset, amount.checked_add(fee)),
        _ => check(asset, Some(amount)).and_then(|()| check(AssetId::FRD, Some(fee))),
    };
    match checked.and_then(|()| Ok(wallet.handle(Input::SendBatch { request }, chain, now_ms)?)) {
        Ok(effects) => (effects, Ok(Stands::Sent)),
        Err(refused) => (Vec::new(), Err(refused)),
    }
}

/// Takes out of the draft what would only hold up the next order: consents that can no longer be used, and what
/// came back out of a batch that was never included, whose order was told so.
fn drop_void(wallet: &mut Wallet, chain: &Chain<'_>, now_ms: TimeMs) -> Vec<Effect<Event>> {
    let now = chain.state.usable_height();
    let is_void = |action: &Action| match &action.operation {
        Operation::Withdraw(withdraw) => withdraw.proof.body.expires_at < now,
        _ => action.group.is_none(),
    };
    remove_all(wallet, is_void, chain, now_ms)
}

fn remove_all(
    wallet: &mut Wallet,
    which: impl Fn(&Action) -> bool,
    chain: &Chain<'_>,
    now_ms: TimeMs,
) -> Vec<Effect<Event>> {
    let ids: Vec<u64> = wallet.on_chain().draft().filter(|action| which(action)).map(|action| action.id).collect();
    // One that went with its group is gone already.
    ids.into_iter().filter_map(|id| wallet.handle(Input::DraftRemove { id }, chain, now_ms).ok()).flatten().collect()
}

#[cfg(test)]
mod tests;
