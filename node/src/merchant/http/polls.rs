//! Requests that wait for something to happen. Each key has so many, a key that is revoked has none, and whoever waits
//! is woken by a number alone: nothing is read or shown before there is something new.

use super::Shop;
use super::caller::{Caller, Rates, unauthorized};
use crate::limits;
use crate::local::Refusal;
use crate::merchant::keys::{KeyId, Keyring};
use axum::http::StatusCode;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

/// When whoever finds no place to wait may come again.
const NO_PLACE_WAIT_S: u64 = 2;

/// Requests that wait, and how often somebody asks.
#[derive(Clone)]
pub(in crate::merchant) struct Places {
    free: Arc<Semaphore>,
    of_keys: Arc<Mutex<BTreeMap<KeyId, usize>>>,
    pub(super) rates: Arc<Rates>,
}

impl Default for Places {
    fn default() -> Self {
        let free = Arc::new(Semaphore::new(limits::MERCHANT_WAITING));
        Self { free, of_keys: Arc::default(), rates: Arc::default() }
    }
}

/// Is free again when it is dropped.
pub(super) struct Place {
    key: KeyId,
    of_keys: Arc<Mutex<BTreeMap<KeyId, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn take(&self, key: KeyId) -> Result<Place, Refusal> {
        let full = |says: &str| Refusal::new(StatusCode::TOO_MANY_REQUESTS, "limited", says).after(NO_PLACE_WAIT_S);
        let mut of_keys = self.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of_keys.get(&key).copied().unwrap_or(0);
        if count >= limits::MERCHANT_WAITING_PER_KEY {
            return Err(full("Too many requests with this key wait already."));
        }
        let permit = self.free.clone().try_acquire_owned();
        let permit = permit.map_err(|_| full("Too many requests wait already."))?;
        of_keys.insert(key, count.saturating_add(1));
        Ok(Place { key, of_keys: self.of_keys.clone(), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of_keys = self.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        match of_keys.get_mut(&self.key) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(of_keys.remove(&self.key)),
        }
    }
}

/// A request that waits.
pub(super) struct Poll {
    until: Instant,
    told: watch::Receiver<u64>,
    revoked: watch::Receiver<()>,
    keys: Keyring,
    place: Place,
}

impl Poll {
    pub(super) fn begin(shop: &Shop, caller: &Caller, until: Instant) -> Result<Self, Refusal> {
        let (told, revoked) = (shop.told.clone(), shop.keys.revocations());
        let poll = Self { until, told, revoked, keys: shop.keys.clone(), place: shop.waiting.take(caller.id)? };
        // It may have been revoked since it was looked at.
        poll.check_key().map(|()| poll)
    }

    fn check_key(&self) -> Result<(), Refusal> {
        if self.keys.holds(&self.place.key) { Ok(()) } else { Err(unauthorized()) }
    }

    /// The newest event of now. Whoever looks at something after this misses no change.
    pub(super) fn mark(&mut self) -> u64 {
        *self.told.borrow_and_update()
    }

    /// Waits for an event after one; `false`: the patience is over.
    pub(super) async fn event_after(&mut self, known: u64) -> Result<bool, Refusal> {
        loop {
            tokio::select! {
                // In this order: whose key is revoked hears of no event of the same moment.
                biased;
                revoked = self.revoked.changed() => match revoked {
                    Ok(()) => self.check_key()?,
                    Err(_) => return Ok(false),
                },
                told = self.told.changed() => match told {
                    Ok(()) if self.mark() > known => return Ok(true),
                    Ok(()) => {}
                    Err(_) => return Ok(false),
                },
                () = sleep_until(self.until) => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_does_not_take_all_places() {
        let places = Places::default();
        let (greedy, other) = ([1; 8], [2; 8]);
        let mut taken: Vec<Place> = std::iter::from_fn(|| places.take(greedy).ok()).take(2_000).collect();
        assert_eq!(taken.len(), limits::MERCHANT_WAITING_PER_KEY);
        assert!(places.take(other).is_ok());
        taken.pop();
        assert!(places.take(greedy).is_ok(), "free again");
        taken.clear();
        assert!(places.of_keys.lock().unwrap().is_empty());
        let all = (0_u8..).flat_map(|number| std::iter::repeat_n([number; 8], limits::MERCHANT_WAITING_PER_KEY));
        let all: Vec<Place> = all.map_while(|key| places.take(key).ok()).collect();
        assert_eq!(all.len(), limits::MERCHANT_WAITING);
    }
}
