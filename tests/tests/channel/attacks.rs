//! Attacks on a channel, each by the adversary that profits, with the rule of docs/protocol.md, section 4,
//! that stops it. The numbers are those of the list from which the rules come.

use fair_core::channel::Channel;
use fair_core::channel::event::{Command, Event, Input, Misbehaviour, Refusal};
use fair_core::channel::state::{Lock, LockId};
use fair_core::channel::transition::{FailReason, Transition};
use fair_core::channel::wire::{Message, Reply};
use fair_core::types::{Amount, AssetId, Side};
use fair_tests::world::book::Fate;
use fair_tests::world::byzantine::{Forgery, forge, inject, next_number, refusal, sign, update, use_number};
use fair_tests::world::pair::{Pair, brisk_parameters, hash, secret};
use fair_tests::world::party::{Crash, Output};

const LEFT: usize = 0;
const RIGHT: usize = 1;
const FRD: AssetId = AssetId::FRD;

/// Both put 1000 in and grant 500.
fn funded() -> Pair {
    Pair::funded(brisk_parameters(), 1_000, 500)
}

fn pays(amount: Amount) -> Transition {
    Transition::Pay { asset: FRD, amount, note: Vec::new() }
}

fn lose_messages(pair: &mut Pair) {
    pair.wires = Default::default();
}

/// A forged frame in the name of the other party.
fn attack(pair: &mut Pair, honest: usize, mut forgery: Forgery) -> Output {
    if forgery.number.is_none() {
        forgery.number = Some(use_number(pair, honest));
    }
    let frame = forge(pair, 1 - honest, forgery);
    let message = update(pair, honest, None, Some(frame));
    inject(pair, honest, &message)
}

fn doing(transitions: Vec<Transition>) -> Forgery {
    Forgery { transitions, ..Forgery::default() }
}

fn base_number(pair: &Pair, index: usize) -> u64 {
    pair.parties[index].channel.agreement().state.frame
}

fn fate(pair: &Pair, index: usize, reference: u64) -> Fate {
    pair.parties[index].book.issued[&reference].1
}

fn offered(pair: &Pair, giver: usize, amount: Amount, number: u64, blocks: u64) -> Transition {
    let side = pair.parties[giver].side();
    let index = *pair.parties[1 - giver].channel.agreement().shared.next_index.get(side);
    let expiry = pair.chain.head_at(pair.chain.tip()).usable_height + blocks;
    Transition::Lock { asset: FRD, lock: Lock { index, amount, hash: hash(number), expiry }, onion: vec![1] }
}

fn only_lock(pair: &Pair, giver: usize) -> LockId {
    let side = pair.parties[giver].side();
    let locks: Vec<_> = pair.parties[1 - giver].channel.agreement().state.locks_of(side).map(|(id, _)| id).collect();
    assert_eq!(locks.len(), 1);
    locks[0]
}

/// Only one party sees these blocks.
fn advance_alone(pair: &mut Pair, index: usize, blocks: u64) {
    for _ in 0..blocks {
        pair.chain.mine();
        pair.follow_clock();
        pair.head(index);
    }
}

/// Attacks 1 and 2; rule 1. The refused frame pays the thief and lives in court; the new one, ordered below
/// what the victim signed, would pay the victim, who must not count on it.
fn refused_but_alive(honest: usize) {
    let mut pair = funded();
    pair.pay(honest, 300).expect("payable");
    lose_messages(&mut pair);
    let base = base_number(&pair, honest);
    let refused = next_number(&pair.parties[honest]) - 1;
    let message = update(&pair, honest, Some(refusal(refused, pair.chain.tip())), None);
    inject(&mut pair, honest, &message);
    let output = attack(&mut pair, honest, Forgery { number: Some(refused), ..doing(vec![pays(400)]) });
    assert!(!output.events.iter().any(|event| matches!(event, Event::PayReceived { .. } | Event::StateSigned(_))));
    assert_eq!(base_number(&pair, honest), base);
    pair.assert_safe(honest);
}

#[test]
fn attack_1_refused_but_alive_left() {
    refused_but_alive(LEFT);
}

#[test]
fn attack_2_refused_but_alive_right() {
    refused_but_alive(RIGHT);
}

