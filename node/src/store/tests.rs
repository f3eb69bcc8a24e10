use super::*;

const THINGS: Table = Table("things");
const ONE: &[&str] = &["CREATE TABLE things (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"];
const TWO: &[&str] = &[ONE[0], "CREATE TABLE more (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"];
/// The limit holds for the connection that applied the migration: a small disk until it is opened again.
const SMALL: &[&str] = &["
    CREATE TABLE things (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    PRAGMA max_page_count = 40;
"];

fn put(key: &[u8], value: &[u8]) -> Write {
    Write::Put { table: THINGS, key: key.to_vec(), value: value.to_vec() }
}

fn keep(key: &[u8], value: &[u8]) -> Write {
    Write::Keep { table: THINGS, key: key.to_vec(), value: value.to_vec() }
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let store = Store::open(&path, ONE).unwrap();
    store.commit(vec![put(b"a", b"1"), put(b"b", b"2"), put(b"c", b"3")]).await.unwrap();
    store.commit(vec![put(b"b", b"22"), Write::Delete { table: THINGS, key: b"a".to_vec() }]).await.unwrap();
    drop(store);
    let store = Store::open(&path, TWO).unwrap();
    let reader = store.reader().unwrap();
    let all = reader.range(THINGS, b"", b"z").unwrap();
    assert_eq!(all, vec![(b"b".to_vec(), b"22".to_vec()), (b"c".to_vec(), b"3".to_vec())]);
    assert_eq!(reader.last(THINGS).unwrap().unwrap().0, b"c");
    let range = Write::DeleteRange { table: THINGS, from: b"b".to_vec(), until: b"c".to_vec() };
    store.commit(vec![range]).await.unwrap();
    assert_eq!(reader.range(THINGS, b"", b"z").unwrap().len(), 1);
}

#[tokio::test]
async fn a_commit_is_whole_or_nothing_and_does_not_pull_others_down() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("db.sqlite"), ONE).unwrap();
    store.commit(vec![keep(b"k", b"first")]).await.unwrap();
    let (bad, good, same) = tokio::join!(
        store.commit(vec![put(b"x", b"1"), keep(b"k", b"second")]),
        store.commit(vec![put(b"y", b"1")]),
        store.commit(vec![keep(b"k", b"first")]),
    );
    assert_eq!(bad, Err(StoreError::Conflict { table: "things", key: "6b".to_owned() }));
    assert_eq!((good, same), (Ok(()), Ok(())));
    let reader = store.reader().unwrap();
    assert_eq!(reader.get(THINGS, b"x").unwrap(), None, "half of a refused commit is not there");
    assert_eq!(reader.get(THINGS, b"y").unwrap(), Some(b"1".to_vec()));
    assert_eq!(reader.get(THINGS, b"k").unwrap(), Some(b"first".to_vec()));
}

#[tokio::test]
async fn many_commits_at_once_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("db.sqlite"), ONE).unwrap();
    let mut waiting = Vec::new();
    for number in 0..500_u32 {
        waiting.push(store.hand_in(vec![put(b"last", &number.to_be_bytes())]).await.unwrap());
    }
    for handed_in in waiting {
        handed_in.durable().await.unwrap();
    }
    let last = store.reader().unwrap().get(THINGS, b"last").unwrap().unwrap();
    assert_eq!(last, 499_u32.to_be_bytes());
    let stored = store.counter().read();
    assert_eq!((stored.rows, stored.bytes), (500, 500 * 8), "each with a key of 4 bytes and a value of 4");
    assert!(stored.commits < stored.rows, "{stored:?}: those that wait share a commit");
}

#[tokio::test]
async fn a_refused_commit_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("db.sqlite"), ONE).unwrap();
    store.commit(vec![keep(b"k", b"first")]).await.unwrap();
    assert!(store.commit(vec![put(b"x", b"1"), keep(b"k", b"second")]).await.is_err());
    assert_eq!(store.counter().read().rows, 1);
}

#[tokio::test]
async fn a_full_disk_keeps_what_was_and_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let store = Store::open(&path, SMALL).unwrap();
    store.commit(vec![put(b"before", b"kept")]).await.unwrap();
    let large = vec![put(b"half", b"lost"), put(b"large", &vec![7; 1 << 20])];
    assert_eq!(store.commit(large).await, Err(StoreError::Full { path: path.clone() }));
    let next = store.commit(vec![put(b"after", b"no")]).await;
    assert_eq!(next, Err(StoreError::Stopped { path: path.clone() }));
    drop(store);
    let store = Store::open(&path, SMALL).unwrap();
    let keys = store.reader().unwrap().range(THINGS, b"", b"z").unwrap();
    assert_eq!(keys, vec![(b"before".to_vec(), b"kept".to_vec())]);
}

#[tokio::test]
async fn a_file_that_went_away_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let store = Store::open(&path, ONE).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(store.commit(vec![put(b"a", b"1")]).await, Err(StoreError::Gone { path }));
}

#[test]
fn layouts_are_migrated_forward_and_newer_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    drop(Store::open(&path, TWO).unwrap());
    let refused = Store::open(&path, ONE).err().unwrap();
    assert_eq!(refused, StoreError::Newer { path: path.clone(), found: 2, known: 1 });
    assert!(refused.to_string().contains("Use a newer program"));
    drop(Store::open(&path, TWO).unwrap());
}

#[test]
fn a_folder_that_does_not_exist_and_a_file_that_is_no_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(&folder.path().join("no/db.sqlite"), ONE), Err(StoreError::Database { .. })));
    let path = folder.path().join("text");
    std::fs::write(&path, "this is no database, only some text that is long enough".repeat(50)).unwrap();
    assert!(matches!(Store::open(&path, ONE), Err(StoreError::Database { .. })));
}
