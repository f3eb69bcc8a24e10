//! Users, banks between them, and a real ledger: wires that lose, copy and reorder, heads that lag, power
//! that fails. Hosts are numbered, banks first.
//!
//! The protocol takes it that whoever knows a secret sees the chain in time; here heads lag at random.
//! [`Hub::may_mine`] stands in for that: no block comes that would make a lock too late to be settled once its
//! secret is out, unless court has it or the registry in time.

pub mod accounts;
pub mod byzantine;
pub mod simulation;

use super::host::{Host, Input, Leaving, Output, Told};
use super::party::Crash;
use fair_core::account::RequestId;
use fair_core::bank::{self, AssetPolicy};
use fair_core::chain::block::Block;
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Bank as RegisteredBank, Genesis, GenesisAccount, Purpose};
use fair_core::chain::params::Parameters;
use fair_core::channel::Channel;
use fair_core::channel::event::Debug;
use fair_core::channel::state::Lock;
use fair_core::crypto::SecretKey;
use fair_core::entropy::Entropy;
use fair_core::ledger::batch::Batch;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::{BatchOutcome, OpeningEvent, Receipt};
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Parties, PublicKey, TimeMs};
use fair_core::wallet::{self, Credit};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// What everything is paid in here.
pub const FRD: AssetId = AssetId::FRD;
/// What a bank asks for an insurance.
pub const INSURANCE_PRICE: Amount = 7;
/// On-chain money of each account at genesis.
const SAVINGS: Amount = 1_000_000;

/// How many take part and who is linked with whom.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of banks; the hosts after them are users.
    pub banks: usize,
    /// Number of users.
    pub users: usize,
    /// Channels: lower host first.
    pub links: Vec<(usize, usize)>,
    /// Keys and entropy follow from it.
    pub seed: u64,
}

impl Plan {
    /// One bank, everybody its user.
    pub fn one_bank(users: usize, seed: u64) -> Self {
        Self { banks: 1, users, links: (1..=users).map(|user| (0, user)).collect(), seed }
    }

    /// Two banks with a channel; the last user uses both, the others one each.
    pub fn two_banks(seed: u64) -> Self {
        Self { banks: 2, users: 3, links: vec![(0, 1), (0, 2), (1, 3), (0, 4), (1, 4)], seed }
    }
}

/// A payment through banks that somebody wished for.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Who pays.
    pub payer: usize,
    /// Whom.
    pub payee: usize,
    /// Its name in the payer's wallet.
    pub request: RequestId,
}

/// The world.
pub struct Hub {
    /// Banks, then users.
    pub hosts: Vec<Host>,
    /// How it is laid out.
    pub plan: Plan,
    /// The newest state of the ledger.
    pub ledger: Follower,
    /// Messages on their way, by sender and receiver.
    pub wires: BTreeMap<(usize, usize), VecDeque<Vec<u8>>>,
    /// Sessions that stand, lower host first.
    pub sessions: BTreeSet<(usize, usize)>,
    /// The clock, the same for all.
    pub now_ms: TimeMs,
    /// Payments that were wished for.
    pub orders: Vec<Order>,
    /// What court gave left, and took from right, of each channel beyond what each had put in.
    pub judged: BTreeMap<Parties, i128>,
    blocks: Vec<(Block, Vec<BatchOutcome>)>,
    mempool: Vec<Signed<Batch>>,
    proposer: PublicKey,
    requests: u64,
    trace: DefaultHasher,
}

/// Parameters under which deadlines are reached in few blocks; every inequality between them holds.
pub fn brisk_parameters() -> Parameters {
    Parameters {
        min_block_interval_ms: 4_000,
        max_idle_ms: 5_000,
        stale_head_ms: 11_000,
        max_lead_ms: 5_000,
        margin_blocks: 13,
        hop_delta_blocks: 24,
        max_hops: 3,
        lock_horizon_blocks: 110,
        max_consent_blocks: 12,
        proof_window_heights: 16,
        max_locks: 12,
        min_insurance: 600,
        risk: 100,
        ..Parameters::DEMO
    }
}

