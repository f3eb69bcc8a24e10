//! End-to-end tests and the simulator.
//!
//! - [`censor`]: fronts before validators that take batches and drop them.
//! - [`chain`]: blocks followed and batches written by a test.
//! - [`disk`]: what stands on the disk of a bank.
//! - [`governance`]: validators that propose and vote.
//! - [`http`]: small servers, and requests as those read them that stand before others.
//! - [`network`]: a whole local network as real processes, the way an operator runs it.
//! - [`points`]: a process that is ended at each of its points in turn.
//! - [`process`]: one supervised process: ready, killed, stopped, restarted, its log.
//! - [`receiver`]: a shop's receiver of webhooks.
//! - [`story`]: the protocol's worked example, told by real processes.
//! - [`wait`]: waiting for a condition with a deadline. Nothing here waits for a time.
//! - [`world`]: channels in a deterministic world, with faults and liars.
//! - `browser` (feature `browser`): Chromium and Firefox, operated by what a person sees.

#[cfg(feature = "browser")]
pub mod browser;
pub mod censor;
pub mod chain;
pub mod disk;
pub mod governance;
pub mod http;
pub mod network;
pub mod points;
pub mod ports;
pub mod process;
pub mod receiver;
pub mod story;
pub mod wait;
pub mod world;