/// Attack 3; rule 4: a refusal is stored and final, though its reason has passed.
#[test]
fn attack_3_un_refusing() {
    let mut pair = funded();
    advance_alone(&mut pair, RIGHT, 1);
    // Only this frame needs the new block: the victim has nothing of its own to say when it comes.
    let ask = Command::RequestWithdrawal { asset: FRD, amount: 10, lifetime_blocks: 8 };
    pair.command(RIGHT, ask).expect("insured");
    let refused = pair.parties[RIGHT].threats()[0].order();
    pair.deliver(LEFT);
    assert!(pair.parties[LEFT].channel.awaits_block());
    pair.now_ms += pair.chain.parameters.max_lead_ms;
    pair.input(LEFT, Input::Timer, Crash::Never).expect("not a command");
    assert!(pair.parties[LEFT].channel.refuses());
    pair.disconnect();
    pair.head(LEFT);
    pair.connect();
    pair.settle_down();
    assert!(pair.parties[LEFT].released.states.iter().all(|state| state.order() != refused));
    pair.check_agreement().expect("agreement");
}

/// Attack 4; rule 5: an acknowledgement without a frame releases the winner.
#[test]
fn attack_4_winner_waits_for_ever() {
    let mut pair = funded();
    let lock = pair.lock(LEFT, 100, 2).expect("lockable");
    pair.settle_down();
    let id = pair.open(RIGHT)[0];
    pair.disconnect();
    pair.give_back(RIGHT, id).expect("open");
    pair.advance(6);
    pair.connect();
    pair.deliver(LEFT);
    pair.deliver(RIGHT);
    assert!(pair.wires.iter().all(|wire| !wire.is_empty()), "both propose to end the same lock");
    pair.settle_down();
    assert_eq!(fate(&pair, LEFT, lock), Fate::Failed);
    let payment = pair.pay(LEFT, 10).expect("payable");
    pair.settle_down();
    assert_eq!(fate(&pair, LEFT, payment), Fate::Paid);
    pair.check_agreement().expect("agreement");
}

/// Attack 5; rules 4 and 6: the proposer reaches the refuser's head and drops what is too late.
#[test]
fn attack_5_late_loop() {
    let mut pair = funded();
    let lock = pair.lock(LEFT, 100, 6).expect("lockable");
    pair.settle_down();
    let id = pair.open(RIGHT)[0];
    advance_alone(&mut pair, LEFT, 8);
    pair.take(RIGHT, id).expect("in time by its own head");
    pair.settle_down();
    assert!(pair.parties[LEFT].channel.refuses());
    let proposed = pair.parties[RIGHT].released.states.len();
    pair.head(RIGHT);
    pair.settle_down();
    assert_eq!(pair.parties[RIGHT].book.reveals_due, [id], "the secret goes on-chain");
    assert_eq!(pair.parties[RIGHT].released.states.len(), proposed + 1, "one frame buries the refused one");
    assert_eq!(pair.give_back(RIGHT, id), Err(Refusal::SecretSent), "a lock whose secret was sent is never failed");
    pair.advance(4);
    pair.settle_down();
    assert_eq!(fate(&pair, LEFT, lock), Fate::Failed);
    pair.check_agreement().expect("agreement");
}

/// Rule 4 between honest parties: one whose head is far behind refuses new facts; what it can check goes on,
/// and nothing is suspended.
#[test]
fn a_partner_far_behind_is_no_reason_to_suspend() {
    let mut pair = funded();
    let lead = u64::from(pair.chain.parameters.max_lead_heights);
    for round in 0..3 {
        pair.deposit(RIGHT, 50);
        pair.chain.mine_many(lead + 1);
        pair.follow_clock();
        pair.head(RIGHT);
        pair.settle_down();
        let payment = pair.pay(RIGHT, 10).expect("payable");
        pair.settle_down();
        assert_eq!(fate(&pair, RIGHT, payment), Fate::Paid, "round {round}");
        assert!(pair.accusations().is_empty(), "{:?}", pair.accusations());
    }
    pair.head(LEFT);
    pair.head(RIGHT);
    pair.settle_down();
    pair.check_agreement().expect("agreement");
}

