//! Two parties and the wires between them.

use super::chain::{Chain, Skipped};
use super::party::{Crash, Output, Party};
use fair_core::chain::params::Parameters;
use fair_core::channel::event::{Command, Event, Input, Refusal};
use fair_core::channel::state::LockId;
use fair_core::channel::transition::FailReason;
use fair_core::crypto::{Secret, SecretKey, lock_hash};
use fair_core::types::{Amount, AssetId, Hash, Parties, Side, TimeMs};
use std::collections::VecDeque;

/// A pair: index 0 is left, 1 is right.
#[derive(Clone)]
pub struct Pair {
    /// The chain that both see up to their heads.
    pub chain: Chain,
    /// Left and right.
    pub parties: [Party; 2],
    /// Messages on their way to each.
    pub wires: [VecDeque<Vec<u8>>; 2],
    /// Whether the session stands.
    pub connected: bool,
    /// The clock, the same for both.
    pub now_ms: TimeMs,
    /// References and secrets given out.
    pub counter: u64,
    /// Highest number of a forged frame that was in order.
    pub forged: u64,
}

/// Parameters with a short margin, so that deadlines can be reached in a few blocks. The inequalities
/// between parties and court that a real chain needs are not needed here.
pub fn brisk_parameters() -> Parameters {
    Parameters {
        margin_blocks: 2,
        max_consent_blocks: 12,
        lock_horizon_blocks: 40,
        min_insurance: 50,
        ..Parameters::DEMO
    }
}

