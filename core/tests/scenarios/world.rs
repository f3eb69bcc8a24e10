//! A small world: one ledger, one bank, wallets; messages in order, blocks on demand, rows on "disks".
//!
//! Every machine's write goes to its disk before its sends are delivered. [`World::restart`] drops a machine
//! and makes it anew from its rows, as a host does.

use fair_core::account::RequestId;
use fair_core::bank::{self, AssetPolicy, Bank};
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::follow::{Follower, LeftOut};
use fair_core::chain::genesis::{Asset, Bank as RegisteredBank, Genesis, GenesisAccount, Purpose};
use fair_core::chain::params::Parameters;
use fair_core::channel::event::Debug;
use fair_core::crypto::SecretKey;
use fair_core::effect::{Effect, Write};
use fair_core::entropy::Entropy;
use fair_core::ledger::batch::{self, Batch};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::{BatchOutcome, Opening, Receipt};
use fair_core::message::Signed;
use fair_core::payment::invoice::{Description, LatePolicy, RefundPolicy};
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, Parties, PublicKey, Side};
use fair_core::wallet::{self, Credit, NewInvoice, Payable, Payment, PaymentState, Wallet};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) const FRD: AssetId = AssetId::FRD;
/// Cents of a dollar.
pub(crate) const DOLLAR: Amount = 100;

pub(crate) enum Machine {
    Bank(Box<Bank>),
    Wallet(Box<Wallet>),
    /// Somebody whose channel the scenario drives by hand; what is sent to it waits here.
    Puppet(Vec<Vec<u8>>),
}

pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) secret: SecretKey,
    pub(crate) disk: Rows,
    pub(crate) bank_events: Vec<bank::Event>,
    pub(crate) wallet_events: Vec<wallet::Event>,
    pub(crate) writes: usize,
}

/// What a scenario may change about the world before it starts.
pub(crate) struct Setup {
    pub(crate) bank_key: SecretKey,
    pub(crate) fee_base: Amount,
    pub(crate) fee_ppm: u32,
    pub(crate) insurance_price: Amount,
    pub(crate) safety_balance: Amount,
    pub(crate) parameters: Parameters,
    pub(crate) max_forwards: usize,
    pub(crate) max_in_flight: Amount,
    pub(crate) rebalance_every_blocks: u64,
    pub(crate) dispute_after_blocks: u64,
    /// Further accounts with on-chain FRD.
    pub(crate) accounts: Vec<(PublicKey, Amount)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            bank_key: key(1),
            fee_base: 0,
            fee_ppm: 0,
            insurance_price: 0,
            safety_balance: 10_000 * DOLLAR,
            parameters: Parameters::DEMO,
            max_forwards: 30,
            max_in_flight: 1_000_000 * DOLLAR,
            rebalance_every_blocks: 0,
            dispute_after_blocks: 0,
            accounts: vec![],
        }
    }
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// A key on the wanted side of a channel with another.
pub(crate) fn key_on(side: Side, other: &SecretKey, from: u8) -> SecretKey {
    (from..=u8::MAX)
        .map(key)
        .find(|candidate| (candidate.public() < other.public()) == (side == Side::Left))
        .expect("half of all keys")
}

/// The set is sorted by account.
fn sorted_validators(accounts: &[PublicKey]) -> Vec<Validator> {
    let mut validators: Vec<_> = accounts
        .iter()
        .zip(210_u8..)
        .map(|(account, seed)| Validator {
            account: *account,
            signing_key: key(seed).public(),
            shares: 25,
            url: String::new(),
        })
        .collect();
    validators.sort_by_key(|validator| validator.account);
    validators
}

pub(crate) fn request(seed: u64) -> RequestId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&seed.to_le_bytes());
    id
}