fn lose_data(pair: &mut Pair, index: usize, backup: &[u8]) {
    let channel = Channel::from_record(backup).expect("a record").after_data_loss();
    pair.parties[index].disk.0 = channel.record_bytes();
    pair.parties[index].channel = channel;
    pair.parties[index].book.lost = true;
}

/// Attack 6; rule 8: a restore waits for a new block and is numbered by its height. What each party lets go
/// is checked in the world: nobody signs below or beside what it signed.
#[test]
fn attack_6_twice_restored() {
    let mut pair = funded();
    let backups = [0, 1].map(|index| pair.parties[index].disk.0.clone());
    pair.pay(RIGHT, 5).expect("payable");
    pair.settle_down();
    for round in 1..=2_u64 {
        // The thief shows the same old state each time.
        pair.parties[LEFT].channel = Channel::from_record(&backups[LEFT]).expect("a record");
        pair.parties[LEFT].disk.0.clone_from(&backups[LEFT]);
        pair.parties[LEFT].released.states.clear();
        lose_data(&mut pair, RIGHT, &backups[RIGHT]);
        pair.connect();
        pair.settle_down();
        assert!(pair.parties[RIGHT].channel.is_restoring(), "not before a new block");
        pair.advance(1);
        pair.settle_down();
        assert!(!pair.parties[RIGHT].channel.is_restoring());
        assert!(base_number(&pair, RIGHT) >= pair.chain.tip() << 32);
        pair.pay(RIGHT, 100 * round).expect("payable");
        pair.settle_down();
    }
    assert!(pair.is_quiet());
}

/// Attack 6 with a head that lags: blocks that were there before the restore began are not new ones, however
/// late they are seen. Otherwise numbers that were signed at those heights would be signed again.
#[test]
fn attack_6_restored_behind_the_chain() {
    let mut pair = funded();
    let backup = pair.parties[RIGHT].disk.0.clone();
    pair.chain.mine_many(3);
    pair.follow_clock();
    pair.head(LEFT);
    lose_data(&mut pair, RIGHT, &backup);
    pair.connect();
    pair.settle_down();
    pair.head(RIGHT);
    pair.settle_down();
    assert!(pair.parties[RIGHT].channel.is_restoring(), "the newest block is older than the restore");
    pair.advance(1);
    pair.settle_down();
    assert!(!pair.parties[RIGHT].channel.is_restoring());
    assert!(base_number(&pair, RIGHT) >= pair.chain.tip() << 32);
}

/// Attack 7; rule 9: what a resolved dispute did is not done again in the new epoch.
#[test]
fn attack_7_paid_twice() {
    let mut pair = funded();
    let payment = pair.pay(LEFT, 300).expect("payable");
    let waiting = pair.pay(LEFT, 1).expect("payable");
    let threats = pair.parties[LEFT].threats();
    lose_messages(&mut pair);
    let keys = pair.keys();
    let decided = pair.chain.resolve(&keys, &threats);
    assert_eq!(decided.proposer, Side::Left, "court decides by the unanswered frame");
    pair.advance(1);
    assert_eq!(fate(&pair, LEFT, payment), Fate::Paid);
    assert_eq!(fate(&pair, LEFT, waiting), Fate::Failed);
    pair.deposit(LEFT, 1_000);
    pair.advance(1);
    pair.connect();
    pair.settle_down();
    pair.command(RIGHT, Command::SetCredit { asset: FRD, limit: 500, insure_above: None }).expect("terms");
    pair.settle_down();
    assert!(pair.is_quiet());
    let line = pair.parties[LEFT].channel.agreement().line(FRD);
    assert_eq!((line.balance(Side::Left), pair.parties[RIGHT].book.received), (1_000, 0));
}

