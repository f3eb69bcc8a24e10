//! What stands on the disk of a bank, for whoever has it.

use crate::network::{BANK, Network};
use anyhow::{Context as _, Result};
use fair_core::channel::Channel;
use fair_core::channel::state::ChannelState;
use fair_core::message::Signed;
use fair_core::peers::CHANNEL;
use fair_core::types::PublicKey;
use rusqlite::{Connection, OpenFlags};

/// The bank's channel with somebody, in the newest state that both have signed.
///
/// # Errors
/// If there is none.
pub fn channel(network: &Network, with: &PublicKey) -> Result<Channel> {
    let path = network.folder().join(BANK).join("offchain/db.sqlite");
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let key = [&[CHANNEL], with.0.as_slice()].concat();
    let record: Vec<u8> = database.query_row("SELECT value FROM records WHERE key = ?", [key], |row| row.get(0))?;
    Ok(Channel::from_record(&record)?)
}

/// That state as the partner has signed it, for the bank to show to court.
///
/// # Errors
/// If there is none, or nobody has signed it.
pub fn signed_by_partner(network: &Network, partner: &PublicKey) -> Result<Signed<ChannelState>> {
    let channel = channel(network, partner)?;
    let signatures = channel.signatures().context("both have signed")?;
    Ok(Signed { body: channel.agreement().state.clone(), signature: *signatures.get(channel.partner()) })
}