/// The secret that a test pays with under a number.
pub fn secret(number: u64) -> Secret {
    let mut bytes = [0x5e; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Secret(bytes)
}

/// Its hash.
pub fn hash(number: u64) -> Hash {
    lock_hash(&secret(number))
}

/// The secret of a hash that a test pays with.
pub fn secret_of(wanted: &Hash, up_to: u64) -> Option<Secret> {
    (0..=up_to).find(|number| hash(*number) == *wanted).map(secret)
}

/// The index of a side.
pub const fn index_of(side: Side) -> usize {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

impl Pair {
    /// Two parties of a new channel, both at height 1, not connected.
    pub fn new(parameters: Parameters) -> Self {
        let mut keys = [[1; 32], [2; 32]].map(|seed| SecretKey::from_seed(&seed));
        keys.sort_by_key(SecretKey::public);
        let parties = Parties::new(keys[0].public(), keys[1].public()).expect("two keys");
        let mut chain = Chain::new(parameters);
        chain.mine();
        let mut pair = Self {
            parties: keys.map(|key| Party::new(key, &chain, parties)),
            chain,
            wires: Default::default(),
            connected: false,
            now_ms: 0,
            counter: 0,
            forged: 0,
        };
        pair.both_heads();
        pair
    }

    /// A pair with money and credit on both sides: each put `funds` in, each grants `credit`, all agreed.
    pub fn funded(parameters: Parameters, funds: Amount, credit: Amount) -> Self {
        let mut pair = Self::new(parameters);
        for index in 0..2 {
            pair.deposit(index, funds);
        }
        pair.advance(1);
        pair.connect();
        for index in 0..2 {
            let command = Command::SetCredit { asset: AssetId::FRD, limit: credit, insure_above: None };
            pair.command(index, command).expect("terms");
        }
        pair.settle_down();
        assert!(pair.is_quiet());
        pair
    }

    /// The two keys.
    pub fn keys(&self) -> Parties {
        self.parties[0].channel.parties()
    }

    /// A number never given before.
    pub fn fresh(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Gives a party an input; what it sends goes on the wires.
    ///
    /// # Errors
    /// The channel's refusal of a command.
    pub fn input(&mut self, index: usize, input: Input<'_>, crash: Crash) -> Result<Output, Refusal> {
        let output = self.parties[index].input(input, &self.chain, self.now_ms, crash)?;
        if self.connected {
            self.wires[1 - index].extend(output.sent.iter().cloned());
        }
        if output.crashed {
            self.connected = false;
        }
        Ok(output)
    }

    fn sure(&mut self, index: usize, input: Input<'_>) -> Output {
        self.input(index, input, Crash::Never).expect("not a command")
    }

    /// A local wish.
    ///
    /// # Errors
    /// The channel's refusal.
    pub fn command(&mut self, index: usize, command: Command) -> Result<Output, Refusal> {
        self.input(index, Input::Command(command), Crash::Never)
    }

    /// A new session. What was on the wires is lost.
    pub fn connect(&mut self) {
        self.disconnect();
        self.connected = true;
        for index in 0..2 {
            self.sure(index, Input::Connected);
        }
    }

    /// The session ends, and with it what was on the wires.
    pub fn disconnect(&mut self) {
        self.connected = false;
        self.wires = Default::default();
        for index in 0..2 {
            self.sure(index, Input::Disconnected);
        }
    }

    /// Delivers the next message to a party. False when there is none.
    pub fn deliver(&mut self, index: usize) -> bool {
        let Some(bytes) = self.wires[index].pop_front() else { return false };
        self.sure(index, Input::Message(&bytes));
        true
    }

    /// Delivers everything in order until nothing moves.
    pub fn settle_down(&mut self) {
        let mut steps = 0;
        while self.deliver(0) | self.deliver(1) {
            steps += 1;
            assert!(steps < 1000, "two parties talk for ever");
        }
    }

    /// A party sees the newest block.
    pub fn head(&mut self, index: usize) {
        self.parties[index].height = self.chain.tip();
        self.sure(index, Input::Head);
    }

    /// Both see the newest block; the clock follows the chain.
    pub fn both_heads(&mut self) {
        self.follow_clock();
        self.head(0);
        self.head(1);
    }

    /// The clock is not behind the chain.
    pub fn follow_clock(&mut self) {
        self.now_ms = self.now_ms.max(self.chain.head_at(self.chain.tip()).time_ms);
    }

    /// Blocks that both see one by one.
    pub fn advance(&mut self, blocks: u64) {
        for _ in 0..blocks {
            self.chain.mine();
            self.both_heads();
        }
    }

    /// A deposit on a party's side, in the next block.
    pub fn deposit(&mut self, index: usize, amount: Amount) {
        let (keys, side) = (self.keys(), self.parties[index].side());
        self.chain.deposit(&keys, side, AssetId::FRD, amount);
        self.parties[index].book.deposited += i128::from(amount);
        self.parties[index].disk.1.deposited += i128::from(amount);
    }

    /// Executes a consent that a party received, in the next block.
    ///
    /// # Errors
    /// The receipt's reason.
    pub fn withdraw(&mut self, index: usize, position: usize) -> Result<(), Skipped> {
        let proof = self.parties[index].book.consents[position].clone();
        self.chain.withdraw(&proof)?;
        self.parties[index].book.deposited -= i128::from(proof.body.amount);
        self.parties[index].disk.1.deposited -= i128::from(proof.body.amount);
        Ok(())
    }

    /// Wishes to pay; the reference.
    ///
    /// # Errors
    /// The channel's refusal.
    pub fn pay(&mut self, index: usize, amount: Amount) -> Result<u64, Refusal> {
        let reference = self.fresh();
        self.command(index, Command::Pay { asset: AssetId::FRD, amount, note: Vec::new(), reference })?;
        Ok(reference)
    }

    /// Wishes to lock, for `blocks` from the party's head; the reference, which is the secret's number too.
    ///
    /// # Errors
    /// The channel's refusal.
    pub fn lock(&mut self, index: usize, amount: Amount, blocks: u64) -> Result<u64, Refusal> {
        let reference = self.fresh();
        let expiry = self.chain.head_at(self.parties[index].height).usable_height + blocks;
        let (hash, onion) = (hash(reference), vec![0; 8]);
        self.command(index, Command::Lock { asset: AssetId::FRD, amount, hash, expiry, onion, reference })?;
        Ok(reference)
    }

    /// The open locks that a party was told of.
    pub fn open(&self, index: usize) -> Vec<LockId> {
        self.parties[index].book.open.keys().copied().collect()
    }

    /// Wishes to take a lock, whose secret is one of the test's.
    ///
    /// # Errors
    /// The channel's refusal.
    pub fn take(&mut self, index: usize, lock: LockId) -> Result<Output, Refusal> {
        let terms = self.parties[index].book.open.get(&lock).cloned().ok_or(Refusal::NoSuchLock)?;
        let secret = secret_of(&terms.hash, self.counter).ok_or(Refusal::NoSuchLock)?;
        self.command(index, Command::Settle { lock, secret })
    }

    /// Wishes to give a lock back.
    ///
    /// # Errors
    /// The channel's refusal.
    pub fn give_back(&mut self, index: usize, lock: LockId) -> Result<Output, Refusal> {
        self.command(index, Command::Fail { lock, reason: FailReason::Rejected })
    }

    /// Nothing is on the wires and nothing waits.
    pub fn is_quiet(&self) -> bool {
        self.wires.iter().all(VecDeque::is_empty) && self.parties.iter().all(|party| party.channel.is_idle())
    }

    /// Rule 11 for one party.
    ///
    /// # Panics
    /// When it can lose more than it granted.
    pub fn assert_safe(&self, index: usize) {
        if let Err(loss) = self.parties[index].check_loss(&self.chain) {
            panic!("loss: {loss}");
        }
    }

    /// Both parties agree, nothing is open, and what one paid the other earned.
    ///
    /// # Errors
    /// What differs.
    pub fn check_agreement(&self) -> Result<(), String> {
        let [left, right] = &self.parties;
        if !self.is_quiet() {
            return Err(format!("not quiet: {:?} {:?}", left.channel.is_idle(), right.channel.is_idle()));
        }
        check_rest(left, right)
    }

    /// Every event of an output that is an accusation.
    pub fn accusations(&self) -> Vec<&Event> {
        self.parties.iter().flat_map(|party| &party.book.accusations).collect()
    }
}

/// Two parties at rest agree, nothing is open, and what one paid the other earned.
///
/// # Errors
/// What differs.
pub fn check_rest(left: &Party, right: &Party) -> Result<(), String> {
    if left.channel.agreement() != right.channel.agreement() {
        return Err("the parties hold different states".into());
    }
    if left.channel.signatures() != right.channel.signatures() {
        return Err("the parties hold different signatures".into());
    }
    for party in [left, right] {
        if !party.book.is_settled() {
            return Err(format!("{:?} has open business: {:?}", party.side(), party.book));
        }
        if !party.book.accusations.is_empty() {
            return Err(format!("an honest partner is accused: {:?}", party.book.accusations));
        }
    }
    if left.book.paid() != right.book.earned() || right.book.paid() != left.book.earned() {
        return Err("paid and earned differ".into());
    }
    for party in [left, right] {
        let balance = party.channel.agreement().line(AssetId::FRD).balance(party.side());
        if !party.book.lost && balance != party.book.entitlement() {
            let entitled = party.book.entitlement();
            return Err(format!("{:?} owns {balance} and counts on {entitled}", party.side()));
        }
    }
    Ok(())
}
