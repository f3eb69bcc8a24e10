//! Credit, insurance and withdrawals: what a wallet agrees on with its banks (docs/protocol.md, sections 4
//! and 7).

use super::payment::{Direction, Kind, Payment, PaymentState};
use super::{Event, Out, Refusal, Wallet};
use crate::account::{BadRecord, SentState, read};
use crate::channel;
use crate::channel::Channel;
use crate::channel::event::{Command, CommandFailure};
use crate::codec;
use crate::ledger::execute::try_funded_deposit;
use crate::ledger::operation::{Deposit, Operation, Withdraw, WithdrawalConsent};
use crate::limits;
use crate::message::Signed;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, Parties, PublicKey, Side, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};

/// First byte of a target's key.
const TARGET: u8 = b't';

/// What is accepted from a bank in one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Which asset.
    pub asset: AssetId,
    /// Uninsured balance that is accepted.
    pub limit: Amount,
    /// Above which insurance is wanted.
    pub insure_above: Option<Amount>,
    /// What each insurance may cost that is wanted so.
    pub most_price: Amount,
}

impl Credit {
    pub(super) const fn command(self) -> (Command, Amount) {
        let Self { asset, limit, insure_above, most_price } = self;
        (Command::SetCredit { asset, limit, insure_above }, most_price)
    }
}

/// What a program pays at most for an insurance of so much when no person says more: a bank can set its price to
/// anything.
pub fn usual_price(insured: Amount) -> Amount {
    let price = u128::from(insured).saturating_mul(limits::USUAL_PRICE_PPM.into()) / 1_000_000;
    Amount::try_from(price).unwrap_or(Amount::MAX)
}

/// Where withdrawn money goes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Target {
    /// To the own on-chain balance.
    OnChain,
    /// Into a channel, in the same group of the same batch: a direct rebalance.
    Channel {
        /// On whose side.
        owner: PublicKey,
        /// The other party.
        partner: PublicKey,
        /// Public invoice tag of the deposit.
        invoice: Option<Vec<u8>>,
    },
    /// To somebody's on-chain balance, in the same group of the same batch.
    Account {
        /// Whose.
        owner: PublicKey,
        /// Public invoice tag of the deposit.
        invoice: Option<Vec<u8>>,
    },
}

impl Target {
    /// The deposit that puts withdrawn money there; none for the own on-chain balance.
    fn deposit(&self, asset: AssetId, amount: Amount, chain: &Chain<'_>) -> Option<Deposit> {
        let (to, partner, invoice) = match self {
            Self::OnChain => return None,
            Self::Channel { owner, partner, invoice } => (*owner, Some(*partner), invoice.clone()),
            Self::Account { owner, invoice } => (*owner, None, invoice.clone()),
        };
        let parties = partner.and_then(|partner| Parties::new(to, partner));
        let epoch = parties.map(|parties| chain.state.channel(&parties).epoch);
        Some(Deposit { asset, amount, to, partner, keep: 0, epoch, invoice })
    }
}

/// Own money in one asset of one channel, by what stands behind it:
/// `insured + uninsured + in_flight − owed` is the own balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Covered by insurance on-chain, and free.
    pub insured: Amount,
    /// Promised by the bank beyond insurance, and free.
    pub uninsured: Amount,
    /// Reserved by own locks and withdrawals.
    pub in_flight: Amount,
    /// What could still come in under the own credit limit.
    pub can_receive: Amount,
    /// What is owed to the bank beyond insurance.
    pub owed: Amount,
    /// Locks on their way to us; in no other part.
    pub incoming: Amount,
    /// Largest single payment now.
    pub can_send: Amount,
}

impl Parts {
    /// Of one asset of a channel.
    pub fn of(channel: &Channel, asset: AssetId) -> Self {
        let agreement = channel.agreement();
        let (own, theirs) = (channel.side(), channel.partner());
        let line = agreement.line(asset);
        let clamp = |value: u128| Amount::try_from(value).unwrap_or(Amount::MAX);
        let reserved = clamp(agreement.reserved_by(asset, own)).saturating_add(agreement.held(asset, own));
        let (insured, uninsured) = (line.insured(own), line.uninsured(own));
        // What is reserved is taken from what is only promised first.
        let free_uninsured = uninsured.saturating_sub(reserved);
        let rest = reserved.saturating_sub(uninsured.saturating_sub(free_uninsured));
        let free_insured = insured.saturating_sub(rest);
        let free = free_insured.saturating_add(free_uninsured);
        Self {
            insured: free_insured,
            uninsured: free_uninsured,
            in_flight: insured.saturating_add(uninsured).saturating_sub(free),
            can_receive: channel.receivable(asset),
            owed: line.owed_by(own),
            incoming: clamp(agreement.reserved_by(asset, theirs)),
            can_send: channel.spendable(asset),
        }
    }
}

