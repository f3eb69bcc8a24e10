//! What lies in a folder of archives, whatever happened while one was being written, and what is served of it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

mod made;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use fair_core::types::Height;
use fair_snapshots::{Folder, KEPT, read, write};
use http_body_util::BodyExt as _;
use made::Made;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Set for the process that is killed: where it writes.
const WRITE_TO: &str = "FAIR_TEST_WRITE_TO";
/// Enough for writing to take a while.
const MANY: u32 = 15_000;

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn heights(folder: &Folder) -> Vec<Height> {
    folder.list().iter().map(|one| one.height).collect()
}

#[test]
fn the_newest_are_kept_and_found_again() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let mut chain = Made::new(3);
    for height in 1..=5 {
        folder.record(chain.next());
        wait_for("an archive", || folder.has(height));
    }
    wait_for("old ones to go", || names(temporary.path()).len() == KEPT);
    assert_eq!(heights(&folder), [5, 4, 3]);
    assert_eq!(names(temporary.path()), ["Fair-3.tar.gz", "Fair-4.tar.gz", "Fair-5.tar.gz"]);
    let again = Folder::open(temporary.path()).unwrap();
    assert_eq!(again.list(), folder.list(), "hashes, blocks and lengths are read from the archives");
}

/// Does nothing unless the next test starts it.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(WRITE_TO).map(PathBuf::from) else { return };
    let snapshot = Made::new(MANY).next();
    write(&path, snapshot).unwrap();
}

#[test]
fn a_process_killed_while_it_writes_leaves_no_half_archive() {
    let temporary = tempfile::tempdir().unwrap();
    let half = temporary.path().join("Fair-1.tar.gz.tmp");
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_it_is_killed"])
        .env(WRITE_TO, temporary.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the first bytes", || fs::metadata(&half).is_ok_and(|file| file.len() > 0));
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(names(temporary.path()), ["Fair-1.tar.gz.tmp"], "killed in the middle");

    let folder = Folder::open(temporary.path()).unwrap();
    assert!(folder.list().is_empty() && names(temporary.path()).is_empty(), "nothing is listed, nothing lies about");
    let mut chain = Made::new(MANY);
    folder.record(chain.next());
    wait_for("the archive", || folder.has(1));
    let opened = read(&temporary.path().join("Fair-1.tar.gz"), chain.reader(), |_, _| {}).unwrap();
    assert_eq!((opened.id, opened.follower.height()), (folder.list()[0].hash, 1));
}

#[test]
fn an_archive_cut_short_anywhere_is_neither_listed_under_another_hash_nor_believed() {
    let temporary = tempfile::tempdir().unwrap();
    let mut chain = Made::new(3);
    let listed = write(temporary.path(), chain.next()).unwrap();
    let path = temporary.path().join(&listed.file);
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(53) {
        fs::write(&path, &whole[..length]).unwrap();
        for found in Folder::open(temporary.path()).unwrap().list() {
            assert_eq!(found.hash, listed.hash, "cut at {length}");
        }
        assert!(read(&path, chain.reader(), |_, _| {}).is_err(), "cut at {length}");
    }
}

#[test]
fn a_changed_byte_is_refused_wherever_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let mut chain = Made::new(3);
    let listed = write(temporary.path(), chain.next()).unwrap();
    let path = temporary.path().join(&listed.file);
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&path, &changed).unwrap();
        if read(&path, chain.reader(), |_, _| {}).is_ok() {
            // Gzip has a time, and says the same zeros in several ways: what comes out is the same.
            assert!(inflated(&changed) == inflated(&whole), "byte {place}");
        }
    }
}

fn inflated(archive: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(archive).read_to_end(&mut bytes).unwrap();
    bytes
}

async fn ask(folder: &Folder, name: &str, range: Option<&str>) -> Option<Response<Body>> {
    let mut request = Request::builder().uri(format!("/v1/snapshots/{name}"));
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    folder.serve(name, request.body(Body::empty()).unwrap()).await
}

async fn body(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn an_archive_is_served_whole_and_from_any_place_on() {
    let temporary = tempfile::tempdir().unwrap();
    let listed = write(temporary.path(), Made::new(3).next()).unwrap();
    fs::write(temporary.path().join("secret"), "not an archive").unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let whole = fs::read(temporary.path().join(&listed.file)).unwrap();
    let answer = ask(&folder, &listed.file, None).await.unwrap();
    assert_eq!((answer.status(), body(answer).await), (StatusCode::OK, whole.clone()));
    for from in [0, 1, whole.len() / 2, whole.len() - 1] {
        let answer = ask(&folder, &listed.file, Some(&format!("bytes={from}-"))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        let range = format!("bytes {from}-{}/{}", whole.len() - 1, whole.len());
        assert_eq!(answer.headers()[header::CONTENT_RANGE], range);
        assert_eq!(body(answer).await, whole[from..]);
    }
    let answer = ask(&folder, &listed.file, Some("bytes=3-7")).await.unwrap();
    assert_eq!(body(answer).await, whole[3..8]);
    let answer = ask(&folder, &listed.file, Some(&format!("bytes={}-", whole.len()))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    for name in ["Fair-2.tar.gz", "secret", "../secret", "Fair-01.tar.gz", ""] {
        assert!(ask(&folder, name, None).await.is_none(), "{name}");
    }
}
