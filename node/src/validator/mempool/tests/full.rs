//! A mempool that is full, and what still gets in.

use super::*;
use fair_core::channel::shared::Sides;
use fair_core::channel::state::{ChannelState, StateOrder, Sub};
use fair_core::ledger::operation::Answer;
use fair_core::message::Message;
use fair_core::types::{Parties, Side};

const LEAST_RATE: Amount = 10;

/// One of the thief's many accounts.
fn straw(number: u16) -> SecretKey {
    let mut seed = [200; 32];
    seed[..2].copy_from_slice(&number.to_le_bytes());
    SecretKey::from_seed(&seed)
}

fn to_nobody() -> Deposit {
    let to = PublicKey([0; 32]);
    Deposit { asset: AssetId::FRD, amount: 0, to, partner: None, keep: 0, epoch: None, invoice: None }
}

/// A court batch of made-up secrets; seven times 256 is nearly as long as K.max_batch allows.
fn made_up(state: &State, key: &SecretKey, nonce: u64, (reveals, secrets): (u8, usize)) -> Signed<Batch> {
    let reveal = |number| Operation::Reveal(Reveal { secrets: vec![Secret([number; 32]); secrets] });
    signed_by(key, state, nonce, LEAST_RATE, (0..reveals).map(reveal).collect())
}

/// A block of everything that waits and fits.
fn next_block(follower: &mut Follower, mempool: &mut Mempool) -> Vec<Signed<Batch>> {
    let built = follower.build(mempool.candidates(), key(1).public(), follower.head_time_ms() + 5_000);
    let batches = built.block.batches.clone();
    follower.commit(built.step);
    mempool.after_block(follower.state(), &batches);
    batches
}

/// Attack 28 at the mempool: a thief disputes with an old state and then fills the mempool with court batches, each
/// behind a batch that takes its account's last money, so that they wait for nothing and cost nothing.
#[test]
fn a_thief_with_nothing_left_to_pay_keeps_no_answer_out() {
    let (thief, victim) = (key(1), key(2));
    let straws = 400;
    let mut follower = follower_of((1..=4).map(key).chain((0..straws).map(straw)));
    let mut mempool = Mempool::default();
    let stake = Deposit { amount: 1, to: thief.public(), partner: Some(victim.public()), ..to_nobody() };
    let steal = Operation::Dispute(Dispute { partner: victim.public(), proof: None });
    let steal = vec![Operation::Deposit(stake), steal];
    mempool.add(follower.state(), signed(follower.state(), 1, 0, LEAST_RATE, steal)).unwrap();
    next_block(&mut follower, &mut mempool);

    let state = follower.state();
    // An honest bank has much to say to court, and somebody pays: neither can be what gives way.
    let bank: Vec<_> = (0..16).map(|nonce| signed(state, 3, nonce, LEAST_RATE, vec![reveal(3)])).collect();
    let payment = batch(state, 4, 0, LEAST_RATE);
    for batch in bank.iter().chain([&payment]) {
        mempool.add(state, batch.clone()).unwrap();
    }
    let fill = |mempool: &mut Mempool, number, size| {
        let key = straw(number);
        // Everything but the fee of this very batch.
        let drain = Deposit { amount: 10_000 - 2, to: thief.public(), ..to_nobody() };
        mempool.add(state, signed_by(&key, state, 0, LEAST_RATE, vec![Operation::Deposit(drain)]))?;
        for nonce in 1.. {
            match mempool.add(state, made_up(state, &key, nonce, size)) {
                Err(Refused::BehindOrdinary { .. } | Refused::Inclusion(InclusionError::CannotPayFee { .. })) => break,
                other => other?,
            };
        }
        Ok::<_, Refused>(())
    };
    let mut full = 0;
    for size in [(7, 256), (1, 1)] {
        full = (full..straws).find(|number| fill(&mut mempool, *number, size) == Err(Refused::Full)).unwrap() + 1;
    }
    let waited = mempool.len();
    assert!(waited > 1_000, "{waited}");

    let parties = Parties::new(thief.public(), victim.public()).unwrap();
    let newest = ChannelState {
        frame: 1,
        subs: vec![Sub { offdelta: 7, ..Sub::zero(AssetId::FRD) }],
        ..ChannelState::default_of(state.chain_id(), parties, 0, Hash([0; 32]))
    };
    let mut signatures = Sides::default();
    let side = parties.side_of(&thief.public()).unwrap();
    *signatures.get_mut(side) = Some(newest.sign(&state.chain_id(), &thief));
    let answer = Operation::Answer(Answer { state: newest, signatures });
    let answer = signed(state, 2, 0, LEAST_RATE, vec![answer]);
    assert!(matches!(mempool.add(state, answer.clone()), Ok(Accepted::New(_))));
    assert!(mempool.len() <= waited, "it has the place of another");

    let block = next_block(&mut follower, &mut mempool);
    assert!(block.contains(&answer) && block.contains(&payment) && bank.iter().all(|batch| block.contains(batch)));
    let in_court = follower.state().dispute(&parties).unwrap().order();
    assert_eq!(in_court, StateOrder { frame: 1, proposer: Side::Right });
    assert!(mempool.len() < 10, "nothing of all that could ever pay: {}", mempool.len());
    let kept = follower.state().balance(&thief.public(), AssetId::FRD);
    println!("{waited} batches of {full} accounts filled it, for the fees of {full}; the thief has {kept}");
}