pub(crate) struct World {
    pub(crate) follower: Follower,
    pub(crate) now_ms: u64,
    pub(crate) proposer: PublicKey,
    pub(crate) bank: PublicKey,
    pub(crate) nodes: BTreeMap<PublicKey, Node>,
    pub(crate) messages: VecDeque<(PublicKey, PublicKey, Vec<u8>)>,
    pub(crate) sessions: BTreeSet<(PublicKey, PublicKey)>,
    pub(crate) mempool: Vec<Signed<Batch>>,
    pub(crate) outcomes: Vec<BatchOutcome>,
    pub(crate) openings: Vec<Opening>,
    /// Whose batches a relay keeps back, and those that it has.
    pub(crate) withholding: BTreeSet<PublicKey>,
    pub(crate) withheld: Vec<Signed<Batch>>,
    /// Heads of those who have not heard of the newest blocks.
    behind: BTreeMap<PublicKey, Follower>,
    genesis: Genesis,
    history: Vec<(Vec<Signed<Batch>>, u64)>,
    pub(crate) config: bank::Config,
    requests: u64,
    starts: u8,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let bank = setup.bank_key.public();
        let validators = [bank, key(201).public(), key(202).public(), key(203).public()];
        let mut accounts: Vec<_> = validators.iter().map(|key| (*key, 1_000_000 * DOLLAR)).collect();
        accounts.extend(setup.accounts.iter().copied());
        let supply = accounts.iter().map(|(_, amount)| amount).sum();
        let asset = |id: u32, ticker: &str, supply| Asset {
            id: AssetId(id),
            ticker: ticker.into(),
            name: ticker.into(),
            decimals: 2,
            supply,
        };
        let account = |(key, amount): &(PublicKey, Amount)| GenesisAccount {
            key: *key,
            balances: if *amount > 0 { vec![(FRD, *amount)] } else { vec![] },
        };
        let genesis = Genesis {
            network: "scenario".into(),
            purpose: Purpose::Test,
            time_ms: 1_000_000,
            parameters: setup.parameters,
            validators: ValidatorSet { validators: sorted_validators(&validators) },
            assets: vec![asset(1, "FRD", supply), asset(2, "FRB", 0)],
            accounts: accounts.iter().map(account).collect(),
            banks: vec![RegisteredBank {
                key: bank,
                handle: "main".into(),
                url: String::new(),
                fee_base: setup.fee_base,
                fee_ppm: setup.fee_ppm,
                insurance_price: setup.insurance_price,
            }],
        };
        assert_eq!(genesis.check(), Ok(()));
        let policy = AssetPolicy {
            asset: FRD,
            credit_limit: 0,
            max_in_flight: setup.max_in_flight,
            safety_balance: setup.safety_balance,
        };
        let config = bank::Config {
            assets: vec![policy],
            max_forwards: setup.max_forwards,
            max_strangers: 8,
            rebalance_every_blocks: setup.rebalance_every_blocks,
            consent_wait_blocks: 5,
            dispute_after_blocks: setup.dispute_after_blocks,
            debug: Debug::States,
        };
        let mut world = Self {
            follower: Follower::new(&genesis),
            now_ms: genesis.time_ms,
            proposer: validators[3],
            bank,
            nodes: BTreeMap::new(),
            messages: VecDeque::new(),
            sessions: BTreeSet::new(),
            mempool: vec![],
            outcomes: vec![],
            openings: vec![],
            withholding: BTreeSet::new(),
            withheld: vec![],
            behind: BTreeMap::new(),
            genesis: genesis.clone(),
            history: vec![],
            config,
            requests: 1_000,
            starts: 0,
        };
        world.start_bank(setup.bank_key, Rows::new());
        world.block();
        world
    }

    fn entropy(&mut self) -> Entropy {
        self.starts += 1;
        Entropy::from_seed([self.starts; 32])
    }

    pub(crate) fn start_bank(&mut self, secret: SecretKey, disk: Rows) {
        let rows = disk.iter().map(|(key, value)| (&key[..], &value[..]));
        let (chain_id, entropy) = (self.follower.state().chain_id(), self.entropy());
        let bank = Bank::restore(self.config.clone(), secret.clone(), chain_id, entropy, rows).expect("own rows");
        self.insert(Machine::Bank(Box::new(bank)), secret, disk);
    }

    pub(crate) fn start_wallet(&mut self, secret: SecretKey, disk: Rows) {
        let rows = disk.iter().map(|(key, value)| (&key[..], &value[..]));
        let (chain_id, entropy) = (self.follower.state().chain_id(), self.entropy());
        let config = wallet::Config { debug: Debug::States };
        let wallet = Wallet::restore(&config, secret.clone(), chain_id, entropy, rows).expect("own rows");
        self.insert(Machine::Wallet(Box::new(wallet)), secret, disk);
    }

    pub(crate) fn insert(&mut self, machine: Machine, secret: SecretKey, disk: Rows) {
        let node =
            Node { machine, secret: secret.clone(), disk, bank_events: vec![], wallet_events: vec![], writes: 0 };
        self.nodes.insert(secret.public(), node);
    }

    /// A wallet that uses the bank under a credit limit, connected.
    pub(crate) fn user(&mut self, secret: &SecretKey, limit: Amount, insure_above: Option<Amount>) -> PublicKey {
        let user = secret.public();
        self.start_wallet(secret.clone(), Rows::new());
        let credit = vec![Credit { asset: FRD, limit, insure_above, most_price: Amount::MAX }];
        self.wish(user, wallet::Input::AddBank { bank: self.bank, credit }).unwrap();
        self.connect(user);
        self.deliver();
        user
    }

    pub(crate) fn connect(&mut self, user: PublicKey) {
        let bank = self.bank;
        self.sessions.insert((user, bank));
        self.tell_bank(bank::Input::Connected { peer: user }).unwrap();
        self.wish(user, wallet::Input::Connected { peer: bank }).unwrap();
    }

    pub(crate) fn disconnect(&mut self, user: PublicKey) {
        let bank = self.bank;
        self.sessions.remove(&(user, bank));
        self.messages.retain(|(from, to, _)| *from != user && *to != user);
        self.tell_bank(bank::Input::Disconnected { peer: user }).unwrap();
        self.wish(user, wallet::Input::Disconnected { peer: bank }).unwrap();
    }

    /// Ends a process and starts it anew from its rows; sessions are gone.
    pub(crate) fn restart(&mut self, node: PublicKey) {
        let users: Vec<_> = self.sessions.iter().map(|(user, _)| *user).collect();
        let affected: Vec<_> = users.into_iter().filter(|user| *user == node || node == self.bank).collect();
        let Node { secret, disk, .. } = self.nodes.remove(&node).unwrap();
        if node == self.bank {
            self.start_bank(secret, disk);
        } else {
            self.start_wallet(secret, disk);
        }
        for user in affected {
            self.messages.retain(|(from, to, _)| *from != user && *to != user);
            let bank = self.bank;
            if node == bank {
                self.wish(user, wallet::Input::Disconnected { peer: bank }).unwrap();
            } else {
                self.tell_bank(bank::Input::Disconnected { peer: user }).unwrap();
            }
            self.connect(user);
        }
    }

    pub(crate) fn tell_bank(&mut self, input: bank::Input<'_>) -> Result<(), bank::Refusal> {
        let chain = Chain::of(self.behind.get(&self.bank).unwrap_or(&self.follower));
        let node = self.nodes.get_mut(&self.bank).unwrap();
        let Machine::Bank(bank) = &mut node.machine else { panic!("no bank") };
        let effects = bank.handle(input, &chain, self.now_ms)?;
        let key = self.bank;
        let events = self.perform(key, effects);
        self.nodes.get_mut(&key).unwrap().bank_events.extend(events);
        Ok(())
    }

    pub(crate) fn wish(&mut self, user: PublicKey, input: wallet::Input<'_>) -> Result<(), wallet::Refusal> {
        let chain = Chain::of(self.behind.get(&user).unwrap_or(&self.follower));
        let node = self.nodes.get_mut(&user).unwrap();
        let Machine::Wallet(wallet) = &mut node.machine else { panic!("no wallet") };
        let effects = wallet.handle(input, &chain, self.now_ms)?;
        let events = self.perform(user, effects);
        self.nodes.get_mut(&user).unwrap().wallet_events.extend(events);
        Ok(())
    }

    /// What a host does: the write first, then the rest in order.
    fn perform<E>(&mut self, from: PublicKey, effects: Vec<Effect<E>>) -> Vec<E> {
        let mut events = vec![];
        for (place, effect) in effects.into_iter().enumerate() {
            match effect {
                Effect::Write(write) => {
                    assert_eq!(place, 0, "the write comes first");
                    let node = self.nodes.get_mut(&from).unwrap();
                    node.writes += 1;
                    store(&mut node.disk, write);
                }
                Effect::Send { to, bytes } => {
                    let session = if from == self.bank { (to, from) } else { (from, to) };
                    if self.sessions.contains(&session) {
                        self.messages.push_back((from, to, bytes));
                    }
                }
                Effect::Submit { batch } if self.withholding.contains(&from) => {
                    if !self.withheld.contains(&batch) {
                        self.withheld.push(*batch);
                    }
                }
                Effect::Submit { batch } => self.submit(*batch),
                Effect::Notify(event) => events.push(event),
                Effect::Disconnect { peer } => {
                    let user = if from == self.bank { peer } else { from };
                    self.sessions.remove(&(user, self.bank));
                    self.messages.retain(|(from, to, _)| *from != user && *to != user);
                    if user == from {
                        self.tell_bank(bank::Input::Disconnected { peer: user }).unwrap();
                    }
                }
                Effect::Timer { .. } => {}
            }
        }
        events
    }

    /// The mempool's rule: of one nonce the batch that repeats what court is asked for and pays 10% more.
    pub(crate) fn submit(&mut self, batch: Signed<Batch>) {
        let place = |other: &Signed<Batch>| (other.body.signer, other.body.nonce);
        let Some(old) = self.mempool.iter_mut().find(|other| place(other) == place(&batch)) else {
            self.mempool.push(batch);
            return;
        };
        let fee = |batch: &Signed<Batch>| batch::fee(batch.body.fee_rate, batch::signed_bytes(batch)).unwrap();
        let court = |batch: &Signed<Batch>| -> Vec<Operation> {
            let all = batch.body.entries.iter().map(|entry| entry.operation.clone());
            all.filter(Operation::is_court).collect()
        };
        let repeats = court(old).iter().all(|operation| court(&batch).contains(operation));
        if *old != batch && repeats && fee(&batch) >= batch::outbid(fee(old)) {
            *old = batch;
        }
    }

    /// Delivers one message; false when none waits.
    pub(crate) fn deliver_one(&mut self) -> bool {
        let Some((from, to, bytes)) = self.messages.pop_front() else { return false };
        if to == self.bank {
            self.tell_bank(bank::Input::Message { peer: from, bytes: &bytes }).unwrap();
        } else if let Machine::Puppet(inbox) = &mut self.nodes.get_mut(&to).unwrap().machine {
            inbox.push(bytes);
        } else {
            self.wish(to, wallet::Input::Message { peer: from, bytes: &bytes }).unwrap();
        }
        true
    }

    /// Lets a scenario stand in for a user. Its session with the bank stands.
    pub(crate) fn puppet(&mut self, secret: &SecretKey) {
        self.insert(Machine::Puppet(vec![]), secret.clone(), Rows::new());
        self.sessions.insert((secret.public(), self.bank));
        self.tell_bank(bank::Input::Connected { peer: secret.public() }).unwrap();
    }

    /// What was sent to a puppet since the last call.
    pub(crate) fn take_inbox(&mut self, user: PublicKey) -> Vec<Vec<u8>> {
        match &mut self.nodes.get_mut(&user).unwrap().machine {
            Machine::Puppet(inbox) => std::mem::take(inbox),
            Machine::Bank(_) | Machine::Wallet(_) => panic!("no puppet"),
        }
    }

    /// Delivers until everything is quiet.
    pub(crate) fn deliver(&mut self) {
        let mut steps = 0;
        while self.deliver_one() {
            steps += 1;
            assert!(steps < 100_000, "the machines never come to rest");
        }
    }

    /// The ledger alone moves on, by one block; nobody hears of it.
    pub(crate) fn block_unheard(&mut self) {
        self.now_ms += self.follower.state().parameters().min_block_interval_ms;
        let batches = by_rate(std::mem::take(&mut self.mempool));
        self.history.push((batches.clone(), self.now_ms));
        let built = self.follower.build(&batches, self.proposer, self.now_ms);
        let full = built.left_out.iter().all(|(_, why)| *why == LeftOut::NoRoom);
        assert!(full, "every batch could be included: {:?}", built.left_out);
        // What found no room waits for the next block, as long as it is valid.
        let height = built.block.header.height;
        let left_out = built.left_out.iter().map(|(place, _)| batches[*place].clone());
        self.mempool = left_out.filter(|batch| batch.body.valid_until > height).collect();
        self.now_ms = self.now_ms.max(built.block.header.time_ms);
        self.outcomes = built.step.outcomes().to_vec();
        self.openings = built.step.openings().to_vec();
        self.follower.commit(built.step);
    }

    /// A block with everything that was submitted; everybody hears of it.
    pub(crate) fn block(&mut self) {
        self.block_unheard();
        let (outcomes, openings) = (self.outcomes.clone(), self.openings.clone());
        for node in self.nodes.keys().copied().collect::<Vec<_>>() {
            if self.behind.contains_key(&node) {
            } else if node == self.bank {
                self.tell_bank(bank::Input::Block { outcomes: &outcomes, openings: &openings }).unwrap();
            } else if !matches!(self.nodes[&node].machine, Machine::Puppet(_)) {
                self.wish(node, wallet::Input::Block { outcomes: &outcomes, openings: &openings }).unwrap();
            }
        }
        self.deliver();
    }

    /// From now on a node hears of no block.
    pub(crate) fn fall_behind(&mut self, node: PublicKey) {
        let mut follower = Follower::new(&self.genesis);
        for (batches, time_ms) in &self.history {
            let step = follower.build(batches, self.proposer, *time_ms).step;
            follower.commit(step);
        }
        assert_eq!(follower.state().root(), self.follower.state().root());
        self.behind.insert(node, follower);
    }

    /// It hears of all of them at once.
    pub(crate) fn catch_up(&mut self, node: PublicKey) {
        self.behind.remove(&node);
        if node == self.bank {
            self.tell_bank(bank::Input::Block { outcomes: &[], openings: &[] }).unwrap();
        } else {
            self.wish(node, wallet::Input::Block { outcomes: &[], openings: &[] }).unwrap();
        }
        self.deliver();
    }

    /// Blocks until the channel of a user is in a later epoch.
    pub(crate) fn resolve(&mut self, user: PublicKey) {
        let parties = Parties::new(user, self.bank).unwrap();
        let before = self.follower.state().channel(&parties).epoch;
        for _ in 0..1_000 {
            if self.follower.state().channel(&parties).epoch > before {
                return;
            }
            self.block();
        }
        panic!("the dispute never ends");
    }

    pub(crate) fn blocks(&mut self, count: u64) {
        for _ in 0..count {
            self.block();
        }
    }

    pub(crate) fn usable_height(&self) -> u64 {
        self.follower.state().usable_height()
    }

    pub(crate) fn wallet(&self, user: PublicKey) -> &Wallet {
        match &self.nodes[&user].machine {
            Machine::Wallet(wallet) => wallet,
            Machine::Bank(_) | Machine::Puppet(_) => panic!("no wallet"),
        }
    }

    pub(crate) fn wallet_mut(&mut self, user: PublicKey) -> &mut Wallet {
        match self.nodes.get_mut(&user).map(|node| &mut node.machine) {
            Some(Machine::Wallet(wallet)) => wallet,
            Some(Machine::Bank(_) | Machine::Puppet(_)) | None => panic!("no wallet"),
        }
    }

    pub(crate) fn bank(&self) -> &Bank {
        match &self.nodes[&self.bank].machine {
            Machine::Bank(bank) => bank,
            Machine::Wallet(_) | Machine::Puppet(_) => panic!("no bank"),
        }
    }

    pub(crate) fn chain(&self) -> Chain<'_> {
        Chain::of(&self.follower)
    }

    pub(crate) fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        request(self.requests)
    }

    /// Puts own on-chain money into the own side of the channel with the bank.
    pub(crate) fn fund(&mut self, user: PublicKey, amount: Amount) {
        self.draft_deposit(user, user, amount);
        self.send_batch(user);
        self.block();
        self.assert_applied();
    }

    pub(crate) fn draft_deposit(&mut self, signer: PublicKey, owner: PublicKey, amount: Amount) {
        let deposit =
            Deposit { asset: FRD, amount, to: owner, partner: Some(self.bank), keep: 0, epoch: None, invoice: None };
        self.wish(signer, wallet::Input::DraftAdd { operations: vec![Operation::Deposit(deposit)] }).unwrap();
    }

    pub(crate) fn send_batch(&mut self, user: PublicKey) {
        let request = self.next_request();
        self.wish(user, wallet::Input::SendBatch { request }).unwrap();
    }

    pub(crate) fn assert_applied(&self) {
        assert!(!self.outcomes.is_empty(), "a batch was included");
        for operation in self.outcomes.iter().flat_map(|outcome| &outcome.operations) {
            assert!(matches!(operation.receipt, Receipt::Applied { .. }), "{:?}", operation.receipt);
        }
    }

    /// An invoice of a user.
    pub(crate) fn invoice(&mut self, payee: PublicKey, amount: Option<Amount>) -> Payable {
        let request = self.next_request();
        let new = NewInvoice {
            request,
            asset: FRD,
            amount,
            description: Description::Text("tea".into()),
            lifetime_ms: 3_600_000,
            origin: None,
            refunds: RefundPolicy::None,
            late: LatePolicy::Fail,
        };
        self.wish(payee, wallet::Input::CreateInvoice(Box::new(new))).unwrap();
        let own = self.wallet(payee).invoice(&fair_core::payment::invoice::InvoiceId(request)).unwrap();
        let chain_id = self.follower.state().chain_id();
        Payable::Invoice(Box::new(own.invoice.clone().verify(&chain_id, &payee).unwrap()))
    }

    /// Starts a payment; nothing is delivered.
    pub(crate) fn start_payment(
        &mut self,
        payer: PublicKey,
        to: Payable,
        amount: Amount,
    ) -> Result<RequestId, wallet::Refusal> {
        let request = self.next_request();
        let input = wallet::Input::Pay {
            request,
            to: Box::new(to),
            asset: FRD,
            amount,
            max_fee: 1_000 * DOLLAR,
            description: String::new(),
        };
        self.wish(payer, input)?;
        Ok(request)
    }

    /// Pays an invoice through the bank and asserts that both sides agree that it is paid.
    pub(crate) fn pay(&mut self, payer: PublicKey, payee: PublicKey, amount: Amount) -> RequestId {
        let to = self.invoice(payee, Some(amount));
        let request = self.start_payment(payer, to, amount).unwrap();
        self.deliver();
        assert_eq!(self.payment(payer, &request).state, PaymentState::Paid);
        request
    }

    pub(crate) fn payment(&self, user: PublicKey, request: &RequestId) -> &Payment {
        self.wallet(user).payment(request).unwrap()
    }

    /// Own balance of a user with the bank: agreed on by both.
    pub(crate) fn balance(&self, user: PublicKey) -> i128 {
        let theirs = self.wallet(user).channel(&self.bank).unwrap();
        let ours = self.bank().channel(&user).unwrap();
        assert_eq!(theirs.agreement(), ours.agreement(), "both parties hold the same state");
        theirs.agreement().line(FRD).balance(theirs.side())
    }

    /// `(insurance, ondelta, offdelta, delta)` of the channel with the bank, in the chain's and both parties' view.
    pub(crate) fn number_line(&self, user: PublicKey) -> (Amount, i64, i64, i128) {
        let parties = Parties::new(user, self.bank).unwrap();
        let on_chain = self.follower.state().channel(&parties).asset(FRD).copied();
        let (insurance, ondelta) = on_chain.map_or((0, 0), |part| (part.insurance, part.ondelta));
        self.balance(user);
        let agreement = self.wallet(user).channel(&self.bank).unwrap().agreement();
        let noted = agreement.shared.asset(FRD).map_or((0, 0), |entry| (entry.insurance, entry.ondelta));
        assert_eq!(noted, (insurance, ondelta), "the channel has taken note of the chain");
        (insurance, ondelta, agreement.state.offdelta(FRD), agreement.line(FRD).delta())
    }

    /// What a user owns in its channel: `(insured, uninsured)`.
    pub(crate) fn owned(&self, user: PublicKey) -> (Amount, Amount) {
        let channel = self.wallet(user).channel(&self.bank).unwrap();
        let line = channel.agreement().line(FRD);
        (line.insured(channel.side()), line.uninsured(channel.side()))
    }

    pub(crate) fn on_chain(&self, key: PublicKey) -> Amount {
        self.follower.state().balance(&key, FRD)
    }
}

/// In the order in which validators offer them: the higher rate first, then the older, each account's by nonce.
fn by_rate(mut waiting: Vec<Signed<Batch>>) -> Vec<Signed<Batch>> {
    let mut ordered: Vec<Signed<Batch>> = vec![];
    while !waiting.is_empty() {
        let is_next = |batch: &&(usize, &Signed<Batch>)| {
            let earlier = |other: &Signed<Batch>| {
                other.body.signer == batch.1.body.signer && other.body.nonce < batch.1.body.nonce
            };
            !waiting.iter().any(earlier)
        };
        let places: Vec<_> = waiting.iter().enumerate().collect();
        let next = places.iter().filter(is_next).max_by_key(|(place, batch)| (batch.body.fee_rate, usize::MAX - place));
        let place = next.expect("one of each account is first").0;
        ordered.push(waiting.remove(place));
    }
    ordered
}

pub(crate) fn store(disk: &mut Rows, write: Write) {
    for (key, value) in write.puts {
        disk.insert(key, value);
    }
    for key in write.deletes {
        disk.remove(&key);
    }
}