/// Attack 7; rule 9: the chain tells the order of its last resolution alone. A payer that was away for two disputes does
/// not know what decided the first, in which court paid its lock: told that it failed, it would pay again.
#[test]
fn attack_7_two_disputes_unseen() {
    for honest in [LEFT, RIGHT] {
        let mut pair = funded();
        let payment = pair.lock(honest, 300, 20).expect("payable");
        pair.settle_down();
        let shown = pair.parties[honest].channel.agreement().state.clone();
        assert_eq!(pair.open(1 - honest).len(), 1);
        pair.disconnect();
        let keys = pair.keys();
        pair.chain.show(secret(payment));
        pair.chain.mine();
        pair.chain.resolve(&keys, &[shown]);
        pair.chain.mine();
        // Nothing was signed in the epoch between.
        pair.chain.resolve(&keys, &[]);
        pair.chain.mine();
        pair.follow_clock();
        let mut told = Vec::new();
        for _ in 0..3 {
            pair.parties[honest].height = pair.chain.tip();
            told.extend(pair.input(honest, Input::Head, Crash::Never).expect("not a command").events);
            pair.chain.mine();
            pair.follow_clock();
        }
        told.retain(|event| matches!(event, Event::OutgoingSettled { .. } | Event::OutgoingFailed { .. }));
        assert_eq!(told, [Event::OutgoingSettled { reference: Some(payment), secret: secret(payment) }]);
        assert_eq!(pair.parties[honest].book.issued[&payment], (300, Fate::Paid));
    }
}

/// Attack 8; rule 8: after a restore the partner's whole insured part is held for as long as a forgotten
/// consent may live.
#[test]
fn attack_8_forgotten_consent() {
    let mut pair = funded();
    let backups = [0, 1].map(|index| pair.parties[index].disk.0.clone());
    let ask = Command::RequestWithdrawal { asset: FRD, amount: 1_000, lifetime_blocks: 8 };
    pair.command(LEFT, ask).expect("insured");
    pair.settle_down();
    pair.command(RIGHT, Command::GrantWithdrawal { asset: FRD }).expect("asked");
    pair.settle_down();
    assert_eq!(pair.parties[LEFT].book.consents.len(), 1);
    pair.parties[LEFT].channel = Channel::from_record(&backups[LEFT]).expect("a record");
    pair.parties[LEFT].disk.0.clone_from(&backups[LEFT]);
    pair.parties[LEFT].released.states.clear();
    lose_data(&mut pair, RIGHT, &backups[RIGHT]);
    pair.connect();
    pair.settle_down();
    pair.advance(1);
    pair.settle_down();
    assert!(!pair.parties[RIGHT].channel.is_restoring());
    attack(&mut pair, RIGHT, doing(vec![pays(501)]));
    assert!(pair.parties[RIGHT].channel.refuses());
    attack(&mut pair, RIGHT, doing(vec![pays(500)]));
    assert_eq!(pair.parties[RIGHT].book.received, 500);
    pair.withdraw(LEFT, 0).expect("the old consent lives");
    pair.advance(1);
    lose_messages(&mut pair);
    let frame = pair.parties[RIGHT].threats();
    let row = pair.chain.row(&pair.keys()).facts.assets[0].clone();
    for state in frame {
        let line = fair_core::channel::delta::NumberLine::new(row.insurance, row.ondelta, state.offdelta(FRD));
        assert!(line.owed_by(Side::Left) <= 500, "no more is owed than was granted");
    }
}

/// Attack 9; rules 5 and 7: every update repeats the last reply, with the same bytes after a restart.
#[test]
fn attack_9_lost_reply() {
    let mut pair = funded();
    pair.pay(LEFT, 10).expect("payable");
    pair.pay(RIGHT, 5).expect("payable");
    lose_messages_to(&mut pair, LEFT);
    pair.deliver(RIGHT);
    let lost = pair.wires[LEFT].back().cloned().expect("an acknowledgement and a frame");
    let Ok(Message::Update(update)) = Message::decode(&lost) else { panic!("not an update") };
    assert!(matches!(update.reply, Some(Reply::Ack { .. })) && update.frame.is_some());
    pair.parties[RIGHT].restart();
    pair.connect();
    pair.deliver(RIGHT);
    assert_eq!(pair.wires[LEFT].back(), Some(&lost));
    pair.settle_down();
    pair.check_agreement().expect("agreement");
}

fn lose_messages_to(pair: &mut Pair, index: usize) {
    pair.wires[index].clear();
}

/// Attack 10; rule 5: the loser's acknowledgement brings its own next frame, which is taken first.
#[test]
fn attack_10_starvation() {
    let mut pair = funded();
    let wish = pair.pay(RIGHT, 7).expect("payable");
    for _ in 0..4 {
        drop(pair.pay(LEFT, 1));
        pair.deliver(RIGHT);
        drop(pair.pay(LEFT, 1));
        pair.deliver(LEFT);
    }
    assert_eq!(fate(&pair, RIGHT, wish), Fate::Paid);
}

