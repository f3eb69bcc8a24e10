//! Tests in a real browser; `cargo xtask test` runs them. One module per subject.

mod court;
mod embed;
mod governance;
mod harness;
mod journey;
mod kill;
mod lying_relay;
mod pages;
mod payments;
mod restore;
mod sleeper;
mod snapshots;
mod story;
mod tower;
mod validator;
mod withdraw;
