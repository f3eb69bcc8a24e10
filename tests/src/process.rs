//! One supervised process.
//!
//! A daemon tells that it serves by a line `ready URL` on its standard output. What it writes goes
//! to a log file and is kept in memory (the newest [`KEPT_LINES`] lines).
//!
//! Nothing outlives whoever started it: a process is a group of its own, which is killed as a whole when
//! it is dropped, and Linux kills it when the thread that started it is gone, however that ended.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::wait;

/// Lines kept in memory per process.
pub const KEPT_LINES: usize = 2_000;

/// Lines of a failed process that an error shows.
const SHOWN_LINES: usize = 30;

/// How long a process may take to say that it is ready.
pub const READY_DEADLINE: Duration = Duration::from_secs(60);

/// How long the output of an ended process is awaited.
const READ_DEADLINE: Duration = Duration::from_secs(2);

/// How long a process may take to end after being asked to.
pub const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// What to run.
#[derive(Clone, Debug)]
pub struct Spec {
    /// A short name for messages and the log file.
    pub name: String,
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables to add to its environment.
    pub environment: Vec<(String, String)>,
    /// Where its output is appended.
    pub log_file: PathBuf,
}

/// A process that can be killed, stopped and started again. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    child: Option<Child>,
    /// Of the newest start: the process and what it has started.
    group: Option<Pid>,
    output: Arc<Mutex<Output>>,
    readers: Vec<JoinHandle<()>>,
}

/// What the process wrote since its last start.
#[derive(Debug, Default)]
struct Output {
    lines: VecDeque<String>,
    ready: Option<String>,
}

impl Process {
    /// Starts the process; see [`Process::ready`] for waiting until it serves.
    ///
    /// # Errors
    /// If the program is missing or cannot be started.
    pub fn start(spec: Spec) -> Result<Self> {
        let mut process = Process { spec, child: None, group: None, output: Arc::default(), readers: Vec::new() };
        process.spawn()?;
        Ok(process)
    }

    fn spawn(&mut self) -> Result<()> {
        let name = &self.spec.name;
        ensure!(self.spec.program.is_file(), "cannot start {name}: there is no {}", self.spec.program.display());
        let mut child = command(&self.spec.program)
            .args(&self.spec.arguments)
            .process_group(0)
            .envs(self.spec.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", self.spec.program.display()))?;
        let open = || OpenOptions::new().create(true).append(true).open(&self.spec.log_file);
        let log = || open().with_context(|| format!("cannot write {}", self.spec.log_file.display()));
        self.output = Arc::default();
        self.readers.clear();
        if let Some(stdout) = child.stdout.take() {
            self.readers.push(tokio::spawn(collect(stdout, Arc::clone(&self.output), log()?)));
        }
        if let Some(stderr) = child.stderr.take() {
            self.readers.push(tokio::spawn(collect(stderr, Arc::clone(&self.output), log()?)));
        }
        self.group = group_of(&child);
        self.child = Some(child);
        Ok(())
    }

    /// The name given in the specification.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The process id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// What it wrote since its last start, oldest line first.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        lock(&self.output).lines.iter().cloned().collect()
    }

    /// Waits until it says `ready URL` and returns the URL.
    ///
    /// # Errors
    /// If it ends before, or says nothing within [`READY_DEADLINE`]; with the end of its log.
    pub async fn ready(&mut self) -> Result<String> {
        let what = format!("`ready` from {}", self.spec.name);
        let output = Arc::clone(&self.output);
        let name = self.spec.name.clone();
        let child = self.child.as_mut().with_context(|| format!("{name} does not run"))?;
        let waited = wait::until(what, READY_DEADLINE, async || {
            if let Some(url) = lock(&output).ready.clone() {
                return Ok(Some(url));
            }
            match child.try_wait()? {
                Some(status) => bail!("{name} ended with {status} before it was ready"),
                None => Ok(None),
            }
        });
        let result = waited.await;
        if result.is_err() {
            self.read_to_end().await;
        }
        result.with_context(|| format!("the last lines of {}:\n{}", self.spec.name, self.log_end()))
    }

