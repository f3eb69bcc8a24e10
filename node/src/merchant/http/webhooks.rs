//! Where the shop wants its events brought.

use super::{Answer, Body, Caller, Made, Name, Named, Shop, read};
use crate::clock;
use crate::host::Stopping;
use crate::local::Refusal;
use crate::merchant::address;
use crate::merchant::attempts::{Attempt, Attempts, Trouble};
use crate::merchant::courier;
use crate::merchant::desk::{Desk, Refused};
use crate::merchant::event::KINDS;
use crate::merchant::keys::Scope;
use crate::merchant::webhooks::{Endpoint, EndpointId, FreshSecret, Off};
use crate::merchant::{numbers, texts};
use crate::wallet::http::{bad, read_id};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Json;
use fair_core::effect::Effect;
use fair_core::limits::MAX_URL_BYTES;
use fair_core::wallet::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    url: String,
    /// All when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    types: Option<BTreeSet<String>>,
}

impl Wanted {
    fn check(&self) -> Result<(), Refusal> {
        if self.url.len() > MAX_URL_BYTES {
            return Err(bad("input.url", format!("A URL has at most {MAX_URL_BYTES} bytes.")));
        }
        let Some(types) = &self.types else { return Ok(()) };
        if types.is_empty() {
            return Err(bad("input.types", "Name a type of events, or leave `types` out for all."));
        }
        let unknown = types.iter().find(|kind| !KINDS.contains(&kind.as_str()));
        let says = |kind| format!("There are no events of the type {kind:?}; there are: {}.", KINDS.join(", "));
        unknown.map_or(Ok(()), |kind| Err(bad("input.types", says(kind))))
    }
}

/// Without the secret, which is told for a while after it was made, to whoever asks for it under the same name.
fn shown(endpoint: &Endpoint, attempts: &Attempts) -> Value {
    let trouble = attempts.trouble(&endpoint.id).map(|Trouble { reason, at_ms, failures, again_ms }| {
        json!({ "reason": reason, "at_ms": at_ms, "failures": failures, "again_ms": again_ms })
    });
    let state = match endpoint.off {
        None => "enabled",
        Some(Off::Gone) => "gone",
    };
    json!({
        "id": hex::encode(endpoint.id),
        "url": endpoint.url,
        "types": endpoint.types,
        "state": state,
        "next_sequence": endpoint.next,
        "redeliveries": endpoint.again,
        "given_up": endpoint.given_up,
        "last_error": trouble,
        "created_ms": endpoint.created_ms,
    })
}

pub(super) async fn create(caller: Caller, State(shop): State<Shop>, name: Named, body: Body<Wanted>) -> Made {
    caller.may(Scope::Webhooks)?;
    let Name(name) = name?;
    let wanted = read(body)?;
    wanted.check()?;
    let refused = |why: address::BadTarget| bad("webhook.url", format!("Nothing is brought there: {why}."));
    address::read(&wanted.url, shop.reach).map_err(refused)?;
    let digest = texts::digest_of(&wanted).map_err(|error| bad("input.json", error.to_string()))?;
    let id = texts::id_of(&shop.wallet.own, &caller.name, "webhook", &name);
    let new = Endpoint::new(id, digest, wanted.url, wanted.types, clock::now_ms()).map_err(no_randomness)?;
    let endpoint = shop.at_desk(move |desk, _, _, _| desk.add_endpoint(new)).await?;
    poke(&shop, id).await?;
    Ok((StatusCode::CREATED, Json(with_secret(&endpoint))))
}

fn with_secret(endpoint: &Endpoint) -> Value {
    json!({
        "id": hex::encode(endpoint.id),
        "url": endpoint.url,
        "types": endpoint.types,
        "secret": endpoint.secret_text(clock::now_ms()),
        "created_ms": endpoint.created_ms,
    })
}

/// Tells the courier, once it is durable.
async fn poke(shop: &Shop, id: EndpointId) -> Result<(), Refusal> {
    Ok(shop.endpoints.send(id).await.map_err(|_| Stopping)?)
}

