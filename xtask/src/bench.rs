//! `cargo xtask bench`: every figure, measured with release code.

use anyhow::Result;

use crate::bundle::{self, Profile};
use crate::process;
use crate::setup;
use crate::steps::Steps;

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let toolchain = setup::wasm_target(steps)?;
    bundle::bundle(steps, &toolchain, Profile::Small)?;
    steps.run("native figures", || {
        let native = ["bench", "--package", "fair-tests", "--bench", "native"];
        process::run(process::cargo().args(native))
    })
}
