use super::*;
use crate::genesis::{Plan, genesis};
use fair_core::chain::certificate::Certificate;
use fair_core::ledger::state::Key;
use fair_core::types::PublicKey;

fn make(folder: &Path) -> Genesis {
    genesis(&Plan::of_four(folder)).unwrap()
}

/// A block without signatures: what certifies it is checked before it is stored, not here.
fn next_block(follower: &Follower, proposer: PublicKey) -> (CertifiedBlock, WorkedOut) {
    let built = follower.build([], proposer, follower.head_time_ms().saturating_add(5_000));
    let header = &built.block.header;
    let certificate = Certificate { height: header.height, round: 0, block_hash: header.hash(), signatures: vec![] };
    (CertifiedBlock { block: built.block, certificate }, built.step)
}

#[tokio::test]
async fn a_restart_finds_head_state_log_and_signatures() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = make(folder.path());
    let path = folder.path().join("db.sqlite");
    let proposer = genesis.validators.validators[0].account;
    let (store, mut found) = open(&path, &genesis).await.unwrap();
    assert!(found.head.is_none());
    for _ in 0..3 {
        let (certified, step) = next_block(&found.follower, proposer);
        let height = certified.block.header.height;
        let timer = fair_core::consensus::Timer { height, round: 0, kind: fair_core::consensus::TimerKind::Propose };
        store.commit(vec![log_write(height, 0, &LogEntry::Timer(timer))]).await.unwrap();
        store.commit(block_writes(&certified, &step, &found.follower)).await.unwrap();
        found.follower.commit(step);
    }
    let slot = Slot { height: 4, round: 2, step: Step::Precommit };
    let line = LogEntry::Timer(fair_core::consensus::Timer {
        height: 4,
        round: 1,
        kind: fair_core::consensus::TimerKind::Prevote,
    });
    store.commit(vec![log_write(4, 0, &line), signed_write(&slot, &Hash([3; 32]))]).await.unwrap();
    let twice = store.commit(vec![signed_write(&slot, &Hash([4; 32]))]).await;
    assert!(matches!(twice, Err(StoreError::Conflict { table: "signed", .. })), "never two things for one slot");
    let blocks = Blocks::new(&store).unwrap();
    assert_eq!(blocks.from(1, 100).unwrap().len(), 3);
    assert_eq!(blocks.from(2, 1).unwrap().len(), 1);
    assert!(blocks.at(9).unwrap().is_none());
    drop((store, blocks));

    let (_, again) = open(&path, &genesis).await.unwrap();
    assert_eq!(again.follower.height(), 3);
    assert_eq!(again.follower.head(), found.follower.head());
    assert_eq!(again.follower.state().root(), found.follower.state().root());
    assert_eq!(again.log, vec![line], "only the log of the height being decided is left");
    assert_eq!(again.signed, vec![(slot, Hash([3; 32]))]);
    assert_eq!(stored_head(&path).unwrap().unwrap().0, 3);
}

#[tokio::test]
async fn a_database_of_another_chain_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (make(&folder.path().join("a")), make(&folder.path().join("b")));
    let path = folder.path().join("db.sqlite");
    drop(open(&path, &one).await.unwrap());
    assert!(matches!(open(&path, &other).await, Err(NodeError::WrongGenesis { .. })));
    open(&path, &one).await.unwrap();
}

#[tokio::test]
async fn a_state_that_is_not_the_heads_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = make(folder.path());
    let path = folder.path().join("db.sqlite");
    let (store, found) = open(&path, &genesis).await.unwrap();
    let (certified, step) = next_block(&found.follower, genesis.validators.validators[0].account);
    store.commit(block_writes(&certified, &step, &found.follower)).await.unwrap();
    // The last of the state: what is beside it comes behind.
    let (key, _) = store.reader().unwrap().range(STATE, &[], &[0xFF]).unwrap().pop().unwrap();
    store.commit(vec![Write::Delete { table: STATE, key }]).await.unwrap();
    drop(store);
    assert!(matches!(open(&path, &genesis).await, Err(NodeError::Damaged { .. })));
}

