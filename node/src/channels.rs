//! A channel as its operator sees it: what both ends signed last, and whether more is under way.

use fair_core::channel::Channel;
use fair_core::message::Message as _;
use fair_core::types::{Epoch, Hash, PublicKey, Side};
use serde::Serialize;

/// One end of a channel. Two ends agree when everything but `partner` is the same.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChannelView {
    /// The other end.
    pub(crate) partner: PublicKey,
    /// The partner has greeted in a session that stands.
    pub(crate) connected: bool,
    /// Nothing is under way.
    pub(crate) idle: bool,
    /// Disputes resolved in it before.
    pub(crate) epoch: Epoch,
    /// Number of the newest frame that both signed.
    pub(crate) frame: u64,
    /// Who made it.
    pub(crate) proposer: Side,
    /// What is signed, as one digest.
    pub(crate) state: Hash,
}

impl ChannelView {
    /// Looks at a channel.
    pub(crate) fn of(channel: &Channel) -> Self {
        let state = &channel.agreement().state;
        Self {
            partner: channel.partner_key(),
            connected: channel.is_connected(),
            idle: channel.is_idle(),
            epoch: state.epoch,
            frame: state.frame,
            proposer: state.proposer,
            state: state.digest(&channel.chain_id()),
        }
    }
}
