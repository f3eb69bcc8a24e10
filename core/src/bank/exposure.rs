//! What an operator sees: who is insured how far, what the bank has at risk, what the next rebalance would do.

use super::Bank;
use super::mandate::wanted;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, PublicKey, Side};
use serde::Serialize;

/// All partners of a bank, and sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// By partner and asset, in order of keys.
    pub partners: Vec<PartnerExposure>,
    /// Whether a rebalance waits for consents.
    pub rebalancing: bool,
    /// Payments under way.
    pub forwards: usize,
}

/// One asset of one channel, as the bank sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartnerExposure {
    /// Whose channel.
    pub partner: PublicKey,
    /// A session stands.
    pub connected: bool,
    /// Which asset.
    pub asset: AssetId,
    /// Collateral on-chain.
    pub insurance: Amount,
    /// The partner's balance that insurance covers.
    pub partner_insured: Amount,
    /// What the bank owes the partner beyond insurance.
    pub partner_uninsured: Amount,
    /// The bank's own balance that insurance covers: a rebalance asks for it above K.risk.
    pub own_insured: Amount,
    /// What the partner owes the bank beyond insurance.
    pub own_uninsured: Amount,
    /// In locks given by the partner.
    pub locked_by_partner: Amount,
    /// In locks given by the bank.
    pub locked_by_bank: Amount,
    /// What the partner wants insured now; 0 when nothing.
    pub wants_insurance: Amount,
}

impl Bank {
    /// What an operator sees.
    pub fn exposure(&self, chain: &Chain<'_>) -> Exposure {
        let mut partners = Vec::new();
        for (partner, peer) in self.peers.iter() {
            let own = if self.peers.own_key() < *partner { Side::Left } else { Side::Right };
            let agreement = peer.channel.agreement();
            for asset in agreement.assets() {
                let line = agreement.line(asset);
                let locked = |side| Amount::try_from(agreement.reserved_by(asset, side)).unwrap_or(Amount::MAX);
                let wants = wanted(agreement, asset, own.other(), chain.parameters().min_insurance);
                partners.push(PartnerExposure {
                    partner: *partner,
                    connected: peer.connected,
                    asset,
                    insurance: agreement.shared.asset(asset).map_or(0, |entry| entry.insurance),
                    partner_insured: line.insured(own.other()),
                    partner_uninsured: line.uninsured(own.other()),
                    own_insured: line.insured(own),
                    own_uninsured: line.uninsured(own),
                    locked_by_partner: locked(own.other()),
                    locked_by_bank: locked(own),
                    wants_insurance: wants.unwrap_or(0),
                });
            }
        }
        Exposure { partners, rebalancing: self.mandates.is_asking(), forwards: self.forwards.iter().count() }
    }
}
