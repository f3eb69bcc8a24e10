//! The till: a sale that is paid is heard, if somebody wants to hear it, and the day's takings are a file.

use crate::pages::eval;
use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::person::{self, BLOCKS, Pictures};
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{COUNTERPART, Members, Network, Plan};
use fair_tests::wait;
use serde_json::{Value, json};

/// Keeps the tones that are played and the files that are handed to the person, instead of downloading them.
const LISTEN: &str = "window.tones = []; window.files = [];
    window.OscillatorNode = class extends OscillatorNode {
        start(at) { window.tones.push(this.frequency.value); super.start(at); }
    };
    const make = URL.createObjectURL;
    let newest = null;
    URL.createObjectURL = (blob) => { newest = blob; return make.call(URL, blob); };
    HTMLAnchorElement.prototype.click = function () {
        const [blob, name] = [newest, this.download];
        blob.text().then((text) => window.files.push([name, text]));
    };";

/// Under a key there is one invoice, whoever asks for another. It asks by a second client, of which Firefox allows a page
/// no more than one.
async fn one_invoice_under_a_key(browser: &Browser) -> Result<()> {
    let asked = eval(
        browser,
        "const { connect } = await import('/js/client.js');
        const client = connect({ name: 'default', relays: [location.origin] });
        const order = { key: crypto.randomUUID(), asset: 1, amount: 500n, description: null, expiresInSeconds: 900 };
        const [first, again] = [await client.createInvoice(order), await client.createInvoice(order)];
        const other = client.createInvoice({ ...order, amount: 5000n });
        return [first.text === again.text, await other.then(() => 'made', ({ code }) => code)];",
    );
    assert_eq!(asked.await?, json!([true, "input.key_used"]));
    Ok(())
}

/// Charges an amount; the text of its invoice.
async fn charge(browser: &Browser, amount: &str) -> Result<String> {
    browser.fill("To be paid", amount).await?;
    browser.click("Charge").await?;
    browser.see("Show this to the customer").await?;
    browser.see_focus("main").await?;
    browser.screenshot("till-charging").await?;
    browser.click("The customer cannot scan it").await?;
    browser.text_of(".copyable code").await
}

/// Lets the counterpart pay an invoice; how that stands at the end.
async fn pay(network: &Network, invoice: &str) -> Result<Value> {
    let url = format!("{}/v1/pay-me", network.url_of(COUNTERPART)?);
    Ok(reqwest::Client::new().post(url).json(&json!({ "invoice": invoice })).send().await?.json().await?)
}

/// Charges an amount and lets the counterpart pay it.
async fn sell(browser: &Browser, network: &Network, amount: &str) -> Result<()> {
    let invoice = charge(browser, amount).await?;
    let paying = pay(network, invoice.trim()).await?;
    ensure!(paying["failure"].is_null(), "{paying}");
    browser.see_within(&format!("{amount} FRD received"), BLOCKS).await
}

/// Saves the day, and returns the newest file: its name and its lines.
async fn save(browser: &Browser, count: usize) -> Result<(String, Vec<String>)> {
    browser.click("Save as CSV").await?;
    let file = wait::until("a file", BLOCKS, async || {
        let files = browser.run("return window.files;").await?;
        Ok(files.as_array().filter(|files| files.len() == count).and_then(|files| files.last().cloned()))
    });
    let file = file.await?;
    let (name, text) = file[0].as_str().zip(file[1].as_str()).context("a file")?;
    Ok((name.to_owned(), text.lines().map(ToOwned::to_owned).collect()))
}

in_both!(a_sale_is_heard_and_stands_in_the_file_of_the_day);

async fn a_sale_is_heard_and_stands_in_the_file_of_the_day(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan { members: Members::AllAndCounterpart, ..Plan::with_pages()? }).await?;
    let browser = Browser::open_as(kind, Windows::Opened).await?;
    browser.go(&format!("{}/", network.url()?)).await?;
    person::create_wallet(&browser, Pictures::None).await?;
    person::get_money(&browser).await?;
    person::add_bank(&browser, Pictures::None).await?;
    let counterpart = network.url_of(COUNTERPART)?;
    wait::until("somebody with money", BLOCKS, async || {
        let status: Value = reqwest::get(format!("{counterpart}/v1/status")).await?.json().await?;
        Ok(status["assets"][0]["can_send"].as_u64().filter(|money| *money > 2_000))
    })
    .await?;
    browser.run("location.hash = '#/till'").await?;
    browser.see("Nothing has come in today").await?;
    browser.run(LISTEN).await?;
    browser.screenshot("till").await?;

    sell(&browser, &network, "7.50").await?;
    browser.see("1 received").await?;
    browser.screenshot("till-paid").await?;
    let tones = async || browser.run("return window.tones;").await;
    assert_eq!(tones().await?, json!([660, 990]), "one chime");
    let (name, lines) = save(&browser, 1).await?;
    assert_eq!((name.as_str(), lines.len()), ("fair-till.csv", 2), "{lines:?}");
    ensure!(lines[0].contains("amount") && lines[1].contains(",7.50,"), "{lines:?}");

    // Without the sound it is only seen; the file has both.
    browser.click("Next sale").await?;
    browser.see_no_more("7.50 FRD received").await?;
    browser.see_focus("till-amount").await?;
    ensure!(browser.value("To be paid").await?.is_empty(), "the next sale begins empty");
    browser.click("Sound is on").await?;
    browser.see("Sound is off").await?;
    sell(&browser, &network, "3.25").await?;
    browser.see("2 received").await?;
    assert_eq!(tones().await?, json!([660, 990]));
    let (_, lines) = save(&browser, 2).await?;
    let amounts: Vec<bool> = ["7.50", "3.25"].map(|sum| lines.iter().any(|line| line.contains(sum))).to_vec();
    assert_eq!((lines.len(), amounts), (3, vec![true, true]), "{lines:?}");
    if kind == Kind::Chromium {
        browser.narrow_pictures("till").await?;
    }
    browser.on_a_small_phone("till").await?;

    // A new amount takes the place of the one that was wrong, which nobody can pay any more.
    browser.click("Next sale").await?;
    let wrong = charge(&browser, "99.00").await?;
    browser.click("New amount").await?;
    browser.see("Charge").await?;
    let refused = pay(&network, wrong.trim()).await?;
    ensure!(refused["failure"].is_string(), "{refused}");
    browser.see("2 received").await?;
    if kind == Kind::Chromium {
        one_invoice_under_a_key(&browser).await?;
    }
    receipt(&browser).await?;
    assert_eq!(browser.console_errors().await?, Vec::<String>::new());
    browser.close().await?;
    network.shut_down().await
}

/// The customer of the first sale gets a receipt, and anybody sees what it proves.
async fn receipt(browser: &Browser) -> Result<()> {
    browser.run("location.hash = document.querySelector('ul.rows li:last-child a').hash;").await?;
    browser.see("Give it to the payer").await?;
    browser.screenshot("receipt").await?;
    browser.click("What it proves").await?;
    for says in ["It was paid", "7.50 FRD", "by the payee’s clock"] {
        browser.see(says).await?;
    }
    browser.screenshot("receipt-checked").await?;
    browser.on_a_small_phone("receipt-checked").await?;
    let text = browser.value("Receipt or proof of payment").await?;
    browser.fill("Receipt or proof of payment", &text.replacen('q', "p", 1)).await?;
    browser.see("This proves nothing").await?;
    browser.fill("Receipt or proof of payment", "").await?;
    browser.see_no_more("This proves nothing").await
}
