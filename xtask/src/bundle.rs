//! Puts what a relay serves into one folder: the pages, and the client as WebAssembly.
//!
//! ```text
//! www/**                    → target/www/**
//! www/embed/fair-pay.js     → the same with what it imports
//! fair-web for wasm32       → target/www/pkg/fair_web.js, fair_web.d.ts, fair_web_bg.HASH.wasm
//! every text file and .wasm → the same name with .br, for relays to send as it is
//! ```
//!
//! Scripts name the client's file `fair_web_bg.wasm`; the bundle puts the hash of its content into
//! that name, so that the one large file never changes under its name and can be cached for ever.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::embed;
use crate::order;
use crate::process;
use crate::setup::WasmToolchain;
use crate::steps::Steps;
use crate::workspace;

/// The client's `.wasm` may not grow beyond this many bytes as sent (brotli):
/// docs/decisions/0011-client-size.md.
const WASM_LIMIT_BYTES: usize = 450_000;

/// The client's library name, as cargo names its file.
const CLIENT: &str = "fair_web";

/// Endings of files that compress well.
const COMPRESSIBLE: [&str; 9] = ["css", "html", "js", "json", "mjs", "svg", "txt", "wasm", "webmanifest"];

/// Below this many bytes a compressed copy saves nothing.
const COMPRESS_FROM_BYTES: usize = 512;

/// How the client is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Fully optimised and held to the size gate: what is published.
    Small,
    /// Quick to compile: for looking at a change.
    Fast,
}

impl Profile {
    /// The cargo profile's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Small => "wasm",
            Profile::Fast => "dev",
        }
    }

    /// The folder that cargo names after the profile.
    fn folder_name(self) -> &'static str {
        match self {
            Profile::Small => "wasm",
            Profile::Fast => "debug",
        }
    }
}

/// Where the bundle is.
pub(crate) fn folder() -> PathBuf {
    workspace::target().join("www")
}

/// Compiles and packs everything.
pub(crate) fn bundle(steps: &mut Steps, toolchain: &WasmToolchain, profile: Profile) -> Result<()> {
    steps.run("compile the client to wasm", || {
        let mut cargo = toolchain.cargo("build");
        cargo.args(["--package", "fair-web", "--lib", "--profile", profile.name()]);
        process::run(&mut cargo)
    })?;
    let compiled = toolchain.output_folder(profile.folder_name()).join(format!("{CLIENT}.wasm"));
    steps.run("pack pages and client", || pack(&compiled, profile))
}

fn pack(compiled: &Path, profile: Profile) -> Result<()> {
    let fresh = workspace::target().join("www.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    let pages = workspace::root().join("www");
    fs::create_dir_all(&fresh)?;
    if pages.exists() {
        copy_folder(&pages, &fresh)?;
    }
    embed::join(&fresh)?;
    bind(compiled, &fresh.join("pkg"), profile)?;
    let mut files = list_files(&fresh)?;
    name_client_by_hash(&mut files)?;
    files.sort();
    let mut sizes = Sizes::default();
    for file in &files {
        sizes.add(file, &fresh, profile)?;
    }
    let bundle = folder();
    if bundle.exists() {
        fs::remove_dir_all(&bundle)?;
    }
    fs::rename(&fresh, &bundle)?;
    sizes.print_total();
    println!("    bundle in {}", bundle.display());
    sizes.check(profile)
}

/// Makes the ES module for the compiled client.
fn bind(compiled: &Path, folder: &Path, profile: Profile) -> Result<()> {
    let keeps_names = profile == Profile::Fast;
    Bindgen::new()
        .input_path(compiled)
        .web(true)?
        .typescript(true)
        .omit_default_module_path(false)
        .remove_name_section(!keeps_names)
        .remove_producers_section(true)
        .generate(folder)
        .context("wasm-bindgen cannot process the compiled client")?;
    if profile == Profile::Small {
        let client = folder.join(format!("{CLIENT}_bg.wasm"));
        fs::write(&client, order::by_likeness(&fs::read(&client)?)?)?;
    }
    Ok(())
}

/// Renames the client's `.wasm` after its content, in the folder and in every script.
fn name_client_by_hash(files: &mut [PathBuf]) -> Result<()> {
    let plain = format!("{CLIENT}_bg.wasm");
    let Some(client) = files.iter_mut().find(|file| file.ends_with(&plain)) else {
        bail!("wasm-bindgen made no {plain}");
    };
    let hash = hex::encode(Sha256::digest(fs::read(&*client)?));
    let hashed = format!("{CLIENT}_bg.{}.wasm", &hash[..16]);
    let renamed = client.with_file_name(&hashed);
    fs::rename(&*client, &renamed)?;
    *client = renamed;
    for script in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "js")) {
        let text = fs::read_to_string(script)?;
        if text.contains(&plain) {
            fs::write(script, text.replace(&plain, &hashed))?;
        }
    }
    Ok(())
}

