//! The bad bank of docs/protocol.md, section 8: it owes two people 1,000 each, one on either side of their
//! channels, moves its FRD away and is silent. Somebody registers the two; their pages dispute; what the bank has
//! left is taken, the rest is debt, paid as the bank receives anything. Of each, paid + open debt is 1,000 at every
//! block after its resolution.

use anyhow::{Context, Result, ensure};
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Parties, PublicKey, Side, Signature};
use fair_tests::browser::person::{self, BLOCKS, shown};
use fair_tests::browser::{Browser, Place};
use fair_tests::network::BANK;

use crate::cast::{Actor, World, frd};
use crate::chain::{Chain, PATIENCE, Resolution, Seen, account_key, owed, transfer};
use crate::person::Person;

/// Where the bank hides its money; nobody has the key.
const ELSEWHERE: PublicKey = PublicKey([3; 32]);
/// What it leaves behind.
const LEFT_BEHIND: Amount = frd(300);
/// What it owes each.
const CLAIM: Amount = frd(1_000);

/// Somebody with a wallet in a browser, who was paid 1,000 and has only the bank's promise.
struct Creditor {
    name: &'static str,
    browser: Browser,
    key: PublicKey,
    parties: Parties,
}

impl Creditor {
    async fn paid_by(payer: &Actor, world: &mut World, side: Side) -> Result<Self> {
        let (Person { name, key, parties }, browser) = Person::arrives(world, side, 0).await?;
        for _ in 0..4 {
            let invoice = person::make_invoice(&browser, "250", "A week's work").await?;
            world.pay_invoice(payer, &invoice).await?;
            browser.see("250.00 FRD received").await?;
            browser.click("New invoice").await?;
        }
        browser.click("Home").await?;
        browser.see("Uninsured 1,000.00 FRD").await?;
        ensure!(world.watcher.newest().await?.account(&key).is_none(), "the chain has never seen {name}");
        Ok(Self { name, browser, key, parties })
    }

    /// By the page, after a look at what will come of it.
    async fn disputes(&self, world: &mut World) -> Result<()> {
        self.browser.run("location.hash = '#/banks'").await?;
        self.browser.click("Limits, insurance, withdrawal").await?;
        self.browser.click("Dispute").await?;
        self.browser.click("What a dispute would do").await?;
        self.browser.see("@main would owe 1,000.00 FRD more to you").await?;
        self.browser.click("Sign and dispute").await?;
        self.browser.see_within("You took this channel to court", BLOCKS).await?;
        let parties = self.parties;
        world.watcher.until("the dispute in a block", |seen| Ok(seen.state.dispute(&parties).map(drop))).await
    }

    fn open(&self, world: &World) -> Amount {
        owed(world.watcher.state(), &world.bank, &self.key)
    }

    /// What the wallet's pages say of its debt, while there is one.
    async fn pictures_of_debt(&self, world: &World, decided: &Resolution) -> Result<()> {
        let (paid, debt) = (shown(decided.asset.paid), shown(decided.asset.debt));
        let taken = format!("{paid} FRD of it was taken from its on-chain balance, {debt} FRD became a debt.");
        let says = ["@main owed 1,000.00 FRD more to you", taken.as_str()];
        let picture = |of: &str| format!("bad-bank-{}-{of}", self.name);
        world.picture_of_decision(&self.browser, decided, &says, &picture("decided")).await?;
        let debt = format!("{} FRD", shown(self.open(world)));
        let says = &["You are owed", "@main owes you", "pays its oldest debts first", &debt];
        self.browser.pictures(&[Place { at: "onchain", says, picture: &picture("debt") }]).await
    }

    /// What they say when all of it is paid.
    async fn pictures_of_end(&self, world: &World, last: Amount) -> Result<()> {
        let balance = format!("{} FRD", shown(world.balance(&self.key)));
        let says = &["Nothing is owed any more", &balance, &format!("+{} FRD", shown(last))];
        self.browser.pictures(&[Place { at: "onchain", says, picture: &format!("bad-bank-{}-paid", self.name) }]).await
    }
}

/// What somebody had before court decided, and that it did.
struct Claim<'a> {
    creditor: &'a Creditor,
    before: Amount,
    is_decided: bool,
}

