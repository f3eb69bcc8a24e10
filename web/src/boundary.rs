//! What JavaScript sees: one class with `open` and `call`, and the verifier of proofs of payment.

use crate::engine::method::Method;
use crate::engine::{Config, Core};
use crate::error::Error;
use crate::events::{Events, to_js};
use crate::input::{FromJs as _, from_js};
use crate::view::Proven;
use fair_core::payment::invoice::Description;
use fair_core::payment::proof::ProofOfPayment;
use fair_core::types::Hash;
use js_sys::{Function, Reflect};
use std::rc::Rc;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// The engine of one wallet. `www/js/api.d.ts` documents its methods.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Engine {
    core: Rc<Core>,
}

struct EngineConfig {
    name: String,
    relays: Vec<String>,
    chain_id: Option<Hash>,
}

from_js!(EngineConfig { name, relays, chain_id });

#[wasm_bindgen]
impl Engine {
    /// Opens the wallet named in `config` (`EngineConfig` of `www/js/api.d.ts`).
    ///
    /// # Errors
    /// `input.config`, `storage.…`.
    pub async fn open(config: JsValue) -> Result<Engine, JsValue> {
        std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
        let listener = Reflect::get(&config, &"onEvent".into())
            .ok()
            .and_then(|listener| listener.dyn_into::<Function>().ok())
            .ok_or_else(|| to_js(&Error::new("input.config", "`onEvent` is not a function.")))?;
        let config = EngineConfig::from_js(&config)
            .map_err(|error| to_js(&Error::new("input.config", format!("The configuration does not fit: {error}."))))?;
        let config = Config { name: config.name, relays: config.relays, chain_id: config.chain_id };
        let core = Core::open(config, Events::new(listener)).await.map_err(|error| to_js(&error))?;
        Ok(Engine { core })
    }

    /// Answers one method. `signal` is an `AbortSignal`, looked at before the work begins.
    ///
    /// # Errors
    /// A `FairErrorShape`.
    pub async fn call(&self, method: String, params: JsValue, signal: JsValue) -> Result<JsValue, JsValue> {
        let core = self.core.clone();
        if signal.dyn_ref::<web_sys::AbortSignal>().is_some_and(web_sys::AbortSignal::aborted) {
            return Err(to_js(&Error::passing("engine.aborted", "Stopped.")));
        }
        let answer = match Method::read(&method, &params) {
            Ok(method) => core.call(method).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| to_js(&error))
    }
}

/// What a proof of payment proves (`docs/receipts/`), without an engine or any network: `Proven` of
/// `www/js/api.d.ts`.
///
/// # Errors
/// A `FairErrorShape`: `input.chain_id`, `payment.bad_proof`.
#[wasm_bindgen(js_name = verifyProof)]
pub fn verify_proof(text: &str, chain_id: &str) -> Result<JsValue, JsValue> {
    let chain_id: Hash = chain_id
        .parse()
        .map_err(|error| to_js(&Error::new("input.chain_id", format!("This is no chain id: {error}."))))?;
    let proven = ProofOfPayment::from_text(text)
        .and_then(|proof| proof.verify(&chain_id))
        .map_err(|error| to_js(&Error::new("payment.bad_proof", format!("Nothing is proven: {error}."))))?;
    let (invoice, receipt) = (proven.invoice.body(), proven.receipt.as_ref().map(|receipt| receipt.body()));
    Ok(to_js(&Proven {
        payee: invoice.payee,
        id: invoice.id.to_string(),
        asset: invoice.asset,
        amount: invoice.amount,
        description: match &invoice.description {
            Description::Text(text) => Some(text.clone()),
            Description::Hash(_) => None,
        },
        origin: invoice.origin.clone(),
        hash: invoice.lock_hash,
        received: receipt.map(|receipt| receipt.amount),
        paid_at: receipt.map(|receipt| receipt.paid_ms.into()),
    }))
}
