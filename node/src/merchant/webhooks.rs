//! Where events are brought: endpoints of the shop, and the signatures by which it knows them (Standard Webhooks:
//! `webhook-id`, `webhook-timestamp`, `webhook-signature` with `v1`, HMAC-SHA256 by a secret `whsec_…`).
//!
//! An endpoint gets the events of the journal one after another: `next` is the first that it has not taken. So
//! nothing has to be written per event, none is left out, and after a crash the newest
//! ([`limits::WEBHOOK_EVENTS`]) may come twice, under the same `webhook-id`. Events of types that it does not want count
//! as taken.

use super::MERCHANT;
use super::desk::{Changes, Desk, Refused};
use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::codec;
use fair_core::effect::{Effect, Write};
use fair_core::types::{Hash, TimeMs};
use fair_core::wallet::Event;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

pub(super) const ENDPOINT: u8 = b'w';
const SECRET_PREFIX: &str = "whsec_";

/// Names an endpoint.
pub(super) type EndpointId = [u8; 16];

/// Why an endpoint gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum Off {
    /// It answered that it is gone (410).
    Gone,
}

/// What events are signed with.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Secret {
    bytes: [u8; 32],
    /// The name under which it was asked for.
    name: [u8; 16],
    made_ms: TimeMs,
    /// Until when it signs, once there is a newer one.
    until_ms: Option<TimeMs>,
}

impl Secret {
    fn fresh(name: [u8; 16], made_ms: TimeMs) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self { bytes, name, made_ms, until_ms: None })
    }

    fn is_good(&self, now_ms: TimeMs) -> bool {
        self.until_ms.is_none_or(|until| now_ms < until)
    }
}

/// A place where events are brought.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Endpoint {
    pub(super) id: EndpointId,
    /// Of what was asked for.
    pub(super) digest: Hash,
    pub(super) url: String,
    /// What it wants to hear of; everything when it is not given.
    pub(super) types: Option<BTreeSet<String>>,
    /// The newest first: each signs.
    secrets: Vec<Secret>,
    pub(super) off: Option<Off>,
    /// The first event that it has not taken.
    pub(super) next: u64,
    /// Events that it is to get once more.
    pub(super) again: Vec<u64>,
    /// Events that it did not take in time.
    pub(super) given_up: u64,
    pub(super) created_ms: TimeMs,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("id", &hex::encode(self.id)).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Endpoint {
    pub(super) fn new(
        id: EndpointId,
        digest: Hash,
        url: String,
        types: Option<BTreeSet<String>>,
        created_ms: TimeMs,
    ) -> Result<Self, getrandom::Error> {
        let secrets = vec![Secret::fresh(id, created_ms)?];
        Ok(Self { id, digest, url, types, secrets, off: None, next: 0, again: Vec::new(), given_up: 0, created_ms })
    }

    /// Whether it is told of events of a type.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(kind))
    }

    /// The newest secret as its owner writes it down, for a while after it was made.
    pub(super) fn secret_text(&self, now_ms: TimeMs) -> Option<String> {
        let secret = self.secrets.first()?;
        let is_new = now_ms.saturating_sub(secret.made_ms) < limits::WEBHOOK_SECRET_SHOWN_MS;
        is_new.then(|| format!("{SECRET_PREFIX}{}", STANDARD.encode(secret.bytes)))
    }

    /// The header `webhook-signature`: one signature by each secret that is good.
    pub(super) fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let good = self.secrets.iter().filter(|secret| secret.is_good(timestamp_s.saturating_mul(1_000)));
        let signatures = good.filter_map(|secret| {
            // HMAC takes a key of any length.
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret.bytes).ok()?;
            mac.update(format!("{id}.{timestamp_s}.").as_bytes());
            mac.update(body);
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Begins to sign with another secret; the one before signs too for a while. Once under a name.
    fn rotate(&mut self, fresh: Secret) -> Result<(), Refused> {
        let now_ms = fresh.made_ms;
        match self.secrets.iter().position(|secret| secret.name == fresh.name) {
            Some(0) => return Ok(()),
            Some(_) => return Err(Refused::NameUsed),
            None => {}
        }
        self.secrets.retain(|secret| secret.is_good(now_ms));
        if self.secrets.len() >= limits::WEBHOOK_SECRETS {
            return Err(Refused::TooMany { what: "secrets of one webhook", most: limits::WEBHOOK_SECRETS });
        }
        if let Some(newest) = self.secrets.first_mut() {
            newest.until_ms = Some(now_ms.saturating_add(limits::WEBHOOK_OLD_SECRET_MS));
        }
        self.secrets.insert(0, fresh);
        Ok(())
    }

    fn write(&self, write: &mut Write) {
        write.put(record_key(&self.id), codec::encode(self));
    }
}

