//! Banks, wallets and a ledger together, without I/O: the worked example, and attacks on payments and banks.
#![allow(clippy::unwrap_used, reason = "a scenario that cannot go on has failed")]

mod ancient_keys;
mod attacks;
mod backup;
mod bad_bank;
mod court;
mod forgotten;
mod lost_bank;
mod mediation;
mod merchant;
mod puppet;
mod rebalance;
mod restart;
mod restored;
mod snapshot;
mod splice;
mod tower;
mod unseen;
mod worked_example;
mod world;
