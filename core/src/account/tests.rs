use super::*;
use crate::chain::certificate::{Validator, ValidatorSet};
use crate::chain::follow::Follower;
use crate::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use crate::chain::params::Parameters;
use crate::ledger::operation::Deposit;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn genesis(balance: Amount) -> Genesis {
    let key = key(1).public();
    let asset = |id: u32, supply| Asset {
        id: AssetId(id),
        ticker: format!("A{id}"),
        name: format!("A{id}"),
        decimals: 2,
        supply,
    };
    let validator = Validator { account: key, signing_key: self::key(2).public(), shares: 25, url: String::new() };
    Genesis {
        network: "test".into(),
        purpose: Purpose::Test,
        time_ms: 1,
        parameters: Parameters { max_batch_life_heights: 3, ..Parameters::DEMO },
        validators: ValidatorSet { validators: vec![validator] },
        assets: vec![asset(1, balance), asset(2, 0)],
        accounts: vec![GenesisAccount { key, balances: vec![(AssetId::FRD, balance)] }],
        banks: vec![],
    }
}

fn deposit(amount: Amount) -> Operation {
    Operation::Deposit(Deposit {
        asset: AssetId::FRD,
        amount,
        to: key(9).public(),
        partner: None,
        keep: 0,
        epoch: None,
        invoice: None,
    })
}

struct Desk {
    follower: Follower,
    on_chain: OnChain,
    disk: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Desk {
    fn new(balance: Amount) -> Self {
        let on_chain = OnChain::new(key(1).public());
        Self { follower: Follower::new(&genesis(balance)), on_chain, disk: BTreeMap::new() }
    }

    fn store(&mut self, write: Write) {
        self.disk.extend(write.puts);
        for key in write.deletes {
            self.disk.remove(&key);
        }
        // Whatever was stored makes the same desk again.
        let mut again = OnChain::new(key(1).public());
        for (key, value) in &self.disk {
            assert_eq!(again.restore(key, value), Ok(true));
        }
        again.next_action = self.on_chain.next_action;
        assert_eq!(again, self.on_chain);
    }

    fn add(&mut self, operations: Vec<Operation>) {
        let mut write = Write::default();
        self.on_chain.add(operations, &mut write).unwrap();
        self.store(write);
    }

    fn send(&mut self, request: u8) -> Result<Signed<Batch>, CannotSend> {
        let mut write = Write::default();
        let sent = self.on_chain.send([request; 16], &key(1), self.follower.state(), 5, &mut write);
        let batch = sent.map(|sent| sent.batch.clone());
        self.store(write);
        batch
    }

    fn block(&mut self, batches: &[Signed<Batch>]) -> Option<SentState> {
        let built = self.follower.build(batches, key(1).public(), 0);
        assert_eq!(built.left_out, vec![]);
        let outcomes = built.step.outcomes().to_vec();
        self.follower.commit(built.step);
        let mut write = Write::default();
        let changed = self.on_chain.on_block(&key(1), self.follower.state(), 7, &outcomes, &mut write);
        self.store(write);
        changed.into_iter().next().map(|sent| sent.state)
    }
}

#[test]
fn a_batch_goes_out_once_and_its_receipts_come_back() {
    let mut desk = Desk::new(100_000);
    desk.add(vec![deposit(600), deposit(700)]);
    desk.add(vec![deposit(800)]);
    let estimate = desk.on_chain.estimate(desk.follower.state());
    let batch = desk.send(1).unwrap();
    assert_eq!((batch::signed_bytes(&batch), estimate.problem), (estimate.bytes, None));
    let groups: Vec<_> = batch.body.entries.iter().map(|entry| entry.group).collect();
    assert_eq!(groups, [Some(0), Some(0), None]);
    assert_eq!(desk.send(1), Ok(batch.clone()), "the same request, the same bytes");
    desk.add(vec![deposit(1)]);
    assert_eq!(desk.send(2), Err(CannotSend::Busy { until: batch.body.valid_until }));
    match desk.block(&[batch]) {
        Some(SentState::Included { height: 1, receipts, .. }) => assert_eq!(receipts.len(), 3),
        other => panic!("{other:?}"),
    }
    assert_eq!(desk.send(2).unwrap().body.nonce, 1);
}

#[test]
fn a_batch_that_was_never_included_comes_back_into_the_draft() {
    let mut desk = Desk::new(100_000);
    desk.add(vec![deposit(600), deposit(700)]);
    let batch = desk.send(1).unwrap();
    while desk.follower.height() + 1 < batch.body.valid_until {
        assert_eq!(desk.block(&[]), None);
    }
    assert_eq!(desk.block(&[]), Some(SentState::Expired));
    let draft: Vec<_> = desk.on_chain.draft().cloned().collect();
    assert_eq!(draft.iter().map(|action| &action.operation).collect::<Vec<_>>(), [&deposit(600), &deposit(700)]);
    assert!(draft[0].group.is_some() && draft[0].group == draft[1].group);
}

#[test]
fn receipts_lost_in_a_crash_are_not_waited_for() {
    let mut desk = Desk::new(100_000);
    desk.add(vec![deposit(600)]);
    let batch = desk.send(1).unwrap();
    let built = desk.follower.build(&[batch], key(1).public(), 0);
    desk.follower.commit(built.step);
    match desk.block(&[]) {
        Some(SentState::Included { receipts, .. }) => assert_eq!(receipts, vec![]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_reason_not_to_send_has_its_error() {
    let mut desk = Desk::new(1);
    assert_eq!(desk.send(1), Err(CannotSend::Empty));
    desk.add(vec![deposit(600)]);
    assert_eq!(
        desk.send(1),
        Err(CannotSend::Fee { fee: desk.on_chain.estimate(desk.follower.state()).fee, balance: 1 })
    );
    let mut stranger = OnChain::new(key(5).public());
    stranger.add(vec![deposit(1)], &mut Write::default()).unwrap();
    let problem = stranger.estimate(desk.follower.state()).problem;
    assert_eq!(problem, Some(CannotSend::Unregistered { key: key(5).public() }));
    let mut write = Write::default();
    assert_eq!(desk.on_chain.remove(7, &mut write), Err(CannotDraft::Unknown { id: 7 }));
    let many = vec![deposit(1); limits::MAX_DRAFT_ACTIONS];
    assert_eq!(desk.on_chain.add(many, &mut write), Err(CannotDraft::Full { limit: limits::MAX_DRAFT_ACTIONS }));
    assert_eq!(write, Write::default(), "nothing changed");
}

#[test]
fn removing_one_removes_its_group() {
    let mut desk = Desk::new(100_000);
    desk.add(vec![deposit(600), deposit(700)]);
    desk.add(vec![deposit(800)]);
    let mut write = Write::default();
    desk.on_chain.remove(1, &mut write).unwrap();
    desk.store(write);
    assert_eq!(desk.on_chain.draft().map(|action| action.id).collect::<Vec<_>>(), [2]);
}

#[test]
fn damaged_records_are_named() {
    let mut on_chain = OnChain::new(key(1).public());
    let error = on_chain.restore(b"d12345678", b"nonsense").unwrap_err();
    assert_eq!(error.kind, 'd');
    assert_eq!(on_chain.restore(b"x", b""), Ok(false));
}
