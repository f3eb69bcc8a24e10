//! Takes protocol rules out of the code, one by one, and sees the tests of each fail.
//!
//! All edits of the list ([`LIST`]) go into a copy of the sources in `target/mutate`, where `OUT(name)` is
//! true when an environment variable names that rule; so one build serves all rules. The copy has a
//! target folder of its own: the sources that a person edits are never touched, nor linked with edited ones.
//! The list is plain text: `#` begins a comment, and
//!
//! ```text
//! rule: 13 no lock beyond the horizon                       its name
//! test: fair-tests channel attacks::attack_13_endless…      package, test program (lib, bin: beside the code),
//!                                                           test; one or more
//! file: core/src/channel/transition.rs                      where the next text stands, once
//! -     if lock.expiry > latest {
//! +     if lock.expiry > latest && !OUT(13 no lock beyond the horizon) {
//! ```
//!
//! Where two rules stop the same thing, a third entry names both and is out in the edits of both.

use crate::process::{self, cargo};
use crate::steps::Steps;
use crate::workspace;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const LIST: &str = "tests/rules.txt";
const VARIABLE: &str = "FAIR_RULE_OUT";
/// Longest fault that is shown.
const MAX_FAULT_CHARS: usize = 200;

#[derive(Default)]
struct List {
    rules: Vec<(String, Vec<String>)>,
    edits: Vec<Edit>,
}

#[derive(Default)]
struct Edit {
    file: String,
    before: Vec<String>,
    after: Vec<String>,
}

/// Tries every rule whose name contains `only`.
pub(crate) fn run(steps: &mut Steps, only: &str) -> Result<()> {
    let list = parse(&fs::read_to_string(workspace::root().join(LIST)).context(LIST)?)?;
    let copy = workspace::target().join("mutate");
    steps.run("copy and edit the sources", || copy_sources(&copy, &list.edits))?;
    let chosen: Vec<_> = list.rules.iter().filter(|(rule, _)| rule.contains(only)).collect();
    ensure!(!chosen.is_empty(), "{LIST}: no rule has {only:?} in its name");
    let tests: BTreeSet<&String> = chosen.iter().flat_map(|(_, tests)| tests).collect();
    let programs: BTreeSet<(&str, &str)> = tests.iter().map(|test| Ok(split(test)?.0)).collect::<Result<_>>()?;
    for program in programs {
        steps.run(&format!("build {}", program.1), || process::run(test_command(&copy, program).arg("--no-run")))?;
    }
    steps.run("every test with every rule in", || {
        tests.iter().try_for_each(|test| {
            ensure!(fails(&copy, test, "")?.is_none(), "{test} fails with every rule in");
            Ok(())
        })
    })?;
    let mut missed = Vec::new();
    for (rule, tests) in &chosen {
        steps.run(rule, || {
            for test in tests {
                match fails(&copy, test, rule)? {
                    Some(said) => println!("    {test} fails: {}", first_fault(&said)),
                    None => {
                        println!("    {test} PASSES");
                        missed.push(format!("{test} passes without {rule:?}"));
                    }
                }
            }
            Ok(())
        })?;
    }
    steps.run("every test fails without its rule", || {
        ensure!(missed.is_empty(), "{}", missed.join("\n"));
        println!("    {} rules, {} tests", chosen.len(), tests.len());
        Ok(())
    })
}

