//! What commands and processes print. Whoever reads it may go at any time: no command fails by that.

use crate::error::NodeError;
use serde::Serialize;
use std::fmt::Display;
use std::io::Write as _;
use std::net::SocketAddr;

/// A line of a command's answer.
pub(crate) fn line(text: impl Display) -> Result<(), NodeError> {
    writeln!(std::io::stdout(), "{text}").map_err(NodeError::Output)
}

/// A command's answer as JSON.
pub(crate) fn json(answer: &impl Serialize) -> Result<(), NodeError> {
    line(serde_json::to_string_pretty(answer).unwrap_or_default())
}

/// How far a process is. It goes on whether or not somebody reads this.
pub(crate) fn progress(text: impl Display) {
    let _ = line(text);
}

/// A process serves from now on.
pub(crate) fn ready(listen: SocketAddr) {
    progress(format_args!("ready http://{listen}"));
}
