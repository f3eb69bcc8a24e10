//! Channels in the deterministic world: faults, all small interleavings, and the attacks of
//! docs/protocol.md's channel rules by name.

mod attacks;
mod explore;
mod hub;
mod payee;
mod simulation;
