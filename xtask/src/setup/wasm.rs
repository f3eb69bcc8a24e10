//! The compiler for wasm32-unknown-unknown: rustup's, or else Debian's.
//!
//! Debian ships a compiler that knows the target and the sources of its standard library, but no
//! compiled one that links with plain cargo. So the fallback compiles the library once, into a
//! private folder, and passes that folder as the compiler's sysroot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::process;
use crate::workspace;

/// The target's name.
const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `debian` to use the fallback even where rustup has the target.
const CHOICE: &str = "FAIR_WASM_TOOLCHAIN";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "wasm-ld-19";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// How to compile for the browser.
pub(crate) enum WasmToolchain {
    /// The compiler that builds everything else has the target.
    Same,
    /// Debian's compiler with a standard library of our own making.
    Debian {
        /// Where that library is.
        sysroot: PathBuf,
    },
}

impl WasmToolchain {
    /// `cargo SUBCOMMAND --target wasm32-unknown-unknown`.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match self {
            WasmToolchain::Same => process::cargo(),
            WasmToolchain::Debian { sysroot } => {
                let mut command = process::command(DEBIAN_CARGO);
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", format!("--sysroot {}", sysroot.display()))
                    .env("CARGO_TARGET_DIR", self.target_folder());
                command
            }
        };
        command.arg(subcommand).args(["--target", TARGET]);
        command
    }

    /// Whether `cargo clippy` exists for this compiler.
    pub(crate) fn has_clippy(&self) -> bool {
        matches!(self, WasmToolchain::Same)
    }

    /// Where the files of a profile are, by the profile's folder name.
    pub(crate) fn output_folder(&self, profile: &str) -> PathBuf {
        self.target_folder().join(TARGET).join(profile)
    }

    /// Two compilers must not share a folder: each would throw away what the other built.
    fn target_folder(&self) -> PathBuf {
        match self {
            WasmToolchain::Same => workspace::target(),
            WasmToolchain::Debian { .. } => workspace::target().join("wasm-debian"),
        }
    }
}

pub(super) fn set_up() -> Result<WasmToolchain> {
    if std::env::var_os(CHOICE).is_none_or(|choice| choice != "debian") {
        if has_target()? {
            println!("    {TARGET} is installed");
            return Ok(WasmToolchain::Same);
        }
        match process::run(process::command("rustup").args(["target", "add", TARGET])) {
            Ok(()) if has_target()? => return Ok(WasmToolchain::Same),
            Ok(()) => println!("    rustup has added {TARGET} to another toolchain than this one"),
            Err(error) => println!("    rustup cannot add {TARGET}: {error:#}"),
        }
        println!("    falling back to Debian's compiler");
    }
    debian().with_context(|| {
        format!(
            "no compiler for {TARGET}, which the browser client needs.\n\
             Either make `rustup target add {TARGET}` work (it needs rustup's server), \
             or run as root on Debian"
        )
    })
}

/// Whether the compiler in use has the target's standard library.
fn has_target() -> Result<bool> {
    let mut rustc = process::command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let folder = process::capture(rustc.args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(has_library(Path::new(&folder), "libstd-"))
}

fn has_library(folder: &Path, prefix: &str) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}

fn debian() -> Result<WasmToolchain> {
    let is_complete = Path::new(DEBIAN_CARGO).exists()
        && Path::new(DEBIAN_RUSTC).exists()
        && process::find_program(DEBIAN_LINKER).is_some();
    if !is_complete {
        apt::install(&DEBIAN_PACKAGES, "compile the browser client")?;
    }
    let version = process::capture(process::command(DEBIAN_RUSTC).arg("--version"))?;
    let name = version.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    let sysroot = workspace::target().join("wasm-sysroot").join(name);
    if !has_library(&library_folder(&sysroot), "libstd-") {
        println!("    compiling the standard library of {version} (once)");
        compile_standard_library(&sysroot)?;
    }
    println!("    {version}, standard library in {}", sysroot.display());
    Ok(WasmToolchain::Debian { sysroot })
}

fn library_folder(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// Compiles an empty crate together with its standard library and keeps the library. It appears
/// under its final name only when complete.
fn compile_standard_library(sysroot: &Path) -> Result<()> {
    let work = workspace::target().join("wasm-sysroot/work");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(work.join("src"))?;
    fs::write(work.join("src/lib.rs"), "")?;
    fs::write(
        work.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
         [workspace]\n[profile.release]\nopt-level = 3\ndebug = false\n",
    )?;
    let mut cargo = process::command(DEBIAN_CARGO);
    cargo
        .current_dir(&work)
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .args(["build", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,test");
    process::run(&mut cargo)?;

    let complete = work.join("sysroot");
    fs::create_dir_all(library_folder(&complete))?;
    let compiled = work.join("target").join(TARGET).join("release/deps");
    for entry in compiled.read_dir()? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty") {
            fs::copy(&file, library_folder(&complete).join(&name))?;
        }
    }
    if !has_library(&library_folder(&complete), "libstd-") {
        bail!("compiling the standard library left no libstd in {}", compiled.display());
    }
    if sysroot.exists() {
        fs::remove_dir_all(sysroot)?;
    }
    fs::rename(&complete, sysroot)?;
    fs::remove_dir_all(&work)?;
    Ok(())
}
