//! A partner with a real key that sends whatever it likes: forged frames over the honest party's own base,
//! replies that contradict each other, replays, broken bytes, old backups, old greetings.
//!
//! It sees everything, also what the honest party holds in memory; only the honest key is out of reach.

use super::chain::View;
use super::pair::{Pair, brisk_parameters, hash, index_of, secret};
use super::party::{Crash, Output, Party};
use super::random::Random;
use fair_core::channel::Channel;
use fair_core::channel::event::{Command, Input};
use fair_core::channel::shared::{ChainView, Shared, Sides};
use fair_core::channel::state::{ChannelState, Lock, LockId, StateOrder};
use fair_core::channel::transition::{self, FailReason, Transition};
use fair_core::channel::wire::{Frame, Hello, Message as Peer, RefusalReason, Reply, Update};
use fair_core::crypto::SecretKey;
use fair_core::ledger::operation::WithdrawalConsent;
use fair_core::message::{Message, Signed};
use fair_core::types::{AssetId, Height, Signature};

/// A frame to be forged. What is left out is as an honest partner would have it.
#[derive(Clone, Debug, Default)]
pub struct Forgery {
    /// Its number.
    pub number: Option<u64>,
    /// What it says that it builds on.
    pub base: Option<StateOrder>,
    /// Its height of chain facts.
    pub as_of_height: Option<Height>,
    /// Applied in order as far as they apply; all are sent.
    pub transitions: Vec<Transition>,
    /// Declares a restore.
    pub restore: bool,
}

/// One more than the highest number that a party is known to have signed.
pub fn next_number(honest: &Party) -> u64 {
    next_number_in(&honest.channel)
}

/// One more than the highest number that the owner of a channel is known to have signed.
pub fn next_number_in(honest: &Channel) -> u64 {
    honest.outcomes().map(|state| state.frame).max().unwrap_or(0) + 1
}

/// The number that an honest partner would give its next frame; noted as used.
pub fn use_number(pair: &mut Pair, honest: usize) -> u64 {
    let number = next_number(&pair.parties[honest]).max(pair.forged + 1);
    pair.forged = number;
    number
}

/// Signs a frame over the honest party's base in the liar's name.
pub fn forge(pair: &Pair, liar: usize, forgery: Forgery) -> Frame {
    let honest = &pair.parties[1 - liar].channel;
    let view = View { chain: &pair.chain, parties: pair.keys(), height: pair.chain.tip() };
    forge_over(honest, &pair.parties[liar].key, &view, forgery)
}

/// Signs a frame over the base of `honest` with its partner's key, by facts as the chain has them.
pub fn forge_over(honest: &Channel, key: &SecretKey, view: &impl ChainView, forgery: Forgery) -> Frame {
    let (proposer, parameters) = (honest.partner(), view.parameters());
    let mut result = honest.agreement().clone();
    let base = forgery.base.unwrap_or(result.state.order());
    let as_of_height = forgery.as_of_height.unwrap_or(result.shared.as_of_height);
    if as_of_height != result.shared.as_of_height
        && as_of_height <= view.head().height
        && let Some(facts) = view.facts(as_of_height)
    {
        result.advance(parameters, as_of_height, &facts, Vec::new());
    }
    if forgery.restore {
        result.guard_after_restore(parameters, proposer);
    }
    for transition in &forgery.transitions {
        let _skipped = transition::apply(&mut result, parameters, proposer, transition);
    }
    let number = forgery.number.unwrap_or_else(|| next_number_in(honest));
    result.seal(StateOrder { frame: number, proposer });
    let signature = result.state.sign(&honest.chain_id(), key);
    let Forgery { transitions, restore, .. } = forgery;
    Frame { number, proposer, base, as_of_height, restore, transitions, signature, debug: None }
}

/// Puts a message before a party, past the wires. What it answers goes on the wires.
pub fn inject(pair: &mut Pair, to: usize, message: &Peer) -> Output {
    pair.input(to, Input::Message(&message.encode()), Crash::Never).expect("not a command")
}

/// An update of the pair's epoch.
pub fn update(pair: &Pair, to: usize, reply: Option<Reply>, frame: Option<Frame>) -> Peer {
    Peer::Update(Box::new(Update { epoch: pair.parties[to].channel.epoch(), reply, frame }))
}

/// A refusal without a reason that the protocol knows.
pub fn refusal(frame: u64, head: Height) -> Reply {
    Reply::Refuse { frame, reason: RefusalReason::Signature, head }
}

/// The liar's signature on a state.
pub fn sign(pair: &Pair, liar: usize, state: &ChannelState) -> Signature {
    state.sign(&pair.chain.chain_id, &pair.parties[liar].key)
}

/// An old both-signed state, kept to be shown again.
#[derive(Clone)]
struct Shown {
    state: ChannelState,
    signatures: Option<Sides<Signature>>,
    shared: Shared,
}

