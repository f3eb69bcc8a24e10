//! A chain as channels see it: per block the facts of each channel, the registry, and what court decided.
//! Deposits, withdrawals and resolutions follow docs/protocol.md, sections 3 and 6; consensus, fees and
//! accounts are left out.

use fair_core::chain::params::Parameters;
use fair_core::channel::shared::{AssetFacts, ChainView, CourtStatus, Facts, Head, Sides};
use fair_core::channel::state::{ChannelState, StateOrder};
use fair_core::crypto::{Secret, lock_hash};
use fair_core::ledger::operation::WithdrawalConsent;
use fair_core::message::{Message, Signed};
use fair_core::types::{Amount, AssetId, Hash, Height, Parties, Side, TimeMs, UsableHeight};
use std::collections::BTreeMap;

/// One channel on the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Collateral, delimiter, consent numbers.
    pub facts: Facts,
    /// Disputes.
    pub court: CourtStatus,
}

#[derive(Clone, Debug)]
struct Block {
    usable_height: UsableHeight,
    time_ms: TimeMs,
    rows: BTreeMap<Parties, Row>,
}

/// The whole chain, from genesis at height 0.
#[derive(Clone, Debug)]
pub struct Chain {
    /// K.
    pub parameters: Parameters,
    /// The network.
    pub chain_id: Hash,
    blocks: Vec<Block>,
    next: BTreeMap<Parties, Row>,
    reveals: BTreeMap<Hash, (Height, UsableHeight)>,
    shown: BTreeMap<Hash, Secret>,
}

/// Why a withdrawal is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Not signed by the other side.
    Signature,
    /// Of another epoch.
    Epoch,
    /// Not the next number.
    Nonce,
    /// Too late.
    Expired,
    /// More than there is.
    Insurance,
}

impl Chain {
    /// Genesis.
    pub fn new(parameters: Parameters) -> Self {
        let genesis = Block { usable_height: 0, time_ms: 0, rows: BTreeMap::new() };
        Self {
            parameters,
            chain_id: Hash([7; 32]),
            blocks: vec![genesis],
            next: BTreeMap::new(),
            reveals: BTreeMap::new(),
            shown: BTreeMap::new(),
        }
    }

    /// Height of the newest block.
    pub fn tip(&self) -> Height {
        (self.blocks.len() - 1) as Height
    }

    /// U and time of a block.
    pub fn head_at(&self, height: Height) -> Head {
        let block = &self.blocks[height as usize];
        Head { height, usable_height: block.usable_height, time_ms: block.time_ms }
    }

    /// Adds a block with everything that was submitted since the last one.
    pub fn mine(&mut self) {
        let last = self.blocks.last().expect("genesis");
        let usable_height = last.usable_height + 1;
        let time_ms = last.time_ms + self.parameters.min_block_interval_ms;
        for row in self.next.values_mut() {
            row.facts.usable_height = usable_height;
        }
        self.blocks.push(Block { usable_height, time_ms, rows: self.next.clone() });
    }

    /// Adds blocks.
    pub fn mine_many(&mut self, count: u64) {
        for _ in 0..count {
            self.mine();
        }
    }

    /// What the next block will say of a channel.
    pub fn row(&self, parties: &Parties) -> Row {
        self.next.get(parties).cloned().unwrap_or_default()
    }

    fn asset_mut(&mut self, parties: &Parties, asset: AssetId) -> &mut AssetFacts {
        let assets = &mut self.next.entry(*parties).or_default().facts.assets;
        let position = match assets.binary_search_by_key(&asset, |entry| entry.asset) {
            Ok(position) => position,
            Err(position) => {
                let entry = AssetFacts { asset, insurance: 0, ondelta: 0, consent_nonces: Sides::default() };
                assets.insert(position, entry);
                position
            }
        };
        &mut assets[position]
    }

    /// `Deposit` on a side of a channel.
    pub fn deposit(&mut self, parties: &Parties, side: Side, asset: AssetId, amount: Amount) {
        let entry = self.asset_mut(parties, asset);
        entry.insurance += amount;
        if side == Side::Left {
            entry.ondelta += i64::try_from(amount).expect("a small amount");
        }
    }

