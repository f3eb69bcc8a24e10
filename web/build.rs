//! Writes the list of words as one text: as a table of places it would be 5 KB of the download.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let list = bip39::Language::English.word_list().join(" ");
    let folder = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(folder.join("words.txt"), list)
}
