//! A state together with its shared part: what transitions change, always on a copy.

use super::delta::NumberLine;
use super::shared::{AssetFacts, Facts, Hold, Shared, SharedAsset, Terms};
use super::state::{ChannelState, LockId, StateOrder};
use super::transition::Invalid;
use crate::chain::params::Parameters;
use crate::ordered;
use crate::types::{Amount, AssetId, Epoch, Hash, Height, Parties, Side, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeSet;

/// A channel state and the shared part that hashes into it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Agreement {
    /// What is signed.
    pub state: ChannelState,
    /// What its `shared_hash` is over.
    pub shared: Shared,
}

/// What new chain facts did to an agreement.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum FactChange {
    /// A withdrawal ended.
    HoldEnded {
        /// In which asset.
        asset: AssetId,
        /// Whose.
        withdrawer: Side,
        /// It was executed on-chain; otherwise it expired.
        executed: bool,
    },
    /// Insurance arrived and its price was paid.
    InsurancePaid {
        /// In which asset.
        asset: AssetId,
        /// Who is insured and paid.
        payer: Side,
        /// The price.
        price: Amount,
    },
}

impl Agreement {
    /// What holds before anything is signed.
    pub fn default_of(chain_id: Hash, parties: Parties, epoch: Epoch) -> Self {
        let shared = Shared::default();
        Self { state: ChannelState::default_of(chain_id, parties, epoch, shared.hash()), shared }
    }

    /// The number line of an asset. Conservation is asserted on the way.
    pub fn line(&self, asset: AssetId) -> NumberLine {
        let (insurance, ondelta) = self.shared.asset(asset).map_or((0, 0), |entry| (entry.insurance, entry.ondelta));
        NumberLine::new(insurance, ondelta, self.state.offdelta(asset))
    }

    /// Sum of the locks that a side pays in an asset.
    pub fn reserved_by(&self, asset: AssetId, side: Side) -> u128 {
        self.state.sub(asset).map_or(0, |sub| sub.reserved_by(side))
    }

    /// What is held of a side's balance: its withdrawal under way, or after a restore by the other side
    /// its whole insured part.
    pub fn held(&self, asset: AssetId, side: Side) -> Amount {
        let hold = self.shared.hold(asset, side).map_or(0, |hold| hold.amount);
        if self.shared.usable_height < *self.shared.held_until.get(side) {
            hold.max(self.line(asset).insured(side))
        } else {
            hold
        }
    }

    /// What a side can pay or lock: own balance + credit given by the other − own locks − own holds.
    pub fn available(&self, asset: AssetId, side: Side) -> Amount {
        let credit = self.shared.terms(asset, side.other()).map_or(0, |terms| terms.credit_limit);
        let available = self
            .line(asset)
            .balance(side)
            .saturating_add(i128::from(credit))
            .saturating_sub_unsigned(self.reserved_by(asset, side))
            .saturating_sub_unsigned(u128::from(self.held(asset, side)));
        Amount::try_from(available.max(0)).unwrap_or(Amount::MAX)
    }

    /// How much a side may ask to withdraw.
    pub fn withdrawable(&self, asset: AssetId, side: Side) -> Amount {
        let own = i128::from(self.line(asset).insured(side))
            .saturating_sub_unsigned(self.reserved_by(asset, side))
            .saturating_sub_unsigned(u128::from(self.held(asset, side)));
        let insurance = self.shared.asset(asset).map_or(0, |entry| entry.insurance);
        let left = insurance.saturating_sub(self.held(asset, side.other())).saturating_sub(self.held(asset, side));
        Amount::try_from(own.max(0)).unwrap_or(Amount::MAX).min(left)
    }

    /// Every asset that facts, terms or state name.
    pub fn assets(&self) -> BTreeSet<AssetId> {
        let shared = self.shared.assets.iter().map(|entry| entry.asset);
        ordered::set(shared.chain(self.state.subs.iter().map(|sub| sub.asset)))
    }

    /// Whether facts of a height would change more than the height: only then is a frame worth it.
    pub fn needs(&self, facts: &Facts, parameters: &Parameters) -> bool {
        let margin = UsableHeight::from(parameters.margin_blocks);
        let past = |deadline: UsableHeight| facts.usable_height > deadline.saturating_add(margin);
        let listed = ordered::set(facts.assets.iter().map(|entry| entry.asset));
        self.shared.insurance_prices != facts.insurance_prices
            || facts.assets.iter().any(|new| self.facts_of(new.asset) != *new)
            || self.shared.assets.iter().any(|entry| {
                (!listed.contains(&entry.asset) && self.facts_of(entry.asset) != no_facts(entry.asset))
                    || [&entry.terms.left, &entry.terms.right]
                        .iter()
                        .any(|terms| terms.hold.as_ref().is_some_and(|hold| past(hold.expires_at)))
            })
            || [self.shared.held_until.left, self.shared.held_until.right]
                .iter()
                .any(|until| self.shared.usable_height < *until && facts.usable_height >= *until)
    }

