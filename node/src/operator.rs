//! Commands to a process that runs: `node rebalance`, `node faucet`, the orders of a wallet's operator.

use crate::error::NodeError;
use crate::home::Home;
use crate::local::OPERATOR_HEADER;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks the process of a home to do something and prints its answer.
pub(crate) fn post(path: &Path, what: &str, body: &Value) -> Result<(), NodeError> {
    let (home, config) = Home::open(path)?;
    let token = home.operator_token()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| NodeError::System { what: "threads", reason: error.to_string() })?;
    let url = format!("http://{}", config.listen);
    let failed = |reason: String| NodeError::NoAnswer { url: url.clone(), reason };
    let answer: Value = runtime.block_on(async {
        let client = crate::bank::http_client()?;
        let request = client.post(format!("{url}{what}")).header(OPERATOR_HEADER, token.text()).timeout(ANSWER_TIMEOUT);
        let response = request.json(body).send().await.map_err(|error| failed(error.to_string()))?;
        let succeeded = response.status().is_success();
        let answer: Value = response.json().await.map_err(|error| failed(error.to_string()))?;
        match answer.get("message").and_then(Value::as_str) {
            Some(message) if !succeeded => Err(NodeError::Refused { reason: message.to_owned() }),
            _ => Ok(answer),
        }
    })?;
    println!("{}", serde_json::to_string_pretty(&answer).unwrap_or_default());
    Ok(())
}