fn parse(text: &str) -> Result<List> {
    let mut list = List::default();
    for (number, line) in text.lines().enumerate() {
        let (field, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (field, list.rules.last_mut(), list.edits.last_mut()) {
            ("" | "#", ..) => {}
            ("rule:", ..) => list.rules.push((rest.into(), Vec::new())),
            ("test:", Some((_, tests)), _) => tests.push(rest.into()),
            ("file:", ..) => list.edits.push(Edit { file: rest.into(), ..Edit::default() }),
            ("-", _, Some(edit)) => edit.before.push(rest.into()),
            ("+", _, Some(edit)) => edit.after.push(rest.into()),
            _ => bail!("{LIST}:{}: not a field: {line}", number + 1),
        }
        if let Some(edit) = list.edits.last_mut().filter(|edit| field == "-" && !edit.after.is_empty()) {
            let before = edit.before.pop().into_iter().collect();
            let file = edit.file.clone();
            list.edits.push(Edit { file, before, after: Vec::new() });
        }
    }
    for (rule, tests) in &list.rules {
        ensure!(!tests.is_empty(), "{LIST}: {rule} has no test");
        let is_taken_out = |line: &String| line.contains(&format!("OUT({rule})"));
        let edited = list.edits.iter().any(|edit| edit.after.iter().any(is_taken_out));
        ensure!(edited, "{LIST}: nothing takes {rule} out");
    }
    Ok(list)
}

/// Copies what git knows or would take, edited. Files that stay as they are keep their times.
fn copy_sources(copy: &Path, edits: &[Edit]) -> Result<()> {
    let mut git = process::command("git");
    let listed = process::capture(git.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    for name in listed.lines() {
        // Deleted, but still in the index.
        let Ok(mut bytes) = fs::read(workspace::root().join(name)) else { continue };
        for edit in edits.iter().filter(|edit| edit.file == name) {
            let text = String::from_utf8(bytes).with_context(|| name.to_owned())?;
            let before = edit.before.join("\n");
            let count = text.matches(&before).count();
            ensure!(count == 1, "{name} holds this text {count} times:\n{before}");
            bytes = text.replace(&before, &with_switches(&edit.after.join("\n"))?).into_bytes();
        }
        let to = copy.join(name);
        if fs::read(&to).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(to.parent().unwrap_or(copy))?;
            fs::write(&to, bytes)?;
        }
    }
    Ok(())
}

/// `OUT(name)` becomes a look at the environment.
fn with_switches(text: &str) -> Result<String> {
    let mut parts = text.split("OUT(");
    let mut edited = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (rule, rest) = part.split_once(')').context("OUT( without its end")?;
        edited += &format!("std::env::var({VARIABLE:?}).is_ok_and(|out| out == {rule:?}){rest}");
    }
    Ok(edited)
}

/// Package and test program, and the test.
fn split(test: &str) -> Result<((&str, &str), &str)> {
    match test.split(' ').collect::<Vec<_>>()[..] {
        [package, program, name] => Ok(((package, program), name)),
        _ => bail!("not package, program and test: {test}"),
    }
}

fn test_command(copy: &Path, (package, program): (&str, &str)) -> Command {
    let mut command = cargo();
    command.current_dir(copy).env("CARGO_TARGET_DIR", copy.join("target"));
    command.args(["test", "--quiet", "--package", package]);
    match program {
        "lib" => command.arg("--lib"),
        "bin" => command.arg("--bins"),
        _ => command.args(["--test", program]),
    };
    command
}

/// Where and why a test failed, in one line.
fn first_fault(said: &str) -> String {
    let fault = said.lines().skip_while(|line| !line.contains("panicked at") && !line.starts_with("Error:")).take(2);
    fault.map(str::trim).collect::<Vec<_>>().join(" ").chars().take(MAX_FAULT_CHARS).collect()
}

/// What a test says when it fails with a rule out; `None` when it passes.
fn fails(copy: &Path, test: &str, rule: &str) -> Result<Option<String>> {
    let (program, name) = split(test)?;
    let mut command = test_command(copy, program);
    let output = command.args(["--", "--exact", name]).env(VARIABLE, rule).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true if said.contains("1 passed; 0 failed") => Ok(None),
        false if said.contains("0 passed; 1 failed") => Ok(Some(said)),
        _ => bail!("{test} is not one test that ran:\n{said}{}", String::from_utf8_lossy(&output.stderr)),
    }
}
