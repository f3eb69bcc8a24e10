use crate::chain::certificate::{BadValidatorSet, ValidatorSet};
use crate::chain::params::Parameters;
use crate::chain::verify::BadBlock;
use crate::crypto::SecretKey;
use crate::ledger::fixture::{World, genesis, key, quick, validators};
use crate::ledger::operation::{GovernanceAction, Operation, ProposalId, Propose, Vote};
use crate::ledger::receipt::{Opening, OpeningEvent, Receipt, SkipReason};
use crate::ledger::state::{Key, ProposalState, Release};
use crate::limits;
use crate::types::{AssetId, Hash};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn world() -> World {
    World::with(crate::chain::genesis::Genesis { parameters: quick(), ..genesis() })
}

fn parameters(change: impl FnOnce(&mut Parameters)) -> GovernanceAction {
    let mut parameters = quick();
    change(&mut parameters);
    GovernanceAction::SetParameters { parameters: Box::new(parameters) }
}

fn set(shares: &[(u8, u64)]) -> GovernanceAction {
    GovernanceAction::SetValidators { validators: Box::new(validators(shares)) }
}

fn rename(asset: AssetId, ticker: &str) -> GovernanceAction {
    GovernanceAction::RenameAsset { asset, ticker: ticker.into(), name: "Renamed".into() }
}

fn proposal(action: GovernanceAction) -> Operation {
    Operation::Propose(Propose { action, text: "because".into() })
}

fn vote(proposal: ProposalId, approve: bool) -> Operation {
    Operation::Vote(Vote { proposal, approve, rationale: "so".into() })
}

fn apply(world: &mut World, signer: &SecretKey, operation: Operation) {
    let outcome = world.run(signer, vec![operation]).remove(0);
    assert_eq!(outcome.receipt, Receipt::Applied { registered: None });
}

/// A proposal of validator 2.
fn propose(world: &mut World, action: GovernanceAction) -> ProposalId {
    apply(world, &key(2), proposal(action));
    world.state().proposals().next_back().unwrap().0
}

fn votes(world: &mut World, id: ProposalId, yes: &[u8]) {
    let batches: Vec<_> = yes.iter().map(|seed| world.batch(&key(*seed), vec![vote(id, true)])).collect();
    for outcome in world.block(&batches) {
        assert_eq!(outcome.operations[0].receipt, Receipt::Applied { registered: None });
    }
}

fn state(world: &World, id: ProposalId) -> ProposalState {
    world.state().proposals().find(|(number, _)| *number == id).unwrap().1.state
}

/// Empty blocks until the state of a proposal is another.
fn until_decided(world: &mut World, id: ProposalId) -> ProposalState {
    let before = state(world, id);
    for _ in 0..200 {
        world.block(&[]);
        let now = state(world, id);
        if now != before {
            let event = OpeningEvent::Proposal { id, state: now };
            assert!(world.openings.contains(&Opening { event, flows: vec![] }), "the block says so");
            return now;
        }
    }
    panic!("nothing was decided");
}

/// Proposed, approved by three of four, and executed or void.
fn decide(world: &mut World, action: GovernanceAction) -> (ProposalId, ProposalState) {
    let id = propose(world, action);
    votes(world, id, &[1, 2, 3]);
    assert!(matches!(until_decided(world, id), ProposalState::Accepted { .. }));
    (id, until_decided(world, id))
}

#[test]
fn only_validators_propose_and_vote_within_bounds() {
    let mut world = world();
    let good = || proposal(rename(AssetId::FRB, "BET"));
    world.assert_skipped(&key(5), good(), SkipReason::NotAValidator);
    let text = "x".repeat(limits::MAX_PROPOSAL_TEXT_BYTES + 1);
    let long = Operation::Propose(Propose { action: rename(AssetId::FRB, "BET"), text });
    world.assert_skipped(&key(2), long, SkipReason::TextTooLong { limit: 4096, got: 4097 });
    apply(&mut world, &key(2), good());
    world.assert_skipped(&key(5), vote(1, true), SkipReason::NotAValidator);
    world.assert_skipped(&key(2), vote(2, true), SkipReason::UnknownProposal { proposal: 2 });
    let rationale = "x".repeat(limits::MAX_RATIONALE_BYTES + 1);
    let long = Operation::Vote(Vote { proposal: 1, approve: true, rationale });
    world.assert_skipped(&key(2), long, SkipReason::TextTooLong { limit: 1024, got: 1025 });
}

