//! The worked example of docs/protocol.md, section 8 (all but the bad bank), by two people in browsers of
//! their own, in all four orientations: every number is read off their screens.

use anyhow::{Context, Result};
use fair_core::types::{PublicKey, Side};
use fair_tests::browser::Browser;
use fair_tests::browser::person::{self, BLOCKS, Pictures};
use fair_tests::network::{BANK, BankKey, Network, Plan};
use fair_tests::wait;

/// A person with a wallet open.
struct Person {
    browser: Browser,
    /// Of the wallet in use.
    key: PublicKey,
    side: Side,
}

/// A row of the bank page's exact numbers, by its name.
const ROW: &str = "const rows = [...document.querySelectorAll('dt')];
    const row = rows.find((row) => row.innerText.trim() === arguments[0]);
    return row?.nextElementSibling?.innerText.replace(/\\s+/g, ' ').trim() ?? null;";

/// Whole FRD as the pages write them.
fn shown(frd: i64) -> String {
    format!("{}{} FRD", if frd < 0 { "−" } else { "" }, person::shown(frd.unsigned_abs() * 100))
}

impl Person {
    async fn on(browser: Browser, network: &Network, side: Side, name: &str) -> Result<Self> {
        let key = person::create_wallet_on(&browser, network, side, name).await?;
        Ok(Self { browser, key, side })
    }

    /// Goes to the page of its bank and opens the exact numbers.
    async fn look_at_bank(&self) -> Result<()> {
        self.browser.click("More").await?;
        self.browser.click("Banks").await?;
        self.browser.click("Limits, insurance, withdrawal").await?;
        self.browser.click("Exact state").await
    }

    /// Waits until the bank's page says so.
    async fn reads(&self, row: &str, expected: &str) -> Result<()> {
        let reading = wait::until(format!("`{row}` to be {expected}"), BLOCKS, async || {
            let value = self.browser.driver().execute(ROW, vec![row.into()]).await?;
            Ok((value.json().as_str() == Some(expected)).then_some(()))
        });
        match reading.await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(self.browser.text().await?)),
        }
    }

    /// Insurance, on-chain part, off-chain part and delta in whole FRD, as the bank's page shows them.
    async fn reads_numbers(&self, numbers: [i64; 4]) -> Result<()> {
        self.look_at_bank().await?;
        for (row, frd) in ["Insurance", "On-chain part", "Off-chain part", "Delta"].into_iter().zip(numbers) {
            self.reads(row, &shown(frd)).await?;
        }
        Ok(())
    }

    async fn pay(&self, invoice: &str, button: &str) -> Result<()> {
        self.browser.click("Pay").await?;
        self.browser.fill("Invoice or address", invoice).await?;
        self.browser.click(button).await?;
        self.browser.see("Final in").await?;
        self.browser.click("Home").await
    }
}

/// 2 with 5000 in its channel, and 123, whom the chain has never seen.
async fn open(network: &Network, sides: [Side; 2], browsers: [Browser; 2]) -> Result<[Person; 2]> {
    let [first, second] = browsers;
    let name = |who: &str| {
        format!("{who}-{sides:?}").to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "")
    };
    let two = Person::on(first, network, sides[0], &name("two")).await?;
    person::get_money(&two.browser).await?;
    person::add_bank(&two.browser, Pictures::None).await?;
    person::deposit(&two.browser, "5000", Pictures::None).await?;
    two.browser.see("On-chain 4,999.97 FRD").await?;
    let newcomer = Person::on(second, network, sides[1], &name("newcomer")).await?;
    newcomer.browser.click("More").await?;
    newcomer.browser.click("Banks").await?;
    newcomer.browser.see("No bank yet").await?;
    person::add_bank(&newcomer.browser, Pictures::None).await?;
    Ok([two, newcomer])
}

