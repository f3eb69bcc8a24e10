//! Who is let in: how many orders there are in a minute, and how many requests wait for one.

use axum::http::HeaderMap;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Orders in a minute, of everybody together.
const PER_MINUTE: usize = 120;
/// After so long an order no longer counts.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// Requests that wait for a change of one order: its customer's windows.
pub(crate) const WAITERS_OF_ORDER: usize = 8;
/// Requests that wait for a change of any order.
const WAITERS: usize = 512;

/// Why an order is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// More orders than a small shop takes.
    Shop,
    /// One address has had its share.
    Address,
}

/// Counts whoever is inside.
#[derive(Default)]
pub(crate) struct Door {
    /// The orders of the last minute, oldest first.
    orders: Mutex<VecDeque<(Instant, IpAddr)>>,
    /// How many wait for each order that somebody waits for.
    waiters: Mutex<BTreeMap<String, usize>>,
}

impl Door {
    /// Lets an order in. An address has half of what all others leave: many people may share one, and still nobody who
    /// comes from another is ever left without.
    pub(crate) fn order(&self, from: IpAddr, now: Instant) -> Result<(), Full> {
        let mut orders = lock(&self.orders);
        while orders.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= MINUTE) {
            orders.pop_front();
        }
        let own = orders.iter().filter(|(_, other)| *other == from).count();
        let left = PER_MINUTE.saturating_sub(orders.len() - own);
        if orders.len() >= PER_MINUTE {
            return Err(Full::Shop);
        }
        if own >= left.div_ceil(2) {
            return Err(Full::Address);
        }
        orders.push_back((now, from));
        Ok(())
    }

    /// A place to wait for an order, if there is one.
    pub(crate) fn wait(&self, order: &str) -> Option<Waiter<'_>> {
        let mut waiters = lock(&self.waiters);
        let all: usize = waiters.values().sum();
        let of_order = waiters.entry(order.to_owned()).or_default();
        let is_free = all < WAITERS && *of_order < WAITERS_OF_ORDER;
        *of_order += usize::from(is_free);
        if *of_order == 0 {
            waiters.remove(order);
        }
        is_free.then(|| Waiter { door: self, order: order.to_owned() })
    }
}

/// A place, until it is dropped.
pub(crate) struct Waiter<'a> {
    door: &'a Door,
    order: String,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiters = lock(&self.door.waiters);
        if let Some(count) = waiters.get_mut(&self.order) {
            *count -= 1;
            if *count == 0 {
                waiters.remove(&self.order);
            }
        }
    }
}

/// Every change is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a request comes from. A proxy on the own machine adds it at the end of a header; nobody else is believed. Of
/// IPv6 a household has up to 80 bits for itself.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    let last = headers.get_all("x-forwarded-for").iter().next_back();
    let said = last.and_then(|list| list.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    match said.filter(|_| peer.is_loopback()).map_or(peer, |said| said.to_canonical()) {
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() >> 80 << 80)),
        short @ IpAddr::V4(_) => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// How many of so many orders of an address are taken, and why not all.
    fn taken(door: &Door, from: IpAddr, now: Instant) -> (usize, Option<Full>) {
        let mut refused = None;
        let taken = (0..=PER_MINUTE).filter(|_| match door.order(from, now) {
            Ok(()) => true,
            Err(full) => {
                refused = Some(full);
                false
            }
        });
        (taken.count(), refused)
    }

    #[test]
    fn nobody_fills_the_shop_with_orders() {
        let (door, now) = (Door::default(), Instant::now());
        assert_eq!(taken(&door, person(1), now), (60, Some(Full::Address)));
        assert_eq!(taken(&door, person(2), now), (30, Some(Full::Address)));
        assert_eq!(taken(&door, person(3), now), (15, Some(Full::Address)));
        let many = (4..=255).map(|number| taken(&door, person(number), now).0);
        assert_eq!(many.sum::<usize>(), 15, "all together");
        assert_eq!(door.order(person(1), now), Err(Full::Shop));
        assert_eq!(door.order(person(9), now + MINUTE), Ok(()), "a minute later nobody counts");
        assert_eq!(lock(&door.orders).len(), 1);
    }

    #[test]
    fn waiting_has_a_bound_per_order_and_in_all() {
        let door = Door::default();
        let mut held: Vec<_> = (0..WAITERS_OF_ORDER).map(|_| door.wait("one").unwrap()).collect();
        assert!(door.wait("one").is_none());
        held.pop();
        held.push(door.wait("one").unwrap());
        while held.len() < WAITERS {
            held.push(door.wait(&format!("order {}", held.len() / WAITERS_OF_ORDER)).unwrap());
        }
        assert!(door.wait("another").is_none());
        held.pop();
        assert!(door.wait("another").is_some());
        held.clear();
        assert!(lock(&door.waiters).is_empty(), "nothing is kept of those who left");
    }

    #[test]
    fn only_a_proxy_on_the_own_machine_says_for_whom_it_asks() {
        let check = |peer: &str, forwarded: &[&str], expected: &str| {
            let mut headers = HeaderMap::new();
            for one in forwarded {
                headers.append("x-forwarded-for", one.parse().unwrap());
            }
            assert_eq!(address(peer.parse().unwrap(), &headers), expected.parse::<IpAddr>().unwrap(), "{peer}");
        };
        check("127.0.0.1", &[], "127.0.0.1");
        check("127.0.0.1", &["192.0.2.1, 192.0.2.2"], "192.0.2.2");
        check("127.0.0.1", &["192.0.2.1", "192.0.2.3"], "192.0.2.3");
        check("127.0.0.1", &["nobody"], "127.0.0.1");
        check("192.0.2.9", &["192.0.2.1"], "192.0.2.9");
        check("::ffff:192.0.2.9", &[], "192.0.2.9");
        check("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1::");
    }
}