#[test]
fn so_many_proposals_of_a_validator_are_open_and_take_no_place_of_another() {
    let mut world = world();
    for seed in 2..=4 {
        let room = (0..16).map(|_| proposal(rename(AssetId::FRB, "BET"))).collect();
        for outcome in world.run(&key(seed), room) {
            assert_eq!(outcome.receipt, Receipt::Applied { registered: None });
        }
        let full = SkipReason::TooManyProposals { limit: 16 };
        world.assert_skipped(&key(seed), proposal(rename(AssetId::FRB, "BET")), full);
    }
    assert_eq!(until_decided(&mut world, 1), ProposalState::Rejected);
    assert_eq!(world.openings.len(), 16);
    apply(&mut world, &key(2), proposal(rename(AssetId::FRB, "BET")));
    let parts = [(1, 1), (2, 1), (3, 1)];
    let (_, done) = decide(&mut world, set(&parts));
    assert!(matches!(done, ProposalState::Executed { .. }));
    while world.state().validators().validators.len() > parts.len() {
        world.block(&[]);
    }
    let room = (0..22).map(|_| proposal(rename(AssetId::FRB, "BET"))).collect();
    let outcomes = world.run(&key(3), room);
    let applied = outcomes.iter().filter(|outcome| outcome.receipt == Receipt::Applied { registered: None });
    assert_eq!(applied.count(), 21, "three share the places");
}

#[test]
fn votes_count_until_the_period_is_over_and_the_last_one_stands() {
    let mut world = world();
    let id = propose(&mut world, rename(AssetId::FRB, "BET"));
    let until = world.state().proposals().next().unwrap().1.votes_until;
    votes(&mut world, id, &[1, 2, 3, 4]);
    apply(&mut world, &key(4), vote(id, false));
    while world.state().usable_height() < until {
        world.block(&[]);
    }
    assert_eq!(state(&world, id), ProposalState::Open);
    apply(&mut world, &key(3), vote(id, false));
    let over = SkipReason::VotingOver { proposal: id, votes_until: until, now: until + 1 };
    let batch = world.batch(&key(3), vec![vote(id, true)]);
    let outcome = world.block(&[batch]).remove(0).operations.remove(0);
    assert_eq!(outcome.receipt, Receipt::Skipped { reason: over });
    assert_eq!(state(&world, id), ProposalState::Rejected, "two of four are no two thirds");
    assert_eq!(world.state().votes(id).filter(|(_, vote)| vote.approve).count(), 2);
}

#[test]
fn two_thirds_is_strictly_more_and_shares_are_those_of_the_tally() {
    let mut world = world();
    let (_, done) = decide(&mut world, set(&[(1, 1), (2, 1), (3, 1), (5, 30)]));
    assert!(matches!(done, ProposalState::Executed { .. }));
    let mut shares_before = |yes: &[u8]| {
        let id = propose(&mut world, rename(AssetId::FRB, "BET"));
        votes(&mut world, id, yes);
        until_decided(&mut world, id)
    };
    assert_eq!(shares_before(&[1, 2, 3]), ProposalState::Rejected);
    assert!(matches!(shares_before(&[5]), ProposalState::Accepted { .. }));

    let mut world = self::world();
    let (_, done) = decide(&mut world, set(&[(1, 1), (2, 1), (3, 1)]));
    assert!(matches!(done, ProposalState::Executed { .. }));
    world.block(&[]);
    let id = propose(&mut world, rename(AssetId::FRB, "BET"));
    votes(&mut world, id, &[1, 2]);
    assert_eq!(until_decided(&mut world, id), ProposalState::Rejected, "exactly two thirds");
}

