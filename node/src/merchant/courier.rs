//! Brings events to the shop's endpoints, to each in a task of its own, one event after another: the next one only
//! when this one was taken or is given up. A redirect is no answer, a body is not read, and time and size are bounded.

use super::address::{self, Reach};
use super::webhooks::{Brought, Endpoint, EndpointId};
use super::{desk::Desk, view};
use crate::clock;
use crate::crash;
use crate::host::{Handle, Journal, Stopping};
use crate::limits;
use crate::wallet::Hosted;
use fair_core::types::TimeMs;
use reqwest::{Certificate, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Before an event that should be there is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_millis(limits::WEBHOOK_TIMEOUT_MS);

/// What it works with.
#[derive(Clone)]
pub(super) struct Courier {
    pub(super) host: Handle<Hosted>,
    pub(super) journal: Arc<Journal>,
    /// The newest event that is durable.
    pub(super) told: watch::Receiver<u64>,
    pub(super) reach: Reach,
    /// Beside those that the system trusts.
    pub(super) authorities: Arc<Vec<Certificate>>,
    pub(super) troubles: Troubles,
}

/// Why endpoints do not take what they are brought, for their owner to see.
#[derive(Clone, Default)]
pub(super) struct Troubles(Arc<Mutex<BTreeMap<EndpointId, Trouble>>>);

/// What went wrong last.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) reason: String,
    pub(super) at_ms: TimeMs,
    /// How often in a row.
    pub(super) failures: u32,
}

