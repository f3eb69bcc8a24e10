//! Invoices that are not paid: odd, old, foreign, or in a false name. Nobody here needs a wallet.

use anyhow::{Context as _, Result};
use fair_core::crypto::{Secret, SecretKey, lock_hash};
use fair_core::payment::invoice::{Description, Invoice, InvoiceId, LatePolicy, RefundPolicy, VERSION, to_text};
use fair_core::payment::text::Case;
use fair_core::types::{AssetId, Hash};
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{Network, Plan};
use fair_tests::wait;
use std::time::{SystemTime, UNIX_EPOCH};

use super::shop::{Order, Shop};
use super::{BUTTON, hear};
use fair_tests::browser::person::{self, BLOCKS, Pictures};

in_both!(
    what_cannot_be_paid_is_told_in_clear_words,
    nobody_is_paid_in_the_name_of_a_shop,
    words_of_strangers_stay_words_and_frames_stay_empty,
);

/// How long an invoice can be paid.
const LIFETIME_MS: u64 = 600_000;

/// Whom the shops of these tests belong to.
pub(super) fn payee() -> SecretKey {
    SecretKey::from_seed(&[77; 32])
}

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// An invoice over 12.00 FRD of the network's chain, changed and signed.
pub(super) fn signed(network: &Network, key: &SecretKey, change: impl FnOnce(&mut Invoice)) -> Result<String> {
    let genesis = network.genesis()?;
    let now_ms = now_ms()?;
    let mut invoice = Invoice {
        version: VERSION,
        chain_id: genesis.chain_id(),
        payee: key.public(),
        id: InvoiceId([1; 16]),
        asset: AssetId::FRD,
        amount: Some(1_200),
        lock_hash: lock_hash(&Secret([5; 32])),
        payment_secret: Secret([6; 32]),
        created_ms: now_ms,
        expires_ms: now_ms + LIFETIME_MS,
        description: Description::Text("A bag of coffee".into()),
        banks: vec![genesis.banks.first().context("no bank")?.key],
        origin: None,
        refunds: RefundPolicy::None,
        late: LatePolicy::Fail,
    };
    change(&mut invoice);
    Ok(to_text(&invoice.sign_by(key)?, Case::Lower))
}

/// An order with such an invoice, still to be paid.
pub(super) fn order_of(invoice: String) -> Order {
    Order { invoice, state: "open".into(), ..Order::default() }
}

async fn open_link(browser: &Browser, network: &Network, invoice: &str) -> Result<()> {
    // Another address of the same page would only change the fragment.
    browser.go("about:blank").await?;
    browser.go(&format!("{}/pay/#{invoice}", network.url()?)).await
}

/// Texts that are not the origin of a web page.
const ODD: [&str; 6] = [
    "https://shop.example/",
    "https://user@shop.example",
    "https://shоp.example",
    "http://shop.example",
    "javascript:alert(1)",
    "",
];

/// Whether the page offers what leads to a payment.
async fn offers_to_pay(browser: &Browser) -> Result<bool> {
    let text = browser.text().await?;
    Ok(text.contains("Create wallet") || text.contains(BUTTON))
}

/// Whether the wallet's own page has its button to pay, also one that cannot be pressed for want of money.
async fn has_pay_button(browser: &Browser) -> Result<bool> {
    let script =
        "return [...document.querySelectorAll('button')].some((one) => /^Pay( \\d|$)/.test(one.innerText.trim()));";
    Ok(browser.run(script).await? == true)
}