    /// Takes new chain facts: holds that ended are released, insurances that arrived are paid for.
    /// Both parties compute this alike.
    pub fn advance(
        &mut self,
        parameters: &Parameters,
        height: Height,
        facts: &Facts,
        reveals: Vec<(Hash, UsableHeight)>,
    ) -> Vec<FactChange> {
        let mut changes = Vec::new();
        let known = self.shared.assets.iter().map(|entry| entry.asset);
        let named = ordered::set(facts.assets.iter().map(|entry| entry.asset).chain(known));
        self.shared.as_of_height = height;
        self.shared.usable_height = facts.usable_height;
        self.shared.insurance_prices = facts.insurance_prices;
        self.shared.reveals = reveals;
        for asset in named {
            let new = facts.assets.iter().find(|entry| entry.asset == asset).cloned();
            self.advance_asset(parameters, &new.unwrap_or_else(|| no_facts(asset)), &mut changes);
        }
        self.tidy();
        changes
    }

    fn advance_asset(&mut self, parameters: &Parameters, new: &AssetFacts, changes: &mut Vec<FactChange>) {
        let asset = new.asset;
        let now = self.shared.usable_height;
        let margin = UsableHeight::from(parameters.margin_blocks);
        let old = self.facts_of(asset);
        let uninsured_before = [Side::Left, Side::Right].map(|side| (side, self.line(asset).uninsured(side)));
        let mut inflow = Sides128 {
            left: i128::from(new.ondelta).saturating_sub(i128::from(old.ondelta)),
            right: i128::from(new.insurance)
                .saturating_sub(i128::from(old.insurance))
                .saturating_sub(i128::from(new.ondelta))
                .saturating_add(i128::from(old.ondelta)),
        };
        let entry = self.shared.asset_mut(asset);
        entry.insurance = new.insurance;
        entry.ondelta = new.ondelta;
        entry.consent_nonces = new.consent_nonces;
        for withdrawer in [Side::Left, Side::Right] {
            let executed_nonce = *new.consent_nonces.get(withdrawer);
            let terms = entry.terms.get_mut(withdrawer);
            let Some(hold) = &terms.hold else { continue };
            let executed = executed_nonce > hold.nonce;
            if executed {
                inflow.add(withdrawer, hold.amount);
            }
            if executed || now > hold.expires_at.saturating_add(margin) {
                terms.hold = None;
                changes.push(FactChange::HoldEnded { asset, withdrawer, executed });
            }
        }
        for (side, uninsured) in uninsured_before {
            let newly_insured = inflow.get(side.other()).min(i128::from(uninsured));
            let newly_insured = Amount::try_from(newly_insured).unwrap_or(0);
            if newly_insured >= parameters.min_insurance {
                self.pay_for_insurance(parameters, asset, side, uninsured, newly_insured, changes);
            }
        }
    }

    /// The price is due once for each insurance that a side asked for, by request or threshold. It is the partner's to
    /// set, so it is never more than what is insured for it: what was covered before stays out of its reach.
    fn pay_for_insurance(
        &mut self,
        parameters: &Parameters,
        asset: AssetId,
        payer: Side,
        uninsured: Amount,
        newly_insured: Amount,
        changes: &mut Vec<FactChange>,
    ) {
        let available = self.available(asset, payer);
        let no_place =
            self.state.sub(asset).is_none() && self.state.subs.len() >= usize::from(parameters.max_channel_assets);
        let room = if no_place { 0 } else { self.room(asset) };
        let terms = self.shared.asset_mut(asset).terms.get_mut(payer);
        let above = terms.insure_above.is_some_and(|threshold| uninsured > threshold);
        let due = terms.insurance_requested || (above && uninsured >= parameters.min_insurance);
        if !due {
            return;
        }
        terms.insurance_requested = false;
        let price = terms.insurance_price.min(newly_insured).min(available).min(room);
        if price > 0 {
            self.pay(asset, payer, price);
            changes.push(FactChange::InsurancePaid { asset, payer, price });
        }
    }

