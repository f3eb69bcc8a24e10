//! When a validator does not sign: its database does not tell what its key has signed before.
//!
//! One that begins with a snapshot is silent until it has committed a block that was proposed since. One that begins at
//! genesis, with nothing signed, may be of a network that has yet to begin, or has lost its database: it signs only when
//! more than two thirds of all shares, its own among them, are said to stand at genesis too, and once it is given the
//! first block instead, it is silent as after a snapshot. So fewer than a third who lie can neither make it sign twice
//! for what was decided nor keep a new network from beginning.
//!
//! What this does not see is a database lost while the first block is being decided: everybody still stands at genesis,
//! and the validator may vote a second time in a round of height 1. It is then one of those who vote twice, of whom
//! consensus bears less than a third of all shares; where more lost theirs, the genesis is made anew, since nothing is
//! built on it yet. To ask whether the others have signed nothing either would not close it: some of them may not have
//! begun when the database goes. And validators that start, or start again, one after the other would wait for each
//! other for ever, since who has begun says so from then on. What would close it, others keeping on disk which database
//! of a validator they met first, is more than the first block is worth.

use crate::store::Write;
use crate::store::onchain::{self, Found};
use fair_core::chain::certificate::ValidatorSet;
use fair_core::types::{Height, PublicKey, TimeMs};
use std::collections::BTreeMap;

/// Why a validator does not sign, if it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It knows what it signed.
    Over,
    /// It stands at genesis and knows of nothing.
    AtGenesis {
        /// When the process began.
        since_ms: TimeMs,
    },
    /// It signs after a block of this time or later.
    Until(TimeMs),
}

/// Where a block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// This validator decided it with the others.
    Decided,
    /// Others had it.
    Fetched,
}

impl Silence {
    /// That of a start. `stored`: what the database says of a silence that has begun.
    pub(super) fn at_start(found: &Found, stored: Option<TimeMs>, now_ms: TimeMs) -> Self {
        let knows_nothing = found.log.is_empty() && found.signed.is_empty();
        match stored {
            Some(until_ms) => Self::Until(until_ms),
            None if knows_nothing && found.follower.height() == 0 => Self::AtGenesis { since_ms: now_ms },
            None => Self::Over,
        }
    }

    /// Whether `own` may sign, by the heads that others claim.
    pub(super) fn is_over(&self, own: &PublicKey, set: &ValidatorSet, claimed: &BTreeMap<PublicKey, Height>) -> bool {
        match self {
            Self::Over => true,
            Self::Until(_) => false,
            Self::AtGenesis { .. } => {
                let is_there = |account: &PublicKey| account == own || claimed.get(account) == Some(&0);
                let there = set.validators.iter().filter(|validator| is_there(&validator.account));
                set.is_quorum(there.fold(0, |shares, validator| shares.saturating_add(validator.shares)))
            }
        }
    }

    /// From now on the log tells what is signed.
    pub(super) const fn has_begun(&mut self) {
        if let Self::AtGenesis { .. } = self {
            *self = Self::Over;
        }
    }

    /// What it is after a block, and what is stored of that in the block's commit.
    pub(super) fn after_block(self, source: Source, time_ms: TimeMs) -> (Self, Option<Write>) {
        match (self, source) {
            (Self::Until(until_ms), _) if time_ms >= until_ms => (Self::Over, Some(onchain::silence_ends())),
            (Self::AtGenesis { since_ms }, Source::Fetched) => {
                let until_ms = onchain::silent_after(since_ms);
                if time_ms >= until_ms {
                    return (Self::Over, None);
                }
                (Self::Until(until_ms), Some(onchain::silence(until_ms)))
            }
            (Self::AtGenesis { .. }, Source::Decided) => (Self::Over, None),
            (silence, _) => (silence, None),
        }
    }

    /// The time of that block, for the operator.
    pub(super) const fn until(&self) -> Option<TimeMs> {
        match self {
            Self::Until(until_ms) => Some(*until_ms),
            Self::Over | Self::AtGenesis { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fair_core::chain::certificate::Validator;

    fn key(number: u8) -> PublicKey {
        PublicKey([number; 32])
    }

    fn set() -> ValidatorSet {
        let validator =
            |number| Validator { account: key(number), signing_key: key(number), shares: 25, url: String::new() };
        ValidatorSet { validators: (1..=4).map(validator).collect() }
    }

    fn claims<const N: usize>(claims: [(u8, Height); N]) -> BTreeMap<PublicKey, Height> {
        claims.into_iter().map(|(number, height)| (key(number), height)).collect()
    }

    const NEW: Silence = Silence::AtGenesis { since_ms: 1_000 };

    /// A validator that lost its database would sign for heights that were decided long ago; one who lies about where
    /// it stands does not make it.
    #[test]
    fn nobody_begins_anew_where_others_have_begun() {
        for known in [claims([]), claims([(2, 7)]), claims([(2, 7), (3, 7), (4, 0)]), claims([(3, 7), (4, 0)])] {
            assert!(!NEW.is_over(&key(1), &set(), &known), "{known:?}");
        }
        for known in [claims([(2, 0), (3, 0)]), claims([(2, 0), (3, 0), (4, 7)])] {
            assert!(NEW.is_over(&key(1), &set(), &known), "a new network begins: {known:?}");
        }
        let strangers = claims([(7, 0), (8, 0), (9, 0)]);
        assert!(!NEW.is_over(&key(1), &set(), &strangers));
        assert!(!NEW.is_over(&key(7), &set(), &claims([(2, 0), (3, 0)])), "its own word counts only if it is one");
    }

    /// Whatever it had signed lies at or below a block that was proposed after its start.
    #[test]
    fn who_is_given_the_first_block_is_silent_until_a_block_from_after_its_start() {
        let until_ms = onchain::silent_after(1_000);
        let (silence, write) = NEW.after_block(Source::Fetched, 500);
        assert_eq!((silence, write), (Silence::Until(until_ms), Some(onchain::silence(until_ms))));
        assert!(!silence.is_over(&key(1), &set(), &claims([(2, 0), (3, 0), (4, 0)])));
        assert_eq!(silence.after_block(Source::Fetched, until_ms - 1), (silence, None));
        let over = (Silence::Over, Some(onchain::silence_ends()));
        assert_eq!(silence.after_block(Source::Fetched, until_ms), over);
        assert_eq!(Silence::Over.after_block(Source::Fetched, 5), (Silence::Over, None));
    }

    #[test]
    fn who_began_with_the_others_goes_on_with_them() {
        let mut silence = NEW;
        silence.has_begun();
        assert!(silence.is_over(&key(1), &set(), &claims([])));
        let (silence, write) = silence.after_block(Source::Fetched, 500);
        assert_eq!((silence, write), (Silence::Over, None));
        let mut snapshot = Silence::Until(7);
        snapshot.has_begun();
        assert_eq!(snapshot, Silence::Until(7));
    }
}