fn seeded(plan: &Plan, purpose: u8) -> Entropy {
    let mut seed = [purpose; 32];
    seed[..8].copy_from_slice(&plan.seed.to_le_bytes());
    Entropy::from_seed(seed)
}

fn genesis(keys: &[SecretKey], banks: usize) -> Genesis {
    let asset = |id: u32, ticker: &str, supply| Asset {
        id: AssetId(id),
        ticker: ticker.into(),
        name: ticker.into(),
        decimals: 2,
        supply,
    };
    let validator = SecretKey::from_seed(&[200; 32]);
    let accounts = keys.iter().map(|key| (key.public(), SAVINGS)).chain([(validator.public(), 0)]);
    let accounts: Vec<_> = accounts
        .map(|(key, amount)| GenesisAccount {
            key,
            balances: if amount > 0 { vec![(FRD, amount)] } else { Vec::new() },
        })
        .collect();
    let supply = SAVINGS * keys.len() as Amount;
    let bank = |(index, key): (usize, &SecretKey)| RegisteredBank {
        key: key.public(),
        handle: format!("bank{index}"),
        url: String::new(),
        fee_base: 1,
        fee_ppm: 1_000,
        insurance_price: INSURANCE_PRICE,
    };
    let signing_key = SecretKey::from_seed(&[201; 32]).public();
    let set = vec![Validator { account: validator.public(), signing_key, shares: 100, url: String::new() }];
    let genesis = Genesis {
        network: "hub".into(),
        purpose: Purpose::Test,
        time_ms: 1_000_000,
        parameters: brisk_parameters(),
        validators: ValidatorSet { validators: set },
        assets: vec![asset(1, "FRD", supply), asset(2, "FRB", 0)],
        accounts,
        banks: keys.iter().take(banks).enumerate().map(bank).collect(),
    };
    assert_eq!(genesis.check(), Ok(()));
    genesis
}

impl Hub {
    /// Everybody at genesis, nobody connected, no bank in use.
    pub fn new(plan: Plan) -> Self {
        let mut source = seeded(&plan, 1);
        let keys: Vec<_> = (0..plan.banks + plan.users).map(|_| SecretKey::from_seed(&source.bytes())).collect();
        let genesis = genesis(&keys, plan.banks);
        let policy = AssetPolicy { asset: FRD, credit_limit: 0, max_in_flight: 100_000, safety_balance: 10_000 };
        let config = bank::Config {
            assets: vec![policy],
            max_forwards: 8,
            max_strangers: 8,
            rebalance_every_blocks: 5,
            consent_wait_blocks: 3,
            dispute_after_blocks: 0,
            debug: Debug::States,
        };
        let hosts = keys.into_iter().enumerate().map(|(index, key)| {
            let entropy = seeded(&plan, 10 + u8::try_from(index).expect("few hosts"));
            Host::new(key, index < plan.banks, config.clone(), &genesis, entropy)
        });
        let ledger = Follower::new(&genesis);
        let mut hub = Self {
            hosts: hosts.collect(),
            ledger,
            wires: BTreeMap::new(),
            sessions: BTreeSet::new(),
            now_ms: genesis.time_ms,
            orders: Vec::new(),
            judged: BTreeMap::new(),
            blocks: Vec::new(),
            mempool: Vec::new(),
            proposer: SecretKey::from_seed(&[200; 32]).public(),
            requests: 0,
            trace: DefaultHasher::new(),
            plan,
        };
        hub.mine();
        hub.everybody_follows();
        hub
    }

    /// Everybody connected and agreed on terms, `funds` of each user in each of its channels, and of the
    /// first bank in every channel with another bank.
    pub fn funded(plan: Plan, funds: Amount, credit: Amount) -> Self {
        let mut hub = Self::new(plan);
        for (bank, user) in hub.plan.links.clone() {
            let (bank_key, user_key) = (hub.hosts[bank].public(), hub.hosts[user].public());
            if hub.is_bank(user) {
                hub.fund_by_bank(bank, user, funds);
            } else {
                let credit = vec![Credit { asset: FRD, limit: credit, insure_above: None, most_price: 0 }];
                hub.wish(user, wallet::Input::AddBank { bank: bank_key, credit }).expect("a bank");
                let operations = vec![deposit(user_key, bank_key, funds)];
                hub.wish(user, wallet::Input::DraftAdd { operations }).expect("a small draft");
            }
        }
        hub.connect_all();
        hub.settle_down();
        hub.send_drafts();
        for _ in 0..2 {
            hub.mine();
            hub.everybody_follows();
            hub.settle_down();
        }
        hub
    }

