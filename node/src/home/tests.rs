use super::*;
use std::os::unix::fs::MetadataExt as _;

fn make(path: &Path) -> Result<(Home, Member), NodeError> {
    Home::create(path, Kind::Validator, ([127, 0, 0, 1], 1).into(), "http://x".to_owned(), AccountKey::Fresh, None)
}

#[test]
fn private_files_are_private_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/home");
    let (home, member) = make(&path).unwrap();
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode(""), mode("keys")), (0o700, 0o700));
    assert_eq!((mode(SIGNING_KEY), mode(ACCOUNT_KEY)), (0o600, 0o600));
    assert_eq!(member.signing_key, Some(home.signing_key().unwrap().public()));
    assert_eq!(member.account, home.account_key().unwrap().public());
    assert_eq!(read_member(&path.join(MEMBER)).unwrap(), member);
    let before = fs::read(path.join(SIGNING_KEY)).unwrap();
    assert!(matches!(make(&path), Err(NodeError::Exists { .. })));
    assert_eq!(fs::read(path.join(SIGNING_KEY)).unwrap(), before);
}

#[test]
fn keys_that_others_can_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = make(&folder.path().join("v")).unwrap();
    let key = folder.path().join("v").join(SIGNING_KEY);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = home.signing_key().unwrap_err();
    assert!(matches!(refused, NodeError::NotPrivate { mode: 0o640, wanted: 0o600, .. }), "{refused}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    home.signing_key().unwrap();
    fs::set_permissions(folder.path().join("v"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(home.signing_key(), Err(NodeError::NotPrivate { wanted: 0o700, .. })));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Home::open(folder.path()), Err(NodeError::NoHome { missing: CONFIG, .. })));
    let path = folder.path().join("v");
    let (home, _) = make(&path).unwrap();
    assert!(matches!(home.genesis(), Err(NodeError::NoHome { missing: GENESIS, .. })));
    fs::write(path.join(GENESIS), b"no genesis").unwrap();
    assert!(matches!(home.genesis(), Err(NodeError::Genesis(_))));
    fs::write(path.join(SIGNING_KEY), b"12").unwrap();
    assert!(matches!(home.signing_key(), Err(NodeError::Content { .. })));
    fs::write(path.join(CONFIG), b"kind = \"king\"").unwrap();
    assert!(matches!(Home::open(&path), Err(NodeError::Content { .. })));
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = make(&folder.path().join("v")).unwrap();
    let held = home.lock().unwrap();
    assert!(matches!(home.lock(), Err(NodeError::InUse { .. })));
    drop(held);
    home.lock().unwrap();
}
