//! The durable record of a channel: everything that a restart needs (docs/protocol.md, section 4, rule 7).

use super::agreement::Agreement;
use super::event::{Command, CommandFailure, Event, Misbehaviour, Reference, Suspension};
use super::shared::Sides;
use super::state::{ChannelState, LockId, StateOrder};
use super::wire::{Frame, Reply};
use crate::codec::{self, DecodeError};
use crate::crypto::Secret;
use crate::ledger::state::CourtState;
use crate::limits;
use crate::ordered;
use crate::types::{Amount, AssetId, Epoch, Hash, Height, Parties, Side, Signature, TimeMs, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Version of the record's layout. A newer one is refused, an older one migrated.
pub const VERSION: u16 = 3;
/// Version before court: the same without its last three fields.
const WITHOUT_COURT: u16 = 1;
/// Version before prices were bounded: the same without its last field.
const WITHOUT_PRICES: u16 = 2;

/// Everything durable of one channel, one party's side.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Record {
    pub(crate) version: u16,
    /// Which side this party is.
    pub(crate) side: Side,
    /// The highest state signed by both.
    pub(crate) base: Agreement,
    /// Both signatures on it; none on the default state.
    pub(crate) signatures: Option<Sides<Signature>>,
    /// The own frame without an answer. Its signature is out: it is a possible outcome.
    pub(crate) own: Option<OwnFrame>,
    /// Own frames above the base that were refused or gave way: dead here, alive in court.
    pub(crate) alive: Vec<AliveState>,
    /// Highest frame number signed or received in this epoch.
    pub(crate) highest: u64,
    /// The partner's newest frame, whatever became of it.
    pub(crate) received: Option<Received>,
    /// Answer to the partner's newest answered frame.
    pub(crate) reply: Option<Reply>,
    /// A frame of the partner that waits for a block.
    pub(crate) waiting: Option<Waiting>,
    /// Data was lost.
    pub(crate) restore: Option<Restore>,
    /// Wishes in order, the first proposed first.
    pub(crate) queue: VecDeque<Wish>,
    /// Wishes given up while a signed state that holds them could still decide.
    pub(crate) limbo: Vec<(Command, CommandFailure)>,
    /// The refuser's head: reached before anything is proposed.
    pub(crate) reach: Height,
    /// Own frames refused in a row.
    pub(crate) refusals: u32,
    pub(crate) suspended: Option<Suspension>,
    /// Next index of an own lock, also above those of frames that came to nothing.
    pub(crate) next_index: u64,
    /// Whose wish each own lock was.
    #[borsh(deserialize_with = "ordered::read_map")]
    pub(crate) references: BTreeMap<LockId, Reference>,
    /// Incoming locks whose secret was sent: never failed. True once the reveal was asked for.
    #[borsh(deserialize_with = "ordered::read_map")]
    pub(crate) secrets: BTreeMap<LockId, (Secret, bool)>,
    /// Incoming locks that may have been forwarded before data was lost.
    #[borsh(deserialize_with = "ordered::read_set")]
    pub(crate) maybe_forwarded: BTreeSet<LockId>,
    /// Withdrawals of the partner under way (asset, number, expiry) whose consent was sent, or may have been.
    #[borsh(deserialize_with = "ordered::read_set")]
    pub(crate) consented: BTreeSet<(AssetId, u64, UsableHeight)>,
    /// What is to be reported once the head is fresh and shows no dispute.
    pub(crate) unreported: Vec<Event>,
    /// What the partner did wrong, the first ones.
    pub(crate) misbehaviours: Vec<Misbehaviour>,
    /// A dispute that this side signed could still be included: nothing is signed here.
    pub(crate) frozen: bool,
    /// The state that court had when it was last looked at, while a dispute runs.
    pub(crate) in_court: Option<CourtState>,
    /// What this side pays at most for an insurance, as it said last.
    #[borsh(deserialize_with = "ordered::read_map")]
    pub(crate) most_prices: BTreeMap<AssetId, Amount>,
}

/// An own frame with what it makes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct OwnFrame {
    pub(crate) frame: Frame,
    pub(crate) result: Agreement,
    /// One for each transition.
    pub(crate) wishes: Vec<Wish>,
    /// What new facts did.
    pub(crate) changes: Vec<super::agreement::FactChange>,
}

