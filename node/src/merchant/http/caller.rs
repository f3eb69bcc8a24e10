//! Who asks: the holder of a key, who may do what its scopes say, and as often as everybody may.

use super::Shop;
use crate::limits;
use crate::local::Refusal;
use crate::merchant::keys::{Key, KeyId, Scope};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::Arc;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// How often somebody may ask.
pub(in crate::merchant) struct Rates {
    keys: Keyed<KeyId>,
    strangers: Keyed<IpAddr>,
    links: Keyed<[u8; 16]>,
    monitors: Keyed<IpAddr>,
    clock: DefaultClock,
}

impl Default for Rates {
    fn default() -> Self {
        let quota = |per_minute, burst| {
            let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            Quota::per_minute(positive(per_minute)).allow_burst(positive(burst))
        };
        Self {
            keys: RateLimiter::hashmap(quota(limits::MERCHANT_PER_MINUTE, limits::MERCHANT_BURST)),
            strangers: RateLimiter::hashmap(quota(limits::STRANGERS_PER_MINUTE, limits::STRANGERS_PER_MINUTE)),
            monitors: RateLimiter::hashmap(quota(limits::MONITOR_PER_MINUTE, limits::MONITOR_PER_MINUTE)),
            links: RateLimiter::hashmap(quota(limits::LINK_PER_MINUTE, limits::LINK_PER_MINUTE)),
            clock: DefaultClock::default(),
        }
    }
}

impl Rates {
    fn count<K: Clone + Eq + Hash>(&self, limiter: &Keyed<K>, who: &K) -> Result<(), Refusal> {
        limiter.check_key(who).map_err(|until| {
            let wait_s = until.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "limited", "Too many requests.").after(wait_s)
        })
    }

    fn key(&self, key: &KeyId) -> Result<(), Refusal> {
        self.count(&self.keys, key)
    }

    /// Counts somebody with a link that proved itself.
    pub(super) fn link(&self, refund: &[u8; 16]) -> Result<(), Refusal> {
        if self.links.len() > limits::STRANGERS {
            self.links.retain_recent();
        }
        self.count(&self.links, refund)
    }

    /// Counts somebody who asks whether the merchant can sell: apart from those with bad keys, who could keep an operator
    /// from knowing.
    pub(super) fn monitor(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.monitors.len() > limits::STRANGERS {
            self.monitors.retain_recent();
        }
        self.count(&self.monitors, &address.to_canonical())
    }

    /// Counts somebody whose key or link is none. Behind a proxy all have one address: who has a good one is not
    /// counted with them.
    pub(super) fn stranger(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.strangers.len() > limits::STRANGERS {
            self.strangers.retain_recent();
        }
        self.count(&self.strangers, &address.to_canonical())
    }
}

/// The holder of a key.
pub(super) struct Caller(Arc<Key>);

impl Deref for Caller {
    type Target = Key;

    fn deref(&self) -> &Key {
        &self.0
    }
}

impl Caller {
    /// Whether the key is good for something.
    pub(super) fn may(&self, scope: Scope) -> Result<(), Refusal> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let name = serde_json::to_value(scope).ok().and_then(|value| value.as_str().map(str::to_owned));
        let message = format!("The key is not good for this: it lacks the scope {}.", name.unwrap_or_default());
        Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message))
    }
}

/// Nobody is known by this.
pub(super) fn unauthorized() -> Refusal {
    let says = "Show a key: Authorization: Bearer fair_… (`node key create` makes one).";
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", says)
}

impl FromRequestParts<Shop> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Refusal> {
        let shown = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            shown.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let found = token.and_then(|(_, token)| shop.keys.find(token.trim()));
        let Some(key) = found else {
            let from = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(from)| from.ip());
            from.map_or(Ok(()), |address| shop.waiting.rates.stranger(address))?;
            return Err(unauthorized());
        };
        shop.waiting.rates.key(&key.id)?;
        Ok(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_key_is_good_for_what_its_scopes_say_and_for_nothing_else() {
        let all = [
            Scope::InvoicesRead,
            Scope::InvoicesWrite,
            Scope::Refunds,
            Scope::Payouts,
            Scope::EventsRead,
            Scope::BalanceRead,
            Scope::Webhooks,
        ];
        for stolen in all {
            let (key, _) = Key::fresh(BTreeSet::from([stolen]), String::new(), 0).unwrap();
            let thief = Caller(Arc::new(key));
            for wanted in all {
                let answer = thief.may(wanted).map_err(|refusal| refusal.status());
                assert_eq!(answer, if wanted == stolen { Ok(()) } else { Err(StatusCode::FORBIDDEN) });
            }
        }
    }

    #[test]
    fn whoever_asks_too_often_is_told_when_to_come_again_and_others_are_not() {
        let rates = Rates::default();
        let (flood, calm) = ([1; 8], [2; 8]);
        let refused = (0..=limits::MERCHANT_BURST).find_map(|_| rates.key(&flood).err());
        let refused = refused.expect("a bound");
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        let response = axum::response::IntoResponse::into_response(refused);
        let wait = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        assert!(wait.and_then(|text| text.parse::<u64>().ok()).is_some_and(|seconds| seconds >= 1));
        assert!(rates.key(&calm).is_ok());
        let (mapped, plain) = ("::ffff:192.0.2.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..limits::STRANGERS_PER_MINUTE {
            assert!(rates.stranger(mapped).is_ok());
        }
        assert!(rates.stranger(plain).is_err(), "the same address in another form");
        // Who shows bad keys keeps nobody from watching.
        assert!((0..limits::MONITOR_PER_MINUTE).all(|_| rates.monitor(plain).is_ok()));
        assert!(rates.monitor(mapped).is_err());
    }
}