/// What the liar has collected.
#[derive(Default)]
struct Memory {
    sent: Vec<Vec<u8>>,
    shown: Vec<Shown>,
    backups: Vec<(Vec<u8>, super::book::Book)>,
}

/// Runs one seed against an honest party on one side: at every step it can lose no more than it granted.
///
/// # Panics
/// With the seed, when a checker objects.
pub fn run(seed: u64, steps: u64) -> u64 {
    let outcome = std::panic::catch_unwind(|| run_unguarded(seed, steps));
    outcome.unwrap_or_else(|cause| {
        let text =
            cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).into()));
        panic!("seed {seed}: {}", text.unwrap_or_default())
    })
}

fn run_unguarded(seed: u64, steps: u64) -> u64 {
    let mut random = Random::new(seed ^ 0xb42);
    let honest = random.index(2);
    let liar = 1 - honest;
    let mut pair = Pair::funded(brisk_parameters(), 1_000, random.below(600));
    let mut memory = Memory::default();
    for _ in 0..steps {
        match random.below(100) {
            0..30 => {
                let to = random.index(2);
                if let Some(bytes) = pair.wires[to].front().cloned()
                    && to == honest
                {
                    memory.sent.push(bytes);
                }
                pair.deliver(to);
            }
            30..42 => honest_step(&mut pair, honest, &mut random),
            42..48 => honest_step(&mut pair, liar, &mut random),
            48..52 => advance(&mut pair, honest, &mut random),
            52..57 => reconnect(&mut pair, liar, &mut memory, &mut random),
            57..62 => replay(&mut pair, honest, &memory, &mut random),
            62..80 => forged_frame(&mut pair, liar, &mut memory, &mut random),
            80..90 => forged_reply(&mut pair, liar, &mut random),
            90..94 => old_greeting(&mut pair, liar, &memory, &mut random),
            94..97 => broken_bytes(&mut pair, honest, &memory, &mut random),
            _ => withdraw_anything(&mut pair, liar),
        }
        collect(&pair, honest, &mut memory);
        pair.assert_safe(honest);
    }
    pair.parties[honest].channel.agreement().state.frame
}

fn collect(pair: &Pair, honest: usize, memory: &mut Memory) {
    let channel = &pair.parties[honest].channel;
    let agreement = channel.agreement();
    if memory.shown.last().is_none_or(|shown| shown.state != agreement.state) {
        let (state, shared) = (agreement.state.clone(), agreement.shared.clone());
        memory.shown.push(Shown { state, signatures: channel.signatures(), shared });
        memory.backups.push(pair.parties[1 - honest].disk.clone());
    }
}

fn honest_step(pair: &mut Pair, index: usize, random: &mut Random) {
    match random.below(6) {
        0 | 1 => drop(pair.pay(index, 1 + random.below(300))),
        2 => drop(pair.lock(index, 1 + random.below(300), 1 + random.below(20))),
        3 => {
            for lock in pair.open(index) {
                drop(pair.take(index, lock));
            }
        }
        4 => drop(pair.command(index, Command::GrantWithdrawal { asset: AssetId::FRD })),
        _ => {
            let (amount, lifetime_blocks) = (1 + random.below(300), 8);
            let command = Command::RequestWithdrawal { asset: AssetId::FRD, amount, lifetime_blocks };
            drop(pair.command(index, command));
            drop(pair.command(index, Command::Resume));
        }
    }
}

fn advance(pair: &mut Pair, honest: usize, random: &mut Random) {
    pair.chain.mine_many(1 + random.below(3));
    pair.follow_clock();
    pair.head(honest);
    if random.chance(1, 2) {
        pair.head(1 - honest);
    }
    drop(pair.input(honest, Input::Timer, Crash::Never));
}

/// A new session; sometimes the liar starts from an old backup.
fn reconnect(pair: &mut Pair, liar: usize, memory: &mut Memory, random: &mut Random) {
    if random.chance(1, 3) && !memory.backups.is_empty() {
        pair.parties[liar].disk = memory.backups[random.index(memory.backups.len())].clone();
        pair.parties[liar].restart();
        pair.parties[liar].released.states.clear();
    }
    if random.chance(1, 4) {
        pair.parties[1 - liar].restart();
    }
    pair.connect();
    if random.chance(3, 4) {
        pair.deliver(0);
        pair.deliver(1);
    }
}

fn replay(pair: &mut Pair, honest: usize, memory: &Memory, random: &mut Random) {
    if let Some(bytes) = memory.sent.get(random.index(memory.sent.len())) {
        drop(pair.input(honest, Input::Message(bytes), Crash::Never));
    }
}

