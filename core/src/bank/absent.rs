//! Net-spenders that stay away or decline: since when a consent of theirs is wanted, and when court takes its place
//! (docs/protocol.md, section 7).
//!
//! A dispute costs both sides and stops the channel for a while. So it is the last resort: only while partners
//! wait for insurance that neither consents at hand nor the bank's free balance can fund, only against those with
//! more than K.risk of the bank's insured money, the largest first, and no more of them than are needed.

use super::Bank;
use super::mandate::INCLUSION_BLOCKS;
use crate::account::{BadRecord, read};
use crate::codec;
use crate::effect::Write;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, PublicKey, UsableHeight};
use std::collections::{BTreeMap, BTreeSet};

/// First byte of the key of a wanted consent.
const WANTED: u8 = b'x';

/// Consents that are wanted, each with the U since when it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Absent {
    since: BTreeMap<(PublicKey, AssetId), UsableHeight>,
}

impl Absent {
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [WANTED, place @ ..] = key else { return Ok(false) };
        let (partner, asset): (PublicKey, [u8; 4]) = read(WANTED, place)?;
        self.since.insert((partner, AssetId(u32::from_be_bytes(asset))), read(WANTED, value)?);
        Ok(true)
    }

    /// Notes what is wanted now: what was wanted before keeps its time, what no longer is is forgotten.
    fn note(&mut self, wanted: &BTreeSet<(PublicKey, AssetId)>, now: UsableHeight, write: &mut Write) {
        let over: Vec<_> = self.since.keys().filter(|place| !wanted.contains(place)).copied().collect();
        for place in over {
            self.since.remove(&place);
            write.delete(wanted_key(&place));
        }
        for place in wanted {
            self.since.entry(*place).or_insert_with(|| {
                write.put(wanted_key(place), codec::encode(&now));
                now
            });
        }
    }
}

fn wanted_key((partner, asset): &(PublicKey, AssetId)) -> Vec<u8> {
    let mut key = vec![WANTED];
    key.extend_from_slice(&partner.0);
    key.extend_from_slice(&asset.0.to_be_bytes());
    key
}

impl Bank {
    /// Partners that have been waited for long enough, as many as it takes.
    pub(super) fn overdue_spenders(&mut self, chain: &Chain<'_>, write: &mut Write) -> BTreeSet<PublicKey> {
        let after = self.config.dispute_after_blocks;
        let mut overdue = BTreeSet::new();
        if after == 0 {
            return overdue;
        }
        let now = chain.head.usable_height;
        let mut wanted = BTreeSet::new();
        for asset in self.config.assets.iter().map(|policy| policy.asset).collect::<Vec<_>>() {
            let mut short = self.shortage(asset, chain);
            if short == 0 {
                continue;
            }
            let mut spenders = self.silent_spenders(asset, chain);
            spenders.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            wanted.extend(spenders.iter().map(|(partner, _)| (*partner, asset)));
            for (partner, insured) in spenders {
                let since = self.absent.since.get(&(partner, asset)).copied().unwrap_or(now);
                if short > 0 && now >= since.saturating_add(after) {
                    overdue.insert(partner);
                    short = short.saturating_sub(insured);
                }
            }
        }
        self.absent.note(&wanted, now, write);
        overdue
    }

    /// What partners wait for in an asset beyond what the bank can fund by consents at hand, by its free balance
    /// and by what is in court already.
    fn shortage(&self, asset: AssetId, chain: &Chain<'_>) -> Amount {
        let sum = |amounts: &mut dyn Iterator<Item = Amount>| amounts.fold(0, Amount::saturating_add);
        let waiting = self.receivers(chain);
        let needed = sum(&mut waiting.iter().filter(|(of, _)| *of == asset).map(|(_, receiver)| receiver.amount));
        let Some(policy) = self.config.assets.iter().find(|policy| policy.asset == asset) else { return 0 };
        let situation = self.situation(chain, *policy, waiting.len());
        let free = situation.balance.saturating_sub(situation.safety_balance);
        let consented =
            sum(&mut self.mandates.usable(asset, chain.head.usable_height.saturating_add(INCLUSION_BLOCKS)));
        let in_court = self.peers.iter().filter(|(partner, _)| self.is_disputed(partner, chain));
        let coming =
            sum(&mut in_court.map(|(partner, peer)| peer.channel.agreement().line(asset).insured(self.side(partner))));
        needed.saturating_sub(free).saturating_sub(consented).saturating_sub(coming)
    }

    pub(super) fn is_disputed(&self, partner: &PublicKey, chain: &Chain<'_>) -> bool {
        chain.channel(self.peers.own_key(), *partner).dispute().is_some() || self.on_chain.disputing(partner).is_some()
    }

    /// Partners with more than K.risk of the bank's insured money and no consent of theirs at hand, in use or just
    /// asked for, with how much.
    fn silent_spenders(&self, asset: AssetId, chain: &Chain<'_>) -> Vec<(PublicKey, Amount)> {
        let registered = self.peers.iter().filter(|(partner, _)| chain.state.account_id(partner).is_some());
        registered
            .filter(|(partner, _)| !self.is_disputed(partner, chain) && !self.mandates.has_consent(partner, asset))
            .map(|(partner, peer)| (*partner, peer.channel.agreement().line(asset).insured(self.side(partner))))
            .filter(|(_, insured)| *insured > chain.parameters().risk)
            .collect()
    }
}
