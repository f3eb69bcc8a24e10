//! The verified chain as bank and wallet see it while they handle one input.

use crate::chain::follow::Follower;
use crate::chain::params::Parameters;
use crate::channel::shared::{AssetFacts, ChainView, CourtStatus, Facts, Head, Sides};
use crate::channel::state::StateOrder;
use crate::crypto::Secret;
use crate::ledger::state::{CourtState, Dispute, Key, State, Value};
use crate::types::{Amount, Hash, Height, Parties, PublicKey, Side, TimeMs, UsableHeight};

/// The state after the newest verified block, and that block's height, U and time.
#[derive(Clone, Copy)]
pub struct Chain<'a> {
    /// After the head.
    pub state: &'a State,
    /// The newest verified block. Its U is the one by which the next block is executed.
    pub head: Head,
}

impl<'a> Chain<'a> {
    /// What a follower has verified.
    pub fn of(follower: &'a Follower) -> Self {
        let state = follower.state();
        let head =
            Head { height: state.height(), usable_height: state.usable_height(), time_ms: follower.head_time_ms() };
        Self { state, head }
    }

    /// K.
    pub fn parameters(&self) -> &'a Parameters {
        self.state.parameters()
    }

    /// Whether the head is too old to promise anything by.
    pub fn is_stale(&self, now_ms: TimeMs) -> bool {
        now_ms.saturating_sub(self.head.time_ms) > self.parameters().stale_head_ms
    }

    /// What it says about the channel of two keys.
    pub fn channel(&self, a: PublicKey, b: PublicKey) -> ChannelView<'a> {
        ChannelView { chain: *self, parties: Parties::new(a, b) }
    }
}

/// What the chain says about one channel.
#[derive(Clone, Copy)]
pub struct ChannelView<'a> {
    chain: Chain<'a>,
    /// `None` for a key with itself, which has no channel.
    parties: Option<Parties>,
}

impl<'a> ChannelView<'a> {
    /// The dispute of the channel.
    pub fn dispute(&self) -> Option<&'a Dispute> {
        self.chain.state.dispute(self.parties.as_ref()?)
    }

    fn usable_height_after(&self, height: Height) -> Option<UsableHeight> {
        match self.chain.state.value_at(height, &Key::Clock) {
            Ok(Some(Value::Clock(usable_height))) => Some(*usable_height),
            _ => None,
        }
    }

    fn insurance_price(&self, height: Height, key: PublicKey) -> Option<Amount> {
        match self.chain.state.value_at(height, &Key::Bank(key)) {
            Ok(Some(Value::Bank(bank))) => Some(bank.insurance_price),
            _ => None,
        }
    }
}

impl ChainView for ChannelView<'_> {
    fn parameters(&self) -> &Parameters {
        self.chain.parameters()
    }

    fn head(&self) -> Head {
        self.chain.head
    }

    fn facts(&self, height: Height) -> Option<Facts> {
        let parties = self.parties?;
        let channel = self.chain.state.channel_at(height, &parties).ok()?;
        let assets = channel
            .assets
            .iter()
            .map(|part| AssetFacts {
                asset: part.asset,
                insurance: part.insurance,
                ondelta: part.ondelta,
                consent_nonces: Sides { left: part.next_consent(Side::Left), right: part.next_consent(Side::Right) },
            })
            .collect();
        Some(Facts {
            usable_height: self.usable_height_after(height)?,
            insurance_prices: Sides {
                left: self.insurance_price(height, parties.left()),
                right: self.insurance_price(height, parties.right()),
            },
            assets,
        })
    }

    fn revealed(&self, hash: &Hash, height: Height) -> Option<UsableHeight> {
        match self.chain.state.value_at(height, &Key::Hashlock(*hash)) {
            Ok(Some(Value::Hashlock(entry))) => Some(entry.revealed_at),
            _ => None,
        }
    }

    fn secret(&self, hash: &Hash) -> Option<Secret> {
        self.chain.state.hashlock(hash).map(|entry| entry.secret)
    }

    fn court(&self) -> CourtStatus {
        let Some(parties) = &self.parties else { return CourtStatus::default() };
        let channel = self.chain.state.channel(parties);
        CourtStatus { epoch: channel.epoch, disputed: self.dispute().is_some(), resolved: channel.resolved }
    }

    fn in_court(&self) -> Option<CourtState> {
        let dispute = self.dispute()?;
        Some(dispute.state.clone().unwrap_or(CourtState { order: StateOrder::DEFAULT, subs: Vec::new() }))
    }
}
