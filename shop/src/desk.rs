//! What happens to orders: invoices are made for them, events are heard, and whoever waits is told.

use crate::door::{Door, Full};
use crate::goods::{self, ASSET, Article};
use crate::merchant::{After, Cancelled, Merchant};
use crate::order::{Event, Order, State, Told};
use crate::problem::Problem;
use crate::store::{Heard, Store, now_ms};
use anyhow::{Context as _, Result};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

mod refunds;

/// Before the merchant is asked again that did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest that somebody waits for an order to change.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// How long after it was made an order that nobody paid can be paid late.
const LATE_MS: u64 = 3 * 3_600_000;
/// Before old orders are looked for again.
const BEFORE_OLD: Duration = Duration::from_secs(600);
/// In so long a time an endpoint gets another secret once: the merchant tells it that long, and has room for few.
const SECRET_MS: u64 = 5 * 60_000;

/// The orders, and the merchant that brings money for them.
pub(crate) struct Desk {
    store: Store,
    merchant: Merchant,
    door: Door,
    invoice_life_s: u64,
    /// Counts changes of orders; false: the shop closes.
    changes: watch::Sender<(u64, bool)>,
    /// One invoice after another: two requests for the same order do not make two.
    invoicing: tokio::sync::Mutex<()>,
}

impl Desk {
    pub(crate) fn new(store: Store, merchant: Merchant, invoice_life_s: u64) -> Self {
        let changes = watch::Sender::new((0, true));
        let (door, invoicing) = (Door::default(), tokio::sync::Mutex::default());
        Self { store, merchant, door, invoice_life_s, changes, invoicing }
    }

    /// Says to the merchant where events are brought, and hears those that came while the shop was closed. Tries until
    /// the merchant answers.
    pub(crate) async fn introduce(&self, webhook: &str) {
        while let Err(error) = self.try_to_introduce(webhook).await {
            eprintln!("the merchant is asked again: {error:#}");
            sleep(PAUSE).await;
        }
    }

    async fn try_to_introduce(&self, webhook: &str) -> Result<()> {
        let learned = self.learn_secret(webhook).await;
        // Also without the secret: what happened is heard.
        self.catch_up().await?;
        learned
    }

    /// Keeps what webhooks are verified with, before one is.
    async fn learn_secret(&self, webhook: &str) -> Result<()> {
        let endpoint = self.merchant.webhook(webhook).await?;
        let is_known = self.store.webhook()?.is_some_and(|(url, _)| url == webhook);
        let secret = match endpoint.secret {
            None if is_known => return Ok(()),
            None => {
                let name = format!("secret-{}", now_ms()? / SECRET_MS);
                let rotated = self.merchant.another_secret(&endpoint.id, &name).await?;
                rotated.secret.context("the merchant no longer says the secret")?
            }
            Some(secret) => secret,
        };
        self.store.keep_webhook(webhook, &secret)
    }

    /// Hears all events after the newest that was heard.
    async fn catch_up(&self) -> Result<()> {
        loop {
            match self.merchant.events(self.store.cursor()?).await? {
                After::Events(page) => {
                    for event in &page.events {
                        self.hear(event, "asked for")?;
                    }
                    self.store.set_cursor(page.cursor)?;
                    if !page.more {
                        return Ok(());
                    }
                }
                After::Forgotten(first) => {
                    // What those told is how the invoices stand.
                    for order in self.store.payable()? {
                        for (invoice, _) in order.invoice.iter().chain(&order.previous) {
                            self.look_at(&order.id, invoice).await?;
                        }
                    }
                    self.store.look_at_refunds()?;
                    self.tell();
                    self.store.put_cursor(first.saturating_sub(1))?;
                }
            }
        }
    }

