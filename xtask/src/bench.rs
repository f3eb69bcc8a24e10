//! `cargo xtask bench`: every figure, measured with release code.

use anyhow::Result;

use crate::bundle::{self, Profile};
use crate::check;
use crate::process;
use crate::setup;
use crate::steps::Steps;

/// Nothing that only tests have.
const PRODUCT: [&str; 5] = ["--workspace", "--exclude", "xtask", "--features", "fair-tests/browser"];

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let toolchain = setup::wasm_target(steps)?;
    setup::browser(steps)?;
    bundle::bundle(steps, &toolchain, Profile::Small)?;
    steps.run("native figures", || native(&[]))?;
    steps.run("figures in the browser", || {
        check::client_tests(&toolchain, Profile::Small, &["--test", "speed", "--", "--nocapture"])
    })?;
    steps.run("compile programs and tests for payments", || {
        process::run(process::cargo().args(["build", "--release", "--bins"]).args(PRODUCT))
    })?;
    steps.run("a merchant's figures", || native(&["merchant"]))?;
    steps.run("payments between two browsers", || {
        let payments = ["--test", "browser", "--", "--test-threads=1", "--nocapture", "payments"];
        process::run(process::cargo().args(["test", "--release"]).args(PRODUCT).args(payments))
    })
}

/// What the program of the native benchmarks measures when it gets these arguments.
fn native(arguments: &[&str]) -> Result<()> {
    let native = ["--bench", "native", "--"];
    process::run(process::cargo().arg("bench").args(PRODUCT).args(native).args(arguments))
}
