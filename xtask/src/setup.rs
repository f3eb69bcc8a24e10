//! Installs what the other tasks need and is missing.

use anyhow::Result;

use crate::steps::Steps;

mod apt;
mod browser;
mod firefox;
mod schemathesis;
mod wasm;

pub(crate) use browser::{CHROMEDRIVER, capabilities, chromium};
pub(crate) use wasm::WasmToolchain;

/// A compiler for wasm32-unknown-unknown.
pub(crate) fn wasm_target(steps: &mut Steps) -> Result<WasmToolchain> {
    steps.run("set up: wasm target", wasm::set_up)
}

/// schemathesis, if there is Python.
pub(crate) fn schemathesis(steps: &mut Steps) -> Result<Option<std::path::PathBuf>> {
    steps.run("set up: schemathesis", schemathesis::set_up)
}

/// Chromium, its driver and at least one font.
pub(crate) fn browser(steps: &mut Steps) -> Result<()> {
    steps.run("set up: browser", browser::set_up)
}

/// Firefox and its driver.
pub(crate) fn firefox(steps: &mut Steps) -> Result<()> {
    steps.run("set up: Firefox", firefox::set_up)
}
