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
    steps.run("native figures", || {
        let native = ["bench", "--package", "fair-tests", "--bench", "native"];
        process::run(process::cargo().args(native))
    })?;
    steps.run("figures in the browser", || {
        check::client_tests(&toolchain, Profile::Small, &["--test", "speed", "--", "--nocapture"])
    })?;
    steps.run("compile programs and tests for payments", || {
        process::run(process::cargo().args(["build", "--release", "--bins"]).args(PRODUCT))
    })?;
    steps.run("payments between two browsers", || {
        let payments = ["--test", "browser", "--", "--test-threads=1", "--nocapture", "payments"];
        process::run(process::cargo().args(["test", "--release"]).args(PRODUCT).args(payments))
    })
}
