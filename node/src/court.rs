//! Where a channel stands in court, as operators read it: `POST /v1/court` and `POST /v1/dispute` answer with it.
//!
//! ```text
//! {peer, stage, epoch, usable_height, until?, end?, why?, begun_by_us?, in_court?, newest, last?, owed_to_us, owed_by_us}
//!
//! stage          none, wanted, batch_under_way, answering, waiting
//! in_court       {order, lines}     the state that court has
//! newest         {order, lines}     the newest that the partner signed, which is what this party shows
//! lines          [{asset, insurance, ondelta, offdelta, delta, insured, uninsured, owed, incoming_locks, outgoing_locks}]
//! last           {epoch, order, assets}    how the newest dispute was resolved
//! ```

use crate::progress::Progress;
use fair_core::channel::state::StateOrder;
use fair_core::types::PublicKey;
use fair_core::watch::{CourtLine, CourtStage, CourtView, OpenDebt};
use serde_json::{Map, Value, json};

/// Whether there is more to wait for after an order to dispute: the batch has to find a block.
pub(crate) fn progress(peer: &PublicKey, view: &CourtView) -> Progress<Value> {
    match view.stage {
        CourtStage::BatchUnderWay { .. } => Progress::Waiting(json(peer, view)),
        CourtStage::None | CourtStage::Wanted { .. } | CourtStage::Answering { .. } | CourtStage::Waiting { .. } => {
            Progress::Ended(json(peer, view))
        }
    }
}

pub(crate) fn json(peer: &PublicKey, view: &CourtView) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("peer", json!(peer));
    put("epoch", json!(view.epoch));
    put("usable_height", json!(view.usable_height));
    let stage = match &view.stage {
        CourtStage::None => "none",
        CourtStage::Wanted { problem } => {
            put("why", json!(problem.to_string()));
            "wanted"
        }
        CourtStage::BatchUnderWay { until } => {
            put("until", json!(until));
            "batch_under_way"
        }
        CourtStage::Answering { until } => {
            put("until", json!(until));
            "answering"
        }
        CourtStage::Waiting { end } => {
            put("end", json!(end));
            "waiting"
        }
    };
    put("stage", json!(stage));
    if let Some(in_court) = &view.in_court {
        put("in_court", state(in_court, &view.lines_in_court));
        put("begun_by_us", json!(view.begun_by_us));
        put("answer_under_way", json!(view.answer_under_way));
    }
    put("newest", state(&view.newest, &view.lines_newest));
    if let Some(last) = &view.last {
        put("last", json!({ "epoch": last.epoch, "order": last.order, "assets": last.assets }));
    }
    put("owed_to_us", debts(&view.owed_to_us));
    put("owed_by_us", debts(&view.owed_by_us));
    Value::Object(fields)
}

fn state(order: &StateOrder, lines: &[CourtLine]) -> Value {
    let line = |line: &CourtLine| {
        json!({
            "asset": line.asset,
            "insurance": line.insurance,
            "ondelta": line.ondelta,
            "offdelta": line.offdelta,
            "delta": line.line.delta(),
            "insured": line.insured,
            "uninsured": line.uninsured,
            "owed": line.owed,
            "incoming_locks": line.locks.incoming,
            "outgoing_locks": line.locks.outgoing,
        })
    };
    json!({ "order": order, "lines": lines.iter().map(line).collect::<Vec<_>>() })
}

fn debts(debts: &[OpenDebt]) -> Value {
    let debt = |debt: &OpenDebt| json!({ "asset": debt.asset, "number": debt.number, "amount": debt.amount });
    debts.iter().map(debt).collect()
}
