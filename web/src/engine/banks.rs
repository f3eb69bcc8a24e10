//! Balances and channels with banks as pages see them.

use super::Core;
use super::method::Splice;
use super::pay::latest;
use crate::changes::Changes;
use crate::error::Error;
use crate::explorer::{Explorer, asset, side_name};
use crate::record;
use crate::request;
use crate::view::{
    Balance, BankBalance, Channel, ChannelAsset, Connection, Lock, Parts, Restoration, RestoredBank, Withdrawal,
    WithdrawalTarget,
};
use fair_core::channel::Channel as CoreChannel;
use fair_core::ledger::operation::Operation;
use fair_core::peers::Chain as ChainView;
use fair_core::types::{AssetId, Parties, PublicKey};
use fair_core::wallet::{Credit, Input, Parts as CoreParts, RestoreStage, Target, Wallet as Machine};
use std::rc::Rc;

impl Core {
    /// Own money in every asset, on-chain and in channels.
    pub(super) fn balances(&self) -> Result<Vec<Balance>, Error> {
        self.ask(|machine, chain| {
            let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
            let balances = chain.state.assets().map(|known| {
                let banks: Vec<BankBalance> = machine
                    .banks()
                    .map(|(bank, _)| {
                        let parts = machine.parts(&bank, known.id);
                        BankBalance {
                            bank: explorer.reference(&bank),
                            connection: self.connection_of(machine, &bank),
                            can_send: parts.can_send,
                            parts: view_parts(&parts),
                        }
                    })
                    .collect();
                Balance {
                    asset: asset(known),
                    onchain: chain.state.balance(&machine.key(), known.id),
                    parts: sum(banks.iter().map(|bank| &bank.parts)),
                    can_send: banks.iter().map(|bank| bank.can_send).max().unwrap_or(0),
                    banks,
                }
            });
            Ok(balances.collect())
        })
    }

    /// All channels.
    pub(super) fn channels(&self) -> Result<Vec<Channel>, Error> {
        self.ask(|machine, chain| {
            machine.banks().map(|(bank, _)| self.view_channel(machine, chain, &bank, &[])).collect()
        })
    }

    pub(super) fn channel_with(&self, bank: &PublicKey, named: &[AssetId]) -> Result<Channel, Error> {
        self.ask(|machine, chain| self.view_channel(machine, chain, bank, named))
    }

    /// Uses a bank: accepts credit from it, and keeps a session with it.
    pub(super) async fn add_bank(self: &Rc<Self>, bank: &str, credit: Vec<Credit>) -> Result<Channel, Error> {
        drop(self.machine()?);
        let bank = self.resolve(bank)?;
        let named: Vec<AssetId> = credit.iter().map(|credit| credit.asset).collect();
        self.handle(Input::AddBank { bank, credit }).await?;
        self.keep_session(bank);
        self.channel_with(&bank, &named)
    }

    pub(super) async fn set_credit(self: &Rc<Self>, bank: &str, credit: Credit) -> Result<Channel, Error> {
        let bank = self.resolve(bank)?;
        self.handle(Input::SetCredit { bank, credit }).await?;
        self.channel_with(&bank, &[credit.asset])
    }

    pub(super) async fn resume(self: &Rc<Self>, bank: &str) -> Result<Channel, Error> {
        let bank = self.resolve(bank)?;
        self.handle(Input::Resume { bank }).await?;
        self.channel_with(&bank, &[])
    }

    pub(super) async fn request_insurance(
        self: &Rc<Self>,
        bank: &str,
        asset: AssetId,
        most_price: u64,
    ) -> Result<Channel, Error> {
        let bank = self.resolve(bank)?;
        self.handle(Input::RequestInsurance { bank, asset, most_price }).await?;
        self.channel_with(&bank, &[])
    }

    pub(super) async fn request_withdrawal(
        self: &Rc<Self>,
        bank: &str,
        asset: AssetId,
        amount: u64,
    ) -> Result<Channel, Error> {
        let bank = self.resolve(bank)?;
        self.handle(Input::RequestWithdrawal { bank, asset, amount, target: Target::OnChain }).await?;
        self.channel_with(&bank, &[])
    }

