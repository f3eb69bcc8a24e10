//! A bank or a wallet as its host runs it: an own verified chain, one durable write for each input, then
//! everything else in order; power may fail before the write and after each send.

use super::party::Crash;
use super::released::Released;
use fair_core::bank::{self, Bank};
use fair_core::chain::block::Block;
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::Genesis;
use fair_core::channel::Channel;
use fair_core::channel::event::Debug;
use fair_core::channel::state::ChannelState;
use fair_core::channel::transition::Transition;
use fair_core::channel::wire::Message as Peer;
use fair_core::crypto::{SecretKey, lock_hash};
use fair_core::effect::{Effect, Write};
use fair_core::entropy::Entropy;
use fair_core::ledger::batch::Batch;
use fair_core::ledger::receipt::BatchOutcome;
use fair_core::message::Signed;
use fair_core::peers::{CHANNEL, Chain};
use fair_core::types::{Amount, Hash, PublicKey, TimeMs};
use fair_core::wallet::{self, Wallet};
use std::collections::{BTreeMap, BTreeSet};

/// What a disk holds.
pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What is hosted.
pub enum Machine {
    /// A bank.
    Bank(Box<Bank>),
    /// A user.
    Wallet(Box<Wallet>),
}

/// An input of either.
pub enum Input<'a> {
    /// Of a bank.
    Bank(bank::Input<'a>),
    /// Of a wallet.
    Wallet(wallet::Input<'a>),
}

/// What every machine is told alike.
pub enum Told<'a> {
    /// A session stands.
    Connected(PublicKey),
    /// It ended.
    Disconnected(PublicKey),
    /// A partner's bytes.
    Message(PublicKey, &'a [u8]),
    /// A new head.
    Block(&'a [BatchOutcome]),
    /// Time passed.
    Tick,
}

/// What leaves a host, in order.
#[derive(Clone, Debug)]
pub enum Leaving {
    /// To a partner.
    Message(PublicKey, Vec<u8>),
    /// To the validators.
    Batch(Box<Signed<Batch>>),
}

/// What came of an input.
#[derive(Debug, Default)]
pub struct Output {
    /// In order.
    pub leaving: Vec<Leaving>,
    /// Power failed.
    pub crashed: bool,
}

/// One hosted machine.
pub struct Host {
    /// Its key.
    pub key: SecretKey,
    /// What is hosted.
    pub machine: Machine,
    /// Its own verified chain, durable by itself.
    pub follower: Follower,
    /// Its records.
    pub disk: Rows,
    /// What it let go, by partner.
    pub released: BTreeMap<PublicKey, Released>,
    /// Most credit that it ever granted, by partner.
    pub credit: BTreeMap<PublicKey, Amount>,
    /// Sum of what its owner wished to pay unconditionally.
    pub direct: Amount,
    /// Hashes whose secret it wrote into a frame.
    pub opened: BTreeSet<Hash>,
    /// What it says against a partner.
    pub accusations: Vec<String>,
    config: bank::Config,
    entropy: Entropy,
}

impl Host {
    /// A new bank or wallet at genesis.
    pub fn new(key: SecretKey, is_bank: bool, config: bank::Config, genesis: &Genesis, entropy: Entropy) -> Self {
        let mut entropy = entropy;
        let follower = Follower::new(genesis);
        let machine = start(is_bank, &config, &key, &follower, entropy.fork(), &Rows::new());
        Self {
            key,
            machine,
            follower,
            disk: Rows::new(),
            released: BTreeMap::new(),
            credit: BTreeMap::new(),
            direct: 0,
            opened: BTreeSet::new(),
            accusations: Vec::new(),
            config,
            entropy,
        }
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// The channel with a partner.
    pub fn channel(&self, partner: &PublicKey) -> Option<&Channel> {
        match &self.machine {
            Machine::Bank(bank) => bank.channel(partner),
            Machine::Wallet(wallet) => wallet.channel(partner),
        }
    }

    /// The wallet.
    ///
    /// # Panics
    /// When it is a bank.
    pub fn wallet(&self) -> &Wallet {
        match &self.machine {
            Machine::Wallet(wallet) => wallet,
            Machine::Bank(_) => panic!("a bank"),
        }
    }

    /// The bank.
    ///
    /// # Panics
    /// When it is a wallet.
    pub fn bank(&self) -> &Bank {
        match &self.machine {
            Machine::Bank(bank) => bank,
            Machine::Wallet(_) => panic!("a wallet"),
        }
    }

    /// The chain as it sees it.
    pub fn chain(&self) -> Chain<'_> {
        Chain::of(&self.follower)
    }

    /// Tells what every machine is told.
    pub fn tell(&mut self, told: Told<'_>, now_ms: TimeMs, crash: Crash) -> Output {
        use bank::Input as B;
        use wallet::Input as W;
        let is_bank = matches!(self.machine, Machine::Bank(_));
        let input = match (told, is_bank) {
            (Told::Connected(peer), true) => Input::Bank(B::Connected { peer }),
            (Told::Connected(peer), false) => Input::Wallet(W::Connected { peer }),
            (Told::Disconnected(peer), true) => Input::Bank(B::Disconnected { peer }),
            (Told::Disconnected(peer), false) => Input::Wallet(W::Disconnected { peer }),
            (Told::Message(peer, bytes), true) => Input::Bank(B::Message { peer, bytes }),
            (Told::Message(peer, bytes), false) => Input::Wallet(W::Message { peer, bytes }),
            (Told::Block(outcomes), true) => Input::Bank(B::Block { outcomes, openings: &[] }),
            (Told::Block(outcomes), false) => Input::Wallet(W::Block { outcomes, openings: &[] }),
            (Told::Tick, true) => Input::Bank(B::Tick),
            (Told::Tick, false) => Input::Wallet(W::Tick),
        };
        self.input(input, now_ms, crash).expect("taken in every state")
    }

    /// Takes an input and performs its effects, as far as the crash allows.
    ///
    /// # Errors
    /// The machine's refusal, in words.
    pub fn input(&mut self, input: Input<'_>, now_ms: TimeMs, crash: Crash) -> Result<Output, String> {
        let promise = Promise::of(&input);
        let chain = Chain::of(&self.follower);
        let (write, mut leaving) = match (&mut self.machine, input) {
            (Machine::Bank(bank), Input::Bank(input)) => {
                let effects = bank.handle(input, &chain, now_ms).map_err(|refusal| refusal.to_string())?;
                let accuses = |event: &bank::Event| {
                    matches!(event, bank::Event::Misbehaviour { .. } | bank::Event::Suspended { .. })
                };
                sort(effects, accuses, &mut self.accusations)
            }
            (Machine::Wallet(wallet), Input::Wallet(input)) => {
                let effects = wallet.handle(input, &chain, now_ms).map_err(|refusal| refusal.to_string())?;
                let accuses = |event: &wallet::Event| {
                    matches!(event, wallet::Event::Misbehaviour { .. } | wallet::Event::Suspended { .. })
                };
                sort(effects, accuses, &mut self.accusations)
            }
            _ => panic!("an input of another machine"),
        };
        if crash == Crash::BeforeWrite {
            self.restart();
            return Ok(Output { leaving: Vec::new(), crashed: true });
        }
        store(&mut self.disk, write);
        self.assert_stored();
        for (partner, limit) in promise.credit {
            let most = self.credit.entry(partner).or_default();
            *most = limit.max(*most);
        }
        self.direct += promise.direct;
        for leaves in &leaving {
            self.note_opened(leaves);
        }
        let mut crashed = false;
        if let Crash::AfterSends(count) = crash {
            leaving.truncate(count);
            crashed = true;
        }
        self.note_released(&leaving);
        if crashed {
            self.restart();
        }
        Ok(Output { leaving, crashed })
    }

    /// Takes the next block as its head.
    pub fn follow(&mut self, block: &Block, outcomes: &[BatchOutcome], now_ms: TimeMs, crash: Crash) -> Output {
        let step = self.follower.execute(block).expect("a block of the chain");
        self.follower.commit(step);
        self.tell(Told::Block(outcomes), now_ms, crash)
    }

    /// Power is back: everything but the disk and the chain is gone.
    pub fn restart(&mut self) {
        let is_bank = matches!(self.machine, Machine::Bank(_));
        self.machine = start(is_bank, &self.config, &self.key, &self.follower, self.entropy.fork(), &self.disk);
    }

    /// Everybody with a channel.
    pub fn partners(&self) -> Vec<PublicKey> {
        match &self.machine {
            Machine::Bank(bank) => bank.partners().map(|(key, _)| *key).collect(),
            Machine::Wallet(wallet) => wallet.banks().map(|(key, _)| key).collect(),
        }
    }

    /// Every state by which court could decide against it in a channel.
    pub fn threats(&self, partner: &PublicKey) -> Vec<ChannelState> {
        let Some(channel) = self.channel(partner) else { return Vec::new() };
        let base = &channel.agreement().state;
        self.released.get(partner).map_or_else(|| vec![base.clone()], |released| released.threats(base))
    }

    /// A channel that changed is on disk, whatever else the input did.
    fn assert_stored(&self) {
        for partner in self.partners() {
            let key: Vec<u8> = std::iter::once(CHANNEL).chain(partner.0).collect();
            if let (Some(stored), Some(channel)) = (self.disk.get(&key), self.channel(&partner)) {
                assert!(*stored == channel.record_bytes(), "a record that changed is written");
            }
        }
    }

    fn note_released(&mut self, leaving: &[Leaving]) {
        let mut released = std::mem::take(&mut self.released);
        for leaves in leaving {
            let Leaving::Message(to, bytes) = leaves else { continue };
            let Some(channel) = self.channel(to) else { continue };
            released.entry(*to).or_default().note(bytes, &channel.agreement().state, channel.side());
        }
        for (partner, released) in &mut released {
            if let Some(channel) = self.channel(partner) {
                released.forget_below(channel.agreement().state.order());
            }
        }
        self.released = released;
    }

    fn note_opened(&mut self, leaves: &Leaving) {
        let Leaving::Message(_, bytes) = leaves else { return };
        let Ok(Peer::Update(update)) = Peer::decode(bytes) else { return };
        for transition in update.frame.iter().flat_map(|frame| &frame.transitions) {
            if let Transition::Settle { secret, .. } = transition {
                self.opened.insert(lock_hash(secret));
            }
        }
    }
}

fn start(
    is_bank: bool,
    config: &bank::Config,
    key: &SecretKey,
    follower: &Follower,
    entropy: Entropy,
    disk: &Rows,
) -> Machine {
    let rows = disk.iter().map(|(key, value)| (&key[..], &value[..]));
    let chain_id = follower.state().chain_id();
    if is_bank {
        let bank = Bank::restore(config.clone(), key.clone(), chain_id, entropy, rows).expect("its own rows");
        Machine::Bank(Box::new(bank))
    } else {
        let config = wallet::Config { debug: Debug::States };
        let wallet = Wallet::restore(&config, key.clone(), chain_id, entropy, rows).expect("its own rows");
        Machine::Wallet(Box::new(wallet))
    }
}

/// The write, which comes first, and what leaves afterwards.
fn sort<E: std::fmt::Debug>(
    effects: Vec<Effect<E>>,
    accuses: impl Fn(&E) -> bool,
    accusations: &mut Vec<String>,
) -> (Write, Vec<Leaving>) {
    let (mut write, mut leaving) = (Write::default(), Vec::new());
    for (place, effect) in effects.into_iter().enumerate() {
        match effect {
            Effect::Write(rows) => {
                assert_eq!(place, 0, "the write comes first");
                write = rows;
            }
            Effect::Send { to, bytes } => leaving.push(Leaving::Message(to, bytes)),
            Effect::Submit { batch } => leaving.push(Leaving::Batch(batch)),
            Effect::Notify(event) if accuses(&event) => accusations.push(format!("{event:?}")),
            Effect::Notify(_) | Effect::Timer { .. } | Effect::Disconnect { .. } => {}
        }
    }
    (write, leaving)
}

fn store(disk: &mut Rows, write: Write) {
    for (key, value) in write.puts {
        disk.insert(key, value);
    }
    for key in write.deletes {
        disk.remove(&key);
    }
}

/// What an owner grants and gives away by an input.
#[derive(Default)]
struct Promise {
    credit: Vec<(PublicKey, Amount)>,
    direct: Amount,
}

impl Promise {
    fn of(input: &Input<'_>) -> Self {
        use bank::Input as B;
        use wallet::Input as W;
        let credit = match input {
            Input::Bank(B::SetCredit { peer, limit, .. }) => vec![(*peer, *limit)],
            Input::Wallet(W::AddBank { bank, credit }) => credit.iter().map(|one| (*bank, one.limit)).collect(),
            Input::Wallet(W::SetCredit { bank, credit }) => vec![(*bank, credit.limit)],
            _ => Vec::new(),
        };
        let direct = if let Input::Bank(B::Pay { amount, .. }) = input { *amount } else { 0 };
        Self { credit, direct }
    }
}
