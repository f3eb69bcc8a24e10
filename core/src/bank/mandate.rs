//! Rebalancing over time: ask, wait for consents, send one batch (docs/protocol.md, section 7).
//!
//! ```text
//! idle ─► somebody is to be insured, or a partner holds more than K.risk of ours
//!      ─► RequestWithdrawal to every such partner that is online; wait for their consents, at most
//!         Config::consent_wait_blocks
//!      ─► plan; the groups join the draft, which is sent as one batch
//! ```
//!
//! Consents are stored: money that was let go is used by the next batch, also after a restart. A partner's
//! hold ends when the chain shows the withdrawal or it expires; then the consent is forgotten.

use super::rebalance::{self, Receiver, Situation, Source};
use super::{Bank, Event, Out};
use crate::account::{BadRecord, SentBatch, SentState, read};
use crate::channel::agreement::Agreement;
use crate::channel::event::Command;
use crate::codec;
use crate::effect::Write;
use crate::ledger::execute::try_funded_deposit;
use crate::ledger::operation::{Operation, WithdrawalConsent};
use crate::ledger::receipt::{Receipt, SkipReason};
use crate::message::Signed;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, PublicKey, Side, TimeMs, UsableHeight};
use std::collections::{BTreeMap, BTreeSet};

/// First byte of a consent's key.
const CONSENT: u8 = b'w';
/// Blocks that a consent must outlive the batch's making by.
pub(super) const INCLUSION_BLOCKS: UsableHeight = 5;
/// FRD units set aside for the batch's fee and for making accounts.
const FEE_ROOM_RATE: Amount = 64;

/// Consents at hand and the rebalance under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Mandates {
    consents: BTreeMap<(PublicKey, AssetId), Consent>,
    /// Until which U consents are waited for, and from whom.
    asking: Option<(UsableHeight, BTreeSet<(PublicKey, AssetId)>)>,
    /// U of the newest start.
    pub(super) started: UsableHeight,
}

#[derive(Clone, Debug)]
struct Consent {
    proof: Signed<WithdrawalConsent>,
    /// It is in the draft or in a batch.
    used: bool,
}

impl Consent {
    fn is_usable(&self, least_expiry: UsableHeight) -> bool {
        !self.used && self.proof.body.expires_at >= least_expiry
    }
}

impl Mandates {
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [CONSENT, partner @ ..] = key else { return Ok(false) };
        let (proof, used): (Signed<WithdrawalConsent>, bool) = read(CONSENT, value)?;
        let partner = partner.first_chunk::<32>().map_or(PublicKey([0; 32]), |bytes| PublicKey(*bytes));
        self.consents.insert((partner, proof.body.asset), Consent { proof, used });
        Ok(true)
    }

    /// A partner consented.
    pub(super) fn granted(&mut self, partner: PublicKey, proof: Signed<WithdrawalConsent>, write: &mut Write) {
        let place = (partner, proof.body.asset);
        if let Some((_, waiting)) = &mut self.asking {
            waiting.remove(&place);
        }
        write.put(consent_key(&place), codec::encode(&(&proof, false)));
        self.consents.insert(place, Consent { proof, used: false });
    }

    /// A partner's withdrawal ended in whatever way.
    pub(super) fn ended(&mut self, partner: PublicKey, asset: AssetId, write: &mut Write) {
        let place = (partner, asset);
        if let Some((_, waiting)) = &mut self.asking {
            waiting.remove(&place);
        }
        if self.consents.remove(&place).is_some() {
            write.delete(consent_key(&place));
        }
    }

    /// A dispute ended: consents of the epoch before are void.
    pub(super) fn ended_all(&mut self, partner: PublicKey, write: &mut Write) {
        let assets: Vec<_> = self.consents.keys().filter(|(of, _)| *of == partner).map(|(_, asset)| *asset).collect();
        for asset in assets {
            self.ended(partner, asset, write);
        }
    }

    /// Whether a consent is at hand, used or not.
    pub(super) fn has_consent(&self, partner: &PublicKey, asset: AssetId) -> bool {
        self.consents.contains_key(&(*partner, asset))
    }

    /// What consents at hand that hold until then are good for.
    pub(super) fn usable(&self, asset: AssetId, least_expiry: UsableHeight) -> impl Iterator<Item = Amount> {
        let of_asset = self.consents.iter().filter(move |((_, of), _)| *of == asset);
        let valid = of_asset.filter(move |(_, consent)| consent.is_usable(least_expiry));
        valid.map(|(_, consent)| consent.proof.body.amount)
    }

    /// Whether a rebalance waits for consents.
    pub(super) const fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// A batch is in a block: consents whose withdrawals were skipped for the sake of another operation are at hand again.
    pub(super) fn included(&mut self, sent: &SentBatch, write: &mut Write) {
        let SentState::Included { receipts, .. } = &sent.state else { return };
        for (entry, receipt) in sent.batch.body.entries.iter().zip(receipts) {
            let (Operation::Withdraw(withdraw), Receipt::Skipped { reason: SkipReason::Group { .. } }) =
                (&entry.operation, receipt)
            else {
                continue;
            };
            let mut consents = self.consents.iter_mut();
            if let Some((place, consent)) = consents.find(|(_, consent)| consent.proof == withdraw.proof) {
                consent.used = false;
                write.put(consent_key(place), codec::encode(&(&consent.proof, false)));
            }
        }
    }

    fn use_up(&mut self, place: (PublicKey, AssetId), write: &mut Write) {
        if let Some(consent) = self.consents.get_mut(&place) {
            consent.used = true;
            write.put(consent_key(&place), codec::encode(&(&consent.proof, true)));
        }
    }
}

