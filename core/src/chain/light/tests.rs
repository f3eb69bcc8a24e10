use super::*;
use crate::chain::follow::Follower;
use crate::chain::params::Parameters;
use crate::ledger::fixture::{World, certify_by, genesis, key, quick, set_validators, validators, vote_in};
use crate::types::AssetId;

const PERIOD: u64 = 40_000;

fn start() -> Genesis {
    Genesis { parameters: Parameters { trust_period_ms: PERIOD, ..quick() }, ..genesis() }
}

/// Four validators, of whom each change replaces some, until none of the first is left.
fn changing() -> World {
    let mut world = World::with(start());
    type Shares = &'static [(u8, u64)];
    let sets: [(Shares, &[u8]); 3] = [
        (&[(1, 25), (2, 25), (3, 25), (4, 25), (5, 25)], &[1, 2, 3]),
        (&[(1, 10), (5, 25), (6, 25)], &[1, 2, 3, 4]),
        (&[(5, 25), (6, 25)], &[5, 6]),
    ];
    for (shares, yes) in sets {
        vote_in(&mut world, set_validators(shares), yes);
        for _ in 0..3 {
            world.block(&[]);
        }
    }
    world
}

fn at(world: &World, height: Height) -> Candidate {
    world.headers[usize::try_from(height).unwrap() - 1].clone()
}

fn changes(world: &World) -> Vec<Height> {
    let changes = world.headers.iter().filter(|it| it.header.next_validators_hash != it.header.validators_hash);
    changes.map(|it| it.header.height).collect()
}

/// A header of that height made by whoever holds the keys of those seeds: another block than the chain's.
fn forged(world: &World, height: Height, set: &ValidatorSet, time_ms: TimeMs) -> Candidate {
    let mut candidate = at(world, height.min(world.state().height()));
    candidate.header.height = height;
    candidate.header.state_root = Hash([9; 32]);
    candidate.header.time_ms = time_ms;
    candidate.header.validators_hash = set.hash();
    candidate.header.next_validators_hash = set.hash();
    let seeds: Vec<u8> = (101..150).collect();
    candidate.certificate = certify_by(&candidate.header, &seeds, set);
    (candidate.validators, candidate.next_validators) = (set.clone(), set.clone());
    candidate
}

/// A full client that saw nothing while the validators changed three times executes every block that it missed.
#[test]
fn a_full_client_that_slept_follows_every_change() {
    let world = changing();
    let mut sleeper = Follower::new(&world.genesis);
    for block in &world.blocks {
        let step = sleeper.check(block, world.now).unwrap();
        sleeper.commit(step);
    }
    assert_eq!(sleeper.state().root(), world.state().root());
    assert_eq!(sleeper.state().validators(), &validators(&[(5, 25), (6, 25)]));
    // The first validators certify nothing any more.
    let mut block = world.blocks.last().unwrap().clone();
    let mut behind = Follower::new(&world.genesis);
    for block in &world.blocks[..world.blocks.len() - 1] {
        let step = behind.check(block, world.now).unwrap();
        behind.commit(step);
    }
    block.certificate = certify_by(&block.block.header, &[101, 102, 103, 104], behind.state().validators());
    assert!(matches!(behind.check(&block, world.now), Err(BadBlock::NoQuorum { got: 0, .. })));
}

#[test]
fn the_walk_over_the_changes_leads_to_the_head() {
    let world = changing();
    let mut light = Light::from_genesis(&world.genesis);
    assert_eq!(light.basis(), Basis::Genesis);
    let head = world.state().height();
    let refused = light.take(at(&world, head), world.now);
    assert_eq!(refused, Err(NotAccepted::Unauthorised { trusted: 0, got: head }));
    let changes = changes(&world);
    assert_eq!(changes.len(), 3);
    for height in changes.into_iter().chain([head]) {
        assert_eq!(light.take(at(&world, height), world.now), Ok(Taken::Accepted), "{height}");
    }
    assert_eq!(light.newest(), (head, world.now));
    assert_eq!(light.take(at(&world, head), world.now), Ok(Taken::Known));
}