    /// Brings an order to how one of its invoices stands.
    async fn look_at(&self, id: &str, invoice: &str) -> Result<()> {
        let looked = loop {
            match self.merchant.look(invoice).await {
                Ok(looked) => break looked,
                // Those that were looked at are not looked at again.
                Err(error) => eprintln!("the merchant is asked again: {error:#}"),
            }
            sleep(PAUSE).await;
        };
        let told = match &looked {
            Some(invoice) => {
                let (kind, created_ms) = (format!("invoice.{}", invoice.state), now_ms()?);
                let event = Event { id: String::new(), sequence: 0, kind, created_ms, data: Value::Null };
                self.store.look(id, &event, invoice)?
            }
            None => {
                let changed = self.store.change(id, |order| order.forget(invoice))?;
                changed.map(|(order, told)| (order.number, told))
            }
        };
        if let Some((number, told)) = told {
            println!("invoice {invoice} of order {number}: {told:?}");
            self.tell();
        }
        Ok(())
    }

    /// A webhook, as it came.
    pub(crate) fn take(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
        let (_, secret) = self.store.webhook()?.context("the merchant has not said the secret yet")?;
        let webhook = Webhook::new(&secret).context("the secret")?;
        // Before anything in it is read.
        webhook.verify(body, headers).map_err(|_| Problem::Unsigned)?;
        let event: Event = serde_json::from_slice(body).context("a webhook's body")?;
        Ok(self.hear(&event, "webhook")?)
    }

    fn hear(&self, event: &Event, by: &str) -> Result<()> {
        let heard = self.store.hear(event)?;
        let Event { id, kind, .. } = event;
        match heard {
            Heard::Before => println!("{by} {id} {kind}: heard before"),
            Heard::Foreign => println!("{by} {id} {kind}: about no order"),
            Heard::Told(number, Told::Changed(state)) => {
                println!("{by} {id} {kind}: order {number} is {}", state.name());
                self.tell();
            }
            Heard::Told(number, Told::Same) => println!("{by} {id} {kind}: order {number} as before"),
            Heard::Told(number, Told::PaidTwice) => {
                println!("{by} {id} {kind}: order {number} is paid twice; this invoice is given back");
                self.tell();
            }
            Heard::Told(number, Told::NotEnough) => {
                println!("{by} {id} {kind}: order {number} costs something else; this invoice is given back");
                self.tell();
            }
            Heard::Refund(number) => {
                println!("{by} {id} {kind}: a refund of order {number}");
                self.tell();
            }
        }
        Ok(())
    }

    fn tell(&self) {
        self.changes.send_modify(|(count, _)| *count = count.wrapping_add(1));
    }

    /// Lets nobody wait any longer.
    pub(crate) fn close(&self) {
        self.changes.send_modify(|(_, is_open)| *is_open = false);
    }

    pub(crate) fn buy(&self, article: Article, quantity: u32, from: IpAddr) -> Result<Order, Problem> {
        let total = article.price.checked_mul(u64::from(quantity)).context("a price")?;
        self.door.order(from, std::time::Instant::now()).map_err(|full| match full {
            Full::Shop => Problem::Crowded,
            Full::Address => Problem::Greedy,
        })?;
        Ok(self.store.add(article.id, quantity, total)?)
    }

    pub(crate) fn order(&self, id: &str) -> Result<Order, Problem> {
        self.store.order(id)?.ok_or(Problem::Nothing)
    }

    /// The order, as soon as it stands otherwise than `known` ([`Order::stands`]). Who need not wait needs no place.
    pub(crate) async fn follow(&self, id: &str, known: Option<&str>) -> Result<Order, Problem> {
        let until = Instant::now() + LONGEST_WAIT;
        let mut changes = self.changes.subscribe();
        let mut place = None;
        loop {
            let is_open = changes.borrow_and_update().1;
            let order = self.order(id)?;
            if known != Some(order.stands().as_str()) || !is_open {
                return Ok(order);
            }
            if place.is_none() {
                place = Some(self.door.wait(id).ok_or(Problem::Waiting)?);
            }
            if timeout_at(until, changes.changed()).await.is_err() {
                return Ok(order);
            }
        }
    }

