//! What a party let go in one channel, read from its messages alone: states that court could be shown
//! against it, and consents that could be executed. Rules 1 and 2 are checked on the way.

use fair_core::channel::state::{ChannelState, StateOrder};
use fair_core::channel::transition::Transition;
use fair_core::channel::wire::{Message as Peer, Reply};
use fair_core::ledger::operation::WithdrawalConsent;
use fair_core::message::{Message, Signed};
use fair_core::types::{PublicKey, Side};

/// What one party signed and let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// States in the order in which they left.
    pub states: Vec<ChannelState>,
    /// Consents to the partner's withdrawals.
    pub consents: Vec<Signed<WithdrawalConsent>>,
}

impl Released {
    /// Notes what a message of `side` gives away. `base` is the sender's newest both-signed state.
    ///
    /// # Panics
    /// When the sender signs below or beside what it signed, or something else than it says.
    pub fn note(&mut self, bytes: &[u8], base: &ChannelState, side: Side) {
        let Ok(Peer::Update(update)) = Peer::decode(bytes) else { return };
        let mut states = Vec::new();
        if let Some(Reply::Ack { frame, signature }) = &update.reply
            && base.order() == (StateOrder { frame: *frame, proposer: side.other() })
        {
            states.push((base.clone(), *signature));
        }
        if let Some(frame) = &update.frame {
            let result = frame.debug.as_ref().map(|states| states.result.clone()).expect("a test network");
            states.push((result, frame.signature));
            for transition in &frame.transitions {
                if let Transition::GrantWithdrawal { proof } = transition
                    && !self.consents.contains(proof)
                {
                    self.consents.push((**proof).clone());
                }
            }
        }
        for (state, signature) in states {
            if self.states.contains(&state) {
                continue;
            }
            let key: PublicKey = state.parties.key(side);
            assert!(state.is_signed_by(&state.chain_id, &key, &signature), "what it says it signs");
            for released in &self.states {
                assert!(
                    released.epoch != state.epoch || released.order() < state.order(),
                    "nobody signs below or beside what it signed: {:?} after {:?}",
                    state.order(),
                    released.order()
                );
            }
            self.states.push(state);
        }
    }

    /// Every state by which court could decide against the party: it answers with its base, so nothing
    /// below that counts.
    pub fn threats(&self, base: &ChannelState) -> Vec<ChannelState> {
        let above = |state: &&ChannelState| state.epoch == base.epoch && state.order() > base.order();
        let mut states: Vec<_> = self.states.iter().filter(above).cloned().collect();
        states.push(base.clone());
        states
    }

    /// Drops what can no longer decide.
    pub fn forget_below(&mut self, base: StateOrder) {
        self.states.retain(|state| state.order() >= base);
    }
}