/// What the bundle weighs.
#[derive(Default)]
struct Sizes {
    raw: usize,
    sent: usize,
    client_sent: usize,
    embed_sent: usize,
}

impl Sizes {
    /// Writes the file's compressed copy and counts both.
    fn add(&mut self, file: &Path, top: &Path, profile: Profile) -> Result<()> {
        let content = fs::read(file)?;
        let ending = file.extension().unwrap_or_default().to_string_lossy().into_owned();
        let is_typing = file.to_string_lossy().ends_with(".d.ts");
        let compress = COMPRESSIBLE.contains(&ending.as_str())
            && content.len() >= COMPRESS_FROM_BYTES
            && profile == Profile::Small;
        let sent = if compress {
            let compressed = compressed(&content)?;
            let mut name = file.as_os_str().to_owned();
            name.push(".br");
            fs::write(name, &compressed)?;
            compressed.len()
        } else {
            content.len()
        };
        if is_typing {
            return Ok(());
        }
        self.raw += content.len();
        self.sent += sent;
        let name = file.strip_prefix(top).unwrap_or(file);
        if ending == "wasm" {
            self.client_sent += sent;
            println!("    {}: {} bytes, {sent} as sent", name.display(), content.len());
        }
        if name == Path::new(embed::FILE) {
            self.embed_sent = sent;
            println!("    {}: {} bytes, {sent} as sent, {}", embed::FILE, content.len(), embed::integrity(&content));
        }
        Ok(())
    }

    fn print_total(&self) {
        println!("    all files: {} bytes, {} as sent", self.raw, self.sent);
    }

    fn check(&self, profile: Profile) -> Result<()> {
        if profile == Profile::Small && self.client_sent > WASM_LIMIT_BYTES {
            bail!("the client is {} bytes as sent; the limit is {WASM_LIMIT_BYTES}", self.client_sent);
        }
        if profile == Profile::Small && self.embed_sent > embed::LIMIT_BYTES {
            bail!("{} is {} bytes as sent; the limit is {}", embed::FILE, self.embed_sent, embed::LIMIT_BYTES);
        }
        Ok(())
    }
}

/// Brotli at its best, kept by content so that an unchanged file is compressed once.
fn compressed(content: &[u8]) -> Result<Vec<u8>> {
    const QUALITY: u32 = 11;
    const WINDOW_BITS: u32 = 24;
    const BUFFER_BYTES: usize = 64 * 1024;

    let kept = workspace::target().join("brotli").join(hex::encode(Sha256::digest(content)));
    if let Ok(known) = fs::read(&kept) {
        return Ok(known);
    }
    let mut writer = brotli::CompressorWriter::new(Vec::new(), BUFFER_BYTES, QUALITY, WINDOW_BITS);
    writer.write_all(content)?;
    let result = writer.into_inner();
    let unfinished = kept.with_extension("new");
    fs::create_dir_all(workspace::target().join("brotli"))?;
    fs::write(&unfinished, &result)?;
    fs::rename(&unfinished, &kept)?;
    Ok(result)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn list_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.append(&mut list_files(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}