impl Claim<'_> {
    /// Holds the rule at one block.
    fn check(&mut self, seen: &Seen<'_>, bank: &PublicKey) -> Result<()> {
        let key = self.creditor.key;
        let balance = seen.state.balance(&key, AssetId::FRD);
        self.is_decided |= seen.resolution(&self.creditor.parties)?.is_some();
        if self.is_decided {
            let (paid, open, height) = (balance - self.before, owed(seen.state, bank, &key), seen.state.height());
            ensure!(paid + open == CLAIM, "{}: {paid} paid + {open} open at {height}", self.creditor.name);
        } else {
            self.before = balance;
        }
        Ok(())
    }
}

/// The rule at every block of the chain, all executed again.
async fn check_every_block(world: &World, creditors: &[Creditor]) -> Result<()> {
    let mut claims: Vec<Claim<'_>> =
        creditors.iter().map(|creditor| Claim { creditor, before: 0, is_decided: false }).collect();
    let last = world.watcher.state().height();
    let mut chain = Chain::new(&world.network)?;
    let whole = chain.until("all blocks", |seen| {
        for claim in &mut claims {
            claim.check(seen, &world.bank)?;
        }
        Ok((seen.state.height() == last).then_some(()))
    });
    whole.await?;
    ensure!(claims.iter().all(|claim| claim.is_decided), "court has decided for both");
    Ok(())
}