    /// How far the offdelta of an asset can move in any direction within the bound of a state.
    pub(crate) fn room(&self, asset: AssetId) -> Amount {
        let extent = self.state.sub(asset).map_or(0, super::state::Sub::extent);
        let room = u128::from(crate::limits::MAX_SUPPLY).saturating_sub(extent);
        Amount::try_from(room).unwrap_or(Amount::MAX)
    }

    /// Moves the delimiter. The caller has checked that the result stays within [`Self::room`].
    pub(crate) fn pay(&mut self, asset: AssetId, payer: Side, amount: Amount) {
        let sub = self.state.sub_mut(asset);
        sub.offdelta = match payer {
            Side::Left => sub.offdelta.saturating_sub_unsigned(amount),
            Side::Right => sub.offdelta.saturating_add_unsigned(amount),
        };
        assert!(sub.extent() <= u128::from(crate::limits::MAX_SUPPLY), "the room was checked");
        self.state.drop_zero_subs();
        self.line(asset);
    }

    /// After a restore declared by `restorer`: the other side's whole insured part is held as long as a
    /// consent that the restorer forgot could be executed (rule 8).
    pub fn guard_after_restore(&mut self, parameters: &Parameters, restorer: Side) {
        let longest = UsableHeight::from(parameters.max_consent_blocks).saturating_add(parameters.margin_blocks.into());
        let until = self.shared.usable_height.saturating_add(longest).saturating_add(1);
        *self.shared.held_until.get_mut(restorer.other()) = until;
    }

    /// Numbers and hashes the result of a frame.
    pub fn seal(&mut self, order: StateOrder) {
        self.state.frame = order.frame;
        self.state.proposer = order.proposer;
        self.tidy();
        self.state.shared_hash = self.shared.hash();
    }

    /// The bounds that every frame keeps; each is also checked where a transition could pass it.
    ///
    /// # Errors
    /// [`Invalid`] names the bound.
    pub fn check_bounds(&self, parameters: &Parameters) -> Result<(), Invalid> {
        let max_locks = usize::from(parameters.max_locks);
        for giver in [Side::Left, Side::Right] {
            let locks = self.state.locks_of(giver).count();
            if locks > max_locks {
                return Err(Invalid::TooManyLocks { limit: parameters.max_locks });
            }
        }
        let max_assets = usize::from(parameters.max_channel_assets);
        if self.state.subs.len() > max_assets {
            return Err(Invalid::TooManyAssets { limit: parameters.max_channel_assets });
        }
        let bytes = self.state.encoded_bytes();
        if bytes > u64::from(parameters.max_state_bytes) {
            return Err(Invalid::StateTooLarge { limit_bytes: parameters.max_state_bytes, got_bytes: bytes });
        }
        if !self.state.is_well_formed() {
            return Err(Invalid::TooLarge);
        }
        Ok(())
    }

    fn facts_of(&self, asset: AssetId) -> AssetFacts {
        self.shared.asset(asset).map_or_else(
            || no_facts(asset),
            |entry| AssetFacts {
                asset,
                insurance: entry.insurance,
                ondelta: entry.ondelta,
                consent_nonces: entry.consent_nonces,
            },
        )
    }

    /// One encoding for one meaning: entries that say nothing go.
    fn tidy(&mut self) {
        self.shared.assets.retain(|entry| *entry != SharedAsset::zero(entry.asset));
    }

    /// Locks of the agreement by name.
    pub(crate) fn lock_names(&self) -> BTreeSet<LockId> {
        ordered::set([Side::Left, Side::Right].iter().flat_map(|side| self.state.locks_of(*side)).map(|(id, _)| id))
    }

    /// Terms to be changed.
    pub(crate) fn terms_mut(&mut self, asset: AssetId, side: Side) -> &mut Terms {
        self.shared.asset_mut(asset).terms.get_mut(side)
    }

    /// A side's withdrawal under way, with its terms.
    pub(crate) fn hold_mut(&mut self, asset: AssetId, side: Side) -> Option<&mut Hold> {
        self.terms_mut(asset, side).hold.as_mut()
    }
}

struct Sides128 {
    left: i128,
    right: i128,
}

impl Sides128 {
    fn get(&self, side: Side) -> i128 {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    fn add(&mut self, side: Side, amount: Amount) {
        let entry = match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        };
        *entry = entry.saturating_add(i128::from(amount));
    }
}

fn no_facts(asset: AssetId) -> AssetFacts {
    AssetFacts { asset, insurance: 0, ondelta: 0, consent_nonces: super::shared::Sides::default() }
}