/// Who votes, and who reads of it, sees the shares that count: before the tally those that are decided for it, afterwards
/// those that it was.
#[test]
fn votes_are_told_with_the_shares_of_their_tally() {
    let mut world = world();
    let first = world.state().validators().clone();
    let counted = |world: &World, id| {
        let proposals: std::collections::BTreeMap<_, _> = world.state().proposals().collect();
        world.state().counted_by(proposals[&id], &first).clone()
    };
    let early = propose(&mut world, rename(AssetId::FRB, "BET"));
    let change = propose(&mut world, set(&[(1, 1), (2, 1), (3, 1), (5, 30)]));
    votes(&mut world, change, &[1, 2, 3]);
    for _ in 0..8 {
        world.block(&[]);
    }
    let later = propose(&mut world, rename(AssetId::FRB, "BAT"));
    for id in [early, change, later] {
        assert_eq!(counted(&world, id), first, "nothing else is decided");
    }
    assert!(matches!(until_decided(&mut world, change), ProposalState::Accepted { .. }));
    let second = validators(&[(1, 1), (2, 1), (3, 1), (5, 30)]);
    assert_eq!(counted(&world, later), second, "it is decided, and comes before the tally");
    assert!(matches!(until_decided(&mut world, change), ProposalState::Executed { .. }));
    world.block(&[]);
    votes(&mut world, later, &[5]);
    assert!(matches!(until_decided(&mut world, later), ProposalState::Accepted { .. }), "as it was told");
    for (id, set) in [(early, &first), (change, &first), (later, &second)] {
        assert_eq!(counted(&world, id), *set);
    }
    let third = propose(&mut world, set(&[(1, 25), (2, 25)]));
    votes(&mut world, third, &[5]);
    assert!(matches!(until_decided(&mut world, third), ProposalState::Accepted { .. }));
    assert!(matches!(until_decided(&mut world, third), ProposalState::Executed { .. }));
    for (id, set) in [(early, &first), (change, &first), (later, &second), (third, &second)] {
        assert_eq!(counted(&world, id), *set, "what was decided stays");
    }
}

/// What was voted by somebody who is a validator no more weighs nothing.
#[test]
fn votes_of_those_voted_out_weigh_nothing() {
    let mut world = world();
    let change = propose(&mut world, set(&[(1, 25), (2, 25), (5, 25), (6, 25)]));
    votes(&mut world, change, &[1, 2, 3, 4]);
    for _ in 0..8 {
        world.block(&[]);
    }
    let later = propose(&mut world, rename(AssetId::FRB, "BET"));
    votes(&mut world, later, &[2, 3, 4]);
    assert!(matches!(until_decided(&mut world, change), ProposalState::Accepted { .. }));
    assert!(matches!(until_decided(&mut world, change), ProposalState::Executed { .. }));
    world.block(&[]);
    world.assert_skipped(&key(3), vote(later, true), SkipReason::NotAValidator);
    apply(&mut world, &key(5), vote(later, true));
    assert_eq!(until_decided(&mut world, later), ProposalState::Rejected);
}

#[test]
fn validators_change_after_their_delay_and_headers_lead_there() {
    let mut world = world();
    let before = world.state().validators().clone();
    let next = validators(&[(1, 25), (2, 25), (3, 25), (4, 25), (5, 25)]);
    let id = propose(&mut world, set(&[(1, 25), (2, 25), (3, 25), (4, 25), (5, 25)]));
    votes(&mut world, id, &[1, 2, 3]);
    let ProposalState::Accepted { effective } = until_decided(&mut world, id) else { panic!("accepted") };
    assert_eq!(effective, world.state().usable_height() - 1 + 1, "K.validator_delay_blocks after the tally");
    assert!(matches!(until_decided(&mut world, id), ProposalState::Executed { at } if at == effective));
    // The block that executed it is certified and followed by the old set; the next one names the new set; the one
    // after that is certified by it.
    let header = |world: &World| world.client.head().unwrap().clone();
    let decided = header(&world);
    assert_eq!((decided.validators_hash, decided.next_validators_hash), (before.hash(), before.hash()));
    assert_eq!((world.state().validators(), world.state().next_validators()), (&before, &next));
    world.block(&[]);
    let named = header(&world);
    assert_eq!((named.validators_hash, named.next_validators_hash), (before.hash(), next.hash()));
    world.block(&[]);
    assert_eq!((header(&world).validators_hash, header(&world).next_validators_hash), (next.hash(), next.hash()));
}

