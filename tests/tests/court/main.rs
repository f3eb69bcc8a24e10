//! Court with real processes: who was robbed, by how much, and what the chain makes of it. Everything that is
//! asserted is read from a chain that the test executes itself, block by block.

mod bad_bank;
mod cast;
mod censors;
mod chain;
mod falls;
mod locks;
mod stale;
