//! Brings events to the shop's endpoints, to each in a task of its own, one event after another: the next one only
//! when this one was taken or is given up. A redirect is no answer, a body is not read, and time and size are bounded.

use super::address::{self, Reach};
use super::attempts::{Attempt, Attempts, Trouble};
use super::webhooks::{Brought, Due, Endpoint, EndpointId};
use super::{desk::Desk, event, view};
use crate::clock;
use crate::crash;
use crate::host::{Handle, Journal, Stopping};
use crate::limits;
use crate::wallet::Hosted;
use fair_core::types::TimeMs;
use reqwest::{Certificate, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Before an event that should be there is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const LIFE: Duration = Duration::from_millis(limits::WEBHOOK_LIFE_MS);
const TIMEOUT: Duration = Duration::from_millis(limits::WEBHOOK_TIMEOUT_MS);
const IDLE: Duration = Duration::from_millis(limits::WEBHOOK_IDLE_MS);
const BEFORE_NOTE: Duration = Duration::from_millis(limits::WEBHOOK_NOTE_MS);

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
    pub(super) attempts: Attempts,
}

/// An event as it stands in the journal.
struct Line {
    id: String,
    sequence: u64,
    kind: String,
    created_ms: TimeMs,
    body: Vec<u8>,
}

impl Line {
    fn new(body: Vec<u8>) -> Result<Self, String> {
        /// What it says of itself.
        #[derive(Deserialize)]
        struct Head {
            id: String,
            sequence: u64,
            #[serde(rename = "type")]
            kind: String,
            created_ms: TimeMs,
        }
        let Head { id, sequence, kind, created_ms } =
            serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        Ok(Self { id, sequence, kind, created_ms, body })
    }

    fn age(&self) -> Duration {
        Duration::from_millis(clock::now_ms().saturating_sub(self.created_ms))
    }
}

/// How an endpoint has failed since it took something, its owner did something about it, or this process began.
#[derive(Default)]
struct Failing {
    /// How often in a row.
    times: u32,
    /// How long it was waited for between tries: time in which nobody could try does not count.
    waited: Duration,
}