    /// The text of the order's invoice: the same as long as it can be paid, then a new one.
    pub(crate) async fn invoice_of(&self, id: &str) -> Result<String, Problem> {
        let _only = self.invoicing.lock().await;
        let mut order = self.order(id)?;
        if order.can_be_paid()
            && let Some((invoice, text)) = order.invoice.clone()
        {
            // Its end is told by an event; until then nobody need be asked.
            if order.state != State::Expired {
                return Ok(text);
            }
            let known = self.merchant.look(&invoice).await.map_err(Problem::Merchant)?;
            if known.is_some_and(|known| !matches!(known.state.as_str(), "expired" | "cancelled")) {
                return Ok(text);
            }
            order = self.change(id, |order| {
                // Paid meanwhile, it stays.
                if order.can_be_paid() {
                    order.previous = order.invoice.take();
                    order.attempt = order.attempt.saturating_add(1);
                    order.state = State::Open;
                }
            })?;
        }
        if let Some((previous, _)) = order.previous.clone() {
            // So that nobody pays both.
            let cancelled = self.merchant.cancel(&previous).await.map_err(Problem::Merchant)?;
            order = self.change(id, |order| {
                let previous = order.previous.take();
                if cancelled == Cancelled::Taken && order.invoice.is_none() {
                    order.invoice = previous;
                }
            })?;
        }
        match &order.invoice {
            Some((_, text)) if order.state != State::Cancelled => return Ok(text.clone()),
            _ if !order.can_be_paid() => return Err(Problem::Over),
            _ => {}
        }
        let article = goods::article(&order.article).context("an article that is no longer sold")?;
        let wanted = json!({
            "amount": order.total, "asset": ASSET, "reference": order.id, "expires_in_s": self.invoice_life_s,
            "description": format!("{} × {}, order {}", order.quantity, article.name, order.number),
            "accepts_late": true, "refunds": true,
        });
        let name = format!("{}-{}", order.id, order.attempt);
        let made = self.merchant.invoice(&name, &wanted).await.map_err(Problem::Merchant)?;
        self.change(id, |order| {
            if order.can_be_paid() {
                order.invoice = Some((made.id.clone(), made.invoice.clone()));
            }
        })?;
        Ok(made.invoice)
    }

    /// Ends an order that nobody has paid.
    pub(crate) async fn cancel(&self, id: &str) -> Result<(), Problem> {
        let _only = self.invoicing.lock().await;
        let order = self.order(id)?;
        if order.state == State::Cancelled {
            return Ok(());
        }
        if !order.can_be_paid() {
            return Err(Problem::Over);
        }
        for (invoice, _) in order.invoice.iter().chain(&order.previous) {
            if self.merchant.cancel(invoice).await.map_err(Problem::Merchant)? == Cancelled::Taken {
                return Err(Problem::Over);
            }
        }
        self.change(id, |order| {
            if order.can_be_paid() {
                order.state = State::Cancelled;
            }
        })?;
        Ok(())
    }

    /// Cancels orders whose time was over long ago, as long as the shop runs: an invoice that can be paid late takes one
    /// of the merchant's places for them.
    pub(crate) async fn let_go(&self) {
        loop {
            if let Err(error) = self.let_old_go(LATE_MS).await {
                eprintln!("old orders are cancelled later: {error:#}");
            }
            sleep(BEFORE_OLD).await;
        }
    }

    async fn let_old_go(&self, late_ms: u64) -> Result<()> {
        let before = now_ms()?.saturating_sub(late_ms);
        for order in self.store.payable()? {
            if order.state != State::Expired || order.created_ms >= before {
                continue;
            }
            match self.cancel(&order.id).await {
                // Paid in this moment.
                Ok(()) | Err(Problem::Over) => {}
                Err(problem) => anyhow::bail!("order {}: {problem:?}", order.number),
            }
        }
        Ok(())
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Order)) -> Result<Order, Problem> {
        let before = self.order(id)?.state;
        let (order, ()) = self.store.change(id, change)?.ok_or(Problem::Nothing)?;
        if order.state != before {
            self.tell();
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests;