fn target_key(bank: &PublicKey, asset: AssetId) -> Vec<u8> {
    let mut key = vec![TARGET];
    key.extend_from_slice(&bank.0);
    key.extend_from_slice(&asset.0.to_be_bytes());
    key
}

impl Wallet {
    /// Own money in one asset of one channel.
    pub fn parts(&self, bank: &PublicKey, asset: AssetId) -> Parts {
        self.channel(bank).map_or_else(Parts::default, |channel| Parts::of(channel, asset))
    }

    /// Where the withdrawal under way goes.
    pub fn target(&self, bank: &PublicKey, asset: AssetId) -> Option<Target> {
        self.targets.get(&(*bank, asset)).cloned()
    }

    pub(super) fn restore_target(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [TARGET, rest @ ..] = key else { return Ok(false) };
        let (bank, asset): (PublicKey, [u8; 4]) = read(TARGET, rest)?;
        let target = read(TARGET, value)?;
        self.targets.insert((bank, AssetId(u32::from_be_bytes(asset))), target);
        Ok(true)
    }

    /// Uses a bank. The first credit lets its asset into the channel.
    pub(super) fn add_bank(
        &mut self,
        bank: PublicKey,
        credit: &[Credit],
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        if chain.state.bank(&bank).is_none() || bank == self.key() {
            return Err(Refusal::NotABank { key: bank });
        }
        if self.towers.contains(&bank) {
            return Err(Refusal::TowerIsBank { key: bank });
        }
        if credit.is_empty() {
            return Err(Refusal::NoAsset);
        }
        let largest = |one: &Credit| one.limit.max(one.insure_above.unwrap_or(0));
        let waiting = self.channel(&bank).map_or(0, Channel::waiting_wishes);
        let price = chain.state.bank(&bank).map_or(0, |bank| bank.insurance_price);
        let too_dear = |one: &&Credit| one.insure_above.is_some() && price > one.most_price;
        if let Some(one) = credit.iter().find(too_dear) {
            return Err(channel::event::Refusal::InsurancePrice { most: one.most_price, price }.into());
        }
        if let Some(one) = credit.iter().find(|one| largest(one) > limits::MAX_SUPPLY) {
            return Err(Refusal::CreditTooLarge { asset: one.asset });
        }
        if waiting.saturating_add(credit.len()) > limits::MAX_CHANNEL_QUEUE {
            return Err(channel::event::Refusal::QueueFull { limit: limits::MAX_CHANNEL_QUEUE }.into());
        }
        self.peers.ensure(bank, self.past());
        // The chain may be in a later epoch than a channel without a record.
        self.peers.tell(&bank, channel::event::Input::Head, chain, now_ms, out);
        self.keep_bank(bank, out);
        for one in credit {
            self.peers.command_priced(&bank, one.command(), chain, now_ms, out)?;
        }
        out.notify(Event::Channel(bank));
        Ok(())
    }