fn forged_frame(pair: &mut Pair, liar: usize, memory: &mut Memory, random: &mut Random) {
    let honest = 1 - liar;
    let next = use_number(pair, honest);
    let number = match random.below(6) {
        0 => next.saturating_sub(1),
        1 => next + 1,
        2 => next + random.below(1 << 40),
        _ => next,
    };
    let tip = pair.chain.tip();
    let as_of_height = match random.below(6) {
        0 => Some(tip.saturating_sub(random.below(8))),
        1 => Some(tip + random.below(8)),
        2 => Some(pair.parties[honest].height),
        _ => None,
    };
    let count = random.below(4);
    let transitions = (0..count).map(|_| some_transition(pair, liar, random)).collect();
    let restore = random.chance(1, 20);
    let base =
        random.chance(1, 15).then(|| StateOrder { frame: next.saturating_sub(2), proposer: pair.parties[0].side() });
    let frame = forge(pair, liar, Forgery { number: Some(number), base, as_of_height, transitions, restore });
    let message = update(pair, honest, None, Some(frame));
    memory.sent.push(message.encode());
    inject(pair, honest, &message);
}

fn some_transition(pair: &mut Pair, liar: usize, random: &mut Random) -> Transition {
    let asset = if random.chance(1, 12) { AssetId::FRB } else { AssetId::FRD };
    let amount = 1 + random.below(400);
    let party = &pair.parties[1 - liar];
    let base = &party.channel.agreement().state;
    let (honest_side, side) = (party.side(), party.side().other());
    let locks: Vec<(LockId, Lock)> = [side, honest_side]
        .iter()
        .flat_map(|giver| base.locks_of(*giver))
        .map(|(id, lock)| (id, lock.clone()))
        .collect();
    let some = locks.get(random.index(locks.len())).cloned();
    let now = pair.chain.head_at(pair.chain.tip()).usable_height;
    let index = *party.channel.agreement().shared.next_index.get(side) + random.below(2);
    match (random.below(9), some) {
        (0, _) => Transition::Pay { asset, amount, note: Vec::new() },
        (1 | 2, _) => {
            let number = 1 + random.below(pair.counter + 1);
            let lock = Lock { index, amount, hash: hash(number), expiry: now + random.below(20) };
            Transition::Lock { asset, lock, onion: vec![1] }
        }
        (3 | 4, Some((lock, terms))) => {
            let number = (0..=pair.counter).find(|number| hash(*number) == terms.hash).unwrap_or(0);
            Transition::Settle { lock, secret: secret(number) }
        }
        (5, Some((lock, _))) => Transition::Fail { lock, reason: FailReason::Rejected },
        (6, Some((lock, _))) => Transition::Expire { lock },
        (7, _) => {
            let nonces = party.channel.agreement().shared.asset(asset).map(|entry| entry.consent_nonces);
            let nonce = nonces.map_or(0, |nonces| *nonces.get(side));
            Transition::RequestWithdrawal { asset, amount, nonce, expires_at: now + random.below(14) }
        }
        _ => Transition::SetCredit { asset, limit: amount, insure_above: None },
    }
}

/// Acknowledges or refuses the honest party's frame, whatever was said before.
fn forged_reply(pair: &mut Pair, liar: usize, random: &mut Random) {
    let honest = 1 - liar;
    let Some(state) = pair.parties[honest].channel.outcomes().last().cloned() else { return };
    let frame = state.frame + if random.chance(1, 8) { 1 } else { 0 };
    let reply = if random.chance(1, 2) {
        Reply::Ack { frame, signature: sign(pair, liar, &state) }
    } else {
        refusal(frame, pair.chain.tip() + random.below(3))
    };
    let forged = random.chance(1, 3).then(|| {
        let transitions = vec![some_transition(pair, liar, random)];
        forge(pair, liar, Forgery { transitions, ..Forgery::default() })
    });
    let message = update(pair, honest, Some(reply), forged);
    inject(pair, honest, &message);
}

/// Shows an old state that both signed.
fn old_greeting(pair: &mut Pair, liar: usize, memory: &Memory, random: &mut Random) {
    let Some(shown) = memory.shown.get(random.index(memory.shown.len())).cloned() else { return };
    let epoch = pair.parties[1 - liar].channel.epoch();
    let Shown { state, signatures, shared } = shown;
    inject(pair, 1 - liar, &Peer::Hello(Box::new(Hello { epoch, state, signatures, shared })));
}

fn broken_bytes(pair: &mut Pair, honest: usize, memory: &Memory, random: &mut Random) {
    let Some(mut bytes) = memory.sent.get(random.index(memory.sent.len())).cloned() else { return };
    for _ in 0..1 + random.below(3) {
        let position = random.index(bytes.len());
        bytes[position] ^= 1 << random.below(8);
    }
    if random.chance(1, 4) {
        bytes.truncate(random.index(bytes.len()));
    }
    drop(pair.input(honest, Input::Message(&bytes), Crash::Never));
}

/// Executes every consent that it ever got.
fn withdraw_anything(pair: &mut Pair, liar: usize) {
    let consents: Vec<Signed<WithdrawalConsent>> = pair.parties[1 - liar].released.consents.clone();
    for proof in consents {
        if pair.chain.withdraw(&proof).is_ok() {
            let index = index_of(proof.body.withdrawer);
            pair.parties[index].book.deposited -= i128::from(proof.body.amount);
        }
    }
}
