//! Consensus as a whole: agreement, progress, and one signature per slot, under loss, crashes and lies.

mod world;

use super::*;
use crate::chain::certificate::ValidatorSet;
use crate::types::Hash;
use world::{CHAIN, Crash, FAIR, Nature, STORMY, World, key_of};

#[test]
fn four_validators_agree() {
    let mut world = World::new(4, 1, FAIR);
    world.start_all();
    world.run_to(20);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let run = |seed| {
        let mut world = World::new(4, seed, STORMY);
        world.start_all();
        world.run_to(8);
        world.trace
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn loss_and_reordering_cost_time_only() {
    for seed in 0..12 {
        let mut world = World::new(4, seed, STORMY);
        world.start_all();
        world.run_to(8);
    }
}

#[test]
fn one_of_four_down_and_back() {
    let mut world = World::new(4, 2, FAIR);
    (0..3).for_each(|node| world.start(node));
    world.run_to(8);
    world.start(3);
    world.run_to(16);
    assert!(world.nodes[3].chain.len() >= 16, "it caught up: {:?}", world.heads());
}

#[test]
fn two_of_four_down_stops_blocks_until_one_is_back() {
    let mut world = World::new(4, 3, FAIR);
    world.start_all();
    world.run_to(3);
    world.stop(2);
    world.stop(3);
    let stopped_at = world.now;
    while world.now < stopped_at + 60_000 {
        world.step();
    }
    assert!(world.heads().iter().all(|head| *head <= 5), "{:?}", world.heads());
    world.start(2);
    world.run_to(8);
}

/// Runs three heights with node `0` dying at one point, and lets it come back.
fn crash_and_rejoin(seed: u64, crash: Crash) -> u64 {
    let mut world = World::new(4, seed, FAIR);
    world.nodes[0].crash = Some(crash);
    world.start_all();
    world.run_to(3);
    world.run_to(5);
    assert!(world.nodes[0].chain.len() >= 5);
    world.nodes[0].restarts
}

#[test]
fn restarted_at_any_logged_step_it_never_signs_twice() {
    let mut world = World::new(4, 4, FAIR);
    world.start_all();
    world.run_to(3);
    let points = world.nodes[0].transactions;
    assert!(points > 15, "three heights have many durable steps, got {points}");
    let mut restarted = 0;
    for number in 0..points {
        for crash in [Crash::BeforeWrite(number), Crash::AfterWrite(number), Crash::AfterFirstSend(number)] {
            restarted += crash_and_rejoin(4, crash) - 1;
        }
    }
    for number in 0..3 {
        for crash in [Crash::BeforeCommit(number), Crash::AfterCommit(number)] {
            restarted += crash_and_rejoin(4, crash) - 1;
        }
    }
    println!("{} durable steps, {restarted} restarts", points + 3);
    // A step without a message has no "after the first message".
    assert!(restarted >= 2 * (points + 3));
}

#[test]
fn restarts_in_a_storm() {
    for seed in 0..6 {
        for number in (0..40).step_by(3) {
            let mut world = World::new(4, seed, STORMY);
            world.nodes[1].crash = Some(Crash::AfterWrite(number));
            world.nodes[2].crash = Some(Crash::AfterFirstSend(number + 2));
            world.start_all();
            world.run_to(4);
        }
    }
}

#[test]
fn an_equivocator_is_named_and_changes_nothing() {
    for seed in 0..3 {
        let mut world = World::new(4, seed, FAIR);
        world.nodes[3].nature = Nature::Equivocator;
        world.start_all();
        let stop = world.now + 15_000;
        while world.now < stop {
            world.step();
        }
        let honest = &world.nodes[..3];
        assert!(honest.iter().all(|node| node.chain.len() >= 5), "{:?}", world.heads());
        let liar = world.nodes[3].account;
        assert!(honest.iter().any(|node| node.reported.contains(&liar)), "it was reported");
        assert!(honest.iter().all(|node| node.reported.iter().all(|who| *who == liar)), "and nobody else");
    }
}

#[test]
fn a_block_that_does_not_execute_gets_no_vote() {
    let mut world = World::new(4, 8, FAIR);
    world.nodes[1].nature = Nature::Liar;
    world.start_all();
    world.run_to(8);
    let liar = world.nodes[1].account;
    assert!(world.nodes[0].chain.iter().all(|(block, _)| block.header.proposer != liar));
}

#[test]
fn a_block_in_anothers_name_gets_no_vote() {
    let mut world = World::new(4, 8, FAIR);
    world.nodes[1].nature = Nature::Usurper;
    world.start_all();
    world.run_to(8);
    let victim = world.nodes[2].account;
    let heights = world.nodes[0].chain.iter().filter(|(block, _)| block.header.proposer == victim);
    let own_turns = heights.filter(|(block, certificate)| {
        let turn = world.set.proposer(block.header.height, certificate.round).expect("a turn");
        turn.account == victim
    });
    let all = world.nodes[0].chain.iter().filter(|(block, _)| block.header.proposer == victim).count();
    assert_eq!(own_turns.count(), all, "whatever names it was built in its turn");
}

#[test]
fn a_proposer_whose_clock_is_off_gets_no_vote_and_follows() {
    let mut world = World::new(4, 9, FAIR);
    world.skew(2, 60_000);
    world.start_all();
    world.run_to(8);
    let late = world.nodes[2].account;
    assert!(world.nodes[0].chain.iter().all(|(block, _)| block.header.proposer != late));
    assert!(world.nodes[2].chain.len() >= 8, "others' blocks are decided by it too");
}

fn alone(signed: Vec<(Slot, Hash)>) -> (World, Result<Vec<Effect>, Fault>) {
    let world = World::new(1, 1, FAIR);
    let (validators, next_validators) = (world.set.clone(), world.set.clone());
    let restored = Restored { chain_id: CHAIN, height: 1, validators, next_validators, log: vec![], signed };
    let signer = Signer { account: world.nodes[0].account, key: key_of(0) };
    let timeouts = Timeouts { propose_ms: 10, vote_ms: 10, rebroadcast_ms: 10, step_ms: 1, longest_ms: 50 };
    let (mut machine, _) = Consensus::restore(restored, signer, timeouts).unwrap();
    machine.handle(Input::Begin, 5).unwrap();
    let timer = Timer { height: 1, round: 0, kind: TimerKind::Propose };
    let result = machine.handle(Input::Elapsed(timer), 20);
    (world, result)
}

#[test]
fn what_is_on_record_stops_another_signature() {
    let slot = Slot { height: 1, round: 0, step: Step::Prevote };
    let (_, free) = alone(vec![]);
    let content = free
        .unwrap()
        .into_iter()
        .find_map(|effect| match effect {
            Effect::Signed { slot: signed, content } if signed == slot => Some(content),
            _ => None,
        })
        .expect("the timeout makes it prevote nil");
    assert!(alone(vec![(slot, content)]).1.is_ok(), "the same once more");
    let other = Hash([9; 32]);
    let fault = alone(vec![(slot, other)]).1.unwrap_err();
    assert_eq!(fault, Fault::WouldSignTwice { slot, signed: other, asked: content });
}

#[test]
fn strangers_and_far_heights_are_dropped_and_early_messages_bounded() {
    let world = World::new(4, 1, FAIR);
    let (validators, next_validators) = (world.set.clone(), world.set.clone());
    let restored = Restored { chain_id: CHAIN, height: 1, validators, next_validators, log: vec![], signed: vec![] };
    let signer = Signer { account: world.nodes[0].account, key: world_key(&world.set, 0) };
    let timeouts = Timeouts { propose_ms: 10, vote_ms: 10, rebroadcast_ms: 10, step_ms: 1, longest_ms: 50 };
    let (mut machine, _) = Consensus::restore(restored, signer, timeouts).unwrap();
    let vote = |height, round, key: &crate::crypto::SecretKey| {
        let validator = world.set.validators[1].account;
        let ballot = Ballot { validator, kind: VoteKind::Prevote, height, round, block_hash: None };
        let signature = ballot.sign(&CHAIN, key);
        Input::Received(Message::Vote(Vote { ballot, signature }))
    };
    let right = world_key(&world.set, 1);
    let wrong = crate::crypto::SecretKey::from_seed(&[99; 32]);
    machine.handle(vote(1, 0, &wrong), 0).unwrap();
    machine.handle(vote(3, 0, &right), 0).unwrap();
    machine.handle(vote(2, 0, &right), 0).unwrap();
    assert!(!machine.is_awaited());
    for round in 0..200 {
        machine.handle(vote(1, round, &right), 0).unwrap();
    }
    assert!(machine.is_awaited());
    assert_eq!(machine.early_count(), crate::limits::MAX_EARLY_MESSAGES + 1);
}

/// From height 5 on the fifth decides instead of the first. Neither votes at a height that is not its own, and
/// both have every block.
#[test]
fn who_is_voted_in_begins_and_who_is_voted_out_follows_on() {
    for (seed, weather) in [(1, FAIR), (2, FAIR), (3, STORMY), (4, STORMY)] {
        let mut world = World::new(5, seed, weather);
        let mut first = world.set.clone();
        let newcomer = first.validators.pop().unwrap();
        let mut second = first.clone();
        let leaver = second.validators.remove(0);
        second.validators.push(newcomer.clone());
        (world.set, world.change) = (first, Some((5, second)));
        world.start_all();
        world.run_to(12);
        let voted =
            |account, heights: std::ops::Range<u64>| world.sent_by(account).any(|slot| heights.contains(&slot.height));
        assert!(voted(leaver.account, 1..5) && !voted(leaver.account, 5..100), "seed {seed}");
        assert!(!voted(newcomer.account, 0..5) && voted(newcomer.account, 5..100), "seed {seed}");
        assert!(world.heads().iter().all(|head| *head >= 10), "seed {seed}: {:?}", world.heads());
    }
}

/// Messages of the next height are those of the validators who decide it.
#[test]
fn early_messages_are_held_against_the_next_set() {
    let world = World::new(4, 1, FAIR);
    let mut now = world.set.clone();
    let newcomer = now.validators.remove(1);
    let restored = Restored {
        chain_id: CHAIN,
        height: 1,
        validators: now,
        next_validators: world.set.clone(),
        log: vec![],
        signed: vec![],
    };
    let signer = Signer { account: world.nodes[0].account, key: world_key(&world.set, 0) };
    let timeouts = Timeouts { propose_ms: 10, vote_ms: 10, rebroadcast_ms: 10, step_ms: 1, longest_ms: 50 };
    let (mut machine, _) = Consensus::restore(restored, signer, timeouts).unwrap();
    let kept = [(1, 0), (2, 1)];
    for (height, expected) in kept {
        let ballot =
            Ballot { validator: newcomer.account, kind: VoteKind::Prevote, height, round: 0, block_hash: None };
        let signature = ballot.sign(&CHAIN, &world_key(&world.set, 1));
        machine.handle(Input::Received(Message::Vote(Vote { ballot, signature })), 0).unwrap();
        assert_eq!(machine.early_count(), expected);
    }
}

fn world_key(set: &ValidatorSet, index: usize) -> crate::crypto::SecretKey {
    (0..set.validators.len()).map(key_of).find(|key| key.public() == set.validators[index].signing_key).unwrap()
}