    /// Banks put the same into their channel and trust each other with nothing more.
    fn fund_by_bank(&mut self, bank: usize, other: usize, funds: Amount) {
        for (from, to) in [(bank, other), (other, bank)] {
            let (own, partner) = (self.hosts[from].public(), self.hosts[to].public());
            let Operation::Deposit(deposit) = deposit(own, partner, funds) else { panic!("a deposit") };
            self.order(from, bank::Input::Deposit { deposit: Box::new(deposit) }).expect("a small draft");
        }
    }

    /// Whether a host is a bank.
    pub fn is_bank(&self, host: usize) -> bool {
        host < self.plan.banks
    }

    /// The user hosts.
    pub fn users(&self) -> std::ops::Range<usize> {
        self.plan.banks..self.hosts.len()
    }

    /// A host by its key.
    pub fn index_of(&self, key: &PublicKey) -> Option<usize> {
        self.hosts.iter().position(|host| host.public() == *key)
    }

    /// The channel of two hosts, as the first holds it.
    pub fn channel(&self, own: usize, partner: usize) -> Option<&Channel> {
        self.hosts[own].channel(&self.hosts[partner].public())
    }

    /// A name never given before.
    pub fn fresh(&mut self) -> RequestId {
        self.requests += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.requests.to_le_bytes());
        id
    }

    /// Digest of everything that left anybody so far.
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// What a user wants.
    ///
    /// # Errors
    /// Its wallet's refusal, in words.
    pub fn wish(&mut self, user: usize, input: wallet::Input<'_>) -> Result<bool, String> {
        self.input(user, Input::Wallet(input), Crash::Never)
    }

    /// What an operator wants.
    ///
    /// # Errors
    /// The bank's refusal, in words.
    pub fn order(&mut self, bank: usize, input: bank::Input<'_>) -> Result<bool, String> {
        self.input(bank, Input::Bank(input), Crash::Never)
    }

    /// Gives a host an input. Whether power failed.
    ///
    /// # Errors
    /// The refusal, in words.
    pub fn input(&mut self, host: usize, input: Input<'_>, crash: Crash) -> Result<bool, String> {
        let output = self.hosts[host].input(input, self.now_ms, crash)?;
        Ok(self.take(host, output))
    }

    /// Tells a host. Whether power failed.
    pub fn tell(&mut self, host: usize, told: Told<'_>, crash: Crash) -> bool {
        let output = self.hosts[host].tell(told, self.now_ms, crash);
        self.take(host, output)
    }

    /// What left a host goes on its way. When power failed, its sessions are gone.
    fn take(&mut self, from: usize, output: Output) -> bool {
        for leaving in output.leaving {
            match leaving {
                Leaving::Message(to, bytes) => {
                    let Some(to) = self.index_of(&to) else { continue };
                    (from, to, &bytes).hash(&mut self.trace);
                    if self.sessions.contains(&(from.min(to), from.max(to))) {
                        self.wires.entry((from, to)).or_default().push_back(bytes);
                    }
                }
                Leaving::Batch(batch) => {
                    if !self.mempool.contains(&batch) {
                        self.mempool.push(*batch);
                    }
                }
            }
        }
        if output.crashed {
            self.lose_sessions(from);
        }
        output.crashed
    }

    /// A host has forgotten its sessions; the partners see them end.
    pub fn lose_sessions(&mut self, host: usize) {
        let gone: Vec<_> = self.sessions.iter().copied().filter(|(a, b)| *a == host || *b == host).collect();
        for (a, b) in gone {
            self.sessions.remove(&(a, b));
            self.wires.remove(&(a, b));
            self.wires.remove(&(b, a));
            let (partner, key) = (if a == host { b } else { a }, self.hosts[host].public());
            self.tell(partner, Told::Disconnected(key), Crash::Never);
        }
    }

    /// Power fails and comes back.
    pub fn restart(&mut self, host: usize) {
        self.hosts[host].restart();
        self.lose_sessions(host);
    }

    /// A session ends, if one stands, and with it what was on the wires.
    pub fn disconnect(&mut self, link: (usize, usize)) {
        let (a, b) = link;
        if self.sessions.remove(&link) {
            self.wires.remove(&(a, b));
            self.wires.remove(&(b, a));
            let keys = (self.hosts[a].public(), self.hosts[b].public());
            self.tell(a, Told::Disconnected(keys.1), Crash::Never);
            self.tell(b, Told::Disconnected(keys.0), Crash::Never);
        }
    }

    /// A new session.
    pub fn connect(&mut self, link: (usize, usize)) {
        self.disconnect(link);
        self.sessions.insert(link);
        let (a, b) = link;
        let keys = (self.hosts[a].public(), self.hosts[b].public());
        self.tell(a, Told::Connected(keys.1), Crash::Never);
        self.tell(b, Told::Connected(keys.0), Crash::Never);
    }

    /// Every session that could stand, stands.
    pub fn connect_all(&mut self) {
        for link in self.plan.links.clone() {
            if !self.sessions.contains(&link) {
                self.connect(link);
            }
        }
    }

    /// Delivers the message at a position. Whether power failed; `None` when there is none.
    pub fn deliver(&mut self, wire: (usize, usize), position: usize, keep: Keep, crash: Crash) -> Option<bool> {
        let queue = self.wires.get_mut(&wire)?;
        let bytes = match keep {
            Keep::Gone => queue.remove(position)?,
            Keep::Again => queue.get(position)?.clone(),
        };
        let from = self.hosts[wire.0].public();
        Some(self.tell(wire.1, Told::Message(from, &bytes), crash))
    }

    /// Delivers everything in order until nothing moves.
    pub fn settle_down(&mut self) {
        let mut steps = 0;
        while let Some(wire) = self.wires.iter().find(|(_, queue)| !queue.is_empty()).map(|(wire, _)| *wire) {
            self.deliver(wire, 0, Keep::Gone, Crash::Never);
            steps += 1;
            assert!(steps < 20_000, "the machines never come to rest");
        }
    }

    /// Every user with a draft sends it, if it can.
    pub fn send_drafts(&mut self) {
        for user in self.users() {
            let request = self.fresh();
            let _cannot_now = self.wish(user, wallet::Input::SendBatch { request });
        }
    }

    /// Blocks that a host has not seen.
    pub fn behind(&self, host: usize) -> usize {
        let seen = usize::try_from(self.hosts[host].follower.height()).expect("a small world");
        self.blocks.len() - seen
    }

    /// A host takes the next block. Whether power failed.
    pub fn follow(&mut self, host: usize, crash: Crash) -> bool {
        let seen = usize::try_from(self.hosts[host].follower.height()).expect("a small world");
        let Some((block, outcomes)) = self.blocks.get(seen).cloned() else { return false };
        let output = self.hosts[host].follow(&block, &outcomes, self.now_ms, crash);
        self.take(host, output)
    }

    /// Everybody sees every block.
    pub fn everybody_follows(&mut self) {
        for host in 0..self.hosts.len() {
            while self.behind(host) > 0 {
                self.follow(host, Crash::Never);
            }
        }
    }

    /// Operations that the ledger executed.
    pub fn applied(&self) -> usize {
        let operations = self.blocks.iter().flat_map(|(_, outcomes)| outcomes).flat_map(|outcome| &outcome.operations);
        operations.filter(|operation| matches!(operation.receipt, Receipt::Applied { .. })).count()
    }

    /// Brings a batch to the validators.
    pub fn submit(&mut self, batch: Signed<Batch>) {
        self.mempool.push(batch);
    }

    /// Forgets what was submitted: it is asked for again with every block.
    pub fn lose_batches(&mut self) {
        self.mempool.clear();
    }

    /// The next block, with everything that was submitted and may stand in it.
    pub fn mine(&mut self) {
        self.now_ms += self.ledger.state().parameters().min_block_interval_ms;
        let batches = std::mem::take(&mut self.mempool);
        let built = self.ledger.build(&batches, self.proposer, self.now_ms);
        self.now_ms = self.now_ms.max(built.block.header.time_ms);
        for opening in built.step.openings() {
            let OpeningEvent::Resolved { parties, assets, .. } = &opening.event else { continue };
            let ondelta = self.ledger.state().channel(parties).asset_or_zero(FRD).ondelta;
            for frd in assets.iter().filter(|part| part.asset == FRD) {
                assert_eq!(frd.debt, 0, "everybody can pay");
                *self.judged.entry(*parties).or_default() += i128::from(frd.delta) - i128::from(ondelta);
            }
        }
        self.blocks.push((built.block, built.step.outcomes().to_vec()));
        self.ledger.commit(built.step);
        let state = self.ledger.state();
        for (asset, total) in state.totals() {
            let supply = state.asset(asset).map_or(0, |asset| u128::from(asset.supply));
            assert_eq!(total, supply, "on-chain money is neither made nor lost");
        }
    }

    /// Whether the next block leaves `honest` hosts time to settle every lock between them whose secret one
    /// of them knows from another. One block is to spare: with a stale head nobody settles before the next.
    pub fn may_mine(&self, honest: &[usize]) -> bool {
        self.pressing(honest, 2).is_empty()
    }

    /// Locks whose secret is known and that can no longer be settled after so many blocks, by the end of the
    /// channel that holds them.
    pub fn pressing(&self, honest: &[usize], blocks: u64) -> Vec<((usize, usize), Lock)> {
        let margin = u64::from(self.ledger.state().parameters().margin_blocks);
        let least = self.ledger.state().usable_height() + blocks + margin;
        let mut opened: BTreeSet<Hash> = honest.iter().flat_map(|host| self.hosts[*host].opened.clone()).collect();
        for bank in honest.iter().filter(|host| self.is_bank(**host)) {
            let forwards = self.hosts[*bank].bank().forwards().filter(|forward| forward.secret.is_some());
            opened.extend(forwards.map(|forward| forward.hash));
        }
        let links = self.plan.links.iter().filter(|(a, b)| honest.contains(a) && honest.contains(b));
        let mut pressing = Vec::new();
        for (own, partner) in links.flat_map(|(a, b)| [(*a, *b), (*b, *a)]) {
            let states = self.channel(own, partner).into_iter().flat_map(Channel::outcomes);
            let locks =
                states.flat_map(|state| &state.subs).flat_map(|sub| sub.left_locks.iter().chain(&sub.right_locks));
            // What court has, or the registry in time, can no longer be lost.
            let parties = self.parties((own.min(partner), own.max(partner)));
            let in_court = self.ledger.state().dispute(&parties).is_some();
            let revealed = |lock: &&Lock| {
                let entry = self.ledger.state().hashlock(&lock.hash);
                entry.is_some_and(|entry| entry.revealed_at <= lock.expiry)
            };
            let late = locks.filter(|lock| opened.contains(&lock.hash) && lock.expiry < least);
            let late = late.filter(|lock| !in_court && !revealed(lock));
            pressing.extend(late.map(|lock| ((own, partner), lock.clone())));
        }
        pressing
    }

    /// Every host.
    pub fn everybody(&self) -> Vec<usize> {
        (0..self.hosts.len()).collect()
    }

    /// Both ends of every channel.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        let ends = self.plan.links.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
        ends.filter_map(|(own, partner)| self.channel(own, partner))
    }

    /// The two keys of a link.
    pub fn parties(&self, (a, b): (usize, usize)) -> Parties {
        Parties::new(self.hosts[a].public(), self.hosts[b].public()).expect("two keys")
    }
}

/// What becomes of a message that is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is gone.
    Gone,
    /// It arrives again.
    Again,
}

/// Own on-chain money into the own side of a channel.
pub fn deposit(own: PublicKey, partner: PublicKey, amount: Amount) -> Operation {
    Operation::Deposit(Deposit {
        asset: FRD,
        amount,
        to: own,
        partner: Some(partner),
        keep: 0,
        epoch: None,
        invoice: None,
    })
}