/// Attack 11; rule 6: facts of heights that nobody can check are refused, and nothing waits for them.
#[test]
fn attack_11_far_height() {
    let lead = u64::from(brisk_parameters().max_lead_heights);
    for height in [1 << 60, u64::MAX, funded().chain.tip() + lead + 1, 0] {
        let mut pair = funded();
        let base = base_number(&pair, LEFT);
        attack(&mut pair, LEFT, Forgery { as_of_height: Some(height), ..doing(vec![pays(1)]) });
        assert!(pair.parties[LEFT].channel.refuses() && !pair.parties[LEFT].channel.awaits_block(), "{height}");
        assert_eq!(base_number(&pair, LEFT), base);
        let window = u64::from(pair.chain.parameters.proof_window_heights);
        pair.advance(window + 2);
        let old = pair.parties[LEFT].channel.agreement().shared.as_of_height + 1;
        attack(&mut pair, LEFT, Forgery { as_of_height: Some(old), ..doing(vec![pays(1)]) });
        assert!(pair.parties[LEFT].channel.refuses());
        assert_eq!(base_number(&pair, LEFT), base);
    }
}

/// Attack 12; rule 6: the deadline of a settlement is read from the receiver's own head.
#[test]
fn attack_12_late_settle() {
    let mut pair = funded();
    let lock = pair.lock(RIGHT, 300, 6).expect("lockable");
    pair.settle_down();
    let id = only_lock(&pair, RIGHT);
    advance_alone(&mut pair, RIGHT, 7);
    let settle = Transition::Settle { lock: id, secret: secret(lock) };
    let tip = pair.chain.tip();
    for as_of_height in [None, Some(tip - 6), Some(tip - 3), Some(tip)] {
        attack(&mut pair, RIGHT, Forgery { as_of_height, ..doing(vec![settle.clone()]) });
        assert!(pair.parties[RIGHT].channel.refuses(), "{as_of_height:?}");
        assert_eq!(only_lock(&pair, RIGHT), id);
    }
    // The bank's Expire is out, and the thief's frame of the same number outranks it.
    advance_alone(&mut pair, RIGHT, 3);
    let number = next_number(&pair.parties[RIGHT]) - 1;
    attack(&mut pair, RIGHT, Forgery { number: Some(number), ..doing(vec![settle]) });
    assert!(pair.parties[RIGHT].channel.refuses());
    assert_ne!(fate(&pair, RIGHT, lock), Fate::Paid);
    let state = pair.parties[RIGHT].channel.outcomes().last().cloned().expect("an own frame");
    let ack = Reply::Ack { frame: state.frame, signature: sign(&pair, LEFT, &state) };
    let message = update(&pair, RIGHT, Some(ack), None);
    inject(&mut pair, RIGHT, &message);
    assert_eq!(fate(&pair, RIGHT, lock), Fate::Failed);
    pair.assert_safe(RIGHT);
}

/// Attack 13; the bounds of a frame: no lock expires later than K.lock_horizon, so no dispute lasts longer.
#[test]
fn attack_13_endless_dispute() {
    let mut pair = funded();
    let horizon = u64::from(pair.chain.parameters.lock_horizon_blocks);
    let far = pair.chain.head_at(pair.chain.tip()).usable_height + horizon;
    for blocks in [far, u64::MAX / 2] {
        let lock = offered(&pair, LEFT, 100, 3, blocks);
        attack(&mut pair, RIGHT, doing(vec![lock]));
        assert!(pair.parties[RIGHT].channel.refuses() && pair.open(RIGHT).is_empty());
    }
    let lock = offered(&pair, LEFT, 100, 3, horizon - 1);
    attack(&mut pair, RIGHT, doing(vec![lock]));
    assert_eq!(pair.open(RIGHT).len(), 1);
}

