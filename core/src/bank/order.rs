//! What the operator orders on-chain: proposals, votes, entries of registers. They join the next batch, each under a
//! name of its own, so that asking again orders nothing twice and finds the same batch.

use super::{Bank, Out, Refusal};
use crate::account::{BadRecord, RequestId, read};
use crate::codec;
use crate::effect::Write;
use crate::ledger::operation::Operation;
use crate::peers::Chain;
use crate::types::TimeMs;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// First byte of an order's key.
const ORDER: u8 = b'n';

/// Something that the operator ordered.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Order {
    /// What.
    pub operation: Operation,
    /// Request of the batch that has it; `None` while it is in the draft.
    pub batch: Option<RequestId>,
}

/// All orders by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders(BTreeMap<RequestId, Order>);

impl Orders {
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [ORDER, request @ ..] = key else { return Ok(false) };
        self.0.insert(read(ORDER, request)?, read(ORDER, value)?);
        Ok(true)
    }

    fn keep(&mut self, request: RequestId, order: Order, write: &mut Write) {
        let mut key = vec![ORDER];
        key.extend_from_slice(&request);
        write.put(key, codec::encode(&order));
        self.0.insert(request, order);
    }

    /// Those of one batch, or of none, are in another now.
    fn put(&mut self, from: Option<RequestId>, to: Option<RequestId>, write: &mut Write) {
        let moved = self.0.iter().filter(|(_, order)| order.batch == from);
        let moved: Vec<_> = moved.map(|(request, order)| (*request, Order { batch: to, ..order.clone() })).collect();
        for (request, order) in moved {
            self.keep(request, order, write);
        }
    }

    /// The whole draft was signed.
    pub(super) fn signed(&mut self, batch: RequestId, write: &mut Write) {
        self.put(None, Some(batch), write);
    }

    /// A batch can no longer be included: what it had is in the draft again.
    pub(super) fn lapsed(&mut self, batch: RequestId, write: &mut Write) {
        self.put(Some(batch), None, write);
    }
}

impl Bank {
    /// An order of the operator's.
    pub fn order(&self, request: &RequestId) -> Option<&Order> {
        self.orders.0.get(request)
    }

    pub(super) fn take_order(
        &mut self,
        request: RequestId,
        operation: Operation,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        if let Some(old) = self.orders.0.get(&request) {
            return if old.operation == operation { Ok(()) } else { Err(Refusal::RequestUsed) };
        }
        self.on_chain.add(vec![operation.clone()], &mut out.write)?;
        self.orders.keep(request, Order { operation, batch: None }, &mut out.write);
        self.flush(chain, now_ms, out);
        Ok(())
    }
}