/// A state that this side signed above its base and that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct AliveState {
    pub(crate) state: ChannelState,
    pub(crate) base: StateOrder,
    /// What its frame took up.
    pub(crate) commands: Vec<Command>,
}

/// The partner's newest frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Received {
    pub(crate) number: u64,
    pub(crate) digest: Hash,
    pub(crate) fate: Fate,
}

/// What became of a frame of the partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum Fate {
    /// Acknowledged or refused: the reply says it.
    Answered,
    /// Ordered below a state signed here, or on another base: never applied.
    Ignored,
    /// Waits for a block.
    Waiting,
}

/// A frame that waits for a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Waiting {
    pub(crate) frame: Frame,
    pub(crate) until_ms: TimeMs,
}

/// Stages after data loss (rule 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum Restore {
    /// The partner has not shown its newest state.
    AwaitHello,
    /// A block must come that was not there when the state was adopted: above this height, and by its time
    /// later than the clock said then. A head that lags would otherwise repeat numbers that were signed.
    AwaitBlock {
        /// The head's height.
        above: Height,
        /// The local clock.
        after_ms: TimeMs,
    },
    /// The declared restore is the own unanswered frame.
    Proposed,
}

/// A command on its way.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Wish {
    pub(crate) command: Command,
    /// It stands in a signed state of [`Record::alive`].
    pub(crate) alive: bool,
}

/// A stored record that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Not a record.
    #[error("the stored channel cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// Of a version that this program does not know.
    #[error("the stored channel has version {got}, this program knows {VERSION}")]
    Version {
        /// What was stored.
        got: u16,
    },
}

impl Record {
    pub(crate) fn new(chain_id: Hash, parties: Parties, side: Side, epoch: Epoch) -> Self {
        Self {
            version: VERSION,
            side,
            base: Agreement::default_of(chain_id, parties, epoch),
            signatures: None,
            own: None,
            alive: Vec::new(),
            highest: 0,
            received: None,
            reply: None,
            waiting: None,
            restore: None,
            queue: VecDeque::new(),
            limbo: Vec::new(),
            reach: 0,
            refusals: 0,
            suspended: None,
            next_index: 0,
            references: BTreeMap::new(),
            secrets: BTreeMap::new(),
            maybe_forwarded: BTreeSet::new(),
            consented: BTreeSet::new(),
            unreported: Vec::new(),
            misbehaviours: Vec::new(),
            frozen: false,
            in_court: None,
            most_prices: BTreeMap::new(),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let Some((version, rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(codec::decode(bytes, limits::MAX_CHANNEL_RECORD_BYTES)?);
        };
        let prices = codec::encode(&BTreeMap::<AssetId, Amount>::new());
        let missing = match u16::from_le_bytes(*version) {
            VERSION => return Ok(codec::decode(bytes, limits::MAX_CHANNEL_RECORD_BYTES)?),
            WITHOUT_COURT => [codec::encode(&(false, None::<CourtState>)), prices].concat(),
            WITHOUT_PRICES => prices,
            got => return Err(BadRecord::Version { got }),
        };
        let migrated = [&VERSION.to_le_bytes()[..], rest, &missing].concat();
        Ok(codec::decode(&migrated, limits::MAX_CHANNEL_RECORD_BYTES)?)
    }

    /// Every state by which court could still decide: the base, and what was signed above it (rule 3).
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &ChannelState> {
        std::iter::once(&self.base.state)
            .chain(self.alive.iter().map(|alive| &alive.state))
            .chain(self.own.iter().map(|own| &own.result.state))
    }

    /// Order of the highest state signed by this side.
    pub(crate) fn highest_signed(&self) -> StateOrder {
        self.outcomes().map(ChannelState::order).max().unwrap_or(StateOrder::DEFAULT)
    }

    /// Rule 3: every state signed above the base is built directly on it.
    pub(crate) fn assert_built_on_base(&self) {
        let base = self.base.state.order();
        let own = self.own.iter().map(|own| (own.frame.order(), own.frame.base));
        let alive = self.alive.iter().map(|alive| (alive.state.order(), alive.base));
        for (order, built_on) in own.chain(alive) {
            assert!(order > base && built_on == base, "a state above the base is built on it");
        }
    }
}

#[cfg(test)]
mod tests;
