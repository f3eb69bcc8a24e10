use std::path::Path;
use std::time::Duration;

use super::{Process, Spec};
use crate::wait;

/// A daemon in shell: it says `ready` and waits until it is ended.
fn shell(folder: &Path, script: &str) -> Process {
    let spec = Spec {
        name: "shell".into(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: vec![("GREETING".into(), "hello".into())],
        log_file: folder.join("shell.log"),
    };
    Process::start(spec).expect("a shell starts")
}

const SERVE: &str = "echo $GREETING >&2; echo ready http://here; exec sleep 1000";

#[tokio::test]
async fn becomes_ready_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut process = shell(folder.path(), SERVE);
    assert_eq!(process.ready().await.expect("ready"), "http://here");
    process.wait_for_line("hello", Duration::from_secs(5)).await.expect("standard error is in the log");
    process.stop().await.expect("stops");
    assert!(process.id().is_none());
    let kept = std::fs::read_to_string(folder.path().join("shell.log")).expect("a log");
    assert!(kept.contains("ready http://here"));
}

#[tokio::test]
async fn is_killed_and_restarted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut process = shell(folder.path(), SERVE);
    process.ready().await.expect("ready");
    let first = process.id();
    process.kill().await.expect("killed");
    process.restart().await.expect("ready again");
    assert_ne!(process.id(), first);
}

#[tokio::test]
async fn an_early_end_is_told_with_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut process = shell(folder.path(), "echo cannot open genesis.bin >&2; exit 3");
    let error = process.ready().await.expect_err("it ends");
    let text = format!("{error:#}");
    assert!(text.contains("exit status: 3"), "{text}");
    assert!(process.ended().expect("known").is_some());
}

/// The number at the end of a line that a process wrote.
async fn number_in(process: &Process, text: &str) -> u32 {
    let line = process.wait_for_line(text, Duration::from_secs(20)).await.expect("a line with a number");
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// An ended process that nobody has asked about yet has no arguments any more.
fn runs(id: u32) -> bool {
    std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|arguments| !arguments.is_empty())
}

async fn ends(id: u32) {
    let deadline = Duration::from_secs(20);
    let ended = wait::until("the end of a process", deadline, async || Ok((!runs(id)).then_some(())));
    ended.await.expect("nothing is left");
}

#[tokio::test]
async fn what_it_started_ends_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = shell(folder.path(), "sleep 1000 & echo started $!; wait");
    let id = number_in(&process, "started").await;
    assert!(runs(id));
    drop(process);
    ends(id).await;
}

/// Set for the process that the last test kills.
const HOLD: &str = "FAIR_TESTS_HOLD";

/// By itself nothing: a process that holds another until it is killed.
#[tokio::test]
async fn holds_a_process_if_told_to() {
    let Ok(folder) = std::env::var(HOLD) else { return };
    let process = shell(Path::new(&folder), "echo started $$; exec sleep 1000");
    println!("held {}", number_in(&process, "started").await);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_outlives_a_killed_test() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = Spec {
        name: "test".into(),
        program: std::env::current_exe().expect("this program"),
        arguments: ["--exact", "process::tests::holds_a_process_if_told_to", "--nocapture"].map(Into::into).into(),
        environment: vec![(HOLD.into(), folder.path().display().to_string())],
        log_file: folder.path().join("test.log"),
    };
    let mut test = Process::start(spec).expect("it starts");
    let id = number_in(&test, "held").await;
    assert!(runs(id));
    test.kill().await.expect("killed");
    ends(id).await;
}
