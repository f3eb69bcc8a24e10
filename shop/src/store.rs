//! Orders in SQLite. Whoever is told something is told what is on the disk.

use crate::order::{Event, Invoice, Order, State, Told};
use anyhow::{Context as _, Result};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

mod refunds;

/// Number of the first order: nobody should think that they are the first customer.
const FIRST_NUMBER: i64 = 1_001;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, article TEXT NOT NULL, quantity INTEGER NOT NULL,
        total INTEGER NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL, invoice TEXT, text TEXT, previous TEXT,
        previous_text TEXT, created_ms INTEGER NOT NULL, paid_ms INTEGER, late INTEGER NOT NULL, insured INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS seen (event TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), cursor INTEGER NOT NULL) STRICT;
    INSERT OR IGNORE INTO place VALUES (1, 0);
    CREATE TABLE IF NOT EXISTS webhook (
        one INTEGER PRIMARY KEY CHECK (one = 1), url TEXT NOT NULL, secret TEXT NOT NULL
    ) STRICT;";

/// The database.
pub(crate) struct Store(Mutex<Connection>);

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It came before.
    Before,
    /// It is about no order.
    Foreign,
    /// What it changed about an order with this number.
    Told(i64, Told),
    /// How a refund of that order stands now.
    Refund(i64),
}

