//! What stands around the engine in the pages, with a scripted engine in its place: calls and events
//! between tabs and worker, take-over, crashes, and pure formatting.

mod server;

use anyhow::{Context as _, Result};
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::http::Server;
use serde_json::Value;

in_both!(
    one_tab_leads_others_follow_and_one_takes_over,
    a_crashed_engine_is_replaced_and_what_may_be_repeated_is,
    a_checkout_in_a_frame_does_nothing_but_say_so,
);

/// Opens a page with a client of wallet `test`, reachable as `window.client`.
async fn open_client(browser: &Browser, server: &Server) -> Result<()> {
    browser.go(&format!("{}/test/blank.html", server.url)).await?;
    eval(
        browser,
        "window.heard = []; const { connect } = await import('/js/client.js');
        window.client = connect({ name: 'test', relays: [location.origin] });
        client.on('batch', (detail) => heard.push(detail.key)); return null;",
    )
    .await?;
    Ok(())
}

/// Runs the body of an async function in the page. Bigints come back as text, a rejection as its code.
pub(crate) async fn eval(browser: &Browser, body: &str) -> Result<Value> {
    let script = format!(
        "const done = arguments[0];
         (async () => {{ {body} }})()
            .catch((error) => ({{ code: error.code ?? String(error), data: error.data ?? null }}))
            .then((value) => done(JSON.stringify(value ?? null, (_, part) => typeof part === 'bigint' ? `${{part}}n` : part)));"
    );
    let text: String = browser.driver().execute_async(script, vec![]).await?.convert()?;
    serde_json::from_str(&text).context("what the page answered")
}

#[tokio::test]
async fn amounts_keys_and_times_are_written_and_read_exactly() -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open().await?);
    browser.go(&format!("{}/test/blank.html", server.url)).await?;
    let failures = eval(&browser, "return (await import('/test/formatting.js')).failures;").await?;
    assert_eq!(failures, serde_json::json!([]), "{failures:#}");
    browser.close().await
}

#[tokio::test]
async fn text_never_becomes_markup() -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open().await?);
    browser.go(&format!("{}/test/blank.html", server.url)).await?;
    let shown = eval(
        &browser,
        "const { h, patch } = await import('/js/dom.js');
        const out = document.getElementById('out');
        patch(out, [h('b', { title: '\"><script>' }, '<img src=x onerror=alert(1)>')]);
        return [out.querySelectorAll('*').length, out.textContent, out.firstChild.title];",
    )
    .await?;
    assert_eq!(shown, serde_json::json!([1, "<img src=x onerror=alert(1)>", "\"><script>"]));
    browser.close().await
}

#[tokio::test]
async fn a_release_above_this_version_is_announced_with_its_time() -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open().await?);
    browser.go(&format!("{}/test/blank.html", server.url)).await?;
    let shown = eval(
        &browser,
        "const { patch } = await import('/js/dom.js');
        const { releaseNotice } = await import('/js/parts/governance.js');
        const parameters = [{ name: 'min_block_interval', value: 1000n }, { name: 'max_idle', value: 5000n }];
        const out = document.getElementById('out');
        const shown = (head, version) => {
            const known = { governance: { version, releases: [{ version: 2, height: 220, bundle: 'ab' }] }, head: { height: head }, parameters };
            patch(out, [releaseNotice({ locale: 'en', use: (method) => ({ value: known[method] }) })].filter(Boolean));
            return out.textContent;
        };
        return [shown(100, 1), shown(220, 1), shown(220, 2)];",
    )
    .await?;
    let texts: Vec<&str> = shown.as_array().context("three texts")?.iter().filter_map(Value::as_str).collect();
    assert!(
        texts[0].contains("needed soon") && texts[0].contains("#220 on, in 2\u{a0}min to 10\u{a0}min"),
        "{texts:?}"
    );
    assert!(texts[1].starts_with("A new version is needed") && texts[1].contains("knows version 1"), "{texts:?}");
    assert_eq!(texts[2], "", "a version that is known needs no notice");
    browser.close().await
}