/// Who gives way, in order; what is as good as the newcomer stays, and then the mempool is full.
#[test]
fn what_gives_way_is_what_may_never_pay_then_the_longest_queue_then_the_cheapest() {
    let follower = follower_of((1..=40).map(key));
    let state = follower.state();
    let mut mempool = Mempool::default();
    let court = |signer, nonce, rate| signed(state, signer, nonce, rate, vec![reveal(signer)]);
    let waiting = [
        batch(state, 1, 0, 10),
        court(1, 1, 90),
        court(1, 2, 90),
        court(2, 0, 10),
        court(2, 1, 10),
        court(2, 2, 10),
        court(2, 3, 10),
        court(3, 0, 10),
        court(3, 1, 50),
        court(4, 0, 10),
        court(4, 1, 40),
        batch(state, 5, 0, 30),
        batch(state, 6, 0, 20),
        court(7, 0, 10),
    ];
    for batch in &waiting {
        mempool.add(state, batch.clone()).unwrap();
    }
    // As if others, who are never displaced, had filled the rest.
    mempool.taken.all.batches = limits::MEMPOOL_BATCHES;
    assert_eq!(mempool.add(state, court(7, 1, 900)), Err(Refused::Full), "not the next of its account");
    assert_eq!(mempool.add(state, batch(state, 8, 0, 900)), Err(Refused::Full), "not for court");
    let forged = Signed { signature: court(9, 0, 10).signature, ..court(10, 0, 10) };
    assert!(matches!(mempool.add(state, forged), Err(Refused::Inclusion(InclusionError::BatchSignature { .. }))));
    assert!(waiting.iter().all(|batch| waits(&mempool, batch)), "a refusal displaces nothing");
    // By place in the list above.
    let order = [2, 1, 6, 5, 4, 10, 8, 0, 12, 11];
    for (signer, gone) in (20..).zip(order) {
        assert!(waits(&mempool, &waiting[gone]), "{gone}");
        mempool.add(state, court(signer, 0, 10)).unwrap();
        assert!(!waits(&mempool, &waiting[gone]), "{gone} gives way to {signer}");
        assert_eq!(mempool.taken.all.batches, limits::MEMPOOL_BATCHES);
    }
    assert_eq!(mempool.add(state, court(30, 0, 900)), Err(Refused::Full), "court batches that pay now stay");
    let left = mempool.candidates().count();
    assert_eq!(left, waiting.len());
    mempool.tidy();
    assert_eq!(mempool.taken.all.batches, left, "nothing was counted twice");
}

fn waits(mempool: &Mempool, batch: &Signed<Batch>) -> bool {
    mempool.candidates().any(|waiting| waiting == batch)
}

/// Bytes are room too: a long answer takes the place of as many as it needs, and none when they are not enough.
#[test]
fn a_long_batch_takes_the_place_of_several() {
    let follower = follower_of((1..=3).map(key));
    let state = follower.state();
    let mut mempool = Mempool::default();
    for nonce in 0..30 {
        mempool.add(state, signed(state, 1, nonce, LEAST_RATE, vec![reveal(1)])).unwrap();
    }
    let each = batch::signed_bytes(&signed(state, 1, 0, LEAST_RATE, vec![reveal(1)]));
    mempool.taken.all.bytes = limits::MEMPOOL_BYTES;
    let long = |secrets| {
        let reveal = Operation::Reveal(Reveal { secrets: vec![Secret([9; 32]); secrets] });
        signed(state, 2, 0, LEAST_RATE, vec![reveal])
    };
    let too_long = long(200);
    assert!(batch::signed_bytes(&too_long) > 29 * each);
    assert_eq!(mempool.add(state, too_long), Err(Refused::Full));
    assert_eq!(mempool.len(), 30);
    let fits = long(20);
    let needed = batch::signed_bytes(&fits).div_ceil(each);
    mempool.add(state, fits).unwrap();
    assert_eq!(mempool.len(), 30 - needed + 1);
    assert!(mempool.taken.all.bytes <= limits::MEMPOOL_BYTES && needed > 3);
}

/// Whichever of the two came first, few court batches wait behind an ordinary one.
#[test]
fn few_court_batches_wait_behind_an_ordinary_one() {
    let follower = follower_of((1..=3).map(key));
    let state = follower.state();
    let mut mempool = Mempool::default();
    let limit = limits::MEMPOOL_BEHIND_ORDINARY;
    let behind = u64::try_from(limit).unwrap();
    let court = |nonce| signed(state, 1, nonce, LEAST_RATE, vec![reveal(1)]);
    mempool.add(state, batch(state, 1, 0, 100)).unwrap();
    for nonce in 1..=behind {
        mempool.add(state, court(nonce)).unwrap();
    }
    assert_eq!(mempool.add(state, court(behind + 1)), Err(Refused::BehindOrdinary { limit }));
    // Court goes before it, and then the queue may grow again.
    mempool.add(state, signed(state, 1, 0, 200, vec![reveal(1)])).unwrap();
    mempool.add(state, court(behind + 1)).unwrap();
    let taking_its_place = signed(state, 1, 0, 400, vec![reveal(1), deposit(9_000)]);
    assert_eq!(mempool.add(state, taking_its_place), Err(Refused::BehindOrdinary { limit }));
    mempool.add(state, signed(state, 1, 1, 400, vec![reveal(1), deposit(9_000)])).unwrap();
}
