//! What does not belong to an order goes back, once: the merchant is asked under the same name until what it answered
//! is on the disk, so that a shop that is killed in between is answered with the same refund.

use super::{Desk, PAUSE};
use crate::merchant;
use crate::refund::Refund;
use anyhow::Result;
use std::time::Duration;
use tokio::time::sleep;

/// The longest before a merchant is asked again that refused.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Desk {
    /// Gives back whatever is owed, as long as the shop runs.
    pub(crate) async fn give_back(&self) {
        let mut changes = self.changes.subscribe();
        let mut pause = PAUSE;
        loop {
            match self.give_all_back().await {
                Ok(()) => {
                    pause = PAUSE;
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    eprintln!("a refund is asked for again: {error:#}");
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    /// All that can be; then the last error.
    async fn give_all_back(&self) -> Result<()> {
        let mut result = Ok(());
        for refund in self.store.owed()? {
            match self.give(&refund).await {
                Ok(()) => self.tell(),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    async fn give(&self, refund: &Refund) -> Result<()> {
        let Refund { invoice, attempt, .. } = refund;
        // One that failed did not reach the payer's wallet: the customer says where it goes.
        let by_link = *attempt > 1;
        let asked = self.merchant.refund(invoice, &format!("refund-{invoice}-{attempt}"), by_link).await;
        let made = match asked {
            // No way leads to where the payer said, and nothing was made under this name: a link is asked for.
            Err(error) if !by_link && merchant::is_impossible(&error) => return self.store.next_attempt(refund),
            made => made?,
        };
        let Some(made) = made else {
            println!("invoice {invoice}: nothing of it is left to give back");
            return self.store.given_by_hand(refund);
        };
        // Before it is looked at: from here on no event about it is missed.
        self.store.refund_is(refund, &made.id)?;
        let now = self.merchant.look_at_refund(&made.id).await?;
        println!("invoice {invoice}: refund {} is {}", now.id, now.state);
        self.store.refund_stands(&now)
    }
}