    /// Asks `from` for a withdrawal that goes into the channel of `account` (or of this wallet) with `to`, or,
    /// without `to`, to the on-chain balance of `account`. The consent and the deposit then stand in the draft
    /// as one group.
    pub(super) async fn splice(self: &Rc<Self>, wanted: &Splice) -> Result<Channel, Error> {
        let Splice { asset, amount, .. } = *wanted;
        let from = self.resolve(&wanted.from)?;
        let partner = wanted.to.as_deref().map(|to| self.resolve(to)).transpose()?;
        let owner = wanted.account.as_deref().map(|account| self.resolve(account)).transpose()?;
        let own = self.machine()?.key();
        let invoice = wanted.invoice.as_deref().map(super::drafting::tag);
        let target = match (partner, owner) {
            (Some(partner), owner) => Target::Channel { owner: owner.unwrap_or(own), partner, invoice },
            (None, Some(owner)) if owner != own => Target::Account { owner, invoice },
            (None, _) => Target::OnChain,
        };
        let name = record::splice(&request::id(&wanted.key));
        if self.store.get(&name).await?.is_none() {
            let mut changes = Changes::default();
            changes.put(name, Vec::new());
            self.handle_with(Input::RequestWithdrawal { bank: from, asset, amount, target }, changes).await?;
        }
        self.channel_with(&from, &[])
    }

    /// How far the restore from words is; `None` for a wallet that was created here.
    pub(super) fn restoration(&self) -> Result<Option<Restoration>, Error> {
        self.ask(|machine, chain| {
            let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
            let bank = |(bank, stage): (PublicKey, RestoreStage)| RestoredBank {
                bank: explorer.reference(&bank),
                state: match stage {
                    RestoreStage::Asked => "asked",
                    RestoreStage::Nothing => "nothing",
                    RestoreStage::Adopted => "adopted",
                    RestoreStage::Restored => "restored",
                },
            };
            Ok(machine.restoration().map(|restoration| Restoration {
                banks: restoration.banks.map(|banks| banks.into_iter().map(bank).collect()),
            }))
        })
    }

    pub(super) fn resolve(&self, text: &str) -> Result<PublicKey, Error> {
        self.explore(|explorer| explorer.resolve(text))?
    }

    fn connection_of(&self, machine: &Machine, bank: &PublicKey) -> Connection {
        match machine.channel(bank).and_then(CoreChannel::suspended) {
            Some(_) => Connection::Suspended,
            None => self.connection(bank),
        }
    }

    fn view_channel(
        &self,
        machine: &Machine,
        chain: &ChainView<'_>,
        bank: &PublicKey,
        named: &[AssetId],
    ) -> Result<Channel, Error> {
        let unknown = || Error::new("channel.unknown_bank", "This wallet does not use that bank yet; add it first.");
        let channel = machine.channel(bank).ok_or_else(unknown)?;
        let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
        let agreement = channel.agreement();
        let mut assets = agreement.assets();
        assets.extend(named);
        if let Some(parties) = Parties::new(machine.key(), *bank) {
            assets.extend(chain.state.channel(&parties).assets.iter().map(|part| part.asset));
        }
        if assets.is_empty() {
            assets.insert(AssetId::FRD);
        }
        let registered = chain.state.bank(bank).map(|bank| explorer.bank(bank));
        Ok(Channel {
            bank: registered.ok_or_else(|| Error::new("channel.not_a_bank", "This account is not a bank."))?,
            connection: self.connection_of(machine, bank),
            side: side_name(channel.side()),
            epoch: channel.epoch().into(),
            frame: agreement.state.frame.into(),
            assets: assets.into_iter().map(|asset| view_asset(machine, chain, bank, channel, asset)).collect(),
            problem: problem(channel),
            court: super::court::view(machine, chain, bank, channel).ok_or_else(unknown)?,
            at: Some(crate::view::VerifiedAt {
                height: chain.head.height.into(),
                time: chain.head.time_ms.into(),
                state_root: chain.state.root(),
            }),
        })
    }
}

/// What keeps a channel from being used as usual.
fn problem(channel: &CoreChannel) -> Option<Error> {
    if channel.suspended().is_some() {
        return Some(Error::new(
            "channel.suspended",
            "The bank refused several changes in a row; nothing more is proposed to it.",
        ));
    }
    if channel.is_restoring() {
        return Some(Error::passing(
            "channel.restoring",
            "Data was lost here; the bank's newest state is being taken over.",
        ));
    }
    channel.misbehaviours().last().map(|what| Error::of("channel", what))
}

