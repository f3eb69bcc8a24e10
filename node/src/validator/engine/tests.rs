use super::*;
use crate::genesis::{Plan, genesis};
use fair_core::consensus::Signer;
use fair_core::crypto::SecretKey;
use std::path::Path;

/// Nobody listens on these ports: what others claim to have is never fetched.
const NOBODYS_PORT: u16 = 1;

/// The loop of the first validator of a new network, where nobody else answers.
async fn alone(folder: &Path) -> (mpsc::Sender<Event>, mpsc::Sender<Offer>, Genesis) {
    let plan = Plan { base_port: NOBODYS_PORT, ..Plan::of_four(folder) };
    let genesis = genesis(&plan).unwrap();
    let (store, found) = onchain::open(&folder.join("db.sqlite"), &genesis).await.unwrap();
    let own = genesis.validators.validators[0].account;
    let signer = Signer { account: own, key: SecretKey::from_seed(&[7; 32]) };
    let identity = Identity { chain_id: genesis.chain_id(), signer };
    let members = Members::of(found.follower.state());
    let (events, incoming) = mpsc::channel(crate::limits::ENGINE_QUEUE);
    let (offers, offered) = mpsc::channel(1);
    let parts = Parts {
        silence: Silence::at_start(&found, None, clock::now_ms()),
        pace: onchain::pace(&store, &genesis).unwrap(),
        store,
        genesis: Arc::new(genesis.clone()),
        snapshots: crate::snapshot::folder(&folder.join("db.sqlite")).unwrap(),
        peers: Peers::new(&members, identity.clone(), 0, events.clone()),
        identity,
        events: events.clone(),
        heads: watch::channel(Published::at(None)).0,
        members: watch::channel(members).0,
        vitals: watch::channel(Vitals::default()).0,
    };
    let engine = Engine::start(found, parts).await.unwrap();
    tokio::spawn(engine.run(incoming, offered));
    (events, offers, genesis)
}

/// What the loop says to a batch.
async fn handed(offers: &mpsc::Sender<Offer>, batch: &Signed<Batch>) -> Result<Accepted, Refused> {
    let (answer, result) = oneshot::channel();
    assert!(offers.send(Offer { batch: batch.clone(), answer }).await.is_ok());
    result.await.unwrap()
}

fn batch(genesis: &Genesis, key: &SecretKey, valid_until: Height) -> Signed<Batch> {
    let fee_rate = genesis.parameters.min_fee_rate;
    let body = Batch { signer: key.public(), nonce: 0, valid_until, fee_rate, entries: vec![] };
    Signed::new(body, &genesis.chain_id(), key)
}

/// A client that saw an account come into being must not be told for good that there is none.
#[tokio::test]
async fn what_a_block_may_bring_is_not_refused_for_good_by_whoever_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (events, offers, genesis) = alone(folder.path()).await;
    let unknown = batch(&genesis, &SecretKey::from_seed(&[9; 32]), 3);
    let reason = InclusionError::UnknownSigner { signer: unknown.body.signer };
    let claims = |place: usize, height| {
        let from = genesis.validators.validators[place].account;
        events.send(Event::Head { from, height })
    };
    assert_eq!(handed(&offers, &unknown).await, Err(Refused::Inclusion(reason.clone())), "nobody is ahead");
    assert!(claims(1, 9).await.is_ok());
    assert_eq!(handed(&offers, &unknown).await, Err(Refused::Inclusion(reason.clone())), "one may lie");
    assert!(claims(2, 1).await.is_ok());
    assert_eq!(handed(&offers, &unknown).await, Err(Refused::NotYet(reason)));
    let expired = batch(&genesis, &SecretKey::from_seed(&[9; 32]), 0);
    let refused = handed(&offers, &expired).await;
    assert!(matches!(refused, Err(Refused::Inclusion(InclusionError::Expired { .. }))), "no block makes it younger");
}
