use std::path::Path;
use std::time::Duration;

use super::{Process, Spec};

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