    /// Registers a side as a bank with a price of insurance.
    pub fn register_bank(&mut self, parties: &Parties, side: Side, price: Amount) {
        *self.next.entry(*parties).or_default().facts.insurance_prices.get_mut(side) = Some(price);
    }

    /// `Withdraw`.
    ///
    /// # Errors
    /// [`Skipped`] names the receipt's reason; nothing changed then.
    pub fn withdraw(&mut self, proof: &Signed<WithdrawalConsent>) -> Result<(), Skipped> {
        let consent = &proof.body;
        let granter = consent.parties.key(consent.withdrawer.other());
        if consent.chain_id != self.chain_id || !consent.is_signed_by(&self.chain_id, &granter, &proof.signature) {
            return Err(Skipped::Signature);
        }
        if consent.epoch != self.row(&consent.parties).court.epoch {
            return Err(Skipped::Epoch);
        }
        let now = self.head_at(self.tip()).usable_height + 1;
        if now > consent.expires_at {
            return Err(Skipped::Expired);
        }
        let entry = self.asset_mut(&consent.parties, consent.asset);
        if *entry.consent_nonces.get(consent.withdrawer) != consent.nonce {
            return Err(Skipped::Nonce);
        }
        if consent.amount > entry.insurance {
            return Err(Skipped::Insurance);
        }
        *entry.consent_nonces.get_mut(consent.withdrawer) += 1;
        entry.insurance -= consent.amount;
        if consent.withdrawer == Side::Left {
            entry.ondelta -= i64::try_from(consent.amount).expect("a small amount");
        }
        Ok(())
    }

    /// `Reveal`, executed in the next block. A second one changes nothing.
    pub fn reveal(&mut self, hash: Hash) {
        let height = self.tip() + 1;
        let usable_height = self.head_at(self.tip()).usable_height + 1;
        self.reveals.entry(hash).or_insert((height, usable_height));
    }

    /// The same, and whoever looks at the registry reads the secret.
    pub fn show(&mut self, secret: Secret) {
        let hash = lock_hash(&secret);
        self.reveal(hash);
        self.shown.insert(hash, secret);
    }

    /// Court begins: nothing more is signed.
    pub fn dispute(&mut self, parties: &Parties) {
        self.next.entry(*parties).or_default().court.disputed = true;
    }

    /// Court decides by the highest state that was shown, and the channel starts anew.
    pub fn resolve(&mut self, parties: &Parties, states: &[ChannelState]) -> StateOrder {
        let best = states.iter().map(ChannelState::order).max().unwrap_or(StateOrder::DEFAULT);
        let row = self.next.entry(*parties).or_default();
        row.court = CourtStatus { epoch: row.court.epoch + 1, disputed: false, resolved: Some(best) };
        for entry in &mut row.facts.assets {
            entry.insurance = 0;
            entry.ondelta = 0;
        }
        best
    }
}

/// A party's verified view: the chain up to its own head.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The chain.
    pub chain: &'a Chain,
    /// Whose channel.
    pub parties: Parties,
    /// The party's head.
    pub height: Height,
}

impl ChainView for View<'_> {
    fn parameters(&self) -> &Parameters {
        &self.chain.parameters
    }

    fn head(&self) -> Head {
        self.chain.head_at(self.height)
    }

    fn facts(&self, height: Height) -> Option<Facts> {
        let least = self.height.saturating_sub(self.chain.parameters.proof_window_heights.into());
        if height > self.height || height < least {
            return None;
        }
        let block = &self.chain.blocks[height as usize];
        let row = block.rows.get(&self.parties).cloned().unwrap_or_default();
        Some(Facts { usable_height: block.usable_height, ..row.facts })
    }

    fn revealed(&self, hash: &Hash, height: Height) -> Option<UsableHeight> {
        self.chain.reveals.get(hash).filter(|(at, _)| *at <= height).map(|(_, usable)| *usable)
    }

    fn secret(&self, hash: &Hash) -> Option<Secret> {
        self.revealed(hash, self.height).and_then(|_| self.chain.shown.get(hash).copied())
    }

    fn court(&self) -> CourtStatus {
        self.chain.blocks[self.height as usize]
            .rows
            .get(&self.parties)
            .map_or_else(CourtStatus::default, |row| row.court)
    }
}