    /// Withdrawals of the epoch before are over.
    pub(super) fn epoch_ended(&mut self, bank: PublicKey, out: &mut Out) {
        let ends = (bank, AssetId(0))..=(bank, AssetId(u32::MAX));
        let assets: Vec<AssetId> = self.targets.range(ends).map(|((_, asset), _)| *asset).collect();
        for asset in assets {
            self.forget_target(bank, asset, out);
        }
        out.notify(Event::Channel(bank));
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one input and the context of every handler")]
    pub(super) fn request_withdrawal(
        &mut self,
        bank: PublicKey,
        asset: AssetId,
        amount: Amount,
        target: Target,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        self.bank(&bank)?;
        if self.targets.contains_key(&(bank, asset)) {
            return Err(Refusal::WithdrawalUnderWay);
        }
        self.check_target(bank, &target, asset, amount, chain)?;
        let lifetime_blocks = chain.parameters().max_consent_blocks;
        let command = Command::RequestWithdrawal { asset, amount, lifetime_blocks };
        self.peers.command(&bank, command, chain, now_ms, out)?;
        out.write.put(target_key(&bank, asset), codec::encode(&target));
        self.targets.insert((bank, asset), target);
        Ok(())
    }

    /// What could not be put where it is to go is not asked for.
    fn check_target(
        &self,
        bank: PublicKey,
        target: &Target,
        asset: AssetId,
        amount: Amount,
        chain: &Chain<'_>,
    ) -> Result<(), Refusal> {
        let own = self.key();
        if matches!(target, Target::Channel { owner, partner, .. } if *owner == own && *partner == bank) {
            return Err(Refusal::SameChannel);
        }
        match target.deposit(asset, amount, chain) {
            Some(deposit) => try_funded_deposit(chain.state, own, &deposit).map_err(Refusal::Target),
            None => Ok(()),
        }
    }

    /// The bank's consent arrived: it goes into the draft, with the deposit that it funds as one group.
    pub(super) fn withdrawal_granted(
        &mut self,
        bank: PublicKey,
        proof: Signed<WithdrawalConsent>,
        chain: &Chain<'_>,
        out: &mut Out,
    ) {
        if self.has_consent(&proof.body) {
            return;
        }
        let (asset, amount) = (proof.body.asset, proof.body.amount);
        let target = self.targets.get(&(bank, asset)).cloned().unwrap_or(Target::OnChain);
        let mut operations = vec![Operation::Withdraw(Withdraw { proof })];
        operations.extend(target.deposit(asset, amount, chain).map(Operation::Deposit));
        // A full draft loses nothing but this consent's time: its hold ends and it is asked for again.
        if self.on_chain.add(operations, &mut out.write).is_ok() {
            out.notify(Event::Draft);
        }
        out.notify(Event::Channel(bank));
    }

    /// A bank may repeat a consent; it is good for one withdrawal, which waits or was sent already.
    fn has_consent(&self, consent: &WithdrawalConsent) -> bool {
        let same = |operation: &Operation| match operation {
            Operation::Withdraw(withdraw) => withdraw.proof.body == *consent,
            _ => false,
        };
        let sent = self.on_chain.sent().filter(|sent| sent.state != SentState::Expired);
        self.on_chain.draft().any(|action| same(&action.operation))
            || sent.flat_map(|sent| &sent.batch.body.entries).any(|entry| same(&entry.operation))
    }

    fn forget_target(&mut self, bank: PublicKey, asset: AssetId, out: &mut Out) {
        if self.targets.remove(&(bank, asset)).is_some() {
            out.write.delete(target_key(&bank, asset));
        }
    }

    pub(super) fn withdrawal_refused(&mut self, bank: PublicKey, by: Side, asset: AssetId, out: &mut Out) {
        let own = self.channel(&bank).map(Channel::side);
        if own != Some(by) {
            self.forget_target(bank, asset, out);
            out.notify(Event::WithdrawalRefused { bank, asset });
        }
        out.notify(Event::Channel(bank));
    }

    pub(super) fn hold_ended(&mut self, bank: PublicKey, withdrawer: Side, asset: AssetId, out: &mut Out) {
        if self.channel(&bank).map(Channel::side) == Some(withdrawer) {
            self.forget_target(bank, asset, out);
        }
        out.notify(Event::Channel(bank));
    }

    /// Consents to what a bank asks for: its own insured money, within what is free (the channel has checked
    /// it). When other wishes wait, the next block asks again.
    pub(super) fn grant_waiting(&mut self, bank: &PublicKey, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        let Some(channel) = self.channel(bank).filter(|channel| channel.waiting_wishes() == 0) else { return };
        let (agreement, theirs) = (channel.agreement(), channel.partner());
        let waits = |asset: &AssetId| agreement.shared.hold(*asset, theirs).is_some_and(|hold| !hold.granted);
        let assets: Vec<_> = agreement.assets().into_iter().filter(waits).collect();
        for asset in assets {
            // Refused when the withdrawal has ended meanwhile.
            let _ = self.peers.command(bank, Command::GrantWithdrawal { asset }, chain, now_ms, out);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one event and the context of every handler")]
    pub(super) fn insurance_paid(
        &mut self,
        bank: PublicKey,
        by: Side,
        asset: AssetId,
        price: Amount,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        if self.channel(&bank).map(Channel::side) == Some(by) {
            let id = self.entropy.bytes();
            let mut payment = Payment::bare(id, Direction::Out, Kind::InsurancePrice, asset, price, bank, now_ms);
            payment.end(PaymentState::Paid, now_ms, chain.head.height);
            self.keep(payment, out);
        }
        out.notify(Event::Channel(bank));
    }

    /// A wish came to nothing, irrevocably.
    pub(super) fn command_failed(
        &mut self,
        bank: PublicKey,
        command: Command,
        reason: CommandFailure,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        match command {
            Command::Pay { reference, .. } => self.direct_ended(reference, Some(reason), chain, now_ms, out),
            Command::RequestWithdrawal { asset, .. } => {
                self.forget_target(bank, asset, out);
                out.notify(Event::WithdrawalRefused { bank, asset });
            }
            // Terms set a state: wished for before the bank showed what was forgotten, they still hold.
            Command::SetCredit { .. } if reason == CommandFailure::DataLost => {
                // Refused only when the queue, just emptied, is full.
                let _ = self.peers.command(&bank, command, chain, now_ms, out);
            }
            _ => {}
        }
        out.notify(Event::Channel(bank));
    }
}