impl Store {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = folder.join("orders.sqlite");
        let connection = Connection::open(&file).with_context(|| format!("cannot open {}", file.display()))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(TABLES)?;
        connection.execute_batch(refunds::TABLE)?;
        Ok(Self(Mutex::new(connection)))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that panicked was rolled back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new order.
    pub(crate) fn add(&self, article: &str, quantity: u32, total: u64) -> Result<Order> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let created_ms = now_ms()?;
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let last: Option<i64> = transaction.query_row("SELECT MAX(number) FROM orders", [], |row| row.get(0))?;
        let order = Order {
            id: hex::encode(random),
            number: last.map_or(FIRST_NUMBER, |last| last + 1),
            article: article.to_owned(),
            quantity,
            total,
            state: State::Open,
            attempt: 1,
            invoice: None,
            previous: None,
            created_ms,
            paid_ms: None,
            late: false,
            insured: 0,
            refunds: Vec::new(),
        };
        write(&transaction, &order)?;
        transaction.commit()?;
        Ok(order)
    }

    pub(crate) fn order(&self, id: &str) -> Result<Option<Order>> {
        find(&self.connection(), id)
    }

    /// Changes an order, if there is one, and returns it with what `change` came to.
    pub(crate) fn change<T>(&self, id: &str, change: impl FnOnce(&mut Order) -> T) -> Result<Option<(Order, T)>> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let Some(mut order) = find(&transaction, id)? else { return Ok(None) };
        let result = change(&mut order);
        write(&transaction, &order)?;
        transaction.commit()?;
        Ok(Some((order, result)))
    }

    /// Everything that an event changes, once.
    pub(crate) fn hear(&self, event: &Event) -> Result<Heard> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        if transaction.execute("INSERT OR IGNORE INTO seen VALUES (?1)", [&event.id])? == 0 {
            return Ok(Heard::Before);
        }
        // In order from the start; one that is brought again later is before this place.
        let next = "UPDATE place SET cursor = ?1 WHERE cursor = ?1 - 1";
        transaction.execute(next, [number(event.sequence)?])?;
        let data = || event.data.clone();
        let heard = match event.kind.split('.').next() {
            Some("invoice") => {
                let invoice: Invoice = serde_json::from_value(data()).context("an invoice")?;
                let told = apply(&transaction, &invoice.reference, event, &invoice)?;
                told.map(|(number, told)| Heard::Told(number, told))
            }
            Some("refund") => {
                let refund = serde_json::from_value(data()).context("a refund")?;
                refunds::stands(&transaction, &refund)?.map(Heard::Refund)
            }
            // A payout.
            _ => None,
        };
        transaction.commit()?;
        Ok(heard.unwrap_or(Heard::Foreign))
    }

    /// What an invoice of an order that was looked at changes, as if an event told it.
    pub(crate) fn look(&self, order: &str, event: &Event, invoice: &Invoice) -> Result<Option<(i64, Told)>> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let told = apply(&transaction, order, event, invoice)?;
        transaction.commit()?;
        Ok(told)
    }

    /// The orders that can be paid and have an invoice.
    pub(crate) fn payable(&self) -> Result<Vec<Order>> {
        let connection = self.connection();
        let mut all = connection.prepare("SELECT * FROM orders WHERE COALESCE(invoice, previous) IS NOT NULL")?;
        let orders = all.query_map([], read)?.map(|row| row?).collect::<Result<Vec<_>>>()?;
        Ok(orders.into_iter().filter(Order::can_be_paid).collect())
    }

    /// Where events are brought, and the secret that they are signed with.
    pub(crate) fn webhook(&self) -> Result<Option<(String, String)>> {
        let kept = "SELECT url, secret FROM webhook";
        Ok(self.connection().query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    pub(crate) fn keep_webhook(&self, url: &str, secret: &str) -> Result<()> {
        self.connection().execute("INSERT OR REPLACE INTO webhook VALUES (1, ?1, ?2)", [url, secret])?;
        Ok(())
    }

    /// Up to here every event was heard.
    pub(crate) fn cursor(&self) -> Result<u64> {
        let cursor: i64 = self.connection().query_row("SELECT cursor FROM place", [], |row| row.get(0))?;
        Ok(u64::try_from(cursor)?)
    }

    pub(crate) fn set_cursor(&self, cursor: u64) -> Result<()> {
        self.connection().execute("UPDATE place SET cursor = MAX(cursor, ?1)", [number(cursor)?])?;
        Ok(())
    }

    /// What was told up to a number is forgotten, or told under other numbers now.
    pub(crate) fn put_cursor(&self, cursor: u64) -> Result<()> {
        self.connection().execute("UPDATE place SET cursor = ?1", [number(cursor)?])?;
        Ok(())
    }
}

pub(crate) fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// SQLite's numbers are signed.
fn number(value: u64) -> Result<i64> {
    Ok(i64::try_from(value)?)
}

fn find(connection: &Connection, id: &str) -> Result<Option<Order>> {
    let row = connection.query_row("SELECT * FROM orders WHERE id = ?1", [id], read).optional()?;
    let Some(order) = row.transpose()? else { return Ok(None) };
    Ok(Some(Order { refunds: refunds::of(connection, id)?, ..order }))
}

/// What an event changes about an order, and what is to be given back of it.
fn apply(transaction: &Transaction<'_>, id: &str, event: &Event, invoice: &Invoice) -> Result<Option<(i64, Told)>> {
    let Some(mut order) = find(transaction, id)? else { return Ok(None) };
    let told = order.hear(event, invoice);
    if matches!(told, Told::PaidTwice | Told::NotEnough) {
        refunds::owe(transaction, id, invoice)?;
    }
    write(transaction, &order)?;
    Ok(Some((order.number, told)))
}

/// Without its refunds.
fn read(row: &Row<'_>) -> rusqlite::Result<Result<Order>> {
    let text = |column: &str| row.get::<_, Option<String>>(column);
    let pair = |one, other| -> rusqlite::Result<_> { Ok(text(one)?.zip(text(other)?)) };
    let unsigned = |column: &str| row.get::<_, i64>(column);
    let (total, created_ms, insured) = (unsigned("total")?, unsigned("created_ms")?, unsigned("insured")?);
    let (state, paid_ms): (String, Option<i64>) = (row.get("state")?, row.get("paid_ms")?);
    let order = Order {
        id: row.get("id")?,
        number: row.get("number")?,
        article: row.get("article")?,
        quantity: row.get("quantity")?,
        total: 0,
        state: State::Open,
        attempt: row.get("attempt")?,
        invoice: pair("invoice", "text")?,
        previous: pair("previous", "previous_text")?,
        created_ms: 0,
        paid_ms: None,
        late: row.get("late")?,
        insured: 0,
        refunds: Vec::new(),
    };
    let whole = || {
        Ok(Order {
            total: u64::try_from(total)?,
            state: State::read(&state).with_context(|| format!("an order is {state}"))?,
            created_ms: u64::try_from(created_ms)?,
            paid_ms: paid_ms.map(u64::try_from).transpose()?,
            insured: u64::try_from(insured)?,
            ..order
        })
    };
    Ok(whole())
}

fn write(transaction: &Transaction<'_>, order: &Order) -> Result<()> {
    let (invoice, text) = order.invoice.clone().unzip();
    let (previous, previous_text) = order.previous.clone().unzip();
    let all = "INSERT OR REPLACE INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    transaction.execute(
        all,
        params![
            order.id,
            order.number,
            order.article,
            order.quantity,
            number(order.total)?,
            order.state.name(),
            order.attempt,
            invoice,
            text,
            previous,
            previous_text,
            number(order.created_ms)?,
            order.paid_ms.map(number).transpose()?,
            order.late,
            number(order.insured)?,
        ],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merchant::Outgoing;
    use serde_json::json;

    fn event(id: &str, sequence: u64, kind: &str, reference: &str) -> Event {
        let assurance = json!({ "insured": 0, "uninsured": 1_200, "enough": true });
        let data = json!({
            "id": "one", "state": "paid", "reference": reference, "asset": 1, "received": 1_200, "invoice": "fairpay1",
            "late": false, "assurance": assurance,
        });
        Event { id: id.to_owned(), sequence, kind: kind.to_owned(), created_ms: 7, data }
    }

    #[test]
    fn an_event_counts_once_and_survives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let order = store.add("tea", 1, 1_200).unwrap();
        assert_eq!(order.number, FIRST_NUMBER);
        assert_eq!(store.hear(&event("a", 1, "invoice.expired", "nobody")).unwrap(), Heard::Foreign);
        let paid = event("b", 2, "invoice.paid", &order.id);
        assert_eq!(store.hear(&paid).unwrap(), Heard::Told(order.number, Told::Changed(State::Paid)));
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.hear(&paid).unwrap(), Heard::Before);
        let kept = store.order(&order.id).unwrap().unwrap();
        assert_eq!((kept.state, kept.paid_ms, kept.invoice.unwrap().0), (State::Paid, Some(7), "one".to_owned()));
        assert_eq!(store.cursor().unwrap(), 2);
        // One was left out: it is asked for at the next start.
        store.hear(&event("d", 4, "invoice.paid", "nobody")).unwrap();
        assert_eq!(store.cursor().unwrap(), 2);
        let data = json!({ "id": "r", "state": "paid", "claim_url": null });
        let refund = Event { data, ..event("c", 3, "refund.paid", "") };
        assert_eq!(store.hear(&refund).unwrap(), Heard::Foreign);
        assert_eq!(store.cursor().unwrap(), 3);
    }

    #[test]
    fn what_came_twice_is_owed_once_and_followed_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let order = store.add("tea", 1, 1_200).unwrap();
        let kept = || store.order(&order.id).unwrap().unwrap();
        store.hear(&event("a", 1, "invoice.paid", &order.id)).unwrap();
        let second = |id, sequence, kind| {
            let mut event = event(id, sequence, kind, &order.id);
            event.data["id"] = json!("two");
            event
        };
        for event in [second("b", 2, "invoice.paid"), second("c", 3, "invoice.assured")] {
            assert_eq!(store.hear(&event).unwrap(), Heard::Told(order.number, Told::PaidTwice));
        }
        let owed = store.owed().unwrap();
        assert_eq!((owed.len(), &owed[0].invoice, owed[0].amount), (1, &"two".to_owned(), Some(1_200)));
        assert_eq!((kept().state, kept().invoice.unwrap().0), (State::Paid, "one".to_owned()));

        // The merchant sent it to a wallet that is gone; then the customer says where.
        let told = |id, sequence, refund, state| Event {
            data: json!({ "id": refund, "state": state, "claim_url": null }),
            ..event(id, sequence, &format!("refund.{state}"), "")
        };
        store.refund_is(&owed[0], "r1").unwrap();
        assert_eq!(store.hear(&told("d", 4, "r1", "failed")).unwrap(), Heard::Refund(order.number));
        assert_eq!(store.owed().unwrap()[0].attempt, 2);
        let link =
            Outgoing { id: "r2".into(), state: "claimable".into(), claim_url: Some("http://merchant/claim".into()) };
        store.refund_is(&store.owed().unwrap()[0], "r2").unwrap();
        store.refund_stands(&link).unwrap();
        assert_eq!(kept().stands(), "paid.claimable");
        assert_eq!(kept().refunds[0].link, link.claim_url);
        assert_eq!(store.hear(&told("e", 5, "r1", "paid")).unwrap(), Heard::Foreign, "of the first nothing is left");
        store.hear(&told("f", 6, "r2", "paid")).unwrap();
        store.refund_stands(&link).unwrap();
        store.look_at_refunds().unwrap();
        assert_eq!(
            (kept().stands(), store.owed().unwrap().len()),
            ("paid.paid".to_owned(), 0),
            "what is paid stays so"
        );
        assert_eq!(kept().refunds[0].link, None);
    }
}
