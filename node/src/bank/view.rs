//! What an operator sees: `GET /v1/status`, the page and `node status` all show this.

use super::config::Settings;
use crate::channels::ChannelView;
use fair_core::bank::{Bank, Exposure};
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey, TimeMs, UsableHeight};
use serde::Serialize;

/// The state of a bank.
#[derive(Clone, Debug, Serialize)]
pub(super) struct View {
    pub(super) kind: &'static str,
    pub(super) account: PublicKey,
    pub(super) handle: String,
    /// Whether wallets find it on the chain: before that it begins no channels.
    pub(super) registered: bool,
    pub(super) head: Height,
    pub(super) head_time_ms: TimeMs,
    pub(super) stale: bool,
    pub(super) balances: Vec<Balance>,
    pub(super) batch_under_way: Option<Hash>,
    pub(super) draft: usize,
    pub(super) rebalance_every_blocks: u64,
    pub(super) next_rebalance_at: Option<UsableHeight>,
    pub(super) exposure: Exposure,
    pub(super) channels: Vec<ChannelView>,
}

/// On-chain money of the bank and how the asset is written.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Balance {
    pub(super) asset: AssetId,
    pub(super) ticker: String,
    pub(super) decimals: u8,
    pub(super) amount: Amount,
}

pub(super) fn view(bank: &Bank, account: PublicKey, settings: &Settings, chain: &Chain<'_>, now_ms: TimeMs) -> View {
    let balances = chain.state.assets().map(|asset| Balance {
        asset: asset.id,
        ticker: asset.ticker.clone(),
        decimals: asset.decimals,
        amount: chain.state.balance(&account, asset.id),
    });
    View {
        kind: "bank",
        account,
        registered: chain.state.bank(&account).is_some(),
        handle: chain.state.bank(&account).map(|bank| bank.handle.clone()).unwrap_or_default(),
        head: chain.head.height,
        head_time_ms: chain.head.time_ms,
        stale: chain.is_stale(now_ms),
        balances: balances.collect(),
        batch_under_way: bank.on_chain().under_way().map(|sent| sent.hash),
        draft: bank.on_chain().draft().count(),
        rebalance_every_blocks: settings.machine.rebalance_every_blocks,
        next_rebalance_at: bank.next_rebalance(),
        exposure: bank.exposure(chain),
        channels: bank.partners().map(|(_, channel)| ChannelView::of(channel)).collect(),
    }
}