/// The till with a scripted wallet, whose only sale is in the state that a script sets.
const TILL: &str = "const { patch } = await import('/js/dom.js');
    const { tillPage } = await import('/js/pages/till.js');
    const main = document.getElementById('out');
    const asset = { id: 1, ticker: 'FRD', name: 'Fair', decimals: 2 };
    window.sale = { key: 'sale', state: 'open', asset, amount: 750n, received: 0n, text: 'fair1', expires: Date.now() + 900_000,
        qr: { size: 21, modules: new Uint8Array(441).fill(1) } };
    window.cancelled = [];
    const app = {
        locale: 'en', asset: () => asset, again() {}, turn() {}, doing: () => false, problem: () => null,
        act: async (name, work) => { await work(); app.refresh(); },
        refresh: () => queueMicrotask(() => patch(main, [page.view()].flat(9).filter(Boolean))),
        use: (method) => ({ value: { invoices: [window.sale], assets: [asset], channels: [{}] }[method] }),
        client: {
            on: () => () => {}, activity: async () => ({ payments: [], next: null }), createInvoice: async () => window.sale,
            cancelInvoice: async ({ key }) => { window.cancelled.push(key); },
        },
    };
    const page = tillPage(app);
    window.turns = (state) => { window.sale = { ...window.sale, state }; app.refresh(); };
    app.refresh();";

#[tokio::test]
async fn a_sale_that_is_being_paid_is_not_scanned_again_nor_cancelled() -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open().await?);
    browser.go(&format!("{}/test/blank.html", server.url)).await?;
    eval(&browser, TILL).await?;
    browser.fill("To be paid", "7.50").await?;
    browser.click("Charge").await?;
    browser.see("Show this to the customer").await?;
    browser.run("window.turns('pending');").await?;
    browser.see("Hand nothing over before it says “Paid”").await?;
    let drawn = browser.run("return document.querySelector('.qr') === null;").await?;
    assert_eq!(drawn, true, "another customer could scan it");
    browser.screenshot("till-pending").await?;
    browser.click("Next sale").await?;
    browser.see("To be paid").await?;
    assert_eq!(browser.run("return window.cancelled;").await?, serde_json::json!([]));

    browser.run("window.turns('open');").await?;
    browser.fill("To be paid", "7.50").await?;
    browser.click("Charge").await?;
    browser.click("New amount").await?;
    browser.see("To be paid").await?;
    assert_eq!(browser.run("return window.cancelled;").await?, serde_json::json!(["sale"]));
    browser.close().await
}

#[tokio::test]
async fn a_view_keeps_the_elements_that_it_names_again() -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open().await?);
    browser.go(&format!("{}/test/blank.html", server.url)).await?;
    let kept = eval(
        &browser,
        "const { h, patch } = await import('/js/dom.js');
        const out = document.getElementById('out');
        const row = (key) => h('input', { key, value: key });
        patch(out, ['a', 'b', 'c'].map(row));
        const b = out.children[1];
        b.focus();
        patch(out, ['b', 'c', 'd'].map(row));
        return [document.activeElement === b, [...out.children].map((input) => input.value).join('')];",
    )
    .await?;
    assert_eq!(kept, serde_json::json!([true, "bcd"]));
    browser.close().await
}

#[tokio::test]
async fn calls_run_one_after_another_and_errors_keep_their_code() -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open().await?);
    open_client(&browser, &server).await?;
    let answers = eval(
        &browser,
        "const many = [client.quote({ text: 'a' }), client.quote({ text: 'b' }), client.status()];
        return (await Promise.all(many)).map((answer) => answer.fee ?? answer.amount);",
    )
    .await?;
    assert_eq!(answers, serde_json::json!(["0n", "0n", "4611686018427387904n"]));
    let refused = eval(&browser, "return client.decode({ text: 'x' });").await?;
    assert_eq!(refused, serde_json::json!({"code": "payment.malformed", "data": {"available": "5n"}}));
    let aborted = eval(
        &browser,
        "const stop = new AbortController();
        const running = client.quote({ text: 'a' });
        const waiting = client.banks(null, { signal: stop.signal });
        stop.abort();
        const code = await waiting.catch((error) => error.code);
        await running;
        return [code, (await client.rawState()).json.includes('banks')];",
    )
    .await?;
    assert_eq!(aborted, serde_json::json!(["engine.aborted", false]), "an aborted call never reaches the engine");
    browser.close().await
}

