use super::*;
use crate::ledger::fixture::{World, certify_by, genesis, key, quick, validators};

fn five() -> ValidatorSet {
    validators(&[(1, 25), (2, 25), (3, 25), (4, 25), (5, 25)])
}

fn others() -> ValidatorSet {
    validators(&[(2, 25), (4, 25), (5, 25), (6, 25)])
}

/// A chain that changes its validators twice, with its turns and its head.
struct Changed {
    genesis: Genesis,
    now: TimeMs,
    turns: Vec<Turn>,
    head: Header,
}

const ALL: &[u8] = &[101, 102, 103, 104, 105, 106];

impl Changed {
    fn new() -> Self {
        let genesis = Genesis { parameters: quick(), ..genesis() };
        let mut world = World::with(genesis.clone());
        let mut replica = World::with(genesis.clone());
        let mut blocks = world.turn(five());
        blocks.push(world.taken(&[]));
        blocks.extend(world.turn(others()));
        blocks.push(world.taken(&[]));
        let mut turns = vec![];
        for certified in &blocks {
            turns.extend(Turn::of(replica.client.state(), certified));
            let step = replica.client.check(certified, world.now).unwrap();
            replica.client.commit(step);
        }
        assert_eq!(turns.len(), 2);
        Self { genesis, now: world.now, turns, head: world.client.head().unwrap().clone() }
    }

    fn walk(&self, checkpoint: Option<Checkpoint>, turns: &[Turn]) -> Result<Walk, Unauthorised> {
        let mut walk = Walk::new(&self.genesis, checkpoint, self.now);
        turns.iter().try_for_each(|turn| walk.turn(turn))?;
        let certificate = certify_by(&self.head, ALL, &others());
        walk.end(&self.head, &certificate)?;
        Ok(walk)
    }

    fn first_turn(&self, change: impl FnOnce(&mut Turn)) -> Unauthorised {
        let mut turns = self.turns.clone();
        change(&mut turns[0]);
        self.walk(None, &turns).err().unwrap()
    }
}

#[test]
fn the_walk_leads_from_genesis_to_the_head() {
    let changed = Changed::new();
    assert!(changed.walk(None, &changed.turns).is_ok());
    for turns in [&changed.turns[..1], &changed.turns[1..], &[]] {
        let error = changed.walk(None, turns).err().unwrap();
        assert!(matches!(error, Unauthorised::Header(BadBlock::WrongValidators { .. })), "{error:?}");
    }
    let twice = [changed.turns[0].clone(), changed.turns[0].clone()];
    assert!(matches!(changed.walk(None, &twice), Err(Unauthorised::Order { .. })));
}

/// Nobody certifies its own set: what counts is the set that the walk has reached.
#[test]
fn a_turn_is_certified_by_the_set_before_it() {
    let changed = Changed::new();
    let mine = |seed: u8| ValidatorSet {
        validators: vec![super::super::certificate::Validator {
            account: key(seed).public(),
            signing_key: key(100 + seed).public(),
            shares: 1,
            url: String::new(),
        }],
    };
    let self_made = |header: Header, next: ValidatorSet| {
        let certificate = certify_by(&header, &[106], &mine(6));
        Turn { header, certificate, next }
    };
    let header = changed.turns[0].header.clone();
    let forged = Header { validators_hash: mine(6).hash(), next_validators_hash: mine(5).hash(), ..header.clone() };
    let error = changed.walk(None, &[self_made(forged, mine(5))]).err().unwrap();
    assert!(matches!(error, Unauthorised::Header(BadBlock::WrongValidators { .. })));
    let forged = Header { next_validators_hash: mine(6).hash(), ..header };
    let error = changed.walk(None, &[self_made(forged, mine(6))]).err().unwrap();
    assert!(matches!(error, Unauthorised::Header(BadBlock::CertificateLength { .. })));
}

#[test]
fn what_does_not_fit_is_named() {
    let changed = Changed::new();
    let height = changed.turns[0].header.height;
    let of_genesis = &changed.genesis.validators;
    assert_eq!(changed.first_turn(|turn| turn.next = others()), Unauthorised::OtherSet { height });
    let error = changed.first_turn(|turn| {
        turn.header.next_validators_hash = of_genesis.hash();
        turn.certificate = certify_by(&turn.header, ALL, of_genesis);
    });
    assert_eq!(error, Unauthorised::NoChange { height });
    let error = changed.first_turn(|turn| {
        turn.next.validators.reverse();
        turn.header.next_validators_hash = turn.next.hash();
        turn.certificate = certify_by(&turn.header, ALL, of_genesis);
    });
    assert!(matches!(error, Unauthorised::BadSet { .. }));
    let error = changed.first_turn(|turn| {
        turn.header.time_ms = changed.genesis.time_ms - 1;
        turn.certificate = certify_by(&turn.header, ALL, of_genesis);
    });
    assert_eq!(error, Unauthorised::Time { height });
    let error = changed.first_turn(|turn| {
        turn.header.time_ms = changed.now + limits::CLOCK_DRIFT_MS + 1;
        turn.certificate = certify_by(&turn.header, ALL, of_genesis);
    });
    assert!(matches!(error, Unauthorised::Header(BadBlock::FromTheFuture { .. })));
    let error = changed.first_turn(|turn| turn.certificate.signatures[..2].fill(None));
    assert!(matches!(error, Unauthorised::Header(BadBlock::NoQuorum { .. })));
}

/// Validators of long ago, removed since, certify another history: a checkpoint above theirs is not on it.
#[test]
fn a_checkpoint_must_lie_on_the_way() {
    let changed = Changed::new();
    let at = |height, set: &ValidatorSet| Some(Checkpoint { height, next_validators_hash: set.hash() });
    let (first, second) = (changed.turns[0].header.height, changed.turns[1].header.height);
    let of_genesis = &changed.genesis.validators;
    let on_the_way = [
        at(first - 1, of_genesis),
        at(first, &five()),
        at(second - 1, &five()),
        at(second, &others()),
        at(changed.head.height, &others()),
    ];
    for checkpoint in on_the_way {
        assert!(changed.walk(checkpoint, &changed.turns).is_ok(), "{checkpoint:?}");
    }
    let beside = [
        at(first - 1, &five()),
        at(first, of_genesis),
        at(second, &five()),
        at(second - 1, &others()),
        at(changed.head.height, &five()),
    ];
    for checkpoint in beside {
        let error = changed.walk(checkpoint, &changed.turns).err();
        let height = checkpoint.unwrap().height;
        assert_eq!(error, Some(Unauthorised::OtherCheckpoint { height }), "{checkpoint:?}");
    }
    let (height, got) = (changed.head.height + 1, changed.head.height);
    let error = changed.walk(at(height, &others()), &changed.turns).err();
    assert_eq!(error, Some(Unauthorised::BelowCheckpoint { height, got }));
}