impl Troubles {
    pub(super) fn of(&self, id: &EndpointId) -> Option<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn note(&self, id: EndpointId, trouble: Trouble) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, trouble);
    }

    fn clear(&self, id: &EndpointId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// Ends with its owner.
struct Route {
    task: JoinHandle<()>,
    /// Wakes it.
    poke: watch::Sender<()>,
}

impl Drop for Route {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps a task for every endpoint, as long as there is one. `changed` names those that were added, removed or
/// changed; the others are left alone.
pub(super) async fn deliver_all(courier: Courier, mut changed: mpsc::Receiver<EndpointId>) {
    let mut poked = None;
    let mut routes: BTreeMap<EndpointId, Route> = BTreeMap::new();
    loop {
        let listed = courier.host.ask(|hosted, _, _| {
            let endpoints = hosted.desk.iter().flat_map(|desk| desk.endpoints.keys().copied());
            (Vec::new(), endpoints.collect::<Vec<_>>())
        });
        let Ok(listed) = listed.await else { return };
        routes.retain(|id, _| listed.contains(id));
        if let Some(id) = poked.filter(|id| !listed.contains(id)) {
            courier.troubles.clear(&id);
        }
        if let Some(route) = poked.and_then(|id| routes.get(&id)) {
            route.poke.send_replace(());
        }
        for id in listed {
            routes.entry(id).or_insert_with(|| {
                let (poke, wakes) = watch::channel(());
                Route { task: tokio::spawn(deliver(courier.clone(), id, wakes)), poke }
            });
        }
        poked = changed.recv().await;
        if poked.is_none() {
            return;
        }
    }
}

/// Brings one endpoint its events until the process ends.
async fn deliver(mut courier: Courier, id: EndpointId, mut wakes: watch::Receiver<()>) {
    let mut failures: u32 = 0;
    loop {
        courier.told.mark_unchanged();
        wakes.mark_unchanged();
        let Ok(next) = courier.desk(move |desk| desk.to_bring(&id)).await else { return };
        let Some((endpoint, sequence)) = next else {
            // Nothing goes there until its owner says so.
            if wakes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let Some(body) = courier.read(sequence) else {
            if !courier.wait_for(sequence, &mut wakes).await {
                return;
            }
            continue;
        };
        let tried = timeout(TIMEOUT, bring(&endpoint, &body, courier.reach, &courier.authorities)).await;
        let tried = tried.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let brought = match tried {
            Ok(brought) => brought,
            Err(reason) => {
                failures = failures.saturating_add(1);
                courier.troubles.note(id, Trouble { reason: reason.clone(), at_ms: clock::now_ms(), failures });
                tracing::warn!(endpoint = %hex::encode(id), sequence, failures, reason, "a webhook was not taken");
                if !is_too_old(&body) {
                    tokio::select! {
                        () = sleep(pause(failures)) => {}
                        woken = wakes.changed() => if woken.is_err() { return },
                    }
                    continue;
                }
                Brought::GivenUp
            }
        };
        failures = 0;
        if brought == Brought::Taken {
            courier.troubles.clear(&id);
        }
        let noted = courier.host.ask(move |hosted, _, _| {
            let effects = hosted.desk.as_mut().map(|desk| desk.brought(&id, sequence, brought));
            (effects.unwrap_or_default(), ())
        });
        if noted.await.is_err() {
            return;
        }
    }
}

impl Courier {
    async fn desk<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Desk) -> Option<T> + Send + 'static,
    ) -> Result<Option<T>, Stopping> {
        self.host.ask(move |hosted, _, _| (Vec::new(), hosted.desk.as_ref().and_then(look))).await
    }

    /// Waits until there may be an event, or the endpoint is changed. `false`: nobody is left who could tell.
    async fn wait_for(&mut self, sequence: u64, wakes: &mut watch::Receiver<()>) -> bool {
        let known = *self.told.borrow();
        tokio::select! {
            told = self.told.wait_for(|told| *told >= sequence && *told != known) => told.is_ok(),
            woken = wakes.changed() => woken.is_ok(),
            // It was forgotten just now, or cannot be read.
            () = sleep(LOOK_AGAIN), if known >= sequence => true,
        }
    }

    /// An event that is durable.
    fn read(&self, sequence: u64) -> Option<Vec<u8>> {
        match self.journal.line(sequence) {
            Ok(line) => line,
            Err(error) => {
                tracing::error!(%error, sequence, "an event cannot be read");
                None
            }
        }
    }
}

/// Longer than this nobody tries.
fn is_too_old(body: &[u8]) -> bool {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let created_ms = event.get("created_ms").and_then(Value::as_u64).unwrap_or(0);
    clock::now_ms().saturating_sub(created_ms) > limits::WEBHOOK_LIFE_MS
}

/// Twice as long after each failure, and never all at the same time.
fn pause(failures: u32) -> Duration {
    let (shortest, longest) = limits::WEBHOOK_PAUSE_MS;
    let full =
        shortest.saturating_mul(1_u64.checked_shl(failures.saturating_sub(1).min(40)).unwrap_or(u64::MAX)).min(longest);
    let mut random = [0; 8];
    // Without randomness it is the full pause.
    let part = getrandom::fill(&mut random).map_or(0, |()| u64::from_le_bytes(random) % (full / 2).max(1));
    Duration::from_millis(full.saturating_sub(part))
}

/// Brings one event. `Err`: it is to be tried again.
async fn bring(endpoint: &Endpoint, body: &[u8], reach: Reach, authorities: &[Certificate]) -> Result<Brought, String> {
    let event: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
    let url = address::read(&endpoint.url, reach).map_err(|error| error.to_string())?;
    let addresses = address::resolve(&url, reach).await.map_err(|error| error.to_string())?;
    let mut client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    if !authorities.is_empty() {
        client = client.tls_certs_merge(authorities.iter().cloned());
    }
    if let Some(host) = url.host_str() {
        client = client.resolve_to_addrs(host, &addresses);
    }
    let client = client.build().map_err(|error| error.to_string())?;
    let timestamp_s = view::now_s();
    let signature = endpoint.sign(id, timestamp_s, body);
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp_s.to_string())
        .header("webhook-signature", signature)
        .body(body.to_vec());
    crash::pass();
    // A URL may hold a secret, and what went wrong is logged.
    let response = request.send().await.map_err(|error| with_cause(&error.without_url()))?;
    crash::pass();
    match response.status() {
        status if status.is_success() => Ok(Brought::Taken),
        StatusCode::GONE => Ok(Brought::Gone),
        status => Err(format!("it answers {status}")),
    }
}

/// What an error says, and what is behind it.
fn with_cause(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let (shortest, longest) = limits::WEBHOOK_PAUSE_MS;
        let ms = |failures| u64::try_from(pause(failures).as_millis()).unwrap();
        assert!((shortest / 2..=shortest).contains(&ms(1)));
        assert!((2 * shortest..=4 * shortest).contains(&ms(3)));
        for failures in [30, 64, u32::MAX] {
            assert!((longest / 2..=longest).contains(&ms(failures)));
        }
        let all: std::collections::BTreeSet<u64> = (0..20).map(|_| ms(40)).collect();
        assert!(all.len() > 10, "{all:?}");
    }

    #[test]
    fn an_event_is_tried_for_three_days() {
        let of = |age_ms: u64| format!("{{\"created_ms\":{}}}", clock::now_ms() - age_ms);
        assert!(!is_too_old(of(limits::WEBHOOK_LIFE_MS - 60_000).as_bytes()));
        assert!(is_too_old(of(limits::WEBHOOK_LIFE_MS + 1).as_bytes()));
    }
}
