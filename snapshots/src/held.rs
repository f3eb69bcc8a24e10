//! A snapshot that an operator begins with beside a checkpoint: both are of one chain, or nothing is begun.

use crate::lead::{LeadError, lead};
use fair_core::chain::trust::Confirmed;

/// Why a snapshot is not begun with beside a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum NotHeld {
    /// Two blocks of one height.
    #[error("the snapshot of block {snapshot} contradicts the checkpoint {checkpoint}")]
    Contradiction {
        /// The snapshot's block.
        snapshot: Confirmed,
        /// The checkpoint.
        checkpoint: Confirmed,
    },
    /// Nobody has headers that lead from the one to the other.
    #[error(
        "nobody shows that the snapshot of block {snapshot} and the checkpoint {checkpoint} are of one chain: {why}"
    )]
    Apart {
        /// The snapshot's block.
        snapshot: Confirmed,
        /// The checkpoint.
        checkpoint: Confirmed,
        /// What was said.
        why: Box<LeadError>,
    },
}

/// Holds a snapshot against a checkpoint: the headers between them, from whoever of `urls` has them, lead from the lower
/// one to the higher one. Each names the one before by its hash, so nobody is trusted with that.
///
/// # Errors
/// [`NotHeld`] names both.
pub async fn hold(
    client: &reqwest::Client,
    urls: &[String],
    snapshot: Confirmed,
    checkpoint: Confirmed,
) -> Result<(), NotHeld> {
    if snapshot.height == checkpoint.height {
        let is_same = snapshot.hash == checkpoint.hash;
        return if is_same { Ok(()) } else { Err(NotHeld::Contradiction { snapshot, checkpoint }) };
    }
    let (lower, higher) =
        if snapshot.height < checkpoint.height { (snapshot, checkpoint) } else { (checkpoint, snapshot) };
    match lead(client, urls, (lower.height, lower.hash), higher).await {
        Ok(_) => Ok(()),
        Err(why) => Err(NotHeld::Apart { snapshot, checkpoint, why: Box::new(why) }),
    }
}
