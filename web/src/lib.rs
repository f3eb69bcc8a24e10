//! The browser client: it verifies the chain itself, keeps one wallet's keys and channels, and runs in a
//! dedicated worker that holds the wallet's lock (`www/js/worker.js`).
//!
//! Pipeline: page → [`Engine::call`] → [`engine::method`] → core machines → one strict IndexedDB
//! transaction ([`store`]) → network → events → page.
//!
//! **Invariant**: what a page sees as done is durable; what a relay serves is used only after
//! [`chain`] has verified it; the account key is in memory only while the wallet is unlocked.
//!
//! Deliberately absent: any fallback to memory when storage fails, any second writer, any trust in a
//! relay's word.
//!
//! Keys, errors, shapes and record layout build natively too and are tested there; everything that
//! touches the browser is compiled for wasm32 alone.

pub mod changes;
pub mod error;
pub mod keys;
pub mod limits;
pub mod qr;
pub mod record;
pub mod request;
pub mod view;

#[cfg(target_arch = "wasm32")]
pub mod chain;
#[cfg(target_arch = "wasm32")]
pub mod engine;
#[cfg(target_arch = "wasm32")]
pub mod events;
#[cfg(target_arch = "wasm32")]
pub mod explorer;
#[cfg(target_arch = "wasm32")]
pub mod input;
#[cfg(target_arch = "wasm32")]
pub mod net;
#[cfg(target_arch = "wasm32")]
pub mod store;

#[cfg(target_arch = "wasm32")]
mod boundary;
#[cfg(target_arch = "wasm32")]
pub use boundary::{Engine, verify_proof};