#[test]
fn what_channels_rely_on_changes_after_the_longest_dispute() {
    let mut world = world();
    let id = propose(&mut world, parameters(|k| k.risk = 7));
    votes(&mut world, id, &[1, 2, 3]);
    let ProposalState::Accepted { effective } = until_decided(&mut world, id) else { panic!("accepted") };
    let tally = world.state().usable_height() - 1;
    assert_eq!(effective, tally + 73 + 1 + 1);
    assert_eq!(until_decided(&mut world, id), ProposalState::Executed { at: effective });
    assert_eq!(world.state().parameters().risk, 7);
    let (old, new) = (quick().hash(), world.state().parameters().hash());
    assert_eq!(world.client.head().unwrap().parameters_hash, old, "the block that changes K is executed by the old");
    world.block(&[]);
    assert_eq!(world.client.head().unwrap().parameters_hash, new);
}

#[test]
fn assets_are_renamed_and_banks_struck_off() {
    let mut world = world();
    let bad = |ticker: &str| proposal(rename(AssetId::FRB, ticker));
    world.assert_skipped(&key(2), bad("bet"), SkipReason::BadTicker);
    let taken = SkipReason::TickerTaken { ticker: "FRD".into(), asset: AssetId::FRD };
    world.assert_skipped(&key(2), bad("FRD"), taken);
    let unknown = SkipReason::UnknownAsset { asset: AssetId(9) };
    world.assert_skipped(&key(2), proposal(rename(AssetId(9), "BET")), unknown);
    let nameless = GovernanceAction::RenameAsset { asset: AssetId::FRB, ticker: "BET".into(), name: String::new() };
    world.assert_skipped(&key(2), proposal(nameless), SkipReason::BadName);
    let (_, done) = decide(&mut world, rename(AssetId::FRB, "BET"));
    assert!(matches!(done, ProposalState::Executed { .. }));
    assert_eq!(world.state().asset(AssetId::FRB).unwrap().ticker, "BET");
    assert_eq!(world.state().value(&Key::ticker("FRB")), None);

    let strike = |seed| GovernanceAction::RemoveBank { bank: key(seed).public() };
    world.assert_skipped(&key(2), proposal(strike(5)), SkipReason::NotABank { bank: key(5).public() });
    let (_, done) = decide(&mut world, strike(1));
    assert!(matches!(done, ProposalState::Executed { .. }));
    assert_eq!(world.state().banks().count(), 0);
    assert_eq!(world.state().value(&Key::bank_handle("main")), None);
}

/// Two proposals for one thing: both were right when they were made, and the second is no more.
#[test]
fn what_would_break_a_rule_by_now_is_void() {
    let mut world = world();
    let first = propose(&mut world, rename(AssetId::FRD, "NEW"));
    let second = propose(&mut world, rename(AssetId::FRB, "NEW"));
    for id in [first, second] {
        votes(&mut world, id, &[1, 2, 3]);
    }
    for id in [first, second] {
        while state(&world, id) == ProposalState::Open {
            world.block(&[]);
        }
    }
    let due = |world: &World, id| match state(world, id) {
        ProposalState::Accepted { effective } => effective,
        other => panic!("{other:?}"),
    };
    assert_eq!(due(&world, first) + 1, due(&world, second));
    assert!(matches!(until_decided(&mut world, first), ProposalState::Executed { .. }));
    assert_eq!(until_decided(&mut world, second), ProposalState::Void);
    assert_eq!(world.state().asset(AssetId::FRB).unwrap().ticker, "FRB");
}

/// In one block they are executed in order of their numbers.
#[test]
fn one_block_executes_in_order_of_numbers() {
    let mut world = world();
    let both = ["NEW", "NEW"].map(|ticker| proposal(rename(AssetId::FRB, ticker)));
    let other = proposal(rename(AssetId::FRD, "NEW"));
    world.run(&key(2), [vec![other], both.to_vec()].concat());
    for id in 1..=3 {
        votes(&mut world, id, &[1, 2, 3]);
    }
    while !matches!(state(&world, 3), ProposalState::Executed { .. } | ProposalState::Void) {
        world.block(&[]);
    }
    let ids: Vec<_> = world
        .openings
        .iter()
        .map(|opening| match opening.event {
            OpeningEvent::Proposal { id, state } => (id, state == ProposalState::Void),
            _ => panic!("another opening"),
        })
        .collect();
    assert_eq!(ids, [(1, false), (2, true), (3, true)]);
}

