//! `node status`: what the process of a home says about itself, or where its database stands.

use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::say;
use crate::store::onchain;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Prints the status of a home.
pub(crate) fn print(path: &Path, as_json: bool) -> Result<(), NodeError> {
    let (home, config) = Home::open(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| NodeError::System { what: "threads", reason: error.to_string() })?;
    let status = match runtime.block_on(ask(&config)) {
        Ok(mut status) => {
            set(&mut status, "running", json!(true));
            status
        }
        Err(reason) => stored(&home, &config, &reason)?,
    };
    if as_json { say::json(&status) } else { print_lines(&status, "") }
}

async fn ask(config: &Config) -> Result<Value, NodeError> {
    let url = format!("http://{}", config.listen);
    let failed = |error: reqwest::Error| NodeError::NoAnswer { url: url.clone(), reason: error.to_string() };
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIMEOUT).build().map_err(failed)?;
    let answer = client.get(format!("{url}/v1/status")).send().await.map_err(failed)?;
    answer.error_for_status().map_err(failed)?.json().await.map_err(failed)
}

/// The process does not run: where its database stands, if it ever ran.
fn stored(home: &Home, config: &Config, reason: &NodeError) -> Result<Value, NodeError> {
    let database = home.path().join("onchain").join("db.sqlite");
    let head = if database.exists() { onchain::stored_head(&database)? } else { None };
    Ok(json!({
        "running": false,
        "kind": config.kind,
        "account": config.account,
        "head": head.map_or(0, |(height, _)| height),
        "hash": head.map(|(_, hash)| hash),
        "why": reason.to_string(),
    }))
}

fn set(status: &mut Value, name: &str, value: Value) {
    if let Some(fields) = status.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn print_lines(value: &Value, indent: &str) -> Result<(), NodeError> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| print_field(name, value, indent)),
        Value::Array(items) => items.iter().try_for_each(|item| {
            print_lines(item, indent)?;
            say::line("")
        }),
        other => say::line(format_args!("{indent}{other}")),
    }
}

fn print_field(name: &str, value: &Value, indent: &str) -> Result<(), NodeError> {
    match value {
        Value::Object(fields) if fields.is_empty() => say::line(format_args!("{indent}{name}: none")),
        Value::Object(_) | Value::Array(_) => {
            say::line(format_args!("{indent}{name}:"))?;
            print_lines(value, &format!("{indent}  "))
        }
        Value::String(text) => say::line(format_args!("{indent}{name}: {text}")),
        other => say::line(format_args!("{indent}{name}: {other}")),
    }
}
