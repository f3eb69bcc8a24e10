//! A bank whose records were lost: what it signed before is forgotten (docs/protocol.md, section 4, rule 8).
//!
//! Its store begins with [`Bank::first_record_after_data_loss`]. From then on every channel that it comes to have,
//! whoever comes, begins as after data loss: it adopts what the partner shows and signs nothing before a new block.
//! Unlike a wallet's bank, a bank's partners are many and strangers: what each keeps back is lost to the bank, so that
//! its operator has to want this.

use super::Bank;
use crate::peers::Past;

/// The record's key.
const LOST: u8 = b'r';

impl Bank {
    /// Key and value with which the store of a bank begins whose records were lost.
    pub fn first_record_after_data_loss() -> (Vec<u8>, Vec<u8>) {
        (vec![LOST], Vec::new())
    }

    pub(super) fn restore_loss(&mut self, key: &[u8]) -> bool {
        let is_lost = key == [LOST];
        if is_lost {
            self.past = Past::Forgotten;
        }
        is_lost
    }
}
