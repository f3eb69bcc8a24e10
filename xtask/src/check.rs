//! `cargo xtask test`: every check, in the order in which failures are cheapest to find.

use std::fs;

use anyhow::{Context, Result};

use crate::bundle::{self, Profile};
use crate::process;
use crate::receipts;
use crate::setup::{self, CHROMEDRIVER, WasmToolchain};
use crate::steps::Steps;
use crate::types;
use crate::words;
use crate::workspace;

/// The product: the same selection of packages and features in every native call of cargo, because
/// with another one it would compile shared dependencies again. For the same reason this program
/// itself is apart: `cargo xtask` has compiled it alone. `crash-points` let tests end the programs.
const PRODUCT: [&str; 5] = [
    "--workspace",
    "--exclude",
    "xtask",
    "--features",
    "fair-tests/browser,fair-node/crash-points,fair-relay/crash-points",
];
const XTASK: [&str; 2] = ["--package", "xtask"];

/// The tests that need Chromium and the bundled pages.
const IN_CHROMIUM: [&str; 4] = ["--test", "browser", "--test", "court"];

/// The last part of the name of those that run in Firefox as well.
const IN_FIREFOX: &str = "in_firefox";

/// The test that runs the commands of the guide for merchants, with the bundled pages, Node.js and Python.
const GUIDE: [&str; 2] = ["--test", "guide"];

/// How long one file of the client's tests may take in Chromium.
const CLIENT_TESTS_SECONDS: &str = "180";

/// All that needs no browser.
pub(crate) fn quick(steps: &mut Steps) -> Result<()> {
    let toolchain = setup::wasm_target(steps)?;
    without_browser(steps, &toolchain)
}

/// Everything.
pub(crate) fn full(steps: &mut Steps) -> Result<()> {
    let toolchain = setup::wasm_target(steps)?;
    setup::browser(steps)?;
    setup::firefox(steps)?;
    without_browser(steps, &toolchain)?;
    steps.run("client tests in Chromium", || client_tests(&toolchain, Profile::Fast, &[]))?;
    bundle::bundle(steps, &toolchain, Profile::Small)?;
    steps.run("end to end in Chromium", || {
        let others = ["--", "--test-threads=1", "--skip", IN_FIREFOX];
        process::run(process::cargo().arg("test").args(PRODUCT).args(IN_CHROMIUM).args(others))
    })?;
    steps.run("end to end in Firefox", || {
        let chosen = ["--test", "browser", "--", "--test-threads=1", IN_FIREFOX];
        process::run(process::cargo().arg("test").args(PRODUCT).args(chosen))
    })?;
    if ["node", "npm", "python3"].iter().any(|name| process::find_program(name).is_none()) {
        println!("    node, npm or python3 is not installed: the guide for merchants is left out");
        return Ok(());
    }
    steps.run("the guide for merchants", || process::run(process::cargo().arg("test").args(PRODUCT).args(GUIDE)))
}

fn without_browser(steps: &mut Steps, toolchain: &WasmToolchain) -> Result<()> {
    steps.run("format", || process::run(process::cargo().args(["fmt", "--all", "--check"])))?;
    steps.run("words", words::check)?;
    steps.run("types of the pages", types::check)?;
    steps.run("verifiers of receipts", receipts::check)?;
    steps.run("lints, native", || {
        let strict = ["--all-targets", "--", "-Dwarnings"];
        process::run(process::cargo().arg("clippy").args(PRODUCT).args(strict))?;
        // What `cargo test` leaves out is none of all targets.
        let warnings = ["--", "-Dwarnings"];
        process::run(process::cargo().arg("clippy").args(PRODUCT).args(IN_CHROMIUM).args(GUIDE).args(warnings))?;
        process::run(process::cargo().arg("clippy").args(XTASK).args(strict))
    })?;
    steps.run("lints, wasm", || wasm_lints(toolchain))?;
    // Programs together with tests, so that both use the same dependencies.
    steps.run("compile programs and tests", || {
        process::run(process::cargo().arg("build").args(PRODUCT).args(["--bins", "--lib", "--tests"]))
    })?;
    steps.run("tests", || {
        process::run(process::cargo().arg("test").args(PRODUCT))?;
        process::run(process::cargo().arg("test").args(XTASK))
    })?;
    let Some(program) = setup::schemathesis(steps)? else { return Ok(()) };
    steps.run("a merchant's interface against its document", || {
        let test = ["--test", "openapi"];
        process::run(process::cargo().arg("test").args(PRODUCT).args(test).env("SCHEMATHESIS", &program))
    })
}

fn wasm_lints(toolchain: &WasmToolchain) -> Result<()> {
    let package = ["--package", "fair-web"];
    if toolchain.has_clippy() {
        let mut cargo = toolchain.cargo("clippy");
        return process::run(cargo.args(package).args(["--all-targets", "--", "-Dwarnings"]));
    }
    println!("    Debian's compiler has no clippy: checking that the client compiles");
    process::run(toolchain.cargo("check").args(package))
}

/// The client's own tests, each file of them in a fresh Chromium. `chosen`: arguments for cargo and the tests.
pub(crate) fn client_tests(toolchain: &WasmToolchain, profile: Profile, chosen: &[&str]) -> Result<()> {
    let browser = setup::chromium().context("Chromium is not installed")?;
    let driver = process::find_program(CHROMEDRIVER).context("chromedriver is not installed")?;
    let capabilities = workspace::target().join("webdriver.json");
    fs::write(&capabilities, setup::capabilities(&browser))?;

    let runner = std::env::current_exe()?;
    let mut cargo = toolchain.cargo("test");
    cargo
        .args(["--package", "fair-web", "--profile", profile.name()])
        .arg("--config")
        .arg(format!("target.wasm32-unknown-unknown.runner=[{runner:?},\"wasm-test-runner\"]"))
        .args(chosen)
        .env("CHROMEDRIVER", driver)
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities)
        .env("WASM_BINDGEN_USE_BROWSER", "1")
        .env("WASM_BINDGEN_TEST_TIMEOUT", CLIENT_TESTS_SECONDS);
    process::run(&mut cargo)
}

/// Runs one compiled test file; cargo starts this program for each.
pub(crate) fn run_wasm_test_file(arguments: Vec<String>) -> Result<()> {
    let program = "wasm-test-runner".to_owned();
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::iter::once(program).chain(arguments))
}