async fn what_cannot_be_paid_is_told_in_clear_words(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let url = network.url()?;
    let shop = Shop::open(url, None, vec![payee().public().to_string()]).await?;
    let browser = Browser::open_as(kind, Windows::Opened).await?;

    browser.go(&format!("{url}/pay/")).await?;
    browser.see_within("There is nothing to pay here", BLOCKS).await?;
    open_link(&browser, &network, "nonsense").await?;
    browser.see_within("neither an invoice nor an address", BLOCKS).await?;
    assert!(!offers_to_pay(&browser).await?);
    let expired = signed(&network, &payee(), |invoice| {
        invoice.created_ms -= 2 * LIFETIME_MS;
        invoice.expires_ms -= 2 * LIFETIME_MS;
    })?;
    open_link(&browser, &network, &expired).await?;
    browser.see_within("Its time is up", BLOCKS).await?;
    browser.see("Ask for a new invoice").await?;
    assert!(!offers_to_pay(&browser).await?);
    browser.screenshot("checkout-expired").await?;
    let foreign = signed(&network, &payee(), |invoice| invoice.chain_id = Hash([9; 32]))?;
    open_link(&browser, &network, &foreign).await?;
    browser.see_within("This belongs to another network", BLOCKS).await?;
    assert!(!offers_to_pay(&browser).await?);

    shop.put(1, order_of(expired));
    browser.go(&shop.page(1)).await?;
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("Its time is up", BLOCKS).await?;
    browser.to_tab(0).await?;
    assert_eq!(hear(&browser, "expired").await?, ["open", "expired"]);
    browser.see("This invoice can no longer be paid").await?;
    browser.screenshot("embed-expired").await?;
    let fresh = signed(&network, &payee(), |invoice| invoice.origin = Some(shop.origin.clone()))?;
    shop.put(1, order_of(fresh));
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("confirmed by the site", BLOCKS).await?;
    browser.close().await?;
    network.shut_down().await
}

async fn nobody_is_paid_in_the_name_of_a_shop(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let url = network.url()?;
    let shop = Shop::open(url, None, vec![payee().public().to_string()]).await?;
    let other = SecretKey::from_seed(&[78; 32]);
    let look_alike = Shop::open(url, None, vec![other.public().to_string()]).await?;
    let of = |key: &SecretKey, origin: &str| signed(&network, key, |invoice| invoice.origin = Some(origin.to_owned()));
    let browser = Browser::open_as(kind, Windows::Opened).await?;

    open_link(&browser, &network, &of(&payee(), &shop.origin)?).await?;
    browser.see_within("confirmed by the site", BLOCKS).await?;
    assert!(offers_to_pay(&browser).await?);
    open_link(&browser, &network, &of(&other, &shop.origin)?).await?;
    browser.see_within("The shop does not know this payee", BLOCKS).await?;
    assert!(!offers_to_pay(&browser).await?);
    browser.screenshot("checkout-denied").await?;
    open_link(&browser, &network, &of(&other, "http://127.0.0.1:1")?).await?;
    browser.see_within("as they claim", BLOCKS).await?;
    for odd in ODD {
        open_link(&browser, &network, &of(&other, odd)?).await?;
        browser.see_within("The shop’s address is not one", BLOCKS).await?;
        assert!(!offers_to_pay(&browser).await?, "{odd}");
    }

    // The invoice of the real shop, on the page of another.
    look_alike.put(1, order_of(of(&payee(), &shop.origin)?));
    browser.go(&look_alike.page(1)).await?;
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("This page is not the shop", BLOCKS).await?;
    browser.see(&shop.origin).await?;
    browser.see(&look_alike.origin).await?;
    assert!(!offers_to_pay(&browser).await?);
    browser.screenshot("checkout-other-page").await?;
    browser.to_tab(0).await?;
    assert_eq!(hear(&browser, "error merchant.refused").await?, ["open", "error merchant.refused"]);

    // The wallet's own page takes invoices from links of its own, from `web+fair:`, and as text or picture. The window
    // beside keeps the wallet open.
    open_link(&browser, &network, &of(&payee(), &shop.origin)?).await?;
    person::make_keys(&browser, Pictures::None).await?;
    browser.see_within("Your wallet cannot pay this yet", BLOCKS).await?;
    browser.go(&format!("{url}/#/pay/{}", of(&other, &shop.origin)?)).await?;
    browser.see_within("The shop does not know this payee", BLOCKS).await?;
    assert!(!has_pay_button(&browser).await?);
    browser.screenshot("pay-denied").await?;
    browser.fill("Invoice or address", &format!("{url}/pay/#{}", of(&payee(), &shop.origin)?)).await?;
    browser.see_within("confirmed by the site", BLOCKS).await?;
    assert!(has_pay_button(&browser).await?);
    for odd in ODD {
        browser.run(&format!("location.hash = '#/pay/web%2Bfair%3A{}';", of(&other, odd)?)).await?;
        browser.see_within(&format!("The invoice claims to be from “{odd}”"), BLOCKS).await?;
        assert!(!has_pay_button(&browser).await?, "{odd}");
    }
    browser.close().await?;
    network.shut_down().await
}

