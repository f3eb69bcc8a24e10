//! Commands to a process that runs: `node rebalance`, `node faucet`, the orders of a wallet's operator, the batches
//! of a validator's.

use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::local::OPERATOR_HEADER;
use crate::say;
use fair_core::codec;
use fair_core::ledger::batch::Batch;
use fair_core::message::Signed;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Asks the process of a home to do something and prints its answer.
pub(crate) fn post(path: &Path, what: &str, body: &Value) -> Result<(), NodeError> {
    say::json(&ask(path, what, body)?)
}

/// As [`post`], for a payment: one that failed is an error, after its answer was printed.
pub(crate) fn pay(path: &Path, what: &str, body: &Value) -> Result<(), NodeError> {
    let answer = ask(path, what, body)?;
    let printed = say::json(&answer);
    if answer.get("state").and_then(Value::as_str) == Some("failed") {
        let reason = answer.get("failure").and_then(Value::as_str).unwrap_or("nobody says why").to_owned();
        return Err(NodeError::NotPaid { reason });
    }
    printed
}

fn ask(path: &Path, what: &str, body: &Value) -> Result<Value, NodeError> {
    let (home, config) = Home::open(path)?;
    let token = home.operator_token()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| NodeError::System { what: "threads", reason: error.to_string() })?;
    let url = format!("http://{}", config.listen);
    let failed = |reason: String| NodeError::NoAnswer { url: url.clone(), reason };
    runtime.block_on(async {
        let client = crate::bank::http_client()?;
        let request = client.post(format!("{url}{what}")).header(OPERATOR_HEADER, token.text()).timeout(ANSWER_TIMEOUT);
        let response = request.json(body).send().await.map_err(|error| failed(error.to_string()))?;
        let succeeded = response.status().is_success();
        let answer: Value = response.json().await.map_err(|error| failed(error.to_string()))?;
        match answer.get("message").and_then(Value::as_str) {
            Some(message) if !succeeded => Err(NodeError::Refused { reason: message.to_owned() }),
            _ => Ok(answer),
        }
    })
}

/// Hands a batch to the validator of a home and waits until a block has it.
pub(crate) fn submit(config: &Config, batch: &Signed<Batch>) -> Result<Value, NodeError> {
    let url = format!("http://{}", config.listen);
    let failed = |reason: String| NodeError::NoAnswer { url: url.clone(), reason };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| NodeError::System { what: "threads", reason: error.to_string() })?;
    runtime.block_on(async {
        let client = crate::bank::http_client()?;
        let until = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let request = client.post(format!("{url}/v1/batches")).timeout(ANSWER_TIMEOUT).body(codec::encode(batch));
            let response = request.send().await.map_err(|error| failed(error.to_string()))?;
            let status = response.status();
            let answer: Value = response.json().await.map_err(|error| failed(error.to_string()))?;
            let message = answer.get("message").and_then(Value::as_str);
            match message {
                Some(message) if !status.is_success() => {
                    return Err(NodeError::Refused { reason: message.to_owned() });
                }
                // No block has it yet.
                _ if status == reqwest::StatusCode::ACCEPTED && Instant::now() < until => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                _ => return Ok(answer),
            }
        }
    })
}