/// Attack 15; rule 3: a lock in a frame that loses, or in a disputed channel, is never reported.
#[test]
fn attack_15_losing_forward() {
    let mut pair = funded();
    pair.pay(LEFT, 1).expect("payable");
    let number = next_number(&pair.parties[LEFT]) - 1;
    let lock = offered(&pair, RIGHT, 100, 9, 10);
    let output = attack(&mut pair, LEFT, Forgery { number: Some(number), ..doing(vec![lock.clone()]) });
    assert!(!output.events.iter().any(|event| matches!(event, Event::LockReceived { .. })));
    let mut pair = funded();
    let keys = pair.keys();
    pair.chain.dispute(&keys);
    pair.advance(1);
    let base = base_number(&pair, LEFT);
    attack(&mut pair, LEFT, doing(vec![lock]));
    assert!(pair.open(LEFT).is_empty());
    assert_eq!(base_number(&pair, LEFT), base, "from the start of a dispute nothing is signed");
}

/// Attacks 16 and 18; rule 3: a lock has failed only when it is in no possible outcome, not when its frame
/// was refused.
#[test]
fn attack_18_retry() {
    let mut pair = funded();
    let lock = pair.lock(LEFT, 300, 3).expect("lockable");
    lose_messages(&mut pair);
    let refused = next_number(&pair.parties[LEFT]) - 1;
    advance_alone(&mut pair, LEFT, 5);
    let message = update(&pair, LEFT, Some(refusal(refused, pair.chain.tip())), None);
    inject(&mut pair, LEFT, &message);
    assert_eq!(fate(&pair, LEFT, lock), Fate::Open, "court may still be shown the refused frame");
    let state = pair.parties[LEFT].channel.outcomes().last().cloned().expect("a frame that buries it");
    assert!(state.subs.iter().all(|sub| sub.right_locks.is_empty()));
    let ack = Reply::Ack { frame: state.frame, signature: sign(&pair, RIGHT, &state) };
    let message = update(&pair, LEFT, Some(ack), None);
    inject(&mut pair, LEFT, &message);
    assert_eq!(fate(&pair, LEFT, lock), Fate::Failed);
    pair.assert_safe(LEFT);
}

/// Attack 17: locks are named by their giver and index, so equal hashes do not meet; a secret has 32 bytes.
#[test]
fn attack_17_public_hash() {
    let mut pair = funded();
    for (amount, reference) in [(1, 101), (100, 102)] {
        let expiry = pair.chain.tip() + 20;
        let command = Command::Lock { asset: FRD, amount, hash: hash(0), expiry, onion: Vec::new(), reference };
        pair.command(LEFT, command).expect("lockable");
    }
    pair.settle_down();
    let open = pair.open(RIGHT);
    pair.take(RIGHT, open[1]).expect("open");
    pair.settle_down();
    assert_eq!((fate(&pair, LEFT, 101), fate(&pair, LEFT, 102)), (Fate::Open, Fate::Paid));
    pair.give_back(RIGHT, open[0]).expect("open");
    pair.settle_down();
    pair.check_agreement().expect("agreement");

    let lock = pair.lock(LEFT, 50, 20).expect("lockable");
    pair.settle_down();
    let settle = Transition::Settle { lock: only_lock(&pair, LEFT), secret: secret(lock) };
    let frame = forge(&pair, RIGHT, doing(vec![settle]));
    let mut bytes = update(&pair, LEFT, None, Some(frame)).encode();
    let position = bytes.windows(32).position(|window| window == secret(lock).0).expect("the secret");
    bytes.insert(position, 0);
    let output = pair.input(LEFT, Input::Message(&bytes), Crash::Never).expect("not a command");
    assert!(matches!(output.events[..], [Event::Misbehaviour(Misbehaviour::Malformed(_))]));
    assert_eq!(fate(&pair, LEFT, lock), Fate::Open);
}

