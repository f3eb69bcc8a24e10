//! The operator's orders about keys, from the own machine with its token.
//!
//! ```text
//! POST /v1/keys/create  {scopes, name?} → {id, key, scopes, name}    `key` is shown this once
//! POST /v1/keys/rotate  {id}            → the same, another key with the scopes and name of this one, which stays good
//! POST /v1/keys/list    {}              → {keys: [{id, scopes, name, created_ms}]}
//! POST /v1/keys/revoke  {id}            → {revoked}
//! ```

use super::{Answer, Body, Shop, read};
use crate::clock;
use crate::limits;
use crate::local::Refusal;
use crate::merchant::keys::{Fresh, Key, KeyId, Scope};
use crate::merchant::texts;
use crate::wallet::http::bad;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use fair_core::effect::{Effect, Write};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    scopes: BTreeSet<Scope>,
    #[serde(default)]
    name: String,
}

pub(super) async fn create(State(shop): State<Shop>, body: Body<Create>) -> Answer {
    let Create { scopes, name } = read(body)?;
    if scopes.is_empty() {
        return Err(bad("input.scopes", "A key is good for something: name a scope."));
    }
    texts::check(&name, limits::MERCHANT_REFERENCE_CHARS)
        .map_err(|why| bad("input.name", format!("The name is refused: {why}.")))?;
    add(&shop, Key::fresh(scopes, name, clock::now_ms())).await
}

async fn add(shop: &Shop, fresh: Result<Fresh, getrandom::Error>) -> Answer {
    if shop.keys.is_full() {
        let message = format!("There are {} keys already; revoke one.", limits::MERCHANT_KEYS);
        return Err(Refusal::new(StatusCode::CONFLICT, "too_many", message));
    }
    let (key, text) =
        fresh.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "randomness", error.to_string()))?;
    store(shop, key.write()).await?;
    let answer = json!({ "id": hex::encode(key.id), "key": text.as_str(), "scopes": key.scopes, "name": key.name });
    shop.keys.add(key);
    Ok(Json(answer))
}

async fn store(shop: &Shop, write: Write) -> Result<(), Refusal> {
    Ok(shop.wallet.host.ask(move |_, _, _| (vec![Effect::Write(write)], ())).await?)
}

pub(super) async fn list(State(shop): State<Shop>) -> Json<Value> {
    let keys = shop.keys.all();
    let view = |key: &Arc<Key>| json!({ "id": hex::encode(key.id), "scopes": key.scopes, "name": key.name, "created_ms": key.created_ms });
    Json(json!({ "keys": keys.iter().map(view).collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    id: String,
}

impl Named {
    fn id(&self) -> Result<KeyId, Refusal> {
        let mut key = KeyId::default();
        let read = hex::decode_to_slice(&self.id, &mut key);
        read.map_err(|_| bad("input.id", "The id of a key is 16 hexadecimal digits."))?;
        Ok(key)
    }
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "key.unknown", "There is no such key.")
}

/// Another key in the place of one: whoever asks again with it, under an `Idempotency-Key`, gets what there is.
pub(super) async fn rotate(State(shop): State<Shop>, body: Body<Named>) -> Answer {
    let id = read(body)?.id()?;
    let key = shop.keys.get(&id).ok_or_else(unknown)?;
    add(&shop, key.successor(clock::now_ms())).await
}

pub(super) async fn revoke(State(shop): State<Shop>, body: Body<Named>) -> Answer {
    let named = read(body)?;
    let write = shop.keys.revoke(&named.id()?).ok_or_else(unknown)?;
    store(&shop, write).await?;
    Ok(Json(json!({ "revoked": named.id })))
}
