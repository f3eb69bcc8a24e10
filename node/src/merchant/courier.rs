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
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const TIMEOUT: Duration = Duration::from_millis(limits::WEBHOOK_TIMEOUT_MS);

/// What it works with.
#[derive(Clone)]
pub(super) struct Courier {
    pub(super) host: Handle<Hosted>,
    pub(super) journal: Arc<Journal>,
    /// Counts changes that are durable.
    pub(super) changed: watch::Receiver<u64>,
    pub(super) reach: Reach,
    /// Counts changes of the endpoints.
    pub(super) poked: watch::Receiver<u64>,
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

/// Keeps a task for every endpoint, as long as there is one.
pub(super) async fn deliver_all(courier: Courier) {
    let mut poked = courier.poked.clone();
    let mut routes: BTreeMap<EndpointId, Route> = BTreeMap::new();
    loop {
        let listed = courier.host.ask(|hosted, _, _| {
            let endpoints = hosted.desk.iter().flat_map(|desk| desk.endpoints.keys().copied());
            (Vec::new(), endpoints.collect::<Vec<_>>())
        });
        let Ok(listed) = listed.await else { return };
        routes.retain(|id, _| listed.contains(id));
        for id in listed {
            match routes.get(&id) {
                Some(route) => route.poke.send_replace(()),
                None => {
                    let (poke, wakes) = watch::channel(());
                    let task = tokio::spawn(deliver(courier.clone(), id, wakes));
                    routes.insert(id, Route { task, poke });
                }
            }
        }
        if poked.changed().await.is_err() {
            return;
        }
    }
}

/// Brings one endpoint its events until the process ends.
async fn deliver(mut courier: Courier, id: EndpointId, mut wakes: watch::Receiver<()>) {
    let mut failures: u32 = 0;
    loop {
        courier.changed.mark_unchanged();
        wakes.mark_unchanged();
        let Ok(next) = courier.desk(move |desk| desk.to_bring(&id)).await else { return };
        let event = next.and_then(|(endpoint, sequence)| Some((endpoint, sequence, courier.read(sequence)?)));
        let Some((endpoint, sequence, body)) = event else {
            tokio::select! {
                changed = courier.changed.changed() => if changed.is_err() { return },
                woken = wakes.changed() => if woken.is_err() { return },
            }
            continue;
        };
        let tried = timeout(TIMEOUT, bring(&endpoint, &body, courier.reach)).await;
        let tried = tried.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let brought = match tried {
            Ok(brought) => brought,
            Err(reason) => {
                failures = failures.saturating_add(1);
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
async fn bring(endpoint: &Endpoint, body: &[u8], reach: Reach) -> Result<Brought, String> {
    let event: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
    let url = address::read(&endpoint.url, reach).map_err(|error| error.to_string())?;
    let addresses = address::resolve(&url, reach).await.map_err(|error| error.to_string())?;
    let mut client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    if let Some(host) = url.host_str() {
        client = client.resolve_to_addrs(host, &addresses);
    }
    let client = client.build().map_err(|error| error.to_string())?;
    let timestamp_s = view::now_s();
    let signature = endpoint.sign(id, timestamp_s, body).unwrap_or_default();
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