/// Everything that the bank has but so much, and the fee, goes elsewhere, under its own key.
async fn move_money_away(world: &mut World) -> Result<()> {
    let key = account_key(&world.network, BANK)?;
    let state = world.watcher.newest().await?;
    let balance = state.balance(&key.public(), AssetId::FRD);
    let creation_fee = state.parameters().account_creation_fee;
    let body = Batch {
        signer: key.public(),
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

/// Waits until court has decided for all.
async fn decided(world: &mut World, creditors: &[Creditor]) -> Result<Vec<Resolution>> {
    let mut found = vec![None; creditors.len()];
    let all = world.watcher.until("both resolutions", |seen| {
        for (creditor, found) in creditors.iter().zip(&mut found) {
            *found = found.or(seen.resolution(&creditor.parties)?);
        }
        Ok(found.iter().copied().collect())
    });
    let decided: Vec<Resolution> = all.await?;
    for Resolution { asset, .. } in &decided {
        ensure!(asset.insurance == 0 && asset.owed == CLAIM, "{asset:?}");
        ensure!(asset.paid + asset.debt == CLAIM, "{asset:?}");
    }
    Ok(decided)
}

/// The bank receives an amount on-chain, which goes to whom it owes.
async fn bank_receives(world: &mut World, creditors: &[Creditor], amount: Amount) -> Result<()> {
    let open = |world: &World| -> Amount { creditors.iter().map(|creditor| creditor.open(world)).sum() };
    world.watcher.newest().await?;
    let before = open(world);
    world.give(world.bank, amount).await?;
    // Fees that reach the bank's account as a validator's pay debts too.
    let paid = before - open(world);
    ensure!(paid >= amount.min(before), "{paid} of {before} paid by {amount}");
    Ok(())
}

/// The bank goes on, and so do its channels: on no credit until it is granted anew.
async fn go_on(world: &mut World, payer: &Actor, creditor: &Creditor) -> Result<()> {
    world.to_bank(&creditor.browser).await?;
    creditor.browser.see_within("Your limits are zero", PATIENCE).await?;
    creditor.browser.click("Set a limit again").await?;
    creditor.browser.fill("Credit limit in FRD", "1000").await?;
    creditor.browser.click("Save limits").await?;
    creditor.browser.see_no_more("Your limits are zero").await?;
    let invoice = person::make_invoice(&creditor.browser, "7", "Another day").await?;
    world.pay_invoice(payer, &invoice).await?;
    creditor.browser.see_within("7.00 FRD received", BLOCKS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_bank_owes_what_it_cannot_pay_and_pays_as_it_receives() -> Result<()> {
    let mut world = World::start().await?;
    let payer = world.wallet("two", Side::Left).await?;
    world.give(payer.key, frd(6_000)).await?;
    world.deposit(&payer, "5000").await?;
    let creditors = [
        Creditor::paid_by(&payer, &mut world, Side::Left).await?,
        Creditor::paid_by(&payer, &mut world, Side::Right).await?,
    ];

    world.network.kill(BANK).await?;
    move_money_away(&mut world).await?;
    for creditor in &creditors {
        world.give(creditor.key, frd(10)).await?;
        creditor.disputes(&mut world).await?;
    }
    let decided = decided(&mut world, &creditors).await?;
    let open: Amount = creditors.iter().map(|creditor| creditor.open(&world)).sum();
    ensure!(open < frd(2_000) && open > frd(1_600), "{open} open");
    // The floor pays fees for court, and nothing else.
    ensure!(world.balance(&world.bank) == world.watcher.state().parameters().debt_floor, "the bank keeps the floor");
    for creditor in &creditors {
        ensure!(world.watcher.state().channel(&creditor.parties).epoch == 1);
    }
    explorer_of_debts(&world, &creditors, &decided).await?;
    for (creditor, decided) in creditors.iter().zip(&decided) {
        creditor.pictures_of_debt(&world, decided).await?;
    }

    // What the last payment to each was.
    let mut last = [0; 2];
    for amount in [500, 600, 2_000] {
        for (creditor, last) in creditors.iter().zip(&mut last) {
            let open = creditor.open(&world);
            *last = if open > 0 { open } else { *last };
        }
        bank_receives(&mut world, &creditors, frd(amount)).await?;
    }
    let height = world.watcher.state().height();
    ensure!(world.watcher.state().debts().count() == 0, "everything is paid");
    check_every_block(&world, &creditors).await?;
    explorer_of_payment(&world, &creditors[1], last[1], height).await?;
    for (creditor, last) in creditors.iter().zip(last) {
        creditor.pictures_of_end(&world, last).await?;
    }

    world.network.restart(BANK).await?;
    for creditor in creditors {
        go_on(&mut world, &payer, &creditor).await?;
        creditor.browser.close().await?;
    }
    world.end().await
}

/// What everybody can look up while the bank is in debt.
async fn explorer_of_debts(world: &World, creditors: &[Creditor; 2], decided: &[Resolution]) -> Result<()> {
    let browser = world.explorer().await?;
    let mut debts = vec!["Debts".to_owned(), "paid next".to_owned(), "1 older debt first".to_owned()];
    for (creditor, Resolution { height, asset, .. }) in creditors.iter().zip(decided) {
        let who = world.number(&creditor.key)?;
        let owed = format!("@main owed 1,000.00 FRD more to account {who}");
        let debt = format!("{} FRD became a debt", shown(asset.debt));
        let picture = format!("bad-bank-explorer-{}", creditor.name);
        let at = format!("explorer/block/{height}");
        browser.pictures(&[Place { at: &at, says: &[&owed, &debt], picture: &picture }]).await?;
        debts.push(format!("@main owes account {who}"));
        debts.push(format!("{} FRD", shown(creditor.open(world))));
    }
    let debts: Vec<&str> = debts.iter().map(String::as_str).collect();
    let bank = format!("explorer/account/{}", world.number(&world.bank)?);
    browser
        .pictures(&[
            Place { at: "explorer/court", says: &debts, picture: "bad-bank-explorer-court" },
            Place { at: &bank, says: &debts, picture: "bad-bank-explorer-bank" },
        ])
        .await?;
    browser.close().await
}

/// The block whose batch paid the last of it, which was owed to the second.
async fn explorer_of_payment(world: &World, paid: &Creditor, last: Amount, height: u64) -> Result<()> {
    let amount = format!("+{} FRD", shown(last));
    let says = &["sent 2,000.00 FRD to @main", "Older debts paid on the way", &amount];
    let (block, account) = (format!("explorer/block/{height}"), world.number(&paid.key)?);
    world
        .pictures(&[
            Place { at: &block, says, picture: "bad-bank-explorer-payment" },
            Place { at: "explorer/court", says: &["Nobody has a debt"], picture: "bad-bank-explorer-end" },
            Place {
                at: &format!("explorer/account/{account}"),
                says: &["Court resolved", &amount],
                picture: "bad-bank-explorer-creditor",
            },
        ])
        .await
}