/// Attack 20: every frame keeps the bounds of a state that can be disputed.
#[test]
fn attack_20_stuffing() {
    let mut pair = funded();
    let limit = usize::from(pair.chain.parameters.max_locks);
    let Transition::Lock { lock, .. } = offered(&pair, LEFT, 1, 3, 10) else { panic!("a lock") };
    let many = |count: usize, from: u64| -> Vec<Transition> {
        (from..)
            .take(count)
            .map(|index| Transition::Lock { asset: FRD, lock: Lock { index, ..lock.clone() }, onion: Vec::new() })
            .collect()
    };
    let base = base_number(&pair, RIGHT);
    attack(&mut pair, RIGHT, doing(many(limit + 1, lock.index)));
    assert_eq!((pair.parties[RIGHT].channel.refuses(), base_number(&pair, RIGHT)), (true, base));
    attack(&mut pair, RIGHT, doing(many(limit, lock.index)));
    assert_eq!(pair.open(RIGHT).len(), limit);
    attack(&mut pair, RIGHT, doing(many(1, lock.index + 1_000)));
    assert!(pair.parties[RIGHT].channel.refuses());
    let bytes = pair.parties[RIGHT].channel.agreement().state.encoded_bytes();
    assert!(bytes <= u64::from(pair.chain.parameters.max_state_bytes));
    for asset in [2, 3, 4] {
        let junk = Transition::Pay { asset: AssetId(asset), amount: 1, note: Vec::new() };
        attack(&mut pair, RIGHT, doing(vec![junk]));
        assert!(pair.parties[RIGHT].channel.refuses(), "an asset enters only after the receiver's terms");
    }
    let dust = Transition::Lock { asset: FRD, lock: Lock { amount: 0, index: 9_999, ..lock }, onion: Vec::new() };
    attack(&mut pair, RIGHT, doing(vec![dust]));
    assert!(pair.parties[RIGHT].channel.refuses());
}

/// Attack 24, the channel's part: one withdrawal at a time, under the chain's next number.
#[test]
fn attack_24_consent_numbers() {
    let mut pair = funded();
    let ask = |nonce, amount| Transition::RequestWithdrawal { asset: FRD, amount, nonce, expires_at: 6 };
    attack(&mut pair, RIGHT, doing(vec![ask(1, 10)]));
    assert!(pair.parties[RIGHT].channel.refuses());
    attack(&mut pair, RIGHT, doing(vec![ask(0, 10)]));
    assert!(!pair.parties[RIGHT].channel.refuses());
    attack(&mut pair, RIGHT, doing(vec![ask(0, 900)]));
    assert!(pair.parties[RIGHT].channel.refuses());
    pair.command(RIGHT, Command::GrantWithdrawal { asset: FRD }).expect("asked");
    let refused = pair.command(RIGHT, Command::RefuseWithdrawal { asset: FRD }).map(|_| ());
    assert_eq!(refused, Err(Refusal::ConsentSent), "a consent once sent is never taken back");
}

/// Attack 25; rule 1 with epochs: nothing of an earlier epoch is taken.
#[test]
fn attack_25_old_epoch() {
    let mut pair = funded();
    let withheld = forge(&pair, RIGHT, doing(vec![pays(700)]));
    let old = update(&pair, LEFT, None, Some(withheld.clone()));
    let keys = pair.keys();
    let states = pair.parties[LEFT].threats();
    pair.chain.resolve(&keys, &states);
    pair.deposit(RIGHT, 1_000);
    pair.advance(1);
    pair.connect();
    pair.settle_down();
    inject(&mut pair, LEFT, &old);
    let relabelled = update(&pair, LEFT, None, Some(withheld));
    inject(&mut pair, LEFT, &relabelled);
    assert_eq!(pair.parties[LEFT].book.received, 0);
    assert_eq!(pair.parties[LEFT].channel.epoch(), 1);
}

/// Attack 39, the channel's part: with a stale head nothing is reported as received.
#[test]
fn attack_39_frozen_head() {
    let mut pair = funded();
    pair.now_ms += pair.chain.parameters.stale_head_ms + 1;
    let lock = offered(&pair, RIGHT, 100, 9, 30);
    attack(&mut pair, LEFT, doing(vec![pays(10), lock]));
    assert!(!pair.parties[LEFT].channel.refuses());
    assert_eq!((pair.parties[LEFT].book.received, pair.open(LEFT).len()), (0, 0));
    assert_eq!(pair.lock(LEFT, 10, 20), Err(Refusal::StaleHead));
    pair.now_ms = 0;
    pair.advance(1);
    assert_eq!((pair.parties[LEFT].book.received, pair.open(LEFT).len()), (10, 1));
}