#[test]
fn a_set_is_checked_whole() {
    let mut world = world();
    let broken = |change: &dyn Fn(&mut ValidatorSet)| {
        let mut validators = validators(&[(1, 25), (2, 25), (3, 25), (4, 25)]);
        change(&mut validators);
        proposal(GovernanceAction::SetValidators { validators: Box::new(validators) })
    };
    let rule = |bad: BadValidatorSet| SkipReason::BreaksRule { rule: bad.to_string() };
    let shared = broken(&|set| set.validators[1].signing_key = set.validators[0].signing_key);
    let twin = world.state().validators().validators[0].signing_key;
    let cases = [
        (broken(&|set| set.validators.clear()), rule(BadValidatorSet::Count(0))),
        (broken(&|set| set.validators.swap(0, 1)), rule(BadValidatorSet::Order)),
        (shared, rule(BadValidatorSet::SharedKey(twin))),
        (broken(&|set| set.validators[2].shares = 0), rule(BadValidatorSet::Shares)),
        (broken(&|set| set.validators[2].url = String::new()), SkipReason::BadUrl),
        (proposal(set(&[(1, 1), (99, 1)])), SkipReason::UnregisteredValidator { account: key(99).public() }),
    ];
    for (operation, reason) in cases {
        world.assert_skipped(&key(2), operation, reason);
    }
}

/// Each inequality that a chain may not start without, no vote can take away.
#[test]
fn no_rule_of_the_parameters_can_be_voted_away() {
    let mut world = World::with(genesis());
    for (rule, break_it) in crate::chain::params::tests::BREAKS {
        let mut bad = Parameters::DEMO;
        break_it(&mut bad);
        let action = GovernanceAction::SetParameters { parameters: Box::new(bad) };
        world.assert_skipped(&key(2), proposal(action), SkipReason::BreaksRule { rule: (*rule).into() });
    }
}

/// Each rule that holds between a set and the one before it, broken alone: by what the first is, and what the
/// second makes of it.
#[test]
fn nothing_shrinks_on_which_channels_rely() {
    type Change = fn(&mut Parameters);
    let same: Change = |_| {};
    let long: Change = |k| {
        k.dispute_delay_blocks = 1_000;
        k.hashlock_keepalive_blocks = 2_394;
    };
    let breaks: &[(&str, Change, Change)] = &[
        ("max_state never shrinks", same, |k| k.max_state_bytes -= 1),
        ("max_locks never shrinks", same, |k| k.max_locks -= 1),
        ("max_channel_assets never shrinks", same, |k| k.max_channel_assets -= 1),
        ("lock_horizon never shrinks", same, |k| k.lock_horizon_blocks -= 1),
        ("max_consent never shrinks", same, |k| k.max_consent_blocks -= 1),
        ("margin never shrinks", same, |k| k.margin_blocks -= 1),
        ("hashlock_keepalive is raised before what it outlives", same, |k| {
            k.dispute_delay_blocks = 1_000;
            k.hashlock_keepalive_blocks = 5_000;
        }),
        ("hashlock_keepalive outlives disputes that began before", long, |k| {
            k.dispute_delay_blocks = 120;
            k.hashlock_keepalive_blocks = 2_393;
        }),
        ("standalone_balance is raised before the cost of a dispute", same, |k| {
            k.min_fee_rate = 30;
            k.standalone_balance = 900;
        }),
    ];
    for (rule, begin, break_it) in breaks {
        let mut before = Parameters::DEMO;
        begin(&mut before);
        let mut next = before.clone();
        break_it(&mut next);
        assert_eq!((before.check(), next.check()), (Ok(()), Ok(())), "{rule}: right on their own");
        let broken = next.succession_rules(&before).into_iter().filter(|(holds, _)| !holds);
        assert_eq!(broken.map(|(_, rule)| rule).collect::<Vec<_>>(), [*rule]);
        let mut world = World::with(crate::chain::genesis::Genesis { parameters: before, ..genesis() });
        let action = GovernanceAction::SetParameters { parameters: Box::new(next) };
        world.assert_skipped(&key(2), proposal(action), SkipReason::BreaksRule { rule: (*rule).into() });
    }
    assert_eq!(breaks.len(), Parameters::DEMO.succession_rules(&Parameters::DEMO).len());
}