fn record_key(id: &EndpointId) -> Vec<u8> {
    [&[MERCHANT, ENDPOINT], id.as_slice()].concat()
}

/// What an endpoint is to get now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) endpoint: Endpoint,
    /// The first event.
    pub(super) sequence: u64,
    /// How many go in a row from it on, itself included; 0: it has not happened yet.
    pub(super) most: usize,
    /// It was asked for, and is brought alone.
    pub(super) is_again: bool,
}

/// What became of bringing an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    Taken,
    /// It was tried for long enough.
    GivenUp,
    /// Nobody is there any more.
    Gone,
}

/// A secret of the system's randomness.
pub(super) struct FreshSecret(Secret);

impl FreshSecret {
    /// `name` is what it is asked for under.
    pub(super) fn of(name: [u8; 16], now_ms: TimeMs) -> Result<Self, getrandom::Error> {
        Secret::fresh(name, now_ms).map(Self)
    }
}

type Made<T> = (Vec<Effect<Event>>, Result<T, Refused>);

impl Desk {
    /// Adds an endpoint, once under its id. It gets events from now on.
    pub(super) fn add_endpoint(&mut self, new: Endpoint) -> Made<Endpoint> {
        if let Some(known) = self.endpoints.get(&new.id) {
            return (Vec::new(), if known.digest == new.digest { Ok(known.clone()) } else { Err(Refused::NameUsed) });
        }
        if let Err(refused) = self.check_endpoints() {
            return (Vec::new(), Err(refused));
        }
        let endpoint = Endpoint { next: self.recorder.last().saturating_add(1), ..new };
        (self.keep_endpoint(endpoint.clone()), Ok(endpoint))
    }

    fn keep_endpoint(&mut self, endpoint: Endpoint) -> Vec<Effect<Event>> {
        let mut changes = Changes::default();
        endpoint.write(&mut changes.write);
        self.endpoints.insert(endpoint.id, endpoint);
        changes.added_to(Vec::new())
    }

    fn change_endpoint<T>(
        &mut self,
        id: &EndpointId,
        change: impl FnOnce(&mut Endpoint, u64) -> Result<T, Refused>,
    ) -> Made<T> {
        let Some(mut endpoint) = self.endpoints.get(id).cloned() else {
            return (Vec::new(), Err(Refused::UnknownEndpoint));
        };
        match change(&mut endpoint, self.recorder.last()) {
            Ok(value) => (self.keep_endpoint(endpoint), Ok(value)),
            Err(refused) => (Vec::new(), Err(refused)),
        }
    }

    pub(super) fn remove_endpoint(&mut self, id: &EndpointId) -> Made<()> {
        if self.endpoints.remove(id).is_none() {
            return (Vec::new(), Err(Refused::UnknownEndpoint));
        }
        let mut changes = Changes::default();
        changes.write.delete(record_key(id));
        (changes.added_to(Vec::new()), Ok(()))
    }