fn consent_key((partner, asset): &(PublicKey, AssetId)) -> Vec<u8> {
    let mut key = vec![CONSENT];
    key.extend_from_slice(&partner.0);
    key.extend_from_slice(&asset.0.to_be_bytes());
    key
}

/// What a partner wants insured: its uninsured balance when it asked, or when that passes its threshold.
pub(super) fn wanted(agreement: &Agreement, asset: AssetId, partner: Side, least: Amount) -> Option<Amount> {
    let uninsured = agreement.line(asset).uninsured(partner);
    let terms = agreement.shared.terms(asset, partner)?;
    let wants = terms.insurance_requested || terms.insure_above.is_some_and(|threshold| uninsured > threshold);
    (wants && uninsured >= least).then_some(uninsured)
}

impl Bank {
    pub(super) fn side(&self, partner: &PublicKey) -> Side {
        if self.peers.own_key() < *partner { Side::Left } else { Side::Right }
    }

    /// Periodically, and never while consents are waited for or a batch is under way.
    pub(super) fn rebalance_on_block(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        let now = chain.head.usable_height;
        if let Some((until, waiting)) = &self.mandates.asking {
            let answered = waiting.is_empty() || now > *until;
            if answered && self.on_chain.under_way().is_none() {
                self.mandates.asking = None;
                self.send_rebalance(chain, out);
            }
            return;
        }
        let every = self.config.rebalance_every_blocks;
        let due = every > 0 && now >= self.mandates.started.saturating_add(every);
        if due && !chain.is_stale(now_ms) && !self.receivers(chain).is_empty() {
            self.start_rebalance(chain, now_ms, out);
        }
    }

    /// Asks every net-spender that is online. With nobody to ask, the batch is made at once.
    pub(super) fn start_rebalance(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        if self.mandates.is_asking() {
            return;
        }
        self.mandates.started = chain.head.usable_height;
        let mut waiting = BTreeSet::new();
        for (partner, asset, amount) in self.spenders(chain) {
            let lifetime_blocks = chain.parameters().max_consent_blocks;
            let command = Command::RequestWithdrawal { asset, amount, lifetime_blocks };
            if self.peers.command(&partner, command, chain, now_ms, out).is_ok() {
                waiting.insert((partner, asset));
            }
        }
        out.notify(Event::RebalanceStarted { asked: waiting.len() });
        let nobody = waiting.is_empty();
        let until = chain.head.usable_height.saturating_add(self.config.consent_wait_blocks);
        self.mandates.asking = Some((until, waiting));
        if nobody && self.on_chain.under_way().is_none() {
            self.mandates.asking = None;
            self.send_rebalance(chain, out);
            self.flush(chain, now_ms, out);
        }
    }

    /// Partners with more than K.risk of the bank's own insured money that no consent covers yet.
    fn spenders(&self, chain: &Chain<'_>) -> Vec<(PublicKey, AssetId, Amount)> {
        let mut spenders = Vec::new();
        for (partner, peer) in self.peers.iter().filter(|(_, peer)| peer.connected) {
            let own = self.side(partner);
            let agreement = peer.channel.agreement();
            for policy in &self.config.assets {
                let asset = policy.asset;
                let amount = agreement.withdrawable(asset, own);
                let free = agreement.shared.hold(asset, own).is_none();
                let risky = agreement.line(asset).insured(own) > chain.parameters().risk;
                if free && risky && amount > 0 {
                    spenders.push((*partner, asset, amount));
                }
            }
        }
        spenders
    }

