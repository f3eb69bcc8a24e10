//! The faucet of a test network: sends play money on-chain, which registers new accounts.
//!
//! What was given to whom is read off the bank's own draft and batches, so that a restart forgets nothing.
//! Whoever asks again while a gift is under way gets the same answer.

use super::config::FaucetPolicy;
use fair_core::account::SentState;
use fair_core::bank::{Bank, Event, Input};
use fair_core::effect::Effect;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::Receipt;
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, PublicKey, TimeMs};
use serde::Serialize;

/// Who wants what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) account: PublicKey,
    pub(super) asset: AssetId,
}

/// What is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Gift {
    account: PublicKey,
    asset: AssetId,
    amount: Amount,
}

/// Why nothing is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoGift {
    #[error("This account was given something a moment ago; ask again in {wait_s} s.")]
    Recently { wait_s: u64 },
    #[error("The faucet is empty.")]
    Empty,
    #[error("There is no asset {0}.")]
    UnknownAsset(AssetId),
    #[error("This bank is not on the register, and gives nothing away.")]
    NotRegistered,
    #[error("This account cannot be given anything.")]
    OwnAccount,
    #[error("Too many are asking; try again in a moment.")]
    Busy,
}

/// Gives, or says why not.
pub(super) fn give(
    bank: &mut Bank,
    own: PublicKey,
    wish: Wish,
    policy: FaucetPolicy,
    chain: &Chain<'_>,
    now_ms: TimeMs,
) -> (Vec<Effect<Event>>, Result<Gift, NoGift>) {
    let plan = match plan(bank, own, wish, policy, chain, now_ms) {
        Ok(Plan::Waits(gift)) => return (Vec::new(), Ok(gift)),
        Ok(Plan::Give(gifts)) => gifts,
        Err(no) => return (Vec::new(), Err(no)),
    };
    let mut effects = Vec::new();
    for gift in &plan {
        let deposit = Box::new(Deposit {
            asset: gift.asset,
            amount: gift.amount,
            to: gift.account,
            partner: None,
            keep: policy.keep,
            epoch: None,
            invoice: None,
        });
        match bank.handle(Input::Deposit { deposit }, chain, now_ms) {
            Ok(more) => effects.extend(more),
            // What was drafted before stays: it is a gift of its own.
            Err(_) => return (effects, Err(NoGift::Busy)),
        }
    }
    (effects, plan.last().copied().ok_or(NoGift::Busy))
}

enum Plan {
    Waits(Gift),
    /// The one that was asked for is the last.
    Give(Vec<Gift>),
}

fn plan(
    bank: &Bank,
    own: PublicKey,
    wish: Wish,
    policy: FaucetPolicy,
    chain: &Chain<'_>,
    now_ms: TimeMs,
) -> Result<Plan, NoGift> {
    if chain.state.bank(&own).is_none() {
        return Err(NoGift::NotRegistered);
    }
    if wish.account == own {
        return Err(NoGift::OwnAccount);
    }
    chain.state.asset(wish.asset).ok_or(NoGift::UnknownAsset(wish.asset))?;
    let waiting: Vec<Gift> = waiting(bank).collect();
    if let Some(gift) = waiting.iter().find(|gift| gift.account == wish.account && gift.asset == wish.asset) {
        return Ok(Plan::Waits(*gift));
    }
    if let Some(given_ms) = last_given(bank, wish) {
        let until_ms = given_ms.saturating_add(policy.pause_ms);
        if until_ms > now_ms {
            return Err(NoGift::Recently { wait_s: until_ms.saturating_sub(now_ms).div_ceil(1000) });
        }
    }
    let mut gifts = Vec::new();
    // Only FRD makes an account.
    let is_new = chain.state.account_id(&wish.account).is_none();
    let frd_waits = waiting.iter().any(|gift| gift.account == wish.account && gift.asset == AssetId::FRD);
    if is_new && wish.asset != AssetId::FRD && !frd_waits {
        gifts.push(Gift { account: wish.account, asset: AssetId::FRD, amount: policy.amount });
    }
    gifts.push(Gift { account: wish.account, asset: wish.asset, amount: policy.amount });
    for gift in &gifts {
        let promised = waiting.iter().filter(|other| other.asset == gift.asset).map(|other| u128::from(other.amount));
        let needed = promised.sum::<u128>() + u128::from(gift.amount) + u128::from(policy.keep);
        if needed > u128::from(chain.state.balance(&own, gift.asset)) {
            return Err(NoGift::Empty);
        }
    }
    Ok(Plan::Give(gifts))
}

fn as_gift(operation: &Operation) -> Option<Gift> {
    match operation {
        Operation::Deposit(Deposit { asset, amount, to, partner: None, .. }) => {
            Some(Gift { account: *to, asset: *asset, amount: *amount })
        }
        _ => None,
    }
}

/// Gifts in the draft and in the batch under way.
fn waiting(bank: &Bank) -> impl Iterator<Item = Gift> + '_ {
    let drafted = bank.on_chain().draft().map(|action| &action.operation);
    let sent = bank.on_chain().under_way().into_iter().flat_map(|sent| &sent.batch.body.entries);
    drafted.chain(sent.map(|entry| &entry.operation)).filter_map(as_gift)
}

/// When the newest gift of this kind was signed that was carried out.
fn last_given(bank: &Bank, wish: Wish) -> Option<TimeMs> {
    let sent = bank.on_chain().sent().filter_map(|sent| match &sent.state {
        SentState::Included { receipts, .. } => Some((sent, receipts)),
        SentState::Waiting | SentState::Expired => None,
    });
    sent.filter(|(sent, receipts)| {
        sent.batch.body.entries.iter().enumerate().any(|(place, entry)| {
            let skipped = matches!(receipts.get(place), Some(Receipt::Skipped { .. }));
            let gift = as_gift(&entry.operation);
            !skipped && gift.is_some_and(|gift| gift.account == wish.account && gift.asset == wish.asset)
        })
    })
    .map(|(sent, _)| sent.sent_ms)
    .max()
}
