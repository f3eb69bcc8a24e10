//! The Fair protocol.
