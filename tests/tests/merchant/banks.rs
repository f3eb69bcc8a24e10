//! One merchant with two banks: who is with either pays, what each owes and insures is told of each, and with one of
//! them down the other goes on.

use crate::shop::{ALL, PATIENCE, PAYER, Shop, World, make_key};
use anyhow::{Context as _, Result, ensure};
use fair_core::payment::invoice;
use fair_core::types::PublicKey;
use fair_tests::network::{BANK, MERCHANT, Network, NewWallet, Plan, SECOND_BANK};
use fair_tests::wait;
use serde_json::{Value, json};

/// Who pays by the second bank.
const OTHER: &str = "other-payer";
/// In cents.
const AMOUNT: u64 = 5_000;

/// A merchant with two banks, and somebody with money at each.
struct Town {
    world: World,
    banks: [PublicKey; 2],
}

impl Town {
    async fn start() -> Result<Self> {
        // The first bank insures nobody by itself: what the second does is seen to be its own.
        let settings = "rebalance_every_blocks = 0\n".to_owned();
        let plan = Plan { validators: 1, second_bank: true, bank_settings: Some(settings), ..Plan::new()? };
        let mut network = Network::start(&plan).await?;
        let banks: Vec<PublicKey> = network.genesis()?.banks.iter().map(|bank| bank.key).collect();
        let [first, second] = banks[..] else { anyhow::bail!("{} banks", banks.len()) };
        network.add_wallet(&NewWallet { name: PAYER, settings: None, side: None }).await?;
        network.add_merchant(OTHER, &format!("funds_itself = true\nbanks = [\"{second}\"]\n")).await?;
        let of_both = format!("funds_itself = true\nmin_insured = 100\nbanks = [\"{first}\", \"{second}\"]\n");
        network.add_merchant(MERCHANT, &of_both).await?;
        let shop = Shop::new(&network, &make_key(&network, &ALL).await?)?;
        let town = Self { world: World::with(network, shop).await?, banks: [first, second] };
        wait::until("money at the second bank", PATIENCE, async || {
            let status = town.world.status(OTHER).await?;
            Ok((status["assets"][0]["can_send"].as_u64() >= Some(100_000)).then_some(()))
        })
        .await?;
        town.both_reachable().await?;
        Ok(town)
    }

    /// Waits until the merchant can be paid through either.
    async fn both_reachable(&self) -> Result<()> {
        wait::until("both banks", PATIENCE, async || {
            let channels = self.channels().await?;
            let open = channels.iter().all(|channel| channel["can_receive"].as_u64() >= Some(AMOUNT));
            Ok((open && self.connected().await? == [true, true]).then_some(()))
        })
        .await
    }

    /// What the merchant says of its channel with each bank.
    async fn channels(&self) -> Result<[Value; 2]> {
        let balance = self.world.shop.get("/v1/balance").await?.expect(200);
        let channels = balance["assets"][0]["channels"].as_array().context("channels")?;
        Ok(self.banks.map(|bank| {
            let of_bank = channels.iter().find(|channel| channel["bank"] == json!(bank));
            of_bank.cloned().unwrap_or_default()
        }))
    }

    async fn connected(&self) -> Result<[bool; 2]> {
        let balance = self.world.shop.get("/v1/balance").await?.expect(200);
        let banks = balance["banks"].as_array().context("banks")?;
        Ok(self.banks.map(|bank| banks.iter().any(|one| one["bank"] == json!(bank) && one["connected"] == true)))
    }

    /// Lets whoever is with the second bank pay.
    async fn pay_by_the_second(&self, invoice: &Value) -> Result<String> {
        let id = invoice["id"].as_str().context("an id")?;
        let order = json!({ "request": id, "to": invoice["invoice"] });
        let paid = self.world.order(OTHER, "/v1/pay", &order).await?.expect(200);
        Ok(paid["state"].as_str().context("a state")?.to_owned())
    }

    /// The banks that a wallet reads out of an invoice.
    fn banks_of(&self, made: &Value) -> Result<Vec<PublicKey>> {
        let chain_id = self.world.network.genesis()?.chain_id();
        let text = made["invoice"].as_str().context("an invoice")?;
        Ok(invoice::from_text(text, &chain_id)?.body().banks.clone())
    }
}

