//! Who may ask how often: limits per address and per account.

use crate::config::Rates;
use crate::error::ApiError;
use crate::limits;
use fair_core::types::PublicKey;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// The limits of one relay.
pub(crate) struct Limits {
    requests: Keyed<IpAddr>,
    batches: Keyed<IpAddr>,
    faucet: Keyed<IpAddr>,
    faucet_accounts: Keyed<PublicKey>,
    court_accounts: Keyed<PublicKey>,
    sockets: Arc<Places>,
    connections: Arc<Places>,
    proxied: Arc<Places>,
    clock: DefaultClock,
}

/// What is limited by address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Request,
    Batch,
    Faucet,
}

/// Places that addresses hold at once: connections or WebSockets.
struct Places {
    per_address: usize,
    total: usize,
    free: Arc<Semaphore>,
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place; given back when dropped.
pub(crate) struct Permit {
    places: Arc<Places>,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Places {
    fn new(per_address: usize, total: usize) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(total));
        Arc::new(Self { per_address, total, free, taken: Mutex::new(BTreeMap::new()) })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        let address = bucket(address);
        let mut taken = self.taken();
        let count = taken.get(&address).copied().unwrap_or(0);
        if count >= self.per_address {
            return None;
        }
        let place = self.free.clone().try_acquire_owned().ok()?;
        taken.insert(address, count + 1);
        Some(Permit { places: self.clone(), address, _place: place })
    }

    fn count(&self) -> usize {
        self.total.saturating_sub(self.free.available_permits())
    }

    async fn all_given_back(&self) {
        let total = u32::try_from(self.total).unwrap_or(u32::MAX);
        // Fails only when closed, which it never is.
        let _ = self.free.acquire_many(total).await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

impl Limits {
    pub(crate) fn new(rates: &Rates) -> Self {
        let per_address = usize::try_from(rates.sockets_per_address.get()).unwrap_or(usize::MAX);
        Self {
            requests: per_minute(rates.requests_per_minute),
            batches: per_minute(rates.batches_per_minute),
            faucet: per_minute(rates.faucet_per_minute),
            faucet_accounts: per_minute(rates.faucet_per_minute),
            court_accounts: per_minute(rates.batches_per_minute),
            sockets: Places::new(per_address, limits::MAX_SOCKETS),
            // A browser holds a few connections beside its WebSockets.
            connections: Places::new(per_address.saturating_mul(2), limits::MAX_CONNECTIONS),
            proxied: Places::new(limits::MAX_CONNECTIONS, limits::MAX_CONNECTIONS),
            clock: DefaultClock::default(),
        }
    }

    /// Counts one request of an address.
    pub(crate) fn admit(&self, kind: Kind, address: IpAddr) -> Result<(), ApiError> {
        let limiter = match kind {
            Kind::Request => &self.requests,
            Kind::Batch => &self.batches,
            Kind::Faucet => &self.faucet,
        };
        self.check(limiter, &bucket(address))
    }

    /// Counts one request to the faucet for an account.
    pub(crate) fn admit_account(&self, account: &PublicKey) -> Result<(), ApiError> {
        self.check(&self.faucet_accounts, account)
    }

    /// Counts one court batch of an account.
    pub(crate) fn admit_court(&self, account: &PublicKey) -> Result<(), ApiError> {
        self.check(&self.court_accounts, account)
    }

    fn check<K: Hash + Eq + Clone>(&self, limiter: &Keyed<K>, key: &K) -> Result<(), ApiError> {
        limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            ApiError::limited(wait.as_secs().saturating_add(1))
        })
    }

    /// Takes a place for a WebSocket of an address.
    pub(crate) fn open_socket(&self, address: IpAddr) -> Result<Permit, ApiError> {
        self.sockets.take(address).ok_or_else(|| ApiError::limited(10))
    }

    /// Takes a place for a connection of an address; proxies in front hold as many as there are.
    pub(crate) fn connect(&self, address: IpAddr, trusted_proxies: &[IpAddr]) -> Option<Permit> {
        let places = if trusted_proxies.contains(&address.to_canonical()) { &self.proxied } else { &self.connections };
        places.take(address)
    }

    /// WebSockets open now.
    pub(crate) fn open_sockets(&self) -> usize {
        self.sockets.count()
    }

    /// Waits until no connection and no WebSocket is open.
    pub(crate) async fn all_closed(&self) {
        self.connections.all_given_back().await;
        self.proxied.all_given_back().await;
        self.sockets.all_given_back().await;
    }

    /// Forgets whoever has not asked for long.
    pub(crate) fn sweep(&self) {
        self.requests.retain_recent();
        self.batches.retain_recent();
        self.faucet.retain_recent();
        self.faucet_accounts.retain_recent();
        self.court_accounts.retain_recent();
    }
}

fn per_minute<K: Hash + Eq + Clone>(count: NonZeroU32) -> Keyed<K> {
    RateLimiter::hashmap(Quota::per_minute(count))
}

/// Whoever has an IPv6 address has the whole /64 of it.
fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
