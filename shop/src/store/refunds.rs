//! What is given back.

use super::{Store, number};
use crate::goods::ASSET;
use crate::merchant::Outgoing;
use crate::order::Invoice;
use crate::refund::{Refund, Stage};
use anyhow::{Context as _, Result};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

pub(super) const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS refunds (
        invoice TEXT PRIMARY KEY, of_order TEXT NOT NULL, amount INTEGER, attempt INTEGER NOT NULL, stage TEXT NOT NULL,
        refund TEXT UNIQUE, link TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS refunds_by_order ON refunds (of_order);
    CREATE INDEX IF NOT EXISTS refunds_by_stage ON refunds (stage);";

/// Notes once that an invoice is to be given back.
pub(super) fn owe(connection: &Connection, order: &str, invoice: &Invoice) -> Result<()> {
    let amount = Some(invoice.received).filter(|_| invoice.asset == ASSET).map(number).transpose()?;
    let once = "INSERT OR IGNORE INTO refunds VALUES (?1, ?2, ?3, 1, 'owed', NULL, NULL)";
    connection.execute(once, params![invoice.id, order, amount])?;
    Ok(())
}

/// Notes how a refund stands, if it is the shop's, and returns the order's number. What has ended stays so; where it
/// failed the money is still owed, and another one is asked for.
pub(super) fn stands(connection: &Connection, now: &Outgoing) -> Result<Option<i64>> {
    let Outgoing { id, state, claim_url } = now;
    match Stage::read(state) {
        None if state == "failed" => {
            let again = "UPDATE refunds SET attempt = attempt + 1, stage = 'owed', refund = NULL, link = NULL
                         WHERE refund = ?1 AND stage NOT IN ('paid', 'cancelled') RETURNING of_order";
            order_of(connection.query_row(again, [id], |row| row.get(0)).optional()?, connection)
        }
        None => anyhow::bail!("a refund is {state}"),
        Some(stage) => {
            let so = "UPDATE refunds SET stage = ?2, link = ?3
                      WHERE refund = ?1 AND stage NOT IN ('paid', 'cancelled') RETURNING of_order";
            let changed = connection.query_row(so, params![id, stage.name(), claim_url], |row| row.get(0));
            order_of(changed.optional()?, connection)
        }
    }
}

fn order_of(order: Option<String>, connection: &Connection) -> Result<Option<i64>> {
    let number =
        |order: String| connection.query_row("SELECT number FROM orders WHERE id = ?1", [order], |row| row.get(0));
    Ok(order.map(number).transpose()?)
}

/// What is given back of an order.
pub(super) fn of(connection: &Connection, order: &str) -> Result<Vec<Refund>> {
    list(connection, "SELECT * FROM refunds WHERE of_order = ?1 ORDER BY invoice", order)
}

fn list(connection: &Connection, which: &str, of: &str) -> Result<Vec<Refund>> {
    let mut rows = connection.prepare(which)?;
    rows.query_map([of], read)?.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<Refund>> {
    let (stage, amount): (String, Option<i64>) = (row.get("stage")?, row.get("amount")?);
    let (invoice, attempt, link) = (row.get("invoice")?, row.get("attempt")?, row.get("link")?);
    let whole = || {
        let amount = amount.map(u64::try_from).transpose()?;
        let stage = Stage::read(&stage).with_context(|| format!("a refund is {stage}"))?;
        Ok(Refund { invoice, amount, attempt, stage, link })
    };
    Ok(whole())
}

impl Store {
    /// What the merchant is to be asked for.
    pub(crate) fn owed(&self) -> Result<Vec<Refund>> {
        list(&self.connection(), "SELECT * FROM refunds WHERE stage = ?1", Stage::Owed.name())
    }

    /// The merchant has made the refund of an invoice: what it tells of this id is about it.
    pub(crate) fn refund_is(&self, refund: &Refund, id: &str) -> Result<()> {
        let asked = "UPDATE refunds SET refund = ?3 WHERE invoice = ?1 AND attempt = ?2";
        self.connection().execute(asked, params![refund.invoice, refund.attempt, id])?;
        Ok(())
    }

    /// Nothing was made of this attempt: the next one is asked for.
    pub(crate) fn next_attempt(&self, refund: &Refund) -> Result<()> {
        let next = "UPDATE refunds SET attempt = attempt + 1 WHERE invoice = ?1 AND attempt = ?2";
        self.connection().execute(next, params![refund.invoice, refund.attempt])?;
        Ok(())
    }

    pub(crate) fn refund_stands(&self, now: &Outgoing) -> Result<()> {
        stands(&self.connection(), now).map(drop)
    }

    /// Nothing is left to give back.
    pub(crate) fn given_by_hand(&self, refund: &Refund) -> Result<()> {
        let given = "UPDATE refunds SET stage = ?2 WHERE invoice = ?1";
        self.connection().execute(given, [&refund.invoice, Stage::ByHand.name()])?;
        Ok(())
    }

    /// Whatever was told of refunds may have been missed: the merchant is asked for all that have not ended.
    pub(crate) fn look_at_refunds(&self) -> Result<()> {
        self.connection().execute("UPDATE refunds SET stage = 'owed' WHERE stage IN ('pending', 'claimable')", [])?;
        Ok(())
    }
}
