//! Named, timed steps with a summary.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A step that takes longer than this says that it is still running, and again after as long.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);

/// The steps of one task, in order.
pub(crate) struct Steps {
    started: Instant,
    passed: Vec<(String, Duration)>,
    failed: Option<String>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Steps { started: Instant::now(), passed: Vec::new(), failed: None }
    }

    /// Runs one step: prints its name, a line now and then while it runs, and its time.
    pub(crate) fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n==> {name}");
        let started = Instant::now();
        let (done, waiting) = mpsc::channel::<()>();
        let ticker = thread::spawn({
            let name = name.to_owned();
            move || {
                while waiting.recv_timeout(PROGRESS_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    println!("    {name}: {} so far", seconds(started.elapsed()));
                }
            }
        });
        let result = step();
        drop(done);
        ticker.join().ok();
        match result {
            Ok(value) => {
                let elapsed = started.elapsed();
                println!("    {name}: passed in {}", seconds(elapsed));
                self.passed.push((name.to_owned(), elapsed));
                Ok(value)
            }
            Err(error) => {
                println!("    {name}: failed after {}", seconds(started.elapsed()));
                self.failed = Some(name.to_owned());
                Err(error).with_context(|| format!("step `{name}` failed"))
            }
        }
    }

    /// One line per step and the total.
    pub(crate) fn print_summary(&self) {
        println!("\n==> summary");
        for (name, elapsed) in &self.passed {
            println!("    passed  {:>8}  {name}", seconds(*elapsed));
        }
        if let Some(name) = &self.failed {
            println!("    FAILED            {name}");
        }
        println!(
            "    {} of {} steps passed in {}",
            self.passed.len(),
            self.passed.len() + usize::from(self.failed.is_some()),
            seconds(self.started.elapsed()),
        );
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
