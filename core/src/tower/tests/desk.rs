//! A tower on the fixture's chain. [`Desk`] does what a host does, and looks at everything that is submitted.

use crate::channel::shared::Sides;
use crate::channel::state::{ChannelState, Sub};
use crate::ledger::batch::{self, Batch};
use crate::ledger::fixture::{World, bare_dispute, deposit, dispute, key, parties};
use crate::ledger::operation::Operation;
use crate::tower::wire::{Declined, Deliver, FromTower, Place, Reason, Receipt, ToTower};
use crate::tower::*;
use crate::types::AssetId;

/// The tower's key; its account is made by a deposit.
pub(super) const TOWER: u8 = 60;

pub(super) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) struct Desk {
    pub(super) world: World,
    pub(super) config: Config,
    pub(super) tower: Tower,
    pub(super) rows: Rows,
    pub(super) sent: Vec<(PublicKey, FromTower)>,
    pub(super) hung_up: Vec<PublicKey>,
    pub(super) mempool: Vec<Signed<Batch>>,
    pub(super) events: Vec<Event>,
    pub(super) writes: usize,
    /// Power is lost at this write from now on: at an odd count after it, at an even one before it.
    pub(super) crash: Option<usize>,
    pub(super) crashed: bool,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        let world = World::new();
        let tower = Tower::restore(config.clone(), key(TOWER), world.state().chain_id(), []).unwrap();
        Self {
            world,
            config,
            tower,
            rows: Rows::new(),
            sent: vec![],
            hung_up: vec![],
            mempool: vec![],
            events: vec![],
            writes: 0,
            crash: None,
            crashed: false,
        }
    }

    /// With an account and money.
    pub(super) fn funded() -> Self {
        let mut desk = Self::new();
        desk.fund(1_000_000);
        desk
    }

    pub(super) fn fund(&mut self, amount: Amount) {
        self.world.run(&key(6), vec![Operation::Deposit(deposit(amount, &key(TOWER), None))]);
    }

    pub(super) fn tell(&mut self, input: Input<'_>) -> Result<(), Refusal> {
        let effects = self.tower.handle(input, &Chain::of(&self.world.client), self.world.now)?;
        for (place, effect) in effects.into_iter().enumerate() {
            match effect {
                Effect::Write(write) => {
                    assert_eq!(place, 0, "the write comes first");
                    if self.power_fails() {
                        self.crashed = true;
                        return Ok(());
                    }
                    for (key, value) in write.puts {
                        self.rows.insert(key, value);
                    }
                    for key in write.deletes {
                        self.rows.remove(&key);
                    }
                    if self.power_fails() {
                        self.crashed = true;
                        return Ok(());
                    }
                }
                Effect::Send { to, bytes } => {
                    if self.power_fails() {
                        self.crashed = true;
                        return Ok(());
                    }
                    self.sent.push((to, FromTower::decode(&bytes).unwrap()));
                }
                Effect::Disconnect { peer } => self.hung_up.push(peer),
                Effect::Submit { batch } => {
                    if self.power_fails() {
                        self.crashed = true;
                        return Ok(());
                    }
                    let answers = |entry: &crate::ledger::batch::Entry| matches!(entry.operation, Operation::Answer(_));
                    assert!(batch.body.entries.iter().all(answers), "a tower only answers");
                    assert_eq!(batch.body.signer, key(TOWER).public());
                    self.mempool.retain(|other| other.body.nonce != batch.body.nonce);
                    self.mempool.push(*batch);
                }
                Effect::Notify(event) => self.events.push(event),
                Effect::Timer { .. } => panic!("a tower has no timers"),
            }
        }
        self.writes += 1;
        Ok(())
    }

    pub(super) fn power_fails(&mut self) -> bool {
        match &mut self.crash {
            Some(0) => {
                self.crash = None;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    /// What survives is on the disk; sessions end.
    pub(super) fn restart(&mut self) {
        let chain_id = self.world.state().chain_id();
        let rows = self.rows.iter().map(|(key, value)| (&key[..], &value[..]));
        self.tower = Tower::restore(self.config.clone(), key(TOWER), chain_id, rows).unwrap();
        self.crashed = false;
    }

    pub(super) fn connect(&mut self, client: &SecretKey) {
        self.tell(Input::Connected { peer: client.public() }).unwrap();
    }

    /// What the tower answers to a state.
    pub(super) fn hand_over(&mut self, client: &SecretKey, deliver: &Deliver) -> Option<FromTower> {
        let bytes = ToTower::Deliver(Box::new(deliver.clone())).encode();
        self.tell(Input::Message { peer: client.public(), bytes: &bytes }).unwrap();
        let (to, message) = self.sent.pop()?;
        assert_eq!(to, client.public());
        Some(message)
    }

    pub(super) fn receipt(&mut self, client: &SecretKey, deliver: &Deliver) -> Receipt {
        match self.hand_over(client, deliver) {
            Some(FromTower::Receipt(receipt)) => {
                let chain_id = self.world.state().chain_id();
                receipt.verify(&chain_id, &key(TOWER).public()).unwrap().body().clone()
            }
            other => panic!("no receipt but {other:?}"),
        }
    }

    pub(super) fn declined(&mut self, client: &SecretKey, deliver: &Deliver) -> Reason {
        let before = self.rows.clone();
        match self.hand_over(client, deliver) {
            Some(FromTower::Declined(Declined { reason, parties, place })) => {
                assert_eq!((parties, place), (deliver.state.parties, Place::of(&deliver.state)));
                assert_eq!(self.rows, before, "nothing changed");
                reason
            }
            other => panic!("not declined but {other:?}"),
        }
    }

    /// A block of everything submitted and these batches; the tower hears of it.
    pub(super) fn block(&mut self, more: &[Signed<Batch>]) {
        let mut batches = std::mem::take(&mut self.mempool);
        let nonce = self.world.state().account(&key(TOWER).public()).map_or(0, |account| account.nonce);
        batches.retain(|batch| batch.body.nonce == nonce);
        batches.extend_from_slice(more);
        self.quiet_block(&batches);
    }

    /// A block of exactly these; the tower hears of it.
    pub(super) fn quiet_block(&mut self, batches: &[Signed<Batch>]) {
        let outcomes = self.world.block(batches);
        self.tell(Input::Block { outcomes: &outcomes }).unwrap();
    }

    /// `starter` takes its channel with a partner to court, with a state that the partner signed.
    pub(super) fn dispute(&mut self, starter: &SecretKey, partner: &SecretKey, state: Option<ChannelState>) {
        let operations = match state {
            None => bare_dispute(starter, partner),
            Some(_) => vec![dispute(partner, state)],
        };
        let batch = self.world.batch(starter, operations);
        self.block(&[batch]);
    }

    pub(super) fn in_court(&self, a: &SecretKey, b: &SecretKey) -> Option<u64> {
        self.world.state().dispute(&parties(a, b)).map(|dispute| dispute.order().frame)
    }

    pub(super) fn state(&self, a: &SecretKey, b: &SecretKey, frame: u64) -> ChannelState {
        let offdelta = i64::try_from(frame).unwrap();
        let sub = Sub { offdelta, ..Sub::zero(AssetId::FRD) };
        self.world.channel_state(a, b, frame, vec![sub])
    }

    pub(super) fn signed(&self, a: &SecretKey, b: &SecretKey, frame: u64) -> Deliver {
        sign(self.state(a, b, frame), a, b)
    }
}

pub(super) fn sign(state: ChannelState, a: &SecretKey, b: &SecretKey) -> Deliver {
    let (left, right) = if a.public() < b.public() { (a, b) } else { (b, a) };
    let chain_id = state.chain_id;
    let signatures = Sides { left: state.sign(&chain_id, left), right: state.sign(&chain_id, right) };
    Deliver { state, signatures }
}

/// A maximal state: every lock used.
pub(super) fn large(desk: &Desk, a: &SecretKey, b: &SecretKey, frame: u64) -> Deliver {
    let mut state = desk.state(a, b, frame);
    let most = u64::from(desk.world.state().parameters().max_locks);
    let lock = |index| crate::channel::state::Lock { index, amount: 1, hash: Hash::ZERO, expiry: 1 };
    state.subs[0].left_locks = (0..most).map(lock).collect();
    state.subs[0].right_locks = (0..most).map(lock).collect();
    sign(state, a, b)
}

impl Desk {
    /// A batch with one answer, as the tower would sign it.
    pub(super) fn mempool_of_one(&self, deliver: &Deliver) -> Signed<Batch> {
        let signatures = Sides { left: Some(deliver.signatures.left), right: Some(deliver.signatures.right) };
        let answer = crate::ledger::operation::Answer { state: deliver.state.clone(), signatures };
        self.world.batch(&key(TOWER), vec![Operation::Answer(answer)])
    }

    /// The tower's operator takes money out.
    pub(super) fn spend(&mut self, amount: Amount) {
        let bare = self.world.batch(&key(TOWER), vec![Operation::Deposit(deposit(1, &key(6), None))]);
        let fee = batch::fee(10, batch::signed_bytes(&bare)).unwrap();
        self.world.run(&key(TOWER), vec![Operation::Deposit(deposit(amount - fee, &key(6), None))]);
    }
}