/// Another secret, for which nothing stands still: the one before signs too for a day.
pub(super) async fn rotate(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>, name: Named) -> Answer {
    caller.may(Scope::Webhooks)?;
    let id = read_id(&id)?;
    let Name(name) = name?;
    let name = texts::id_of(&shop.wallet.own, &caller.name, "rotate", &name);
    let fresh = FreshSecret::of(name, clock::now_ms()).map_err(no_randomness)?;
    let endpoint = shop.at_desk(move |desk, _, _, _| desk.rotate_secret(&id, fresh)).await?;
    // What is brought in a row is signed with the secrets from its beginning.
    poke(&shop, id).await?;
    Ok(Json(with_secret(&endpoint)))
}

fn no_randomness(error: impl ToString) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "randomness", error.to_string())
}

pub(super) async fn list(caller: Caller, State(shop): State<Shop>) -> Answer {
    caller.may(Scope::Webhooks)?;
    let listed = shop.at_desk(|desk, _, _, _| (Vec::new(), Ok(desk.endpoints.values().cloned().collect::<Vec<_>>())));
    let listed = listed.await?;
    let endpoints: Vec<Value> = listed.iter().map(|endpoint| shown(endpoint, &shop.attempts)).collect();
    Ok(Json(json!({ "webhooks": endpoints })))
}

/// The endpoint that a path names.
async fn find(shop: &Shop, id: &str) -> Result<Endpoint, Refusal> {
    let id = read_id(id)?;
    let found = shop
        .at_desk(move |desk, _, _, _| (Vec::new(), desk.endpoints.get(&id).cloned().ok_or(Refused::UnknownEndpoint)));
    found.await
}

pub(super) async fn look(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::Webhooks)?;
    Ok(Json(shown(&find(&shop, &id).await?, &shop.attempts)))
}

/// Brings what tells of nothing, also to an endpoint that is gone, and waits for what comes of it.
pub(super) async fn try_out(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::Webhooks)?;
    let endpoint = find(&shop, &id).await?;
    let _place = shop.waiting.take(caller.id)?;
    let tried = courier::try_out(&endpoint, shop.reach, shop.authorities.clone(), &shop.attempts).await;
    Ok(Json(delivery(&tried.map_err(no_randomness)?)))
}

pub(super) async fn deliveries(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::Webhooks)?;
    let attempts = shop.attempts.of(&find(&shop, &id).await?.id);
    Ok(Json(json!({ "deliveries": attempts.iter().map(delivery).collect::<Vec<_>>() })))
}

fn delivery(attempt: &Attempt) -> Value {
    json!({
        "id": attempt.id,
        "sequence": attempt.sequence,
        "type": attempt.kind,
        "at_ms": attempt.at_ms,
        "took_ms": attempt.took_ms,
        "status": attempt.status,
        "taken": attempt.reason.is_none(),
        "reason": attempt.reason,
    })
}

pub(super) async fn remove(
    caller: Caller,
    State(shop): State<Shop>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    caller.may(Scope::Webhooks)?;
    let id = read_id(&id)?;
    shop.at_desk(move |desk, _, _, _| desk.remove_endpoint(&id)).await?;
    poke(&shop, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn enable(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    let id = read_id(&id)?;
    change(&caller, &shop, move |desk| desk.enable_endpoint(&id)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    #[serde(deserialize_with = "numbers::whole")]
    sequence: u64,
}

pub(super) async fn redeliver(
    caller: Caller,
    State(shop): State<Shop>,
    Path(id): Path<String>,
    body: Body<Again>,
) -> Answer {
    let id = read_id(&id)?;
    let Again { sequence } = read(body)?;
    change(&caller, &shop, move |desk| desk.bring_again(&id, sequence)).await
}

async fn change(
    caller: &Caller,
    shop: &Shop,
    change: impl FnOnce(&mut Desk) -> (Vec<Effect<Event>>, Result<Endpoint, Refused>) + Send + 'static,
) -> Answer {
    caller.may(Scope::Webhooks)?;
    let endpoint = shop.at_desk(move |desk, _, _, _| change(desk)).await?;
    poke(shop, endpoint.id).await?;
    Ok(Json(shown(&endpoint, &shop.attempts)))
}