    /// Lets the readers finish what an ended process left in its pipes.
    async fn read_to_end(&mut self) {
        for reader in self.readers.drain(..) {
            tokio::time::timeout(READ_DEADLINE, reader).await.ok();
        }
    }

    /// Waits for a line of its log that contains `text` and returns the line.
    ///
    /// # Errors
    /// If none came within the deadline; with the end of its log.
    pub async fn wait_for_line(&self, text: &str, deadline: Duration) -> Result<String> {
        self.wait_for_line_with_any(&[text], deadline).await
    }

    /// Waits for a line of its log that contains one of `texts` and returns the line.
    ///
    /// # Errors
    /// As [`Process::wait_for_line`].
    pub async fn wait_for_line_with_any(&self, texts: &[&str], deadline: Duration) -> Result<String> {
        let what = format!("`{}` in the log of {}", texts.join("` or `"), self.spec.name);
        let line = wait::until(what, deadline, async || {
            let output = lock(&self.output);
            Ok(output.lines.iter().find(|line| texts.iter().any(|text| line.contains(text))).cloned())
        });
        line.await.with_context(|| format!("the last lines of {}:\n{}", self.spec.name, self.log_end()))
    }

    /// Ends it at once, as a power cut would (SIGKILL). No error if it does not run.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn kill(&mut self) -> Result<()> {
        self.kill_group();
        if let Some(mut child) = self.child.take() {
            child.kill().await.with_context(|| format!("cannot kill {}", self.spec.name))?;
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits for it. No error if it does not run.
    ///
    /// # Errors
    /// If it still runs after [`STOP_DEADLINE`]: it is killed then, and that is a defect.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        signal(&child, Signal::TERM)?;
        match tokio::time::timeout(STOP_DEADLINE, child.wait()).await {
            Ok(status) => {
                status?;
                Ok(())
            }
            Err(_) => {
                child.kill().await?;
                let seconds = STOP_DEADLINE.as_secs();
                bail!("{} did not end within {seconds} s after SIGTERM:\n{}", self.spec.name, self.log_end());
            }
        }
    }

    /// Starts it again with the same arguments and waits until it is ready.
    ///
    /// # Errors
    /// As [`Process::start`] and [`Process::ready`].
    pub async fn restart(&mut self) -> Result<String> {
        self.kill().await?;
        self.spawn()?;
        self.ready().await
    }

    /// Adds an argument for its next start.
    pub fn add_argument(&mut self, argument: OsString) {
        self.spec.arguments.push(argument);
    }

    /// How it ended, if it has ended by itself.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.child.as_mut().map(Child::try_wait).transpose()?.flatten())
    }

    /// Ends what is left of it and of what it started.
    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            // Nothing may be left.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_end(&self) -> String {
        let lines = self.log();
        let start = lines.len().saturating_sub(SHOWN_LINES);
        lines.iter().skip(start).map(|line| format!("  {line}\n")).collect()
    }
}

impl Drop for Process {
    /// A failing test shows what its processes last said.
    fn drop(&mut self) {
        self.kill_group();
        if std::thread::panicking() {
            eprintln!("the last lines of {}:\n{}", self.spec.name, self.log_end());
        }
    }
}

/// Runs a program that Linux kills with the thread that started it. `setpriv`, of util-linux, asks for this
/// and becomes the program; to ask between fork and exec ourselves would need unsafe code.
fn command(program: &Path) -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// A process that leads its group has its number.
fn group_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    if let Some(id) = group_of(child) {
        rustix::process::kill_process(id, signal)?;
    }
    Ok(())
}

/// Reads lines until the stream ends.
async fn collect(stream: impl AsyncRead + Unpin, output: Arc<Mutex<Output>>, mut log: File) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // A full disk must not stop the process under test: its output is still read.
        writeln!(log, "{line}").ok();
        let mut output = lock(&output);
        if let Some(url) = line.strip_prefix("ready ") {
            output.ready = Some(url.trim().to_owned());
        }
        if output.lines.len() == KEPT_LINES {
            output.lines.pop_front();
        }
        output.lines.push_back(line);
    }
}

fn lock(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