    /// Gives an endpoint another secret, once under a name.
    pub(super) fn rotate_secret(&mut self, id: &EndpointId, fresh: FreshSecret) -> Made<Endpoint> {
        self.change_endpoint(id, |endpoint, _| {
            endpoint.rotate(fresh.0)?;
            Ok(endpoint.clone())
        })
    }

    /// Lets endpoints that are behind go on with the oldest event that there is.
    pub(super) fn skip_forgotten(&mut self, write: &mut Write) {
        let first = self.recorder.first();
        for endpoint in self.endpoints.values_mut() {
            let asked = endpoint.again.len();
            endpoint.again.retain(|sequence| *sequence >= first);
            if endpoint.next >= first && endpoint.again.len() == asked {
                continue;
            }
            endpoint.given_up = endpoint.given_up.saturating_add(first.saturating_sub(endpoint.next));
            endpoint.next = endpoint.next.max(first);
            endpoint.write(write);
        }
    }

    /// Brings events to an endpoint again that was gone, from where it stopped.
    pub(super) fn enable_endpoint(&mut self, id: &EndpointId) -> Made<Endpoint> {
        self.change_endpoint(id, |endpoint, _| {
            endpoint.off = None;
            Ok(endpoint.clone())
        })
    }

    /// Brings an event once more.
    pub(super) fn bring_again(&mut self, id: &EndpointId, sequence: u64) -> Made<Endpoint> {
        let first = self.recorder.first();
        self.change_endpoint(id, |endpoint, last| {
            if sequence == 0 || sequence > last {
                return Err(Refused::UnknownEvent);
            }
            if sequence < first {
                return Err(Refused::ForgottenEvent { first });
            }
            // Some may have been taken and not be noted yet. One that was never brought comes by itself, if it is wanted.
            let may_be_taken = endpoint.next.saturating_add(limits::WEBHOOK_EVENTS as u64);
            let comes = sequence >= may_be_taken && endpoint.types.is_none();
            if !comes && !endpoint.again.contains(&sequence) {
                if endpoint.again.len() >= limits::MERCHANT_REDELIVERIES {
                    let most = limits::MERCHANT_REDELIVERIES;
                    return Err(Refused::TooMany { what: "redeliveries that wait", most });
                }
                endpoint.again.push(sequence);
            }
            Ok(endpoint.clone())
        })
    }

    /// The events that an endpoint is to get now: one that is brought again alone. `None`: there is no endpoint, or it
    /// gets nothing.
    pub(super) fn to_bring(&self, id: &EndpointId) -> Option<Due> {
        let endpoint = self.endpoints.get(id).filter(|endpoint| endpoint.off.is_none())?.clone();
        Some(match endpoint.again.first() {
            Some(&sequence) => Due { endpoint, sequence, most: 1, is_again: true },
            None => {
                let waiting = self.recorder.last().saturating_add(1).saturating_sub(endpoint.next);
                let most = usize::try_from(waiting).map_or(limits::WEBHOOK_EVENTS, |n| n.min(limits::WEBHOOK_EVENTS));
                Due { sequence: endpoint.next, endpoint, most, is_again: false }
            }
        })
    }