impl Failing {
    /// Whether an event that was not taken once more is given up: for so long it has existed, and nothing was taken.
    fn is_enough_for(&self, age: Duration) -> bool {
        self.waited.min(age) >= LIFE
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
            courier.attempts.forget(&id);
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
    let mut failing = Failing::default();
    let mut way = Way::new(courier.reach, courier.authorities.clone(), courier.attempts.clone());
    loop {
        courier.told.mark_unchanged();
        if wakes.borrow_and_update().has_changed() {
            failing = Failing::default();
        }
        let Ok(due) = courier.desk(move |desk| desk.to_bring(&id)).await else { return };
        let Some(due) = due else {
            // Nothing goes there until its owner says so.
            if wakes.changed().await.is_err() {
                return;
            }
            failing = Failing::default();
            continue;
        };
        let lines = courier.read(due.sequence, due.most);
        if lines.is_empty() {
            if !courier.wait_for(due.sequence, &mut wakes).await {
                return;
            }
            continue;
        }
        let (mut taken, mut refused) = way.bring_all(&due, lines, &wakes).await;
        // Each note is a commit: those that happen meanwhile share it.
        while let (Some((last, Brought::Taken)), None, false) = (taken, &refused, due.is_again) {
            let more = courier.more(&due, last, &wakes).await;
            if more.is_empty() {
                break;
            }
            let then;
            (then, refused) = way.bring_all(&due, more, &wakes).await;
            taken = then.or(taken);
        }
        if let Some((last, brought)) = taken {
            failing = Failing::default();
            if brought == Brought::Taken {
                courier.attempts.set_trouble(id, None);
            }
            if courier.note(id, due.sequence..=last, brought).await.is_err() {
                return;
            }
        }
        let Some(Refused { sequence, reason, age }) = refused else { continue };
        failing.times = failing.times.saturating_add(1);
        let Failing { times: failures, .. } = failing;
        tracing::warn!(endpoint = %hex::encode(id), sequence, failures, reason, "a webhook was not taken");
        let (at_ms, pause) = (clock::now_ms(), pause(failures));
        let again_ms = at_ms.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        courier.attempts.set_trouble(id, Some(Trouble { reason, at_ms, failures, again_ms }));
        if failing.is_enough_for(age) {
            tracing::error!(endpoint = %hex::encode(id), sequence, "a webhook is given up: nobody took it in time");
            if courier.note(id, sequence..=sequence, Brought::GivenUp).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = clock::sleep(pause) => failing.waited = failing.waited.saturating_add(pause),
            woken = wakes.changed() => {
                if woken.is_err() {
                    return;
                }
                failing = Failing::default();
            }
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

    /// Events from one on that are durable.
    fn read(&self, sequence: u64, most: usize) -> Vec<Line> {
        if most == 0 {
            return Vec::new();
        }
        let lines = self.journal.after(sequence.saturating_sub(1), most).map_err(|error| error.to_string());
        let lines = lines.and_then(|lines| lines.into_iter().map(Line::new).collect::<Result<Vec<_>, _>>());
        lines.unwrap_or_else(|error| {
            tracing::error!(error, sequence, "events cannot be read");
            Vec::new()
        })
    }

    /// Events after the last that was taken, if they happen soon, nobody changes an endpoint, and not too many would
    /// come twice after a crash.
    async fn more(&mut self, due: &Due, last: u64, wakes: &watch::Receiver<()>) -> Vec<Line> {
        let taken = usize::try_from(last.saturating_sub(due.sequence)).unwrap_or(usize::MAX).saturating_add(1);
        let room = limits::WEBHOOK_EVENTS.saturating_sub(taken);
        if room == 0 || wakes.has_changed().unwrap_or(true) {
            return Vec::new();
        }
        let told = self.told.wait_for(|told| *told > last);
        let happened = timeout(BEFORE_NOTE, told).await.is_ok_and(|told| told.is_ok());
        if happened && !wakes.has_changed().unwrap_or(true) {
            self.read(last.saturating_add(1), room)
        } else {
            Vec::new()
        }
    }

    /// Makes durable what became of some events in a row; all but the last were taken.
    async fn note(&self, id: EndpointId, which: RangeInclusive<u64>, last: Brought) -> Result<(), Stopping> {
        let noted = self.host.ask(move |hosted, _, _| {
            let effects = hosted.desk.as_mut().map(|desk| desk.brought(&id, which, last));
            (effects.unwrap_or_default(), ())
        });
        noted.await
    }
}

/// Brings an event that tells of nothing, whatever else is under way, and says what became of it.
pub(super) async fn try_out(
    endpoint: &Endpoint,
    reach: Reach,
    authorities: Arc<Vec<Certificate>>,
    attempts: &Attempts,
) -> Result<Attempt, String> {
    let line = Line::new(event::test_line(&endpoint.id, clock::now_ms()).map_err(|error| error.to_string())?)?;
    let (attempt, _) = Way::new(reach, authorities, attempts.clone()).attempt(endpoint, &line).await;
    attempts.note(endpoint.id, attempt.clone());
    Ok(attempt)
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

/// An event that was not taken.
struct Refused {
    sequence: u64,
    reason: String,
    /// How long ago it happened.
    age: Duration,
}

/// The way to one endpoint. Its connection is kept as long as the endpoint's name leads to the same addresses, which
/// are looked up and checked before every event.
struct Way {
    reach: Reach,
    authorities: Arc<Vec<Certificate>>,
    attempts: Attempts,
    /// The endpoint's as it is written, and as it is read.
    url: Option<(String, reqwest::Url)>,
    client: Option<(String, Vec<SocketAddr>, reqwest::Client)>,
}

impl Way {
    const fn new(reach: Reach, authorities: Arc<Vec<Certificate>>, attempts: Attempts) -> Self {
        Self { reach, authorities, attempts, url: None, client: None }
    }

    /// Brings events one after another, until one is not taken or somebody changes an endpoint. Returns the number of
    /// the last one that need not be tried again, with what became of it, and the one that was refused. What is asked for
    /// again is brought whether it is wanted or not.
    async fn bring_all(
        &mut self,
        due: &Due,
        lines: Vec<Line>,
        wakes: &watch::Receiver<()>,
    ) -> (Option<(u64, Brought)>, Option<Refused>) {
        let mut last = None;
        for line in lines {
            let sequence = line.sequence;
            let tried = if due.is_again || due.endpoint.wants(&line.kind) {
                self.bring(&due.endpoint, &line).await
            } else {
                Ok(Brought::Taken)
            };
            match tried {
                Ok(brought) => last = Some((sequence, brought)),
                Err(reason) => {
                    return (last, Some(Refused { sequence, reason, age: line.age() }));
                }
            }
            let goes_on = matches!(last, Some((_, Brought::Taken))) && !wakes.has_changed().unwrap_or(true);
            if !goes_on {
                break;
            }
        }
        (last, None)
    }

    /// Brings one event. `Err`: it is to be tried again.
    async fn bring(&mut self, endpoint: &Endpoint, line: &Line) -> Result<Brought, String> {
        let (attempt, brought) = self.attempt(endpoint, line).await;
        self.attempts.note(endpoint.id, attempt);
        brought
    }

    async fn attempt(&mut self, endpoint: &Endpoint, line: &Line) -> (Attempt, Result<Brought, String>) {
        let (at_ms, began) = (clock::now_ms(), Instant::now());
        let answer = timeout(TIMEOUT, self.send(endpoint, line)).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = answer.as_ref().ok().map(StatusCode::as_u16);
        let brought = answer.and_then(judged);
        let reason = match &brought {
            Ok(Brought::Taken) => None,
            Ok(Brought::Gone | Brought::GivenUp) => Some("it is gone".to_owned()),
            Err(reason) => Some(reason.clone()),
        };
        let Line { id, sequence, kind, .. } = line;
        let (id, sequence, kind) = (id.clone(), *sequence, kind.clone());
        (Attempt { id, sequence, kind, at_ms, took_ms, status, reason }, brought)
    }

    /// The status of the answer, or why there is none.
    async fn send(&mut self, endpoint: &Endpoint, line: &Line) -> Result<StatusCode, String> {
        let url = self.url(&endpoint.url)?;
        let client = self.client(&url).await?;
        post(&client, url, endpoint, line).await
    }

    fn url(&mut self, text: &str) -> Result<reqwest::Url, String> {
        if let Some((_, url)) = self.url.as_ref().filter(|(known, _)| known == text) {
            return Ok(url.clone());
        }
        let url = address::read(text, self.reach).map_err(|error| error.to_string())?;
        self.url = Some((text.to_owned(), url.clone()));
        Ok(url)
    }

    async fn client(&mut self, url: &reqwest::Url) -> Result<reqwest::Client, String> {
        let mut addresses = address::resolve(url, self.reach).await.map_err(|error| error.to_string())?;
        addresses.sort_unstable();
        let host = url.host_str().unwrap_or_default();
        // It resolves its own host alone: another one at the same addresses gets another client.
        let known = self.client.as_ref().filter(|(name, known, _)| name == host && *known == addresses);
        if let Some((_, _, client)) = known {
            return Ok(client.clone());
        }
        let mut client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).pool_idle_timeout(IDLE);
        if !self.authorities.is_empty() {
            client = client.tls_certs_merge(self.authorities.iter().cloned());
        }
        client = client.resolve_to_addrs(host, &addresses);
        let client = client.build().map_err(|error| error.to_string())?;
        self.client = Some((host.to_owned(), addresses, client.clone()));
        Ok(client)
    }
}

async fn post(
    client: &reqwest::Client,
    url: reqwest::Url,
    endpoint: &Endpoint,
    line: &Line,
) -> Result<StatusCode, String> {
    let Line { id, body, .. } = line;
    let timestamp_s = view::now_s();
    let signature = endpoint.sign(id, timestamp_s, body);
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp_s.to_string())
        .header("webhook-signature", signature)
        .body(body.clone());
    crash::pass();
    // A URL may hold a secret, and what went wrong is logged.
    let response = request.send().await.map_err(|error| with_cause(&error.without_url()))?;
    crash::pass();
    Ok(response.status())
}

fn judged(status: StatusCode) -> Result<Brought, String> {
    match status {
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
    use fair_core::types::Hash;

    #[tokio::test]
    async fn a_redirect_is_no_answer_and_nobody_goes_after_it() {
        use axum::response::Redirect;
        use axum::routing::post;
        let (behind, mut came) = mpsc::channel::<()>(1);
        let router = axum::Router::new()
            .route("/moved", post(|| async { Redirect::temporary("/behind") }))
            .route("/behind", post(async move || behind.send(()).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)))
            .route("/gone", post(|| async { StatusCode::GONE }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let mut way = Way::new(Reach::Anywhere, Arc::default(), Attempts::default());
        let line = Line::new(br#"{"id":"evt_1","sequence":1,"type":"invoice.paid","created_ms":0}"#.to_vec()).unwrap();
        let endpoint = |path| Endpoint::new([1; 16], Hash::ZERO, format!("http://{address}{path}"), None, 0).unwrap();
        let moved = way.bring(&endpoint("/moved"), &line).await;
        assert!(moved.as_ref().is_err_and(|reason| reason.contains("307")), "{moved:?}");
        assert!(came.try_recv().is_err());
        assert_eq!(way.bring(&endpoint("/behind"), &line).await, Ok(Brought::Taken));
        assert!(came.try_recv().is_ok());
        assert_eq!(way.bring(&endpoint("/gone"), &line).await, Ok(Brought::Gone));
        let mut way = Way { reach: Reach::Public, ..way };
        let mut inside = endpoint("/behind");
        inside.url = format!("https://{address}/behind");
        let refused = way.bring(&inside, &line).await;
        assert!(refused.as_ref().is_err_and(|reason| reason.contains("public Internet")), "{refused:?}");
        server.abort();
    }

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
    fn an_event_is_given_up_after_three_days_in_which_nothing_was_taken() {
        let (life, less) = (LIFE, LIFE - Duration::from_millis(1));
        let is_given_up = |waited, age| Failing { times: 9, waited }.is_enough_for(age);
        assert!(is_given_up(life, life));
        assert!(!is_given_up(life, less), "it has just happened");
        // The machine was off, or the endpoint was gone, while it grew old.
        assert!(!is_given_up(less, 2 * life), "it was not tried for so long");
        assert!(!is_given_up(Duration::ZERO, 2 * life));
    }
}