fn part(channel: &Value, part: &str) -> u64 {
    channel[part].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_banks_are_paid_through_insured_and_told_of_each_by_itself() -> Result<()> {
    let town = Town::start().await?;
    let shop = &town.world.shop;
    let order = json!({ "amount": AMOUNT, "refunds": true });
    let before = town.channels().await?;
    let [at_first, at_second] = [shop.invoice(&order).await?, shop.invoice(&order).await?];
    for made in [&at_first, &at_second] {
        let named = town.banks_of(made)?;
        ensure!(town.banks.iter().all(|bank| named.contains(bank)), "{named:?}");
    }
    assert_eq!(town.world.pay(&at_first).await?, "paid");
    assert_eq!(town.pay_by_the_second(&at_second).await?, "paid");
    for made in [&at_first, &at_second] {
        let paid = shop.event("invoice.paid", &made["id"]).await?;
        let promised = json!({ "insured": 0, "uninsured": AMOUNT, "enough": false });
        assert_eq!(paid["data"]["assurance"], promised);
    }
    let after = town.channels().await?;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(part(after, "uninsured"), part(before, "uninsured") + AMOUNT, "each owes what came through it");
        assert_eq!(part(after, "insured"), part(before, "insured"));
    }

    // The second insures what it owes: that assures what came through it, and nothing of the first.
    let told = shop.newest_event().await?;
    let assured = wait::until("insurance", PATIENCE, async || {
        town.world.network.node(SECOND_BANK, "rebalance", &[]).await?;
        let page = shop.get(&format!("/v1/events?after={told}&wait=2")).await?.expect(200);
        let events = page["events"].as_array().context("events")?;
        Ok(events.iter().find(|event| event["type"] == "invoice.assured").cloned())
    })
    .await?;
    assert_eq!(assured["data"]["id"], at_second["id"]);
    assert_eq!(shop.look(&at_second).await?["assurance"]["enough"], true);
    assert_eq!(shop.look(&at_first).await?["assurance"]["enough"], false);
    let [first, second] = town.channels().await?;
    assert_eq!((part(&first, "uninsured"), part(&second, "uninsured")), (AMOUNT, 0));
    assert_eq!(part(&second, "insured"), part(&before[1], "insured") + AMOUNT);
    town.world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_bank_down_the_shop_is_paid_through_the_other() -> Result<()> {
    let mut town = Town::start().await?;
    let order = json!({ "amount": 500, "min_insured": 0, "refunds": true });
    for (down, name) in [BANK, SECOND_BANK].into_iter().enumerate() {
        let early = town.world.shop.invoice(&order).await?;
        town.world.network.stop(name).await?;
        wait::until("the merchant to notice", PATIENCE, async || Ok((!town.connected().await?[down]).then_some(())))
            .await?;
        ensure!(town.connected().await?[1 - down], "the other stays");
        let shop = town.world.shop.clone();
        let late = shop.invoice(&order).await?;
        let before = town.channels().await?;
        for made in [&early, &late] {
            ensure!(town.banks_of(made)?.contains(&town.banks[1 - down]), "it names the one that works");
            let paid = if down == 0 { town.pay_by_the_second(made).await? } else { town.world.pay(made).await? };
            assert_eq!(paid, "paid", "{name} is down");
            let seen = shop.until(made, "paid").await?;
            assert_eq!((&seen["received"], &seen["assurance"]["enough"]), (&json!(500), &json!(true)));
        }
        // And money goes back the same way.
        let path = format!("/v1/invoices/{}/refunds", late["id"].as_str().context("an id")?);
        let refund = shop.post(&path, &json!({ "amount": 200 })).await?.expect(201);
        shop.event("refund.paid", &refund["id"]).await?;
        let after = town.channels().await?;
        let sum = |channel: &Value| part(channel, "insured") + part(channel, "uninsured");
        assert_eq!(sum(&after[1 - down]), sum(&before[1 - down]) + 800);
        assert_eq!(sum(&after[down]), sum(&before[down]), "nothing came through the one that is down");

        // Up again, it is paid through as before.
        town.world.network.restart(name).await?;
        town.both_reachable().await?;
        let again = shop.invoice(&order).await?;
        let payer = if down == 0 { PAYER } else { OTHER };
        wait::until("its payer", PATIENCE, async || {
            let status = town.world.status(payer).await?;
            Ok((status["connected"] == true && status["stale"] == false).then_some(()))
        })
        .await?;
        let paid = if down == 0 { town.world.pay(&again).await? } else { town.pay_by_the_second(&again).await? };
        ensure!(paid != "failed", "{name} is up again");
        shop.until(&again, "paid").await?;
    }
    town.world.network.shut_down().await
}
