//! Messages for a height that has not begun here, kept within bounds.

use super::message::Message;
use crate::limits;
use crate::types::{Height, PublicKey};
use std::collections::BTreeMap;

/// By height, then by sender; certificates, which name no sender, together.
#[derive(Default)]
pub(super) struct Early {
    heights: BTreeMap<Height, BTreeMap<Option<PublicKey>, Vec<Message>>>,
}

impl Early {
    /// Whether a message is new and within its sender's bound. Beyond it messages are dropped: votes are
    /// sent again anyway, and a block that was decided without us is fetched.
    pub(super) fn has_room(&self, message: &Message) -> bool {
        let kept = self.heights.get(&message.height()).and_then(|senders| senders.get(&sender(message)));
        let Some(kept) = kept else { return true };
        let proposals = kept.iter().filter(|other| matches!(other, Message::Proposal(..))).count();
        let is_full = matches!(message, Message::Proposal(..)) && proposals >= limits::MAX_EARLY_PROPOSALS;
        kept.len() < limits::MAX_EARLY_MESSAGES && !is_full && !kept.contains(message)
    }

    pub(super) fn keep(&mut self, message: Message) {
        self.heights.entry(message.height()).or_default().entry(sender(&message)).or_default().push(message);
    }

    /// Whether a vote or proposal for this height is here.
    pub(super) fn has_signed(&self, height: Height) -> bool {
        self.heights.get(&height).is_some_and(|senders| senders.keys().any(Option::is_some))
    }

    /// Takes what came for a height; proposals first.
    pub(super) fn take(&mut self, height: Height) -> Vec<Message> {
        let senders = self.heights.remove(&height).unwrap_or_default();
        let mut messages: Vec<Message> = senders.into_values().flatten().collect();
        messages.sort_by_key(|message| !matches!(message, Message::Proposal(..)));
        messages
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.heights.values().flat_map(BTreeMap::values).map(Vec::len).sum()
    }

    pub(super) fn forget_before(&mut self, height: Height) {
        self.heights = self.heights.split_off(&height);
    }
}

/// Who signed it; verified before it is kept.
fn sender(message: &Message) -> Option<PublicKey> {
    match message {
        Message::Vote(vote) => Some(vote.ballot.validator),
        Message::Proposal(proposal, _) => Some(proposal.proposer),
        Message::Polka(_) | Message::Round(_) => None,
    }
}
