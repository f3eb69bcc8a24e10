//! Words that may not be in the tree: signs of unfinished work, and ways around the rules.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::workspace;

/// Where a rule applies.
#[derive(Clone, Copy)]
enum Place {
    /// Every file that people write.
    Everywhere,
    /// Scripts and documents of the pages.
    Pages,
    /// Rust code that tests.
    Tests,
}

struct Rule {
    word: &'static str,
    place: Place,
    reason: &'static str,
}

/// In pieces, so that this file passes its own check.
const RULES: [Rule; 16] = [
    Rule { word: concat!("TO", "DO"), place: Place::Everywhere, reason: UNFINISHED },
    Rule { word: concat!("FIX", "ME"), place: Place::Everywhere, reason: UNFINISHED },
    Rule { word: concat!("XX", "X"), place: Place::Everywhere, reason: UNFINISHED },
    Rule { word: concat!("HA", "CK"), place: Place::Everywhere, reason: UNFINISHED },
    Rule { word: concat!("for ", "now"), place: Place::Everywhere, reason: UNFINISHED },
    Rule { word: concat!("not ", "implemented"), place: Place::Everywhere, reason: UNFINISHED },
    Rule { word: concat!("inner", "HTML"), place: Place::Pages, reason: MARKUP },
    Rule { word: concat!("outer", "HTML"), place: Place::Pages, reason: MARKUP },
    Rule { word: concat!("insertAdjacent", "HTML"), place: Place::Pages, reason: MARKUP },
    Rule { word: concat!("document.", "write"), place: Place::Pages, reason: MARKUP },
    Rule { word: concat!("ev", "al("), place: Place::Pages, reason: MARKUP },
    Rule { word: concat!("on", "click="), place: Place::Pages, reason: MARKUP },
    Rule { word: concat!("#[ig", "nore"), place: Place::Tests, reason: SKIPS },
    Rule { word: concat!("thread::", "sleep"), place: Place::Tests, reason: CLOCK },
    Rule { word: concat!("time::", "sleep("), place: Place::Tests, reason: CLOCK },
    Rule { word: concat!("assert!(", "true)"), place: Place::Tests, reason: SKIPS },
];

const UNFINISHED: &str = "what is not finished is not in the tree";
const MARKUP: &str = "text from outside must never become markup or code; use textContent";
const SKIPS: &str = "a test runs, and can fail";
const CLOCK: &str = "wait for a condition, not for a time";

/// Folders that nobody writes by hand.
const SKIPPED_FOLDERS: [&str; 3] = ["target", ".git", "node_modules"];

const ENDINGS: [&str; 10] = ["rs", "js", "mjs", "html", "css", "md", "toml", "sh", "yml", "json"];

/// Lists every line that breaks a rule; fails if there is one.
pub(crate) fn check() -> Result<()> {
    let mut found = Vec::new();
    let mut count = 0;
    visit(workspace::root(), &mut |file, text| {
        count += 1;
        let shown = file.strip_prefix(workspace::root()).unwrap_or(file);
        for (index, line) in text.lines().enumerate() {
            for rule in RULES.iter().filter(|rule| applies(rule.place, shown)) {
                if contains_word(line, rule.word) {
                    let (name, number) = (shown.display(), index + 1);
                    found.push(format!("{name}:{number}: `{}`: {}", rule.word, rule.reason));
                }
            }
        }
    })?;
    if found.is_empty() {
        println!("    {count} files");
        return Ok(());
    }
    for line in &found {
        println!("    {line}");
    }
    bail!("{} forbidden words", found.len())
}

fn applies(place: Place, file: &Path) -> bool {
    let ending = file.extension().unwrap_or_default();
    match place {
        Place::Everywhere => true,
        Place::Tests => {
            let in_folder = file.components().any(|part| part.as_os_str() == "tests");
            ending == "rs" && (in_folder || file.ends_with("tests.rs"))
        }
        Place::Pages => ["js", "mjs", "html"].iter().any(|known| ending == *known),
    }
}

/// Whether the word is in the line with no letter or digit directly beside it.
fn contains_word(line: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let starts_apart = !before.is_some_and(is_part) || !word.starts_with(is_part);
        let ends_apart = !after.is_some_and(is_part) || !word.ends_with(is_part);
        starts_apart && ends_apart
    })
}

fn visit(folder: &Path, each: &mut impl FnMut(&Path, &str)) -> Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if !SKIPPED_FOLDERS.iter().any(|skipped| name == *skipped) {
                visit(&path, each)?;
            }
        } else if ENDINGS.iter().any(|known| path.extension().is_some_and(|end| end == *known))
            && let Ok(text) = fs::read_to_string(&path)
        {
            each(&path, &text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::contains_word;

    #[test]
    fn a_word_stands_alone() {
        assert!(contains_word("// FLAW: later", "FLAW"));
        assert!(contains_word("x.inner=1", "inner="));
        assert!(!contains_word("FLAWLESS", "FLAW"));
        assert!(!contains_word("MY_FLAW", "FLAW"));
        assert!(contains_word("a::b(1)", "b("));
    }
}