/// What suffices for the disputes of before to the block is enough.
#[test]
fn a_keepalive_that_just_suffices_follows() {
    let before = Parameters { dispute_delay_blocks: 1_000, hashlock_keepalive_blocks: 3_000, ..Parameters::DEMO };
    let next = Parameters { dispute_delay_blocks: 120, hashlock_keepalive_blocks: 2_394, ..before.clone() };
    assert_eq!((before.check(), next.check(), next.check_succession(&before)), (Ok(()), Ok(()), Ok(())));
}

fn release(version: u16, height: u64) -> GovernanceAction {
    GovernanceAction::Release { version, height, bundle: Hash([7; 32]) }
}

#[test]
fn a_release_is_announced_in_time_and_stops_whoever_does_not_know_it() {
    let mut world = world();
    let height = world.state().height() + 1;
    let earliest = height + 11 + 75 + 2;
    world.assert_skipped(&key(2), proposal(release(1, 1_000)), SkipReason::OldVersion { newest: 1, got: 1 });
    let early = SkipReason::ReleaseTooEarly { earliest: earliest + 1, got: earliest };
    world.assert_skipped(&key(2), proposal(release(2, earliest)), early);
    let (_, done) = decide(&mut world, release(2, 120));
    assert!(matches!(done, ProposalState::Executed { .. }));
    assert_eq!(world.state().releases().collect::<Vec<_>>(), [(2, Release { height: 120, bundle: Hash([7; 32]) })]);
    world.assert_skipped(&key(2), proposal(release(2, 1_000)), SkipReason::OldVersion { newest: 2, got: 2 });
    while world.state().height() < 119 {
        assert_eq!(world.client.check_rules(), Ok(()));
        world.block(&[]);
    }
    let halt = BadBlock::NewRules { version: 2, height: 120, bundle: Hash([7; 32]) };
    assert_eq!(world.client.check_rules(), Err(halt.clone()));
    let (built, certified) = world.certified(&[]);
    assert_eq!(built.block.header.version, 2);
    assert_eq!(world.client.check(&certified, world.now).unwrap_err(), halt);
    assert_eq!(world.client.execute(&certified.block).unwrap_err(), halt);
    let text = halt.to_string();
    assert!(text.contains("version 2") && text.contains("120") && text.contains(&Hash([7; 32]).to_string()), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, rng_seed: RngSeed::Fixed(12), ..ProptestConfig::default() })]

    /// Whatever is voted in whatever order, the outcome is that of the last votes weighed by shares; nothing is
    /// left in the index of what falls due once everything is decided.
    #[test]
    fn outcomes_are_those_of_the_last_votes(
        shares in proptest::collection::vec(1_u64..40, 4),
        ballots in proptest::collection::vec((1_u8..=4, 1_u64..=2, any::<bool>()), 0..16),
    ) {
        let weights: Vec<_> = (1..=4).zip(shares.iter().copied()).collect();
        let start = crate::chain::genesis::Genesis {
            parameters: Parameters { voting_period_blocks: 20, ..quick() },
            validators: validators(&weights),
            ..genesis()
        };
        let mut world = World::with(start);
        let tickers = ["ONE", "TWO"];
        let actions = tickers.map(|ticker| proposal(rename(AssetId::FRB, ticker)));
        world.run(&key(2), actions.to_vec());
        let mut last = std::collections::BTreeMap::new();
        for (voter, id, approve) in ballots {
            apply(&mut world, &key(voter), vote(id, approve));
            last.insert((id, voter), approve);
        }
        let total: u64 = shares.iter().sum();
        let accepted = |id| {
            let yes = (1..=4_u8).filter(|voter| last.get(&(id, *voter)) == Some(&true));
            yes.map(|voter| shares[usize::from(voter) - 1]).sum::<u64>() * 3 > total * 2
        };
        for _ in 0..120 {
            world.block(&[]);
        }
        for id in [1, 2] {
            let executed = matches!(state(&world, id), ProposalState::Executed { .. });
            prop_assert_eq!(executed, accepted(id));
        }
        let expected = [2, 1].into_iter().find(|id| accepted(*id)).map_or("FRB", |id| tickers[usize::try_from(id).unwrap() - 1]);
        prop_assert_eq!(&world.state().asset(AssetId::FRB).unwrap().ticker, expected);
        prop_assert!(world.state().encoded().all(|(key, _)| key[0] != 23));
    }
}