    /// Notes what became of bringing some events in a row: the last, as `what` says; those before it were taken.
    pub(super) fn brought(&mut self, id: &EndpointId, which: RangeInclusive<u64>, what: Brought) -> Vec<Effect<Event>> {
        let (effects, result) = self.change_endpoint(id, |endpoint, _| {
            let last = *which.end();
            if what == Brought::Gone {
                endpoint.off = Some(Off::Gone);
                if which.contains(&endpoint.next) {
                    endpoint.next = last;
                }
                return Ok(());
            }
            if which.start() == which.end() && endpoint.again.first() == Some(&last) {
                endpoint.again.remove(0);
            } else if which.contains(&endpoint.next) {
                endpoint.next = last.saturating_add(1);
            }
            if what == Brought::GivenUp {
                endpoint.given_up = endpoint.given_up.saturating_add(1);
            }
            Ok(())
        });
        if result.is_err() {
            tracing::debug!(endpoint = %hex::encode(id), "an endpoint was removed while it got an event");
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merchant::desk::{Keeping, Rules};
    use fair_core::types::PublicKey;

    fn desk() -> Desk {
        let rules = Rules {
            own: PublicKey([1; 32]),
            chain_id: Hash([2; 32]),
            origin: None,
            min_insured: 0,
            sweep: None,
            keeping: Keeping::default(),
        };
        Desk::new(rules, 1, 5)
    }

    fn endpoint() -> Endpoint {
        Endpoint::new([3; 16], Hash([4; 32]), "http://shop.example/".to_owned(), None, 0).unwrap()
    }

    #[test]
    fn the_published_example_is_signed_as_published() {
        // Of the standard's specification.
        let mut secret = [0; 32];
        let decoded = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        // The library's example has 24 bytes; HMAC pads with zeros, so that longer keys with zeros are the same.
        secret[..24].copy_from_slice(&decoded);
        let secret = Secret { bytes: secret, name: [0; 16], made_ms: 0, until_ms: None };
        let endpoint = Endpoint { secrets: vec![secret], ..endpoint() };
        let body = br#"{"test": 2432232314}"#;
        let signed = endpoint.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn events_are_brought_in_order_and_each_until_it_is_taken_or_given_up() {
        let mut desk = desk();
        let (effects, added) = desk.add_endpoint(endpoint());
        let id = added.unwrap().id;
        assert!(matches!(effects.first(), Some(Effect::Write(_))));
        let due = desk.to_bring(&id).unwrap();
        assert_eq!((due.sequence, due.most), (6, 0), "it has not happened yet");
        for _ in 0..20 {
            desk.recorder.record("invoice.paid", &serde_json::Value::Null, 0, &mut Write::default());
        }
        assert_eq!(desk.to_bring(&id).unwrap().most, limits::WEBHOOK_EVENTS);
        desk.brought(&id, 6..=6, Brought::Taken);
        // One that came in twice changes nothing.
        desk.brought(&id, 6..=6, Brought::Taken);
        desk.brought(&id, 7..=7, Brought::GivenUp);
        let due = desk.to_bring(&id).unwrap();
        assert_eq!((due.sequence, due.endpoint.given_up), (8, 1));
        desk.brought(&id, 8..=10, Brought::Gone);
        assert!(desk.to_bring(&id).is_none());
        assert!(desk.enable_endpoint(&id).1.is_ok());
        assert_eq!(desk.to_bring(&id).unwrap().sequence, 10, "what came before it is gone was taken");
        desk.brought(&id, 10..=25, Brought::Taken);
        assert_eq!(desk.to_bring(&id).unwrap().sequence, 26);
    }

    #[test]
    fn redelivery_goes_first_and_only_of_what_there_is() {
        let mut desk = desk();
        let id = desk.add_endpoint(endpoint()).1.unwrap().id;
        assert_eq!(desk.bring_again(&id, 6).1, Err(Refused::UnknownEvent));
        assert_eq!(desk.bring_again(&id, 0).1, Err(Refused::UnknownEvent));
        assert_eq!(desk.bring_again(&[9; 16], 1).1, Err(Refused::UnknownEndpoint));
        assert!(desk.bring_again(&id, 2).1.is_ok() && desk.bring_again(&id, 2).1.is_ok());
        let again = desk.to_bring(&id).unwrap();
        assert_eq!((again.sequence, again.most), (2, 1), "alone");
        desk.brought(&id, 2..=2, Brought::Taken);
        assert_eq!(desk.to_bring(&id).unwrap().sequence, 6);

        // It is taken, and asked for again before that is noted.
        desk.recorder.record("invoice.paid", &serde_json::Value::Null, 0, &mut Write::default());
        assert!(desk.bring_again(&id, 6).1.is_ok());
        desk.brought(&id, 6..=6, Brought::Taken);
        assert_eq!(desk.to_bring(&id).unwrap().sequence, 6, "once more");
    }

    #[test]
    fn the_same_endpoint_is_added_once_and_another_under_its_name_not_at_all() {
        let mut desk = desk();
        let first = desk.add_endpoint(endpoint()).1.unwrap();
        // A fresh secret was drawn for the second request; the first stays.
        let shown = |endpoint: &Endpoint| endpoint.secret_text(0).unwrap();
        assert_eq!(shown(&desk.add_endpoint(endpoint()).1.unwrap()), shown(&first));
        let other = Endpoint { digest: Hash([5; 32]), ..endpoint() };
        assert_eq!(desk.add_endpoint(other).1, Err(Refused::NameUsed));
        for number in 1..=u8::MAX {
            let more = Endpoint { id: [number; 16], ..endpoint() };
            let _ = desk.add_endpoint(more);
        }
        assert_eq!(desk.endpoints.len(), limits::MERCHANT_ENDPOINTS);
    }

    #[test]
    fn a_secret_is_shown_for_a_while_and_another_one_signs_beside_it() {
        let mut desk = desk();
        let id = desk.add_endpoint(endpoint()).1.unwrap().id;
        let (soon, late) = (limits::WEBHOOK_SECRET_SHOWN_MS - 1, limits::WEBHOOK_SECRET_SHOWN_MS);
        let first = desk.endpoints[&id].clone();
        assert!(first.secret_text(soon).is_some() && first.secret_text(late).is_none());

        let rotate =
            |desk: &mut Desk, name, at_ms| desk.rotate_secret(&id, FreshSecret::of([name; 16], at_ms).unwrap()).1;
        let second = rotate(&mut desk, 1, late).unwrap();
        let again = rotate(&mut desk, 1, late + 5).unwrap();
        assert_eq!(again.secret_text(late + 5), second.secret_text(late), "once under a name");
        assert_eq!(second.secret_text(late + late), None);
        // Both sign, the newest first, until the day is over.
        let sign = |endpoint: &Endpoint, at_ms: u64| endpoint.sign("x", at_ms / 1_000, b"{}");
        let both = sign(&second, late);
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.ends_with(&sign(&first, late)));
        let alone = sign(&second, late + limits::WEBHOOK_OLD_SECRET_MS);
        assert_eq!(alone.split(' ').count(), 1);
        assert!(sign(&second, late + limits::WEBHOOK_OLD_SECRET_MS - 1_000).split(' ').count() == 2);

        assert!((20..22).all(|name| rotate(&mut desk, name, late).is_ok()));
        assert!(matches!(rotate(&mut desk, 9, late), Err(Refused::TooMany { .. })), "not without end");
        assert_eq!(rotate(&mut desk, 1, late), Err(Refused::NameUsed), "an earlier one");
        assert!(rotate(&mut desk, 9, late + limits::WEBHOOK_OLD_SECRET_MS).is_ok());
    }

    #[test]
    fn what_is_forgotten_is_brought_nowhere_and_the_newest_stays() {
        let mut desk = desk();
        let id = desk.add_endpoint(Endpoint { next: 0, ..endpoint() }).1.unwrap().id;
        desk.endpoints.get_mut(&id).unwrap().next = 3;
        assert!(desk.bring_again(&id, 1).1.is_ok() && desk.bring_again(&id, 2).1.is_ok());
        let effects = desk.forget_events(1);
        let [Effect::Write(write)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(write.deletes, [crate::host::Journal::key(1)]);
        assert_eq!(desk.endpoints[&id].again, [2]);
        assert_eq!(desk.bring_again(&id, 1).1, Err(Refused::ForgottenEvent { first: 2 }));
        desk.forget_events(99);
        let due = desk.to_bring(&id).unwrap();
        assert_eq!((due.sequence, due.endpoint.given_up, desk.recorder.first()), (5, 2, 5), "5 is the newest");
        assert!(desk.forget_events(5).is_empty());
    }
}