async fn one_tab_leads_others_follow_and_one_takes_over(kind: Kind) -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open_as(kind, Windows::Opened).await?);
    open_client(&browser, &server).await?;
    let first = eval(&browser, "return (await client.status()).born;").await?;
    let leader = browser.driver().window().await?;

    let follower = browser.driver().new_tab().await?;
    browser.driver().switch_to_window(follower.clone()).await?;
    open_client(&browser, &server).await?;
    assert_eq!(eval(&browser, "return (await client.status()).born;").await?, first, "both speak to one engine");
    assert_eq!(eval(&browser, "return client.role;").await?, "following");
    eval(&browser, "await client.signAndSend({ key: 'k' }); return null;").await?;
    assert_eq!(eval(&browser, "return heard;").await?, serde_json::json!(["k"]), "a follower hears events");

    browser.driver().switch_to_window(leader).await?;
    assert_eq!(eval(&browser, "return heard;").await?, serde_json::json!(["k"]), "the leader's page hears them too");
    browser.driver().close_window().await?;
    browser.driver().switch_to_window(follower).await?;
    let taken_over = eval(
        &browser,
        "if (client.role !== 'leading') {
            await new Promise((resolve) => client.on('leader', ({ role }) => { if (role === 'leading') resolve(); }));
        }
        return (await client.status()).born;",
    )
    .await?;
    assert_ne!(taken_over, first, "a new engine");
    assert_eq!(eval(&browser, "return client.role;").await?, "leading");
    browser.close().await
}

async fn a_crashed_engine_is_replaced_and_what_may_be_repeated_is(kind: Kind) -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open_as(kind, Windows::Opened).await?);
    open_client(&browser, &server).await?;
    let before = eval(&browser, "return (await client.status()).born;").await?;
    let paid = eval(&browser, "return client.pay({ key: 'p1' });").await?;
    assert_eq!(paid, serde_json::json!({"id": "p1"}), "a payment has a key, so it is asked for again");
    assert_ne!(eval(&browser, "return (await client.status()).born;").await?, before);
    let created = eval(&browser, "return client.create({ words: 12 });").await?;
    assert_eq!(created["code"], "engine.interrupted", "a wallet is not made twice");
    let silent = eval(&browser, "return client.balances();").await?;
    assert_eq!(silent, serde_json::json!([]), "a panic outside the call is noticed too");
    browser.close().await
}

#[tokio::test]
async fn an_engine_that_always_crashes_is_given_up() -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open().await?);
    open_client(&browser, &server).await?;
    let last = eval(
        &browser,
        "let code;
        for (let index = 0; index < 12 && code !== 'engine.crashed'; index += 1) {
            code = await client.wipe().catch((error) => error.code);
        }
        return code;",
    )
    .await?;
    assert_eq!(last, "engine.crashed");
    browser.close().await
}

async fn a_checkout_in_a_frame_does_nothing_but_say_so(kind: Kind) -> Result<()> {
    let (server, browser) = (server::start().await?, Browser::open_as(kind, Windows::Opened).await?);
    browser.go(&format!("{}/test/blank.html", server.url)).await?;
    // This server sends no headers that refuse frames.
    eval(
        &browser,
        "const frame = document.createElement('iframe');
        frame.src = '/pay/index.html';
        await new Promise((resolve) => { frame.onload = resolve; document.body.append(frame); });",
    )
    .await?;
    browser.driver().enter_frame(0).await?;
    browser.see("A wallet does not run inside another page").await?;
    browser.close().await
}
