//! A relay on real sockets, between validators and banks that may lie.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod court;
mod hostile;
mod network;
mod pipes;
mod serving;
mod snapshots;
mod sources;