async fn words_of_strangers_stay_words_and_frames_stay_empty(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let shop = Shop::open(network.url()?, None, vec![payee().public().to_string()]).await?;
    let browser = Browser::open_as(kind, Windows::Opened).await?;

    let hostile = format!(
        "<img src=x onerror=\"document.title='caught'\">\u{202e}DRF 10.0 yaP\u{202c}\u{200b}\u{7}e{}\n\n\n\n\n{}",
        "\u{301}".repeat(40),
        "W".repeat(400)
    );
    let invoice = signed(&network, &payee(), |invoice| {
        invoice.description = Description::Text(hostile);
        invoice.origin = Some(shop.origin.clone());
    })?;
    open_link(&browser, &network, &invoice).await?;
    browser.see_within("<img src=x onerror=", BLOCKS).await?;
    browser.see("12.00 FRD").await?;
    let harm = "const text = document.body.innerText;
        return [document.querySelectorAll('main img').length, document.title.includes('caught'),
            /[\\u202a-\\u202e\\u200b\\u0007]/.test(text), /\\u0301{5}/.test(text)];";
    assert_eq!(browser.run(harm).await?, serde_json::json!([0, false, false, false]));
    // Fails if the words make the page wider than the screen.
    browser.screenshot("checkout-hostile").await?;
    assert_eq!(browser.console_errors().await?, Vec::<String>::new());

    browser.go(&format!("{}/frame", shop.origin)).await?;
    browser.see("Around").await?;
    browser.driver().enter_frame(0).await?;
    // An error's page in its place: it has no origin in Chromium, and an own address in Firefox.
    let script = "return document.querySelector('#app') === null
        && (location.origin === 'null' || document.documentURI.startsWith('about:neterror'));";
    wait::until("a frame without the wallet", BLOCKS, async || Ok((browser.run(script).await? == true).then_some(())))
        .await?;
    browser.driver().enter_default_frame().await?;
    browser.close().await?;
    network.shut_down().await
}

#[tokio::test]
async fn whoever_pays_is_told_what_promised_refunds_show() -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let url = network.url()?;
    let of = |refunds| signed(&network, &payee(), |invoice| invoice.refunds = refunds);
    let (promised, none) = (of(RefundPolicy::OnRequest)?, of(RefundPolicy::None)?);
    let browser = Browser::open().await?;
    let told = "The payee promises refunds on request. For that, paying shows it your account’s key and your bank";

    open_link(&browser, &network, &none).await?;
    browser.see_within("A bag of coffee", BLOCKS).await?;
    assert!(!browser.text().await?.contains("refunds"));
    open_link(&browser, &network, &promised).await?;
    browser.see_within(told, BLOCKS).await?;
    browser.screenshot("checkout-refunds").await?;

    person::make_keys(&browser, Pictures::None).await?;
    browser.see_within("Your wallet cannot pay this yet", BLOCKS).await?;
    browser.go(&format!("{url}/#/pay/{none}")).await?;
    browser.see_within("Wallet locked", BLOCKS).await?;
    person::unlock(&browser).await?;
    browser.see_within("The invoice expires", BLOCKS).await?;
    assert!(!browser.text().await?.contains("refunds"));
    browser.run(&format!("location.hash = '#/pay/{promised}';")).await?;
    browser.see_within(told, BLOCKS).await?;
    browser.close().await?;
    network.shut_down().await
}
