//! A thousand payments between two people, each in a browser of its own, through relay and bank.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fair_tests::browser::Browser;
use fair_tests::browser::person::{self, Pictures};
use fair_tests::network::{Network, Plan};
use serde_json::{Value, json};

const PAYMENTS: usize = 1_000;

/// Invoices are handed over in portions of this size.
const PORTION: usize = 100;

/// How long a portion may take.
const PORTION_DEADLINE: Duration = Duration::from_secs(120);

/// The public interface of the engine, as any page of this origin may use it.
const CONNECT: &str = "window.fair ??= (await import('/js/client.js')).connect(
    { name: 'default', relays: [location.origin] });";

const MAKE_INVOICES: &str = "const made = [];
    for (let index = 0; index < amount; index += 1) {
        const invoice = await window.fair.createInvoice({ key: crypto.randomUUID(), asset: 1, amount: 1n,
            description: null, expiresInSeconds: 3600 });
        made.push(invoice.text);
    }
    return made;";

/// Pays one after another. A payment's time ends when it is final: in every possible outcome of the payer's
/// channel, which the bank's acknowledgement makes it after the payee's.
const PAY_ALL: &str = "const ended = new Map();
    const off = window.fair.on('payment', (payment) => {
        if (payment.state === 'paid' || payment.state === 'failed') ended.get(payment.id)?.(payment);
    });
    const times = [];
    for (const text of texts) {
        const key = crypto.randomUUID();
        const started = performance.now();
        const begun = await window.fair.pay({ key, text, amount: null, asset: null, maxFee: 0n, description: null });
        const end = new Promise((resolve) => ended.set(begun.id, resolve));
        const known = await window.fair.payment({ id: begun.id });
        const over = known.state === 'paid' || known.state === 'failed' ? known : await end;
        times.push([over.state, performance.now() - started]);
        ended.delete(begun.id);
    }
    off();
    return times;";

const LOOK: &str = "const [balance] = await window.fair.balances();
    const [channel] = await window.fair.channels();
    return { own: String(balance.parts.insured + balance.parts.uninsured), frame: String(channel.frame),
        locks: channel.assets.flatMap(({ locks }) => locks).length };";

/// Runs statements in an async function of the page with named arguments.
async fn ask(browser: &Browser, statements: &str, arguments: Value) -> Result<Value> {
    let script = format!(
        "const done = arguments[arguments.length - 1];
        (async ({{ amount, texts }}) => {{ {CONNECT} {statements} }})(arguments[0])
            .then((value) => done({{ value }}), (error) => done({{ error: `${{error.code}}: ${{error.message}}` }}));"
    );
    browser.driver().set_script_timeout(PORTION_DEADLINE).await?;
    let answer = browser.driver().execute_async(script, vec![arguments]).await?;
    let answer = answer.json();
    match answer.get("error") {
        Some(error) => anyhow::bail!("the page's script failed: {error}"),
        None => Ok(answer["value"].clone()),
    }
}

/// A wallet with a bank and `deposit` in the channel with it.
async fn open_wallet(network: &Network, deposit: Option<&str>) -> Result<Browser> {
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    person::create_wallet(&browser, Pictures::None).await?;
    if deposit.is_some() {
        person::get_money(&browser).await?;
    } else {
        browser.click("More").await?;
        browser.click("Banks").await?;
        browser.see("No bank yet").await?;
    }
    person::add_bank(&browser, Pictures::None).await?;
    if let Some(amount) = deposit {
        person::deposit(&browser, amount, Pictures::None).await?;
    }
    Ok(browser)
}

/// The middle and the slowest hundredth, in milliseconds.
fn percentiles(mut times: Vec<f64>) -> Option<(f64, f64)> {
    times.sort_by(f64::total_cmp);
    Some((*times.get(times.len() / 2)?, *times.get(times.len() * 99 / 100)?))
}

#[tokio::test]
async fn a_thousand_payments_between_two_browsers() -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let payer = open_wallet(&network, Some("100")).await?;
    let payee = open_wallet(&network, None).await?;

    let mut times = Vec::new();
    for _ in 0..PAYMENTS / PORTION {
        let texts = ask(&payee, MAKE_INVOICES, json!({ "amount": PORTION })).await?;
        let paid = ask(&payer, PAY_ALL, json!({ "texts": texts })).await?;
        for (index, one) in paid.as_array().context("a list")?.iter().enumerate() {
            ensure!(one[0] == "paid", "payment {} ended as {}", times.len() + index, one[0]);
        }
        times.extend(paid.as_array().into_iter().flatten().filter_map(|one| one[1].as_f64()));
    }
    ensure!(times.len() == PAYMENTS, "{} payments were timed", times.len());
    let (middle, slowest) = percentiles(times).context("some times")?;
    println!("{PAYMENTS} payments, none failed: p50 {middle:.1} ms, p99 {slowest:.1} ms");

    let [payer_has, payee_has] = [ask(&payer, LOOK, json!({})).await?, ask(&payee, LOOK, json!({})).await?];
    ensure!(payer_has["own"] == "9000" && payer_has["locks"] == 0, "the payer has {payer_has}");
    ensure!(payee_has["own"] == "1000" && payee_has["locks"] == 0, "the payee has {payee_has}");
    payer.close().await?;
    payee.close().await?;
    network.shut_down().await
}
