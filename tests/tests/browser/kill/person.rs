//! One person: a browser whose wallet is asked through the page's own client, and unlocked through the page.

use crate::pages::eval;
use anyhow::{Context as _, Result, bail};
use fair_tests::browser::Browser;
use fair_tests::wait;
use serde_json::{Value, json};
use std::time::Duration;

const PASSWORD: &str = "correct horse battery staple";
/// Something that needs a few blocks.
const BLOCKS: Duration = Duration::from_secs(60);
/// A page gives its worker up after more crashes in a minute than a defect would explain.
const CRASHES_OF_A_PAGE: u32 = 4;

/// What both ends of a channel must say alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) idle: bool,
    pub(super) epoch: u64,
    pub(super) frame: u64,
}

/// A wallet as its page sees it.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// All that it has in its channel, what it owes taken off.
    pub(super) own: i128,
    pub(super) can_send: u64,
    under_way: u64,
    phase: String,
    pub(super) end: End,
}

impl Sight {
    /// Nothing is under way, and the chain is followed.
    pub(super) fn rests(&self) -> bool {
        self.end.idle && self.under_way == 0 && self.phase == "live"
    }
}

pub(super) struct Person {
    name: &'static str,
    pub(super) account: String,
    browser: Browser,
    /// Since the page was loaded.
    crashes: u32,
}

impl Person {
    /// Opens a browser, makes a wallet and adds the bank.
    pub(super) async fn start(name: &'static str, url: &str) -> Result<Self> {
        let browser = Browser::open().await?;
        browser.go(url).await?;
        browser.see_within("Money you can check yourself", BLOCKS).await?;
        let mut person = Self { name, account: String::new(), browser, crashes: 0 };
        person.prepare_page().await?;
        let made = person
            .ask(&format!(
                "const {{ words }} = await client.create({{ words: 12, password: {PASSWORD:?} }});
                await client.confirmWords({{ answers: words.map((word, index) => ({{ index, word }})) }});
                const [bank] = await client.banks();
                await client.addBank({{ bank: bank.account.key, credit: [{{ asset: 1, limit: 100000n, insureAbove: null }}] }});
                return (await client.status()).account.key;"
            ))
            .await?;
        person.account = made.as_str().context("an account's key")?.to_owned();
        Ok(person)
    }

    /// Gets play money and deposits some of it at the bank.
    pub(super) async fn deposit(&mut self) -> Result<()> {
        self.ask("return client.faucet({ asset: 1 });").await?;
        wait::until("play money", BLOCKS, async || {
            let balance = self.ask("return Number((await client.balances())[0].onchain);").await?;
            Ok(balance.as_u64().filter(|balance| *balance > 30_000).map(drop))
        })
        .await?;
        self.ask(
            "const [bank] = await client.banks();
            const to = (await client.status()).account.key;
            await client.draftAdd({ operation: { kind: 'deposit', asset: 1, amount: 20000n, to, partner: bank.account.key } });
            return client.signAndSend({ key: 'deposit' });",
        )
        .await
        .map(drop)
    }

    /// Runs the body of an async function in the page; a rejection is an error.
    async fn ask(&self, body: &str) -> Result<Value> {
        let answer = eval(&self.browser, body).await?;
        if answer.get("code").is_some() && answer.get("data").is_some() {
            bail!("{}: {answer}", self.name);
        }
        Ok(answer)
    }

    /// As [`Self::ask`], but nothing when the worker ends meanwhile.
    async fn ask_or_end(&self, body: &str) -> Result<Option<Value>> {
        let body = format!(
            "const work = (async () => {{ {body} }})();
            work.catch(() => {{}});
            return Promise.race([work.then((value) => ({{ value }})), ended.promise.then(() => ({{ ended: true }}))]);"
        );
        let answer = self.ask(&body).await?;
        Ok(answer.get("value").cloned())
    }

    /// Makes a freshly loaded page tell when its worker was ended.
    async fn prepare_page(&mut self) -> Result<()> {
        self.crashes = 0;
        self.ask(
            "window.ended = Promise.withResolvers();
            client.on('engine', (error) => { if (error?.message === 'ended by a test') ended.resolve(), ended.seen = true; });
            window.points = new BroadcastChannel('crash-points');
            return null;",
        )
        .await
        .map(drop)
    }

    /// Lets the worker end at a point to come, or at none, and returns how many it passed since the last time.
    pub(super) async fn arm(&self, left: u64) -> Result<u64> {
        let passed = self
            .ask_or_end(&format!(
                "const answer = new Promise((resolve) => {{ points.onmessage = ({{ data }}) => resolve(data.passed); }});
                points.postMessage({{ left: {left} }});
                return answer;"
            ))
            .await?;
        Ok(passed.and_then(|passed| passed.as_u64()).unwrap_or_default())
    }

