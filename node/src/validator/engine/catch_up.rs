//! Catching up: blocks that others have already are fetched, and two that are certified at one height stop this node.

use super::{Engine, Event};
use crate::clock;
use crate::error::NodeError;
use crate::limits;
use crate::store::onchain;
use crate::validator::sync;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::ValidatorSet;
use fair_core::chain::verify::{self, BadBlock};
use fair_core::types::{Height, PublicKey};
use std::collections::BTreeMap;
use tokio::time::{Duration, Instant};

/// Whether others are ahead. Nobody's word counts for more than one fetch in turn: a validator that claims
/// a height and does not serve it cannot keep us from the others.
pub(super) struct Sync {
    /// Highest head that each validator claims.
    pub(super) claimed: BTreeMap<PublicKey, Height>,
    /// Who was asked last.
    pub(super) asked: Option<PublicKey>,
    pub(super) is_fetching: bool,
    /// The last fetch brought blocks: the next in turn is asked for more at once.
    is_moving: bool,
    /// When the head last moved, or a fetch last failed.
    pub(super) since: Instant,
}

impl Sync {
    pub(super) fn new() -> Self {
        let (claimed, since) = (BTreeMap::new(), Instant::now());
        Self { claimed, asked: None, is_fetching: false, is_moving: false, since }
    }

    pub(super) fn claims(&mut self, from: PublicKey, height: Height) {
        let claimed = self.claimed.entry(from).or_insert(height);
        *claimed = height.max(*claimed);
    }

    pub(super) fn highest(&self) -> Height {
        self.claimed.values().max().copied().unwrap_or(0)
    }

    /// Whether validators with a third of all shares claim more than a height: one of them at least does not lie.
    fn are_ahead_of(&self, height: Height, set: &ValidatorSet) -> bool {
        let is_there = |account: &PublicKey| self.claimed.get(account).is_none_or(|claimed| *claimed <= height);
        let there = set.validators.iter().filter(|validator| is_there(&validator.account));
        !set.is_quorum(there.fold(0, |shares, validator| shares.saturating_add(validator.shares)))
    }

    /// Whom to ask now for what is above a head, if anybody.
    fn ask(&mut self, head: Height) -> Option<PublicKey> {
        let next = head.saturating_add(1);
        let is_far = self.highest() > next && (self.asked.is_none() || self.is_moving);
        let is_patient = self.since.elapsed() < Duration::from_millis(limits::PATIENCE_MS);
        if self.highest() <= head || self.is_fetching || (is_patient && !is_far) {
            return None;
        }
        let from = self.next_with(next)?;
        self.is_moving = false;
        self.asked = Some(from);
        Some(from)
    }

    /// The next in turn of those who claim to have a height.
    fn next_with(&self, height: Height) -> Option<PublicKey> {
        let having = || self.claimed.iter().filter(|(_, claimed)| **claimed >= height).map(|(from, _)| *from);
        having().find(|from| Some(*from) > self.asked).or_else(|| having().next())
    }
}

impl Engine {
    pub(super) fn is_behind(&self) -> bool {
        self.sync.highest() > self.follower.height()
    }

    /// The same by the word of more than one liar.
    pub(super) fn are_others_ahead(&self) -> bool {
        self.sync.are_ahead_of(self.follower.height(), self.follower.state().validators())
    }

    /// A block behind for a moment is normal; more, or for longer, and blocks are fetched.
    pub(super) fn fetch_if_behind(&mut self) {
        let head = self.follower.height();
        let next = head.saturating_add(1);
        let Some(from) = self.sync.ask(head) else { return };
        if let Some(url) = self.parts.peers.url_of(&from) {
            self.sync.is_fetching = true;
            sync::fetch(&self.client, url, next, &self.parts.events);
        }
    }

    pub(super) async fn fetched(&mut self, peer: String, blocks: Vec<CertifiedBlock>) -> Result<(), NodeError> {
        self.sync.is_fetching = false;
        self.sync.since = Instant::now();
        let before = self.follower.height();
        for certified in blocks {
            let height = certified.block.header.height;
            if height <= self.follower.height() {
                continue;
            }
            match self.follower.check(&certified, clock::now_ms()) {
                Ok(step) => {
                    let input = self.commit(certified, Some(step)).await?;
                    self.handle(input).await?;
                }
                // Without a checkpoint, only what validators agree on with this one is followed. Somebody who claims to have
                // more, and has nothing that is certified, ends nothing.
                Err(expired @ BadBlock::Expired { .. }) if self.is_certified(&certified) => {
                    return Err(NodeError::Expired(expired));
                }
                Err(reason) => {
                    tracing::warn!(peer, height, %reason, "a fetched block is wrong");
                    self.suspect_fork(&peer, &certified, &reason);
                    break;
                }
            }
        }
        if self.follower.height() > before {
            self.sync.is_moving = true;
            tracing::info!(from = before, to = self.follower.height(), peer, "caught up");
        }
        Ok(())
    }

    fn is_certified(&self, certified: &CertifiedBlock) -> bool {
        let CertifiedBlock { block, certificate, .. } = certified;
        verify::certificate(&block.header, certificate, self.follower.state().validators()).is_ok()
    }

    /// A certified block that continues another one than ours: the peer's block at our height is compared.
    fn suspect_fork(&self, peer: &str, certified: &CertifiedBlock, reason: &BadBlock) {
        let is_certified = self.is_certified(certified);
        if !matches!(reason, BadBlock::WrongPrevious { .. }) || !is_certified || self.follower.height() == 0 {
            return;
        }
        let (client, events, height) = (self.client.clone(), self.parts.events.clone(), self.follower.height());
        let peer = peer.to_owned();
        tokio::spawn(async move {
            let block = sync::block_at(&client, &peer, height).await.map(Box::new);
            let _ = events.send(Event::Compared { peer, block }).await;
        });
    }

    /// Two certified headers at one height, both verified here: keep the evidence, stop, say so.
    pub(super) async fn compared(&mut self, peer: String, block: Option<Box<CertifiedBlock>>) -> Result<(), NodeError> {
        let (Some(theirs), Some(ours)) = (block, self.follower.head()) else { return Ok(()) };
        let header = &theirs.block.header;
        let validators = self.follower.state().validators();
        let is_other = header.height == ours.height && header.hash() != ours.hash();
        if !is_other || verify::certificate(header, &theirs.certificate, validators).is_err() {
            return Ok(());
        }
        let (height, ours) = (ours.height, ours.hash().to_string());
        self.parts.store.commit(vec![onchain::evidence_write(&theirs)]).await?;
        Err(NodeError::Fork { height, ours, theirs: header.hash().to_string(), peer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_brought_something_is_not_asked_again_before_the_others() {
        let [first, second] = [1, 2].map(|byte| PublicKey([byte; 32]));
        let mut sync = Sync::new();
        assert_eq!(sync.ask(0), None, "nobody is ahead");
        sync.claims(first, 100);
        sync.claims(second, 100);
        for (head, from) in [(0, first), (1, second), (2, first)] {
            assert_eq!(sync.ask(head), Some(from));
            assert_eq!(sync.ask(head), None, "it has some time to answer");
            sync.is_moving = true;
        }
        assert_eq!(sync.ask(100), None);
    }
}
