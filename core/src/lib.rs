//! The Fair protocol: a small certified chain that holds collateral, and channels with credit above it.
//!
//! The same code runs in validators, banks and relays and, compiled to WebAssembly, in the browser.
//! Nothing here reads a clock, draws randomness or does I/O: time, entropy and stored bytes are
//! arguments, and what is to be stored or sent is returned as data.
//!
//! Pipeline: bytes → [`codec`] → values → [`message`] → [`message::Verified`] → [`ledger`] or channel
//! transition → effects → host.
//!
//! **Invariant**: only [`codec`] turns bytes into values, only [`message`] makes a `Verified<T>`, only
//! [`ledger`] makes a state.
//!
//! Deliberately absent: floating point, hash-map iteration, `async`, logging, and any panic that a
//! peer's bytes could reach.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::float_arithmetic
    )
)]

pub mod account;
pub mod bank;
pub mod chain;
pub mod channel;
pub mod codec;
#[cfg(feature = "consensus")]
pub mod consensus;
pub mod crypto;
pub mod effect;
pub mod entropy;
pub mod ledger;
pub mod limits;
pub mod message;
pub mod ordered;
pub mod payment;
pub mod peers;
pub mod session;
pub mod tower;
pub mod types;
#[cfg(feature = "vectors")]
pub mod vectors;
pub mod wallet;
pub mod watch;
