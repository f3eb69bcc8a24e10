//! Payments that the operator makes to a partner: direct, unconditional, each under a name of its own, so that
//! asking again pays nothing twice.

use super::{Bank, Event, Out, Refusal, paid_key};
use crate::account::{BadRecord, RequestId, read};
use crate::channel::event::{Command, CommandFailure, Reference};
use crate::codec;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, PublicKey, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// First byte of a direct payment's key.
const DIRECT: u8 = b'o';

/// A payment of the bank to a partner.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DirectPayment {
    /// Names the wish in the channel.
    pub reference: Reference,
    /// Whom.
    pub peer: PublicKey,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// For the payee to read.
    pub note: Vec<u8>,
    /// How it stands.
    pub state: DirectState,
}

/// How a direct payment stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum DirectState {
    /// Not in all possible outcomes yet.
    Waiting,
    /// Irrevocable.
    Paid,
    /// In no possible outcome.
    Failed(CommandFailure),
}

/// All direct payments, found by their names and by those of their wishes.
#[derive(Clone, Debug, Default)]
pub(super) struct Directs {
    payments: BTreeMap<RequestId, DirectPayment>,
    references: BTreeMap<Reference, RequestId>,
}

impl Directs {
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [DIRECT, request @ ..] = key else { return Ok(false) };
        let request = read(DIRECT, request)?;
        self.index(request, read(DIRECT, value)?);
        Ok(true)
    }

    fn index(&mut self, request: RequestId, payment: DirectPayment) {
        self.references.insert(payment.reference, request);
        self.payments.insert(request, payment);
    }

    fn next_reference(&self) -> Reference {
        self.references.last_key_value().map_or(0, |(newest, _)| newest.saturating_add(1))
    }

    fn keep(&mut self, request: RequestId, payment: DirectPayment, out: &mut Out) {
        let mut key = vec![DIRECT];
        key.extend_from_slice(&request);
        out.write.put(key, codec::encode(&payment));
        out.notify(Event::Direct(request));
        self.index(request, payment);
    }
}

impl Bank {
    /// A direct payment.
    pub fn direct_payment(&self, request: &RequestId) -> Option<&DirectPayment> {
        self.direct.payments.get(request)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one input and the context of every handler")]
    pub(super) fn pay_directly(
        &mut self,
        request: RequestId,
        peer: PublicKey,
        asset: AssetId,
        amount: Amount,
        note: Vec<u8>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        if let Some(old) = self.direct.payments.get(&request) {
            let same = (old.peer, old.asset, old.amount, &old.note) == (peer, asset, amount, &note);
            return if same { Ok(()) } else { Err(Refusal::RequestUsed) };
        }
        self.known(&peer)?;
        let reference = self.direct.next_reference();
        let command = Command::Pay { asset, amount, note: note.clone(), reference };
        self.peers.command(&peer, command, chain, now_ms, out)?;
        let payment = DirectPayment { reference, peer, asset, amount, note, state: DirectState::Waiting };
        self.direct.keep(request, payment, out);
        if self.paid.insert(peer) {
            out.write.put(paid_key(&peer), Vec::new());
        }
        Ok(())
    }

    pub(super) fn direct_ended(&mut self, reference: Reference, state: DirectState, out: &mut Out) {
        let Some(request) = self.direct.references.get(&reference).copied() else { return };
        let Some(payment) = self.direct.payments.get(&request).cloned() else { return };
        self.direct.keep(request, DirectPayment { state, ..payment }, out);
    }
}