/// One orientation, from the deposit to the splice.
async fn example(
    network: &Network,
    sides: [Side; 2],
    browsers: [Browser; 2],
    pictures: Pictures,
) -> Result<[Browser; 2]> {
    let [two, newcomer] = open(network, sides, browsers).await?;
    let (deposited, lost) = if two.side == Side::Left { (5_000, -1) } else { (0, 1) };
    two.reads_numbers([5_000, deposited, 0, deposited]).await?;

    // 2 pays 10 to 1 directly, 1 pays the 10 back.
    two.browser.click("Pay this bank").await?;
    two.browser.fill("Amount", "10").await?;
    two.browser.click("Pay 10.00 FRD").await?;
    two.browser.see("Final in").await?;
    two.reads_numbers([5_000, deposited, lost * 10, deposited + lost * 10]).await?;
    network.node(BANK, "pay-direct", &["--peer", &two.key.to_string(), "--amount", "10.00"]).await?;
    two.reads_numbers([5_000, deposited, 0, deposited]).await?;

    // 2 pays 123 through 1 in many payments, 1000 in sum.
    for _ in 0..5 {
        let invoice = person::make_invoice(&newcomer.browser, "200", "A part of it").await?;
        two.pay(&invoice, "Pay 200.00 FRD").await?;
        newcomer.browser.see("200.00 FRD received").await?;
        newcomer.browser.click("New invoice").await?;
    }
    two.reads_numbers([5_000, deposited, lost * 1_000, deposited + lost * 1_000]).await?;
    let promised = if newcomer.side == Side::Left { 1_000 } else { -1_000 };
    newcomer.reads_numbers([0, 0, promised, promised]).await?;
    newcomer.browser.see("part is promised only").await?;

    // Good bank: rebalance.
    newcomer.browser.click("Insure now").await?;
    newcomer.browser.see_within("all insured", 2 * BLOCKS).await?;
    let left = two.side == Side::Left;
    two.reads_numbers([4_000, if left { 5_000 } else { -1_000 }, lost * 1_000, if left { 4_000 } else { 0 }]).await?;
    let after = if newcomer.side == Side::Left { [995, -5, 1_000, 995] } else { [995, 1_000, -1_000, 0] };
    newcomer.reads_numbers(after).await?;
    if pictures == Pictures::Kept {
        two.browser.screenshot("story-two-rebalanced").await?;
        newcomer.browser.screenshot("story-newcomer-rebalanced").await?;
    }
    newcomer.browser.click("Home").await?;
    newcomer.browser.see("On-chain 5.00 FRD").await?;

    // Splice: 2 takes 3000 from 2@1 and deposits 3000 to 123@1 in one batch.
    two.browser.click("Withdraw FRD").await?;
    two.browser.fill("Amount to withdraw", "3000").await?;
    two.browser.fill("Where to", "Another account").await?;
    two.browser.fill("Account", &newcomer.key.to_string()).await?;
    two.browser.click("Continue").await?;
    two.browser.click("Ask for withdrawal").await?;
    two.browser.see_within("bank agreed", BLOCKS).await?;
    two.browser.click("Sign and send").await?;
    newcomer.browser.see_within("Insured 3,995.00 FRD", BLOCKS).await?;
    if pictures == Pictures::Kept {
        newcomer.browser.screenshot("story-newcomer-spliced").await?;
    }
    Ok([two.browser, newcomer.browser])
}

#[tokio::test]
async fn the_worked_example_on_two_screens() -> Result<()> {
    let network = Network::start(&Plan { bank_key: BankKey::Middle, ..Plan::with_pages()? }).await?;
    let mut browsers = [Browser::open().await?, Browser::open().await?];
    let mut pictures = Pictures::Kept;
    for two in [Side::Left, Side::Right] {
        for newcomer in [Side::Left, Side::Right] {
            browsers = example(&network, [two, newcomer], browsers, pictures)
                .await
                .with_context(|| format!("2 is {two:?}, 123 is {newcomer:?}"))?;
            pictures = Pictures::None;
        }
    }
    for browser in browsers {
        browser.close().await?;
    }
    network.shut_down().await
}
