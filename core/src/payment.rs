//! What people pay with (docs/protocol.md, section 5): invoices, addresses, onions, routes, proofs.
//!
//! Everything here is a value or a pure function over values. Text and bytes from anybody become values by
//! `from_text` and `open`, which check everything before anything is used; the wallet and bank machines do
//! the rest.

pub mod address;
pub mod invoice;
pub mod onion;
pub mod proof;
pub mod route;
pub mod text;