    /// Partners that want insurance, by what the chain shows now.
    pub(super) fn receivers(&self, chain: &Chain<'_>) -> Vec<(AssetId, Receiver)> {
        let parameters = chain.parameters();
        let mut receivers = Vec::new();
        for (partner, peer) in self.peers.iter() {
            let registered = chain.state.account_id(partner).is_some();
            let theirs = self.side(partner).other();
            let agreement = peer.channel.agreement();
            for policy in &self.config.assets {
                let asset = policy.asset;
                let Some(amount) = wanted(agreement, asset, theirs, parameters.min_insurance) else { continue };
                if self.is_insured_on_chain(agreement, asset, chain)
                    || self.deposit_waits(partner, asset)
                    || self.is_disputed(partner, chain)
                {
                    continue;
                }
                // An account is made with FRD only, and keeps K.standalone_balance of it.
                let least = match (registered, asset) {
                    (true, _) => parameters.min_insurance,
                    (false, AssetId::FRD) => {
                        parameters.min_insurance.max(parameters.standalone_balance.saturating_add(1))
                    }
                    (false, _) => continue,
                };
                let epoch = agreement.state.epoch;
                let receiver = Receiver { partner: *partner, amount, epoch, least };
                if self.would_be_taken(&receiver, asset, chain) {
                    receivers.push((asset, receiver));
                }
            }
        }
        receivers
    }

    /// Whether the ledger would take the deposit for a receiver, its means apart: a partner can fill its channel with
    /// other assets, so that this one never enters it.
    fn would_be_taken(&self, receiver: &Receiver, asset: AssetId, chain: &Chain<'_>) -> bool {
        let bank = self.peers.own_key();
        let deposit = rebalance::deposit(receiver, asset, bank, receiver.amount, 0);
        match try_funded_deposit(chain.state, bank, &deposit) {
            Ok(()) | Err(SkipReason::NotEnough { .. } | SkipReason::DebtsFirst { .. }) => true,
            Err(_) => false,
        }
    }

    /// Whether the chain already shows more insurance than the channel has taken note of: a deposit that the
    /// next frame will bring.
    fn is_insured_on_chain(&self, agreement: &Agreement, asset: AssetId, chain: &Chain<'_>) -> bool {
        let noted = agreement.shared.asset(asset).map_or(0, |entry| entry.insurance);
        let shown = chain.state.channel(&agreement.state.parties).asset(asset).map_or(0, |part| part.insurance);
        shown > noted
    }

    /// Whether a deposit for this partner is in the draft or in a batch.
    fn deposit_waits(&self, partner: &PublicKey, asset: AssetId) -> bool {
        let drafted = self.on_chain.draft().map(|action| &action.operation);
        let sent = self.on_chain.under_way().into_iter().flat_map(|sent| &sent.batch.body.entries);
        drafted.chain(sent.map(|entry| &entry.operation)).any(|operation| {
            matches!(operation, Operation::Deposit(deposit)
                if deposit.partner == Some(*partner) && deposit.asset == asset)
        })
    }

    /// Plans with the consents at hand and puts the groups into the draft.
    fn send_rebalance(&mut self, chain: &Chain<'_>, out: &mut Out) {
        let receivers = self.receivers(chain);
        let least_expiry = chain.head.usable_height.saturating_add(INCLUSION_BLOCKS);
        let (mut withdrawals, mut deposits) = (0_usize, 0_usize);
        for policy in self.config.assets.clone() {
            let asset = policy.asset;
            let of_asset = self.mandates.consents.iter().filter(|((_, of), _)| *of == asset);
            let (places, sources): (Vec<_>, Vec<_>) = of_asset
                .filter(|(_, consent)| consent.is_usable(least_expiry))
                .map(|(place, consent)| (*place, Source { proof: consent.proof.clone() }))
                .unzip();
            let receivers: Vec<_> = receivers.iter().filter(|(of, _)| *of == asset).map(|(_, one)| *one).collect();
            let situation = self.situation(chain, policy, receivers.len().saturating_add(sources.len()));
            for group in rebalance::plan(receivers, sources, &situation) {
                let counts = (group.sources.len(), group.deposits.len());
                if self.on_chain.add(group.operations(), &mut out.write).is_ok() {
                    withdrawals = withdrawals.saturating_add(counts.0);
                    deposits = deposits.saturating_add(counts.1);
                }
            }
            for place in places {
                self.mandates.use_up(place, &mut out.write);
            }
        }
        out.notify(Event::RebalanceSent { withdrawals, deposits });
    }

    /// What there is to spend: fees of the batch and debts come first.
    pub(super) fn situation(&self, chain: &Chain<'_>, policy: super::AssetPolicy, operations: usize) -> Situation {
        let bank = self.peers.own_key();
        let balance = chain.state.balance(&bank, policy.asset);
        let operations = Amount::try_from(operations).unwrap_or(Amount::MAX);
        let each = chain.parameters().account_creation_fee.saturating_add(FEE_ROOM_RATE);
        let fees = if policy.asset == AssetId::FRD { operations.saturating_mul(each) } else { 0 };
        let debts = chain.state.debts_of(&bank, policy.asset);
        let debts = debts.fold(0, |sum: Amount, (_, debt)| sum.saturating_add(debt.amount));
        Situation {
            asset: policy.asset,
            bank,
            balance: balance.saturating_sub(fees).saturating_sub(debts),
            safety_balance: policy.safety_balance,
        }
    }
}

#[cfg(test)]
mod tests;