/// Adds blocks to a database and to its follower.
async fn grow(store: &Store, follower: &mut Follower, proposer: PublicKey, blocks: u64) {
    for _ in 0..blocks {
        let (certified, step) = next_block(follower, proposer);
        store.commit(block_writes(&certified, &step, follower)).await.unwrap();
        follower.commit(step);
    }
}

/// A follower that was stopped answers like the one that never was, from `oldest` on.
fn compare(restarted: &Follower, running: &Follower, oldest: Height) {
    assert_eq!(restarted.state().oldest_height(), oldest);
    for height in oldest..=running.height() {
        assert_eq!(restarted.header_at(height), running.header_at(height));
        assert_eq!(restarted.state().prove_at(height, &Key::Clock), running.state().prove_at(height, &Key::Clock));
    }
}

#[tokio::test]
async fn a_restart_answers_for_recent_heights() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = make(folder.path());
    let path = folder.path().join("db.sqlite");
    let proposer = genesis.validators.validators[0].account;
    let window = u64::from(genesis.parameters.proof_window_heights);
    let (store, mut found) = open(&path, &genesis).await.unwrap();
    grow(&store, &mut found.follower, proposer, 5).await;
    drop(store);
    let (store, again) = open(&path, &genesis).await.unwrap();
    compare(&again.follower, &found.follower, 1);
    grow(&store, &mut found.follower, proposer, window).await;
    drop(store);
    let (store, again) = open(&path, &genesis).await.unwrap();
    compare(&again.follower, &found.follower, 5);
    let kept = store.reader().unwrap().range(UNDO, &[], &[0xFF; 8]).unwrap();
    assert_eq!(kept.len(), usize::try_from(window).unwrap() + 1, "older ones are gone");
}

#[tokio::test]
async fn a_database_of_the_first_layout_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = make(folder.path());
    let path = folder.path().join("db.sqlite");
    let proposer = genesis.validators.validators[0].account;
    let mut follower = Follower::new(&genesis);
    let store = Store::open(&path, &MIGRATIONS[..1]).unwrap();
    let state = follower.state().encoded().map(|(key, value)| Write::Put { table: STATE, key, value });
    let id = Write::Keep { table: META, key: CHAIN_ID.to_vec(), value: genesis.chain_id().0.to_vec() };
    store.commit(state.chain([id]).collect()).await.unwrap();
    for _ in 0..3 {
        let (certified, step) = next_block(&follower, proposer);
        let of_undo = |write: &Write| matches!(write, Write::Keep { table, .. } | Write::DeleteRange { table, .. } if *table == UNDO);
        let writes = block_writes(&certified, &step, &follower).into_iter().filter(|write| !of_undo(write));
        store.commit(writes.collect()).await.unwrap();
        follower.commit(step);
    }
    drop(store);
    let (store, found) = open(&path, &genesis).await.unwrap();
    compare(&found.follower, &follower, 3);
    grow(&store, &mut follower, proposer, 2).await;
    drop(store);
    let (_, found) = open(&path, &genesis).await.unwrap();
    compare(&found.follower, &follower, 3);
}

/// A way back that is too long is stored as an empty one: a start goes back to that block and not to the one before.
#[tokio::test]
async fn a_start_goes_back_as_far_as_undos_lead() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = make(folder.path());
    let path = folder.path().join("db.sqlite");
    let (store, mut found) = open(&path, &genesis).await.unwrap();
    grow(&store, &mut found.follower, genesis.validators.validators[0].account, 5).await;
    store.commit(vec![Write::Put { table: UNDO, key: height_key(3).to_vec(), value: Vec::new() }]).await.unwrap();
    drop(store);
    let (_, again) = open(&path, &genesis).await.unwrap();
    compare(&again.follower, &found.follower, 3);
}

#[tokio::test]
async fn an_undo_that_leads_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = make(folder.path());
    let path = folder.path().join("db.sqlite");
    let (store, mut found) = open(&path, &genesis).await.unwrap();
    grow(&store, &mut found.follower, genesis.validators.validators[0].account, 4).await;
    let undo = store.reader().unwrap().get(UNDO, &height_key(2)).unwrap().unwrap();
    store.commit(vec![Write::Put { table: UNDO, key: height_key(3).to_vec(), value: undo }]).await.unwrap();
    drop(store);
    assert!(matches!(open(&path, &genesis).await, Err(NodeError::Damaged { .. })));
}
