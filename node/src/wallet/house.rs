//! What a wallet without a person does for itself: uses its banks, and on test networks, unless its operator
//! does that, gets play money and deposits some of it, so that it can pay.

use super::config::Settings;
use crate::limits;
use fair_core::chain::genesis::Purpose;
use fair_core::effect::Effect;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, Parties, PublicKey, TimeMs};
use fair_core::wallet::{Credit, Event, Input, Wallet, usual_price};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;

/// What it deposits: 2,000.00.
const DEPOSIT: Amount = 200_000;
/// What stays on-chain for fees.
const KEEP: Amount = 10_000;
/// Asked for again only after this.
const FAUCET_PAUSE: Duration = Duration::from_secs(15);

/// What it looks after.
pub(super) struct House {
    /// At least one; money goes into the channel with the first.
    banks: Vec<PublicKey>,
    purpose: Purpose,
    settings: Settings,
    needs_money: watch::Sender<bool>,
}

impl House {
    pub(super) fn new(banks: Vec<PublicKey>, purpose: Purpose, settings: Settings) -> (Self, watch::Receiver<bool>) {
        let (needs_money, needed) = watch::channel(false);
        (Self { banks, purpose, settings, needs_money }, needed)
    }

    /// Looks around after a block.
    pub(super) fn keep(&self, wallet: &mut Wallet, chain: &Chain<'_>, now_ms: TimeMs) -> Vec<Effect<Event>> {
        let mut effects = Vec::new();
        // A wallet that lost its records may only be asking a bank as yet.
        let used: Vec<PublicKey> = wallet.banks().map(|(bank, _)| bank).collect();
        for bank in self.banks.iter().filter(|bank| !used.contains(bank)).copied().collect::<Vec<_>>() {
            let Settings { credit_limit: limit, mut insure_above, .. } = self.settings;
            let price = chain.state.bank(&bank).map_or(0, |bank| bank.insurance_price);
            let most_price = usual_price(insure_above.unwrap_or(0).max(chain.parameters().min_insurance));
            if insure_above.is_some() && price > most_price {
                tracing::warn!(%bank, price, most_price, "its insurance is too dear, and is not asked for by itself");
                insure_above = None;
            }
            let credit = |asset| Credit { asset, limit, insure_above, most_price };
            let credit = vec![credit(AssetId::FRD), credit(AssetId::FRB)];
            self.want(wallet, Input::AddBank { bank, credit }, chain, now_ms, &mut effects);
        }
        if self.purpose == Purpose::Test && self.settings.funds_itself {
            self.fill(wallet, chain, now_ms, &mut effects);
        }
        effects
    }

    /// Gets money on-chain, then deposits some.
    fn fill(&self, wallet: &mut Wallet, chain: &Chain<'_>, now_ms: TimeMs, effects: &mut Vec<Effect<Event>>) {
        let own = wallet.key();
        let Some(bank) = self.banks.first().copied() else { return };
        let Some(parties) = Parties::new(own, bank) else { return };
        let insurance = chain.state.channel(&parties).asset_or_zero(AssetId::FRD).insurance;
        let busy = wallet.on_chain().draft().next().is_some() || wallet.on_chain().under_way().is_some();
        let has_enough = chain.state.balance(&own, AssetId::FRD) >= DEPOSIT.saturating_add(KEEP);
        let wants = insurance == 0 && !busy && !chain.is_stale(now_ms);
        self.needs_money.send_replace(wants && !has_enough);
        if !wants || !has_enough {
            return;
        }
        let deposit = Operation::Deposit(Deposit {
            asset: AssetId::FRD,
            amount: DEPOSIT,
            to: own,
            partner: Some(bank),
            keep: 0,
            epoch: None,
            invoice: None,
        });
        let mut request = [0; 16];
        request.split_at_mut(8).0.copy_from_slice(&chain.head.height.to_be_bytes());
        self.want(wallet, Input::DraftAdd { operations: vec![deposit] }, chain, now_ms, effects);
        self.want(wallet, Input::SendBatch { request }, chain, now_ms, effects);
    }

    fn want(
        &self,
        wallet: &mut Wallet,
        input: Input<'_>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        effects: &mut Vec<Effect<Event>>,
    ) {
        match wallet.handle(input, chain, now_ms) {
            Ok(more) => effects.extend(more),
            Err(refusal) => tracing::warn!(%refusal, "the wallet cannot look after itself"),
        }
    }
}

/// Asks the faucet through the relay whenever money is needed.
pub(super) async fn ask_for_money(
    client: reqwest::Client,
    relay: String,
    account: PublicKey,
    mut needed: watch::Receiver<bool>,
) {
    loop {
        if needed.wait_for(|needed| *needed).await.is_err() {
            return;
        }
        let request = client.post(format!("{relay}/v1/faucet")).json(&json!({ "account": account }));
        match request.timeout(Duration::from_millis(limits::SUBMIT_TIMEOUT_MS)).send().await {
            Ok(response) if response.status().is_success() => tracing::info!("the faucet gives"),
            Ok(response) => tracing::warn!(status = %response.status(), "the faucet does not give"),
            Err(error) => tracing::warn!(%error, "the faucet cannot be reached"),
        }
        tokio::time::sleep(FAUCET_PAUSE).await;
    }
}
