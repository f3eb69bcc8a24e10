use super::court::CourtSent;
use super::*;
use crate::chain::certificate::{Validator, ValidatorSet};
use crate::chain::follow::Follower;
use crate::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use crate::chain::params::Parameters;
use crate::crypto::Secret;
use crate::ledger::operation::{Deposit, Operation, Reveal};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn genesis(balance: Amount, parameters: Parameters) -> Genesis {
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
        parameters,
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
        Self::with(balance, Parameters { max_batch_life_heights: 3, ..Parameters::DEMO })
    }

    fn with(balance: Amount, parameters: Parameters) -> Self {
        let on_chain = OnChain::new(key(1).public());
        Self { follower: Follower::new(&genesis(balance, parameters)), on_chain, disk: BTreeMap::new() }
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

    /// Shows so many secrets to court.
    fn reveal(&mut self, secrets: usize) -> CourtSent {
        let reveal = Operation::Reveal(Reveal { secrets: vec![Secret([7; 32]); secrets] });
        let mut write = Write::default();
        let sent = self.on_chain.send_court(vec![reveal], &key(1), self.follower.state(), 5, &mut write);
        self.store(write);
        sent
    }

    /// What is submitted now: what it costs, and its rate in least rates.
    fn offers(&self) -> Vec<(Amount, Amount)> {
        let offers = self.on_chain.to_submit(self.follower.state());
        offers.map(|sent| (sent.fee, sent.batch.body.fee_rate / Parameters::DEMO.min_fee_rate)).collect()
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

/// A thief makes court dear while one answer waits, and then shows an old state in another channel: for the answer to
/// that there is still money.
#[test]
fn what_court_may_need_next_is_not_offered() {
    let parameters = Parameters::DEMO;
    let balance = 2 * parameters.dispute_cost();
    let mut desk = Desk::with(balance, parameters.clone());
    assert_eq!(desk.reveal(10).problem, None);
    for _ in 0..8 * limits::COURT_PATIENCE_HEIGHTS - 1 {
        desk.block(&[]);
    }
    let [(fee, times)] = desk.offers()[..] else { panic!("one batch") };
    let raised = batch::fee(times * parameters.min_fee_rate * 2, 500).unwrap();
    assert!(times > 4 && raised > fee && raised < balance, "{times} times the least rate: twice that could be paid");
    assert!(balance - fee >= parameters.dispute_cost(), "{fee} of {balance} are offered");
    let largest = usize::try_from(parameters.dispute_cost() * 1_000 / parameters.min_fee_rate).unwrap();
    for _ in 0..2 {
        let sent = desk.reveal(limits::MAX_SECRETS);
        assert_eq!((sent.problem, sent.batches.len()), (None, 1));
    }
    let bytes = desk.on_chain.to_submit(desk.follower.state()).skip(1).map(|sent| batch::signed_bytes(&sent.batch));
    assert!(bytes.sum::<usize>() > largest * 9 / 10, "no more than the largest dispute");
}

/// Two banks show old states with many locks at once, and there is money for one answer: that one is sent, and what costs
/// little beside it.
#[test]
fn what_cannot_be_paid_keeps_nothing_out() {
    let reveal = |secrets: usize| Operation::Reveal(Reveal { secrets: vec![Secret([7; 32]); secrets] });
    let wanted = [reveal(limits::MAX_SECRETS), reveal(limits::MAX_SECRETS - 1), reveal(1)];
    let mut desk = Desk::new(100);
    let mut write = Write::default();
    let sent = desk.on_chain.send_court(wanted.to_vec(), &key(1), desk.follower.state(), 5, &mut write);
    desk.store(write);
    assert!(matches!(sent.problem, Some(CannotSend::Fee { balance: 100, .. })), "{:?}", sent.problem);
    let [sent] = &sent.batches[..] else { panic!("{} batches", sent.batches.len()) };
    let said = sent.batch.body.entries.iter().map(|entry| &entry.operation).collect::<Vec<_>>();
    assert_eq!(said, [&wanted[0], &wanted[2]]);
    let batch = sent.batch.clone();
    assert!(matches!(desk.block(&[batch]), Some(SentState::Included { .. })));
}

/// Parameters that change while a batch waits neither make it dear at once nor keep it cheap: what it waits is counted
/// from when it was signed.
#[test]
fn a_wait_is_counted_from_the_signature() {
    let balance = 1_000_000;
    let longer = Parameters { margin_blocks: 3 * Parameters::DEMO.margin_blocks, ..Parameters::DEMO };
    let shorter = Parameters { max_batch_life_heights: 1, ..Parameters::DEMO };
    for changed in [longer, shorter] {
        let (mut desk, mut after) = (Desk::with(balance, Parameters::DEMO), Desk::with(balance, changed));
        for desk in [&mut desk, &mut after] {
            for _ in 0..3 * Parameters::DEMO.margin_blocks {
                desk.block(&[]);
            }
        }
        desk.reveal(1);
        for waited in 1..=2 * limits::COURT_PATIENCE_HEIGHTS {
            after.block(&[]);
            let mut write = Write::default();
            desk.on_chain.on_block(&key(1), after.follower.state(), 7, &[], &mut write);
            desk.store(write);
            let times = 1 << (waited / limits::COURT_PATIENCE_HEIGHTS);
            assert_eq!(desk.offers().iter().map(|(_, times)| *times).collect::<Vec<_>>(), [times]);
        }
    }
}

/// Whoever had a batch under way before records said when it was signed goes on with it.
#[test]
fn a_record_without_its_height_is_read() {
    let mut desk = Desk::with(1_000_000, Parameters::DEMO);
    let sent = desk.reveal(1).batches.remove(0);
    let bytes = codec::encode(&sent);
    let before = &bytes[..bytes.len() - size_of::<Height>()];
    let read = |value: &[u8]| super::read::<SentBatch>(SENT, value);
    assert_eq!(read(before), Ok(SentBatch { signed_at: Height::MAX, ..sent.clone() }));
    assert_eq!(read(&bytes), Ok(sent));
    assert!(read(&bytes[..bytes.len() - 1]).is_err());
    let mut on_chain = OnChain::new(key(1).public());
    assert_eq!(on_chain.restore(&desk.disk.keys().next().unwrap().clone(), before), Ok(true));
    for _ in 0..2 * limits::COURT_PATIENCE_HEIGHTS {
        desk.block(&[]);
        on_chain.on_block(&key(1), desk.follower.state(), 7, &[], &mut Write::default());
    }
    let offered = on_chain.to_submit(desk.follower.state()).map(|sent| sent.batch.body.fee_rate);
    assert_eq!(offered.collect::<Vec<_>>(), [Parameters::DEMO.min_fee_rate]);
}