/// Attack 40: the price of an insurance falls due with the facts that show the deposit, and not before.
#[test]
fn attack_40_unpaid_insurance() {
    let mut pair = funded();
    let keys = pair.keys();
    pair.chain.register_bank(&keys, Side::Left, 20);
    pair.advance(1);
    pair.settle_down();
    pair.pay(LEFT, 1_300).expect("payable");
    pair.settle_down();
    let command = Command::RequestInsurance { asset: FRD };
    pair.input(RIGHT, Input::Priced { command, most_price: 20 }, Crash::Never).expect("300 are uninsured");
    pair.settle_down();
    let prices = |pair: &Pair| [0, 1].map(|index| pair.parties[index].book.prices);
    pair.advance(3);
    pair.settle_down();
    assert_eq!(prices(&pair), [0, 0], "nothing was deposited");
    pair.deposit(LEFT, 10);
    pair.advance(1);
    pair.settle_down();
    assert_eq!(prices(&pair), [0, 0], "less than the least insurance");
    pair.deposit(LEFT, 290);
    pair.advance(1);
    pair.settle_down();
    assert_eq!(prices(&pair), [20, -20]);
    pair.deposit(LEFT, 290);
    pair.advance(2);
    pair.settle_down();
    assert_eq!(prices(&pair), [20, -20], "paid once for what was asked once");
    pair.check_agreement().expect("agreement");
}

/// Rule 2: one number with other bytes, and numbers that nobody can have reached.
#[test]
fn numbers_are_used_once_and_in_order() {
    let mut pair = funded();
    let next = next_number(&pair.parties[LEFT]);
    attack(&mut pair, LEFT, doing(vec![pays(1)]));
    let again = attack(&mut pair, LEFT, Forgery { number: Some(next), ..doing(vec![pays(2)]) });
    assert!(matches!(again.events[..], [Event::Misbehaviour(Misbehaviour::TwoFramesOneNumber { .. })]));
    let far = attack(&mut pair, LEFT, Forgery { number: Some(u64::MAX), ..doing(vec![pays(2)]) });
    assert!(matches!(far.events[..], [Event::Misbehaviour(Misbehaviour::NumberTooHigh { .. })]));
    let restore = Forgery { number: Some(u64::MAX - 1), restore: true, ..Forgery::default() };
    let far = attack(&mut pair, LEFT, restore);
    assert!(matches!(far.events[..], [Event::Misbehaviour(Misbehaviour::NumberTooHigh { .. })]));
    assert_eq!(pair.parties[LEFT].book.received, 1);
}

/// Rule 8: a party with nothing but its key comes back, keeps what it owns, and fails no lock that it may
/// have forwarded.
#[test]
fn data_loss_is_survived() {
    let mut pair = funded();
    pair.pay(LEFT, 250).expect("payable");
    pair.lock(LEFT, 100, 20).expect("lockable");
    pair.settle_down();
    let id = pair.open(RIGHT)[0];
    let fresh = Channel::new(pair.chain.chain_id, pair.keys(), Side::Right).record_bytes();
    lose_data(&mut pair, RIGHT, &fresh);
    pair.connect();
    pair.settle_down();
    assert!(pair.parties[RIGHT].channel.is_restoring());
    pair.advance(1);
    pair.settle_down();
    assert!(!pair.parties[RIGHT].channel.is_restoring());
    assert_eq!(pair.parties[RIGHT].channel.agreement().line(FRD).balance(Side::Right), 1_250);
    let refused = pair.command(RIGHT, Command::Fail { lock: id, reason: FailReason::Rejected }).map(|_| ());
    assert!(matches!(refused, Err(Refusal::MaybeForwarded { .. })));
    pair.pay(RIGHT, 30).expect("payable");
    pair.settle_down();
    assert_eq!(pair.parties[LEFT].book.received, 30);
}

/// Rule 8 on both sides at once: the restores collide, and both come back.
#[test]
fn both_lose_data() {
    let mut pair = funded();
    pair.pay(LEFT, 250).expect("payable");
    pair.settle_down();
    for index in 0..2 {
        let record = pair.parties[index].disk.0.clone();
        lose_data(&mut pair, index, &record);
    }
    pair.connect();
    pair.settle_down();
    pair.advance(1);
    pair.settle_down();
    assert!(pair.parties.iter().all(|party| !party.channel.is_restoring()));
    assert_eq!(pair.parties[LEFT].channel.agreement(), pair.parties[RIGHT].channel.agreement());
    pair.pay(RIGHT, 30).expect("payable");
    pair.settle_down();
    assert_eq!(pair.parties[LEFT].book.received, 30);
}
