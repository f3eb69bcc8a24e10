//! Why a command ended, in words for its operator, each with an exit code.

use crate::store::StoreError;
use fair_core::chain::genesis::BadGenesis;
use fair_core::chain::params::BadParameters;
use fair_core::chain::verify::BadBlock;
use std::io;
use std::path::PathBuf;

/// Why a command ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    /// A file or folder cannot be used.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something is there that would be overwritten.
    #[error("{} exists already; nothing was changed", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// No home.
    #[error("{} is no home of a node: it has no {missing} (make one with `node init --home {}`)", path.display(), path.display())]
    NoHome {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// The process of a home has never run.
    #[error("{} has no {missing}: its process makes that file at its first start, so run `node run --home {}` first", path.display(), path.display())]
    NeverRan {
        /// The home.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// A private file that others can read.
    #[error("{} can be read by others (mode {mode:o}); make it private with `chmod {wanted:o} {}`", path.display(), path.display())]
    NotPrivate {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it should be.
        wanted: u32,
    },
    /// A file whose content makes no sense.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another process uses the home.
    #[error("another process runs with the home {}; one at a time, so that nothing is signed twice", path.display())]
    InUse {
        /// The home.
        path: PathBuf,
    },
    /// The genesis document.
    #[error(transparent)]
    Genesis(#[from] BadGenesis),
    /// Parameters that break a rule.
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    /// The database belongs to another chain.
    #[error("{} belongs to another network (chain {stored}); the genesis document is that of chain {genesis}. Nothing was changed", path.display())]
    WrongGenesis {
        /// The database.
        path: PathBuf,
        /// Its chain.
        stored: String,
        /// The chain of the document.
        genesis: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored does not fit together.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A bank without records whose key was used.
    #[error(
        "{} has no records, but the account was used before: what this bank signed is forgotten. Put the database back if there is a newest copy. Otherwise --data-lost takes the states of all channels from the partners: what one of them keeps back, and what was under way, is lost. If only others ever paid into its channels and nothing was signed, begin with --never-signed. Nothing was changed", path.display()
    )]
    RecordsLost {
        /// The database.
        path: PathBuf,
    },
    /// A snapshot is not to be had, or not to be believed.
    #[error("snapshot: {reason}")]
    Snapshot {
        /// What is wrong.
        reason: String,
    },
    /// A snapshot that an operator would begin with does not belong to the checkpoint given with it.
    #[error("--snapshot, --checkpoint: {0}")]
    NotHeld(#[from] fair_snapshots::NotHeld),
    /// The port is taken, or not ours.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Address and port.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// Consensus must stop.
    #[error("stopped before signing anything wrong: {0}")]
    Consensus(#[from] fair_core::consensus::Fault),
    /// Two certified blocks at one height.
    #[error("two certified blocks at height {height}: {ours} here, {theirs} at {peer}. The evidence is kept; stopped")]
    Fork {
        /// The height.
        height: u64,
        /// Ours.
        ours: String,
        /// The other.
        theirs: String,
        /// Who has it.
        peer: String,
    },
    /// Governance released rules that this program does not know.
    #[error("stopped: {0}")]
    Rules(BadBlock),
    /// The newest block is older than K.trust_period.
    #[error(
        "{0}. Until it goes on nothing is answered in court. Compare a newer block with somebody you trust and begin again with it: --checkpoint HEIGHT:HASH"
    )]
    Expired(BadBlock),
    /// Nothing leads to the checkpoint that an operator gave.
    #[error("--checkpoint: {0}")]
    Lead(#[from] fair_snapshots::LeadError),
    /// A running process does not answer.
    #[error("{url} does not answer: {reason}")]
    NoAnswer {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// A running process does not do what it was asked.
    #[error("{reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// A payment that was ordered came to nothing.
    #[error("the payment failed: {reason}. Nothing was paid")]
    NotPaid {
        /// Why.
        reason: String,
    },
    /// The answer of a command cannot be written.
    #[error("the answer cannot be written: {0}")]
    Output(io::Error),
    /// The system refuses threads or randomness.
    #[error("the system refuses {what}: {reason}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl NodeError {
    /// 3 homes and files, 4 another network, 5 database and disk, 6 ports, 7 consensus, 8 no answer, 9 new rules,
    /// 10 a payment that failed, 11 slept too long.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::File { .. }
            | Self::Exists { .. }
            | Self::NoHome { .. }
            | Self::NotPrivate { .. }
            | Self::NeverRan { .. } => 3,
            Self::Content { .. } | Self::InUse { .. } | Self::Genesis(_) | Self::Parameters(_) => 3,
            Self::WrongGenesis { .. } => 4,
            Self::Store(_) | Self::Damaged { .. } | Self::RecordsLost { .. } => 5,
            Self::Snapshot { .. } | Self::NotHeld(_) => 5,
            Self::Listen { .. } => 6,
            Self::Consensus(_) | Self::Fork { .. } => 7,
            Self::NoAnswer { .. } | Self::Refused { .. } => 8,
            Self::Rules(_) => 9,
            Self::NotPaid { .. } => 10,
            Self::Expired(_) | Self::Lead(_) => 11,
            Self::System { .. } | Self::Output(_) => 1,
        }
    }
}
