//! The bad bank of docs/protocol.md, section 8: it owes two people 1,000 each, one on either side of their
//! channels, moves its FRD away and is silent. Somebody registers the two, they dispute; what the bank has left
//! is taken, the rest is debt, paid as the bank receives anything. Of each, paid + open debt is 1,000 at every
//! block after its resolution.

use anyhow::{Context, Result, ensure};
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::receipt::OpeningEvent;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Parties, PublicKey, Side, Signature};
use fair_tests::network::BANK;
use std::collections::BTreeMap;

use crate::cast::{Actor, World, frd};
use crate::chain::{Seen, account_key, owed, transfer};

/// Where the bank hides its money; nobody has the key.
const ELSEWHERE: PublicKey = PublicKey([3; 32]);
/// What it leaves behind.
const LEFT_BEHIND: Amount = frd(300);

/// What a creditor had before its dispute was resolved.
struct Claim {
    name: String,
    key: PublicKey,
    parties: Parties,
    /// On-chain balance before the block of the resolution; known from the block before.
    before: Amount,
    resolved: bool,
}

impl Claim {
    /// Holds the rule at one block.
    fn check(&mut self, seen: &Seen<'_>, bank: &PublicKey) -> Result<()> {
        let balance = seen.state.balance(&self.key, AssetId::FRD);
        let resolution = seen.openings.iter().find_map(|opening| match &opening.event {
            OpeningEvent::Resolved { parties, assets, .. } if *parties == self.parties => Some(assets.clone()),
            _ => None,
        });
        if let Some(assets) = resolution {
            let [asset] = assets.as_slice() else { anyhow::bail!("{assets:?}") };
            ensure!(asset.insurance == 0 && asset.owed == frd(1_000), "{asset:?}");
            ensure!(asset.paid + asset.debt == frd(1_000), "{asset:?}");
            self.resolved = true;
        }
        if self.resolved {
            let (paid, open) = (balance - self.before, owed(seen.state, bank, &self.key));
            ensure!(paid + open == frd(1_000), "{}: {paid} paid + {open} open at {}", self.name, seen.state.height());
        } else {
            self.before = balance;
        }
        Ok(())
    }
}

/// Everything that the bank has but so much, and the fee, goes elsewhere, under its own key.
async fn move_money_away(world: &mut World) -> Result<()> {
    let key = account_key(&world.network, BANK)?;
    world.watcher.until("the newest block", |_| Ok(Some(()))).await?;
    let state = world.watcher.state();
    let balance = state.balance(&world.bank, AssetId::FRD);
    let creation_fee = state.parameters().account_creation_fee;
    let body = Batch {
        signer: world.bank,
        nonce: 0,
        valid_until: 0,
        fee_rate: 0,
        entries: vec![Entry { group: None, operation: transfer(0, ELSEWHERE) }],
    };
    let bytes = batch::signed_bytes(&Signed { body, signature: Signature([0; 64]) });
    let fee = batch::fee(state.parameters().min_fee_rate, bytes).context("a fee")?;
    let amount = balance - fee - creation_fee - LEFT_BEHIND;
    world.watcher.apply(&key, vec![transfer(amount, ELSEWHERE)]).await?;
    let left = world.balance(&world.bank);
    // Of the four validators the first has the bank's account, and so perhaps the fees of this block.
    ensure!(left >= LEFT_BEHIND && left <= LEFT_BEHIND + fee + creation_fee, "{left} left");
    Ok(())
}

/// The bank receives an amount on-chain, which goes to whom it owes, the rule being held at every block.
async fn bank_receives(world: &mut World, claims: &mut BTreeMap<String, Claim>, amount: Amount) -> Result<()> {
    let (bank, stranger) = (world.bank, world.stranger.clone());
    let open = |world: &World, claims: &BTreeMap<String, Claim>| -> Amount {
        claims.values().map(|claim| owed(world.watcher.state(), &bank, &claim.key)).sum()
    };
    let before = open(world, claims);
    world.watcher.apply(&stranger, vec![transfer(amount, bank)]).await?;
    for claim in claims.values_mut() {
        claim.check(&Seen { state: world.watcher.state(), openings: &[] }, &bank)?;
    }
    let after = open(world, claims);
    // Fees that reach the bank's account as a validator's pay debts too.
    let paid = before - after;
    ensure!(paid >= amount.min(before), "{paid} of {before} paid by {amount}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_bank_owes_what_it_cannot_pay_and_pays_as_it_receives() -> Result<()> {
    let mut world = World::start().await?;
    let payer = world.wallet("two", Side::Left).await?;
    let creditors: Vec<Actor> =
        vec![world.wallet("left", Side::Left).await?, world.wallet("right", Side::Right).await?];
    world.give(payer.key, frd(6_000)).await?;
    world.deposit(&payer, "5000").await?;
    for creditor in &creditors {
        for _ in 0..4 {
            world.pay(&payer, creditor, frd(250)).await?;
        }
        world.owns(creditor, 100_000).await?;
        ensure!(world.status(creditor).await?["assets"][0]["insured"] == 0);
    }

    world.network.kill(BANK).await?;
    move_money_away(&mut world).await?;
    let mut claims = BTreeMap::new();
    for creditor in &creditors {
        world.give(creditor.key, frd(10)).await?;
        world.dispute(creditor).await?;
        let (name, key, parties) = (creditor.name.clone(), creditor.key, world.parties(creditor)?);
        let before = world.balance(&key);
        claims.insert(name.clone(), Claim { name, key, parties, before, resolved: false });
    }
    let bank = world.bank;
    let both = world.watcher.until("both resolutions", |seen| {
        for claim in claims.values_mut() {
            claim.check(seen, &bank)?;
        }
        Ok(claims.values().all(|claim| claim.resolved).then_some(()))
    });
    both.await?;
    let open: Amount = claims.values().map(|claim| owed(world.watcher.state(), &bank, &claim.key)).sum();
    ensure!(open < frd(2_000) && open > frd(1_600), "{open} open");
    // The floor pays fees for court, and nothing else.
    ensure!(world.balance(&bank) == world.watcher.state().parameters().debt_floor, "the bank keeps the floor");
    for creditor in &creditors {
        ensure!(world.watcher.state().channel(&world.parties(creditor)?).epoch == 1);
    }

    bank_receives(&mut world, &mut claims, frd(500)).await?;
    bank_receives(&mut world, &mut claims, frd(600)).await?;
    bank_receives(&mut world, &mut claims, frd(2_000)).await?;
    ensure!(world.watcher.state().debts().count() == 0, "everything is paid");
    for claim in claims.values() {
        ensure!(world.balance(&claim.key) - claim.before == frd(1_000), "{} has its 1,000", claim.name);
    }

    // The bank comes back; the channels go on in the next epoch, on no credit until it is granted anew.
    world.network.restart(BANK).await?;
    for creditor in &creditors {
        world.owns(creditor, 0).await?;
        let refused = world.pay(&payer, creditor, frd(1)).await;
        ensure!(refused.is_err(), "{} has granted no credit yet", creditor.name);
        world.node(&creditor.name, "credit", &["--limit", "1000"]).await?;
        world.pay(&payer, creditor, frd(7)).await?;
        world.owns(creditor, 700).await?;
    }
    world.end().await
}
