//! The database in a real browser, in a dedicated worker: what is committed stays, and nothing else.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

use fair_web::changes::Changes;
use fair_web::record;
use fair_web::store::Store;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// A name that no other test uses.
async fn fresh(name: &str) -> String {
    let name = format!("test-{name}-{}", js_sys::Math::random());
    Store::delete(&name).await.unwrap();
    name
}

fn put(entries: &[(&[u8], &[u8])]) -> Changes {
    let mut changes = Changes::default();
    for (key, value) in entries {
        changes.put(key.to_vec(), value.to_vec());
    }
    changes
}

#[wasm_bindgen_test]
async fn what_is_committed_is_there_after_opening_again() {
    let name = fresh("reopen").await;
    let store = Store::open(&name).await.unwrap();
    store.commit(put(&[(b"\x20a", b"1"), (b"\x20b", b"2"), (b"\x21a", b"")])).await.unwrap();
    let mut changes = put(&[(b"\x20c", b"3")]);
    changes.delete(b"\x20a".to_vec());
    store.commit(changes).await.unwrap();
    store.close();

    let store = Store::open(&name).await.unwrap();
    assert_eq!(store.get(b"\x20a").await.unwrap(), None);
    assert_eq!(store.get(b"\x21a").await.unwrap(), Some(Vec::new()));
    let all = store.all(b"\x20").await.unwrap();
    assert_eq!(all, [(b"\x20b".to_vec(), b"2".to_vec()), (b"\x20c".to_vec(), b"3".to_vec())]);
    assert_eq!(store.range(b"\x20", b"\x20c", 10).await.unwrap().len(), 1);
    assert_eq!(store.range(b"\x20", b"\xff", 1).await.unwrap().len(), 1);
    assert!(store.range(b"\x20", b"\x20", 10).await.unwrap().is_empty(), "no room for anything is no error");
    assert!(store.keys(b"\x20b", b"\x20").await.unwrap().is_empty());
}

#[wasm_bindgen_test]
async fn whoever_opens_last_is_the_writer() {
    let name = fresh("fence").await;
    let thawed = Store::open(&name).await.unwrap();
    thawed.commit(put(&[(b"\x20", b"first")])).await.unwrap();
    let newest = Store::open(&name).await.unwrap();
    newest.commit(put(&[(b"\x20", b"second")])).await.unwrap();

    let error = thawed.commit(put(&[(b"\x20", b"late"), (b"\x21", b"late")])).await.unwrap_err();
    assert_eq!(error.code, "storage.fenced");
    assert_eq!(thawed.broken().unwrap().code, "storage.fenced");
    assert_eq!(newest.get(b"\x20").await.unwrap().unwrap(), b"second");
    assert_eq!(newest.get(b"\x21").await.unwrap(), None);
    newest.commit(put(&[(b"\x20", b"third")])).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_failed_write_changes_nothing_and_ends_writing() {
    let name = fresh("quota").await;
    let store = Store::open(&name).await.unwrap();
    store.commit(put(&[(b"\x20", b"kept")])).await.unwrap();

    let (failing, restore) = fail_puts_with("QuotaExceededError", "no room");
    failing();
    let error = store.commit(put(&[(b"\x20", b"lost"), (b"\x22", b"lost")])).await.unwrap_err();
    restore();
    assert_eq!(error.code, "storage.full");
    let error = store.commit(put(&[(b"\x20", b"later")])).await.unwrap_err();
    assert_eq!(error.code, "storage.full", "once broken, always broken");
    assert_eq!(store.get(b"\x20").await.unwrap().unwrap(), b"kept");
    assert_eq!(store.get(b"\x22").await.unwrap(), None);
    store.close();

    let store = Store::open(&name).await.unwrap();
    store.commit(put(&[(b"\x20", b"anew")])).await.unwrap();
    assert_eq!(store.get(b"\x20").await.unwrap().unwrap(), b"anew");
}

#[wasm_bindgen_test]
async fn a_browsers_own_sentence_ends_once() {
    let store = Store::open(&fresh("sentence").await).await.unwrap();
    let (failing, restore) = fail_puts_with("InvalidStateError", "The connection is not open.");
    failing();
    let error = store.commit(put(&[(b"\x20", b"lost")])).await.unwrap_err();
    restore();
    assert_eq!(error.code, "storage.failed");
    assert!(error.message.contains("not open. Nothing was changed"), "{}", error.message);
}

#[wasm_bindgen_test]
async fn a_newer_layout_is_refused() {
    let name = fresh("newer").await;
    let script = format!(
        "return new Promise((done, failed) => {{ const request = indexedDB.open('{name}', 99);
         request.onsuccess = () => {{ request.result.close(); done(); }}; request.onerror = () => failed(request.error); }})"
    );
    let promise: js_sys::Promise =
        js_sys::Function::new_no_args(&script).call0(&wasm_bindgen::JsValue::NULL).unwrap().unchecked_into();
    wasm_bindgen_futures::JsFuture::from(promise).await.unwrap();
    assert_eq!(Store::open(&name).await.unwrap_err().code, "storage.newer");
}

#[wasm_bindgen_test]
async fn commits_keep_their_order() {
    let name = fresh("order").await;
    let store = Store::open(&name).await.unwrap();
    let commits = (0_u8..20).map(|number| store.commit(put(&[(b"\x20", &[number])])));
    for done in futures_util::future::join_all(commits).await {
        done.unwrap();
    }
    assert_eq!(store.get(b"\x20").await.unwrap().unwrap(), [19]);
}

#[wasm_bindgen_test]
async fn strict_commits_are_fast_enough() {
    let name = fresh("pace").await;
    let store = Store::open(&name).await.unwrap();
    let start = js_sys::Date::now();
    for number in 0_u32..100 {
        store.commit(put(&[(&number.to_be_bytes(), &[7; 300])])).await.unwrap();
    }
    web_sys::console::log_1(&format!("100 strict commits in {} ms", js_sys::Date::now() - start).into());
}

#[wasm_bindgen_test]
fn the_fence_stands_apart_from_every_table() {
    assert!(record::fence() < vec![0x01]);
}

/// Makes `put` throw, as a browser without room does; and what undoes it.
fn fail_puts_with(name: &str, says: &str) -> (impl Fn(), impl Fn()) {
    let run = |script: String| {
        move || {
            js_sys::Function::new_no_args(&script).call0(&wasm_bindgen::JsValue::NULL).unwrap();
        }
    };
    let fail = format!(
        "const real = IDBObjectStore.prototype.put; self.realPut = real;
         IDBObjectStore.prototype.put = function () {{ throw new DOMException('{says}', '{name}'); }};"
    );
    (run(fail), run("IDBObjectStore.prototype.put = self.realPut;".to_owned()))
}