fn view_asset(
    machine: &Machine,
    chain: &ChainView<'_>,
    bank: &PublicKey,
    channel: &CoreChannel,
    asset: AssetId,
) -> ChannelAsset {
    let agreement = channel.agreement();
    let (own, theirs) = (channel.side(), channel.partner());
    let line = agreement.line(asset);
    let facts = agreement.shared.asset(asset);
    let given = agreement.shared.terms(asset, own);
    let parts = machine.parts(bank, asset);
    let lock = |direction, (_, lock): (_, &fair_core::channel::state::Lock)| Lock {
        direction,
        amount: lock.amount,
        hash: lock.hash,
        expiry: lock.expiry.into(),
        expires_at: latest(chain, lock.expiry).into(),
    };
    let incoming = channel.incoming_locks().filter(|(id, _)| id.asset == asset).map(|item| lock("in", item));
    let outgoing = channel.outgoing_locks().filter(|(id, _)| id.asset == asset).map(|item| lock("out", item));
    let narrow = |value: i128| i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
    ChannelAsset {
        asset,
        insurance: facts.map_or(0, |facts| facts.insurance),
        ondelta: facts.map_or(0, |facts| facts.ondelta),
        offdelta: agreement.state.offdelta(asset),
        delta: narrow(line.delta()),
        balance: narrow(line.balance(own)),
        can_send: parts.can_send,
        parts: view_parts(&parts),
        credit_limit: given.map_or(0, |terms| terms.credit_limit),
        insure_above: given.and_then(|terms| terms.insure_above),
        credit_received: agreement.shared.terms(asset, theirs).map_or(0, |terms| terms.credit_limit),
        insurance_price: chain.state.bank(bank).map_or(0, |bank| bank.insurance_price),
        insurance_requested: given.is_some_and(|terms| terms.insurance_requested),
        withdrawal: withdrawal(machine, chain, bank, channel, asset),
        locks: incoming.chain(outgoing).collect(),
    }
}

fn withdrawal(
    machine: &Machine,
    chain: &ChainView<'_>,
    bank: &PublicKey,
    channel: &CoreChannel,
    asset: AssetId,
) -> Option<Withdrawal> {
    let hold = channel.agreement().shared.hold(asset, channel.side())?;
    let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
    let parties = channel.parties();
    let is_this = |operation: &Operation| {
        matches!(operation, Operation::Withdraw(withdraw)
            if withdraw.proof.body.parties == parties
                && withdraw.proof.body.asset == asset
                && withdraw.proof.body.nonce == hold.nonce)
    };
    let sent = machine
        .on_chain()
        .under_way()
        .is_some_and(|sent| sent.batch.body.entries.iter().any(|entry| is_this(&entry.operation)));
    let drafted = machine.on_chain().draft().any(|action| is_this(&action.operation));
    let target = match machine.target(bank, asset) {
        Some(Target::Channel { owner, partner, .. }) => Some((owner, Some(partner))),
        Some(Target::Account { owner, .. }) => Some((owner, None)),
        Some(Target::OnChain) | None => None,
    };
    let target = target.map(|(owner, partner)| WithdrawalTarget {
        owner: explorer.reference(&owner),
        partner: partner.map(|partner| explorer.reference(&partner)),
    });
    Some(Withdrawal {
        amount: hold.amount,
        state: if sent {
            "sent"
        } else if drafted || hold.granted {
            "granted"
        } else {
            "asked"
        },
        expires_at: hold.expires_at.into(),
        expires_time: latest(chain, hold.expires_at).into(),
        target,
    })
}

const fn view_parts(parts: &CoreParts) -> Parts {
    Parts {
        insured: parts.insured,
        uninsured: parts.uninsured,
        in_flight: parts.in_flight,
        can_receive: parts.can_receive,
        owed: parts.owed,
        incoming: parts.incoming,
    }
}

fn sum<'a>(all: impl Iterator<Item = &'a Parts>) -> Parts {
    let zero = Parts { insured: 0, uninsured: 0, in_flight: 0, can_receive: 0, owed: 0, incoming: 0 };
    all.fold(zero, |sum, parts| Parts {
        insured: sum.insured.saturating_add(parts.insured),
        uninsured: sum.uninsured.saturating_add(parts.uninsured),
        in_flight: sum.in_flight.saturating_add(parts.in_flight),
        can_receive: sum.can_receive.saturating_add(parts.can_receive),
        owed: sum.owed.saturating_add(parts.owed),
        incoming: sum.incoming.saturating_add(parts.incoming),
    })
}