/// A change that keeps 2/3+ of the trusted set needs no walk; one that keeps fewer does.
#[test]
fn two_thirds_of_the_trusted_set_authorise_a_jump() {
    let world = changing();
    let [first, second, _] = changes(&world)[..] else { panic!("three changes") };
    let mut light = Light::from_checkpoint(world.genesis.chain_id(), PERIOD, at(&world, 1)).unwrap();
    assert_eq!(light.basis(), Basis::Checkpoint);
    let now = at(&world, second).header.time_ms;
    assert_eq!(light.take(at(&world, second), now), Ok(Taken::Accepted), "over the first change, {first}");
    let head = world.state().height();
    let mut sleeper = Light::from_checkpoint(world.genesis.chain_id(), PERIOD, at(&world, first + 2)).unwrap();
    let now = at(&world, second + 2).header.time_ms;
    let refused = sleeper.take(at(&world, second + 2), now);
    assert_eq!(refused, Err(NotAccepted::Unauthorised { trusted: first + 2, got: second + 2 }));
    assert!(head > second + 2);
}

#[test]
fn each_part_of_a_candidate_is_checked() {
    let world = changing();
    let chain_id = world.genesis.chain_id();
    let light = || Light::from_checkpoint(chain_id, PERIOD, at(&world, 3)).unwrap();
    let now = at(&world, 6).header.time_ms;
    let refused = |change: &dyn Fn(&mut Candidate)| {
        let mut candidate = at(&world, 5);
        change(&mut candidate);
        light().take(candidate, now).unwrap_err()
    };
    let other = validators(&[(7, 1)]);
    type Fault = fn(&NotAccepted) -> bool;
    type Change<'a> = &'a dyn Fn(&mut Candidate);
    let cases: [(Change<'_>, Fault); 6] = [
        (&|it| it.header.version = 9, |e| matches!(e, NotAccepted::Bad(BadBlock::UnknownVersion { .. }))),
        (&|it| it.header.chain_id = Hash([1; 32]), |e| matches!(e, NotAccepted::Bad(BadBlock::WrongChain { .. }))),
        (&|it| it.validators = other.clone(), |e| matches!(e, NotAccepted::Bad(BadBlock::WrongValidators { .. }))),
        (&|it| it.next_validators = other.clone(), |e| {
            matches!(e, NotAccepted::Bad(BadBlock::WrongNextValidators { .. }))
        }),
        (&|it| it.header.state_root = Hash([1; 32]), |e| {
            matches!(e, NotAccepted::Bad(BadBlock::CertificateForOtherBlock { .. }))
        }),
        (&|it| it.certificate.signatures[0] = None, |e| matches!(e, NotAccepted::Bad(BadBlock::NoQuorum { .. }))),
    ];
    for (index, (change, fault)) in cases.iter().enumerate() {
        let error = refused(&|it| {
            it.certificate.signatures[3] = None;
            change(it);
        });
        assert!(fault(&error), "{index}: {error}");
    }
    let early = light().take(at(&world, 5), now - 20_000).unwrap_err();
    assert!(matches!(early, NotAccepted::Bad(BadBlock::FromTheFuture { .. })), "{early}");
    let back = forged(&world, 5, &world.genesis.validators, at(&world, 3).header.time_ms);
    assert!(matches!(light().take(back, now), Err(NotAccepted::BackInTime { .. })));
    assert_eq!(light().take(at(&world, 2), now), Err(NotAccepted::Past { newest: 3, got: 2 }));
}

/// The very next header has the set that was named, whoever of it signs another set's.
#[test]
fn the_next_header_has_the_set_that_was_named() {
    let world = changing();
    let mut light = Light::from_checkpoint(world.genesis.chain_id(), PERIOD, at(&world, 3)).unwrap();
    let usurper = forged(&world, 4, &validators(&[(1, 25), (2, 25), (3, 25), (6, 10)]), world.now);
    assert_eq!(
        light.take(usurper.clone(), world.now),
        Err(NotAccepted::Expired {
            trusted_ms: at(&world, 3).header.time_ms,
            now_ms: world.now,
            trust_period_ms: PERIOD,
        })
    );
    let now = at(&world, 4).header.time_ms;
    let usurper = forged(&world, 4, &usurper.validators, now);
    assert_eq!(light.take(usurper, now), Err(NotAccepted::Unauthorised { trusted: 3, got: 4 }));
}

#[test]
fn trust_lasts_its_period_and_no_longer() {
    let world = changing();
    let trusted = at(&world, 3);
    let mut light = Light::from_checkpoint(world.genesis.chain_id(), PERIOD, trusted.clone()).unwrap();
    let last = trusted.header.time_ms + PERIOD;
    let expired = NotAccepted::Expired { trusted_ms: trusted.header.time_ms, now_ms: last, trust_period_ms: PERIOD };
    assert_eq!(light.take(at(&world, 5), last), Err(expired));
    assert_eq!(light.take(at(&world, 5), last - 1), Ok(Taken::Accepted));
    // A walk from genesis has no bound until it has arrived once.
    let mut light = Light::from_genesis(&world.genesis);
    let late = world.now + 10 * PERIOD;
    assert_eq!(light.take(at(&world, 1), late), Ok(Taken::Accepted));
    assert_eq!(light.take(at(&world, 2), at(&world, 2).header.time_ms), Ok(Taken::Accepted));
    assert!(matches!(light.take(at(&world, 3), late), Err(NotAccepted::Expired { .. })));
}

#[test]
fn a_second_header_is_evidence_and_only_a_young_one_stops() {
    let world = changing();
    let mut light = Light::from_genesis(&world.genesis);
    let (head, changes) = (world.state().height(), changes(&world));
    for height in [5].into_iter().chain(changes).chain([head]) {
        assert_eq!(light.take(at(&world, height), world.now), Ok(Taken::Accepted));
    }
    let first = &world.genesis.validators;
    let old = forged(&world, 5, first, world.now);
    assert_eq!(light.take(old, world.now), Ok(Taken::Conflict(Conflict::IsKept)));
    let last = world.state().validators().clone();
    let young = forged(&world, head, &last, world.now);
    assert_eq!(light.take(young, world.now), Ok(Taken::Conflict(Conflict::Stops)));
    // Certified by those who were not the validators of that height: no evidence of anything.
    let stranger = forged(&world, head, first, world.now);
    let refused = light.take(stranger, world.now).unwrap_err();
    assert!(matches!(refused, NotAccepted::Bad(BadBlock::WrongValidators { .. })), "{refused}");
}

#[test]
fn an_answer_says_when_it_was_so() {
    let world = changing();
    let mut light = Light::from_genesis(&world.genesis);
    let head = world.state().height();
    let key = Key::Balance(key(5).public(), AssetId::FRD);
    let prove = |height| {
        let Candidate { header, certificate, .. } = at(&world, height);
        let (value, proof) = world.state().prove_at(height, &key).unwrap();
        Proven { header, certificate, value: value.cloned(), proof }
    };
    let proven = prove(head);
    assert!(light.answer(&proven, &key, world.now).is_err(), "nothing leads there yet");
    for height in changes(&world) {
        light.take(at(&world, height), world.now).unwrap();
    }
    let answer = light.answer(&proven, &key, world.now).unwrap();
    assert_eq!((answer.height, answer.time_ms), (head, world.now));
    assert!(matches!(answer.value, Some(Value::Balance(_))));
    light.take(at(&world, head), world.now).unwrap();
    assert!(light.answer(&proven, &key, world.now + 10 * PERIOD).is_ok(), "what is trusted was so");
    let older = prove(head - 1);
    assert!(light.answer(&older, &key, world.now).is_err(), "a header that was passed over");
    let mut other = proven.clone();
    other.value = None;
    assert!(matches!(light.answer(&other, &key, world.now), Err(NotProven::Value(_))));

    let (value, proof) = world.state().prove_at(head, &Key::Parameters).unwrap();
    let parameters = Proven { value: value.cloned(), proof, ..proven };
    light.trust_period_ms = 1;
    light.learn_trust_period(&parameters, world.now).unwrap();
    assert_eq!(light.trust_period_ms, PERIOD);
}