    /// If the worker was ended: waits for the next one and unlocks the wallet as a person does.
    pub(super) async fn unlock_if_ended(&mut self) -> Result<bool> {
        if self.browser.run("return window.ended?.seen === true;").await? != json!(true) {
            return Ok(false);
        }
        self.browser.see_within("Wallet locked", BLOCKS).await?;
        self.crashes += 1;
        if self.crashes >= CRASHES_OF_A_PAGE {
            self.browser.reload().await?;
            self.browser.see_within("Wallet locked", BLOCKS).await?;
            self.prepare_page().await?;
        }
        self.browser.run("window.ended = Promise.withResolvers();").await?;
        self.browser.fill("Password", PASSWORD).await?;
        self.browser.click("Unlock").await?;
        self.browser.see_no_more("Wallet locked").await?;
        Ok(true)
    }

    /// The text of a new invoice; nothing when the worker ends meanwhile.
    pub(super) async fn make_invoice(&self, key: &str, amount: u64) -> Result<Option<String>> {
        let made = self
            .ask_or_end(&format!(
                "return (await client.createInvoice({{ key: {key:?}, asset: 1, amount: {amount}n,
                    description: 'a test', expiresInSeconds: 3600 }})).text;"
            ))
            .await?;
        made.map(|text| text.as_str().map(str::to_owned).context("an invoice's text")).transpose()
    }

    /// Begins to pay; returns when the payment is stored, or the worker ends.
    pub(super) async fn begin_to_pay(&self, key: &str, invoice: &str) -> Result<()> {
        self.ask_or_end(&format!(
            "return client.pay({{ key: {key:?}, text: {invoice:?}, amount: null, asset: null, maxFee: 0n,
                description: null }});"
        ))
        .await
        .map(drop)
    }

    /// State of a payment of ours; nothing if it was never begun.
    pub(super) async fn payment(&self, key: &str) -> Result<Option<String>> {
        let state = self
            .ask_or_end(&format!(
                "return client.payment({{ id: {key:?} }})
                    .then(({{ state }}) => state, (error) => {{ if (error.code === 'payment.unknown') return null; throw error; }});"
            ))
            .await?;
        Ok(text_or(state, "unknown"))
    }

    /// State of an invoice of ours; nothing if it was never made.
    pub(super) async fn invoice(&self, key: &str) -> Result<Option<String>> {
        let state = self
            .ask_or_end(&format!("return (await client.invoices()).find((own) => own.key === {key:?})?.state ?? null;"))
            .await?;
        Ok(text_or(state, "unknown"))
    }

    /// Looks at the channel with the bank; nothing while the worker is ended or the wallet locked.
    pub(super) async fn look(&self) -> Result<Option<Sight>> {
        let seen = self
            .ask_or_end(
                "const { wallet } = await client.status();
                if (wallet !== 'unlocked') return null;
                const [channel] = await client.channels();
                const { phase } = await client.syncState();
                const frd = channel?.assets.find(({ asset }) => asset === 1);
                if (!frd) return null;
                const { insured, uninsured, inFlight, owed, incoming } = frd.parts;
                return { own: String(insured + uninsured + inFlight - owed), canSend: Number(frd.canSend),
                    underWay: Number(inFlight + incoming), phase, online: channel.connection === 'online',
                    epoch: channel.epoch, frame: channel.frame };",
            )
            .await?;
        let Some(seen) = seen.filter(|seen| !seen.is_null()) else { return Ok(None) };
        let number = |name: &str| seen[name].as_u64().with_context(|| format!("no {name} in {seen}"));
        Ok(Some(Sight {
            own: seen["own"].as_str().unwrap_or_default().parse()?,
            can_send: number("canSend")?,
            under_way: number("underWay")?,
            phase: seen["phase"].as_str().unwrap_or_default().to_owned(),
            end: End { idle: seen["online"] == true, epoch: number("epoch")?, frame: number("frame")? },
        }))
    }

    /// Everything that the page can tell, for a failure.
    pub(super) async fn state(&self) -> String {
        match self.ask("return [await client.status(), await client.rawState()];").await {
            Ok(state) => format!("{}: {state:#}", self.name),
            Err(error) => format!("{}: {error:#}", self.name),
        }
    }

    pub(super) async fn close(self) -> Result<()> {
        self.browser.close().await
    }
}

fn text_or(state: Option<Value>, ended: &str) -> Option<String> {
    match state {
        None => Some(ended.to_owned()),
        Some(state) => state.as_str().map(str::to_owned),
    }
}
