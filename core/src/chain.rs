//! The certified chain: genesis, parameters, headers, certificates and their verification
//! (docs/protocol.md, section 3).

pub mod block;
pub mod certificate;
pub mod conflict;
pub mod follow;
pub mod genesis;
pub mod header;
pub mod light;
pub(crate) mod names;
pub mod params;
pub mod proven;
pub mod snapshot;
pub mod trust;
pub mod verify;
pub mod walk;
