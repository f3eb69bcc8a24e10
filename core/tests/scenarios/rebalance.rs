//! Rebalancing over blocks: thresholds, stale consents, absent partners, prices.

use crate::world::*;
use fair_core::bank;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{CreateAsset, Deposit, Operation};
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, PublicKey};
use fair_core::wallet;

/// A spender with 1000 FRD in its channel and a receiver that wants insurance above 100.
fn spender_and_receiver(setup: Setup) -> (World, PublicKey, PublicKey) {
    let (spender_key, receiver_key) = (key(20), key(21));
    let mut setup = setup;
    setup.accounts.push((spender_key.public(), 10_000 * DOLLAR));
    let mut world = World::new(setup);
    let spender = world.user(&spender_key, 1_000 * DOLLAR, None);
    let receiver = world.user(&receiver_key, 1_000 * DOLLAR, Some(100 * DOLLAR));
    world.fund(spender, 1_000 * DOLLAR);
    (world, spender, receiver)
}

fn rebalances(world: &World) -> usize {
    let sent = |event: &&bank::Event| matches!(event, bank::Event::RebalanceSent { .. });
    world.nodes[&world.bank].bank_events.iter().filter(sent).count()
}

#[test]
fn passing_the_threshold_brings_insurance_by_itself() {
    let (mut world, spender, receiver) = spender_and_receiver(Setup { rebalance_every_blocks: 3, ..Setup::new() });
    world.pay(spender, receiver, 100 * DOLLAR);
    world.blocks(10);
    assert_eq!((world.owned(receiver), rebalances(&world)), ((0, 10_000), 0), "not above the threshold yet");
    world.pay(spender, receiver, 200 * DOLLAR);
    world.blocks(10);
    assert_eq!((world.owned(receiver), rebalances(&world)), ((29_500, 0), 1));
    assert_eq!(world.on_chain(receiver), 500);
    assert_eq!(world.number_line(spender).0, 70_000, "the bank took its part out of the spender's channel");
    // Nothing is left to do: no batch is made for nothing.
    let height = world.on_chain(world.bank);
    world.blocks(10);
    assert_eq!(world.on_chain(world.bank), height);
}

/// Whoever is insured and stays away, so that the channel takes no note of it, is to be insured again and again.
#[test]
fn a_receiver_that_stays_away_is_insured_once() {
    let (mut world, spender, receiver) = spender_and_receiver(Setup { rebalance_every_blocks: 3, ..Setup::new() });
    world.pay(spender, receiver, 300 * DOLLAR);
    world.disconnect(receiver);
    world.blocks(30);
    let parties = fair_core::types::Parties::new(receiver, world.bank).unwrap();
    let insurance = world.follower.state().channel(&parties).asset(FRD).map(|part| part.insurance);
    assert_eq!((insurance, rebalances(&world)), (Some(300 * DOLLAR - 500), 1));
}

#[test]
fn an_absent_spender_is_not_waited_for_longer_than_said() {
    let (mut world, spender, receiver) = spender_and_receiver(Setup::new());
    world.pay(spender, receiver, 300 * DOLLAR);
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.disconnect(spender);
    world.blocks(12);
    assert_eq!(world.owned(receiver), (29_500, 0), "funded out of the bank's own balance");
    // The consent asked for before comes later, and is used by the next rebalance.
    world.connect(spender);
    world.deliver();
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(8);
    assert_eq!(world.number_line(spender).0, 70_000);
}

#[test]
fn the_safety_balance_is_never_touched() {
    let million = 1_000_000 * DOLLAR;
    let (mut world, spender, receiver) =
        spender_and_receiver(Setup { safety_balance: million - 50 * DOLLAR, ..Setup::new() });
    world.pay(spender, receiver, 300 * DOLLAR);
    world.disconnect(spender);
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.blocks(12);
    assert!(world.on_chain(world.bank) >= million - 50 * DOLLAR);
    let (insured, uninsured) = world.owned(receiver);
    assert!(insured > 40 * DOLLAR && insured < 50 * DOLLAR, "as much as there was beyond it: {insured}");
    assert_eq!(insured + uninsured + world.on_chain(receiver), 300 * DOLLAR);
}

#[test]
fn a_stale_consent_sinks_only_its_own_group() {
    let keys = [key(20), key(21), key(22), key(23)];
    let mut setup = Setup::new();
    for key in &keys[..2] {
        setup.accounts.push((key.public(), 10_000 * DOLLAR));
    }
    let mut world = World::new(setup);
    let users: Vec<_> = keys.iter().map(|key| world.user(key, 1_000 * DOLLAR, Some(0))).collect();
    world.fund(users[0], 1_000 * DOLLAR);
    world.fund(users[1], 1_000 * DOLLAR);
    world.pay(users[0], users[2], 400 * DOLLAR);
    world.pay(users[1], users[3], 300 * DOLLAR);
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    while world.mempool.is_empty() {
        world.block();
    }
    // The spender's channel loses the insurance that the consent is about: the withdrawal cannot apply.
    let batch = world.mempool[0].body.clone();
    let mut spoilt = batch.clone();
    for entry in &mut spoilt.entries {
        if let Operation::Withdraw(withdraw) = &mut entry.operation
            && withdraw.proof.body.amount == 400 * DOLLAR
        {
            withdraw.proof.body.nonce += 1;
        }
    }
    let chain_id = world.follower.state().chain_id();
    world.mempool = vec![fair_core::message::Signed::new(spoilt, &chain_id, &key(1))];
    let before = world.on_chain(world.bank);
    world.block();
    let fee = world.outcomes[0].fee + 100;
    assert_eq!(world.on_chain(world.bank), before - fee, "no other money was spent");
    assert_eq!(world.owned(users[2]), (0, 400 * DOLLAR), "skipped with its withdrawal");
    assert_eq!(world.owned(users[3]), (300 * DOLLAR - 500, 0), "applied");
}

#[test]
fn one_large_withdrawal_funds_several_deposits() {
    let keys = [key(20), key(21), key(22)];
    let mut world = World::new(Setup { accounts: vec![(keys[0].public(), 10_000 * DOLLAR)], ..Setup::new() });
    let users: Vec<_> = keys.iter().map(|key| world.user(key, 1_000 * DOLLAR, Some(0))).collect();
    world.fund(users[0], 1_000 * DOLLAR);
    world.pay(users[0], users[1], 400 * DOLLAR);
    world.pay(users[0], users[2], 300 * DOLLAR);
    let before = world.on_chain(world.bank);
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(3);
    assert_eq!(world.owned(users[1]), (400 * DOLLAR - 500, 0));
    assert_eq!(world.owned(users[2]), (300 * DOLLAR - 500, 0));
    let spent: Amount = before - world.on_chain(world.bank);
    assert!(spent < 300, "only fees were spent: {spent}");
}

#[test]
fn the_exposure_says_who_is_insured_how_far() {
    let (mut world, spender, receiver) = spender_and_receiver(Setup::new());
    world.pay(spender, receiver, 300 * DOLLAR);
    let exposure = world.bank().exposure(&world.chain());
    let of = |user| exposure.partners.iter().find(|one| one.partner == user).unwrap();
    assert_eq!((of(spender).insurance, of(spender).own_insured), (100_000, 30_000));
    assert_eq!(of(spender).partner_insured, 70_000);
    assert_eq!((of(receiver).partner_uninsured, of(receiver).wants_insurance), (30_000, 30_000));
    assert!(!exposure.rebalancing);
}

#[test]
fn insurance_needs_something_to_insure() {
    let (mut world, spender, receiver) = spender_and_receiver(Setup::new());
    world.pay(spender, receiver, 999);
    let input = wallet::Input::RequestInsurance { bank: world.bank, asset: FRD, most_price: 0 };
    assert!(matches!(world.wish(receiver, input), Err(wallet::Refusal::Channel(_))));
}

/// All but 50 FRD of the bank's balance is set aside: insurance has to come out of its channels.
fn short_of_money() -> Setup {
    let safety_balance = (1_000_000 - 50) * DOLLAR;
    Setup { safety_balance, rebalance_every_blocks: 3, dispute_after_blocks: 20, ..Setup::new() }
}

#[test]
fn spenders_that_stay_away_are_disputed_largest_first_and_no_more_than_needed() {
    let keys = [key(20), key(21), key(22), key(23)];
    let accounts = keys[..3].iter().map(|key| (key.public(), 10_000 * DOLLAR)).collect();
    let mut world = World::new(Setup { accounts, ..short_of_money() });
    let users: Vec<_> = keys.iter().map(|key| world.user(key, 1_000 * DOLLAR, Some(100 * DOLLAR))).collect();
    for user in &users[..3] {
        world.fund(*user, 1_000 * DOLLAR);
    }
    // 350 of the first, 200 of the second, and 9 of the third, which is below K.risk.
    for (user, amount) in users.iter().zip([350, 200, 9]) {
        world.pay(*user, users[3], amount * DOLLAR);
    }
    let bank = world.bank;
    for user in &users[..3] {
        world.disconnect(*user);
    }
    world.blocks(18);
    assert_eq!(world.follower.state().disputes().count(), 0, "not waited for long enough");
    world.blocks(6);
    let disputed: Vec<_> = world.follower.state().disputes().map(|(parties, _)| parties).collect();
    let mut expected = vec![users[0], users[1]];
    // 559 are needed and 50 are free: the first alone is not enough.
    expected.sort_by_key(|user| fair_core::types::Parties::new(*user, bank));
    let expected: Vec<_> =
        expected.into_iter().map(|user| fair_core::types::Parties::new(user, bank).unwrap()).collect();
    assert_eq!(disputed, expected);
    // One comes back only now: it cannot be asked any more, and its money is where it belongs in the end.
    world.connect(users[0]);
    world.deliver();
    let before = world.on_chain(users[0]);
    world.blocks(140);
    assert_eq!(world.follower.state().disputes().count(), 0);
    assert_eq!(world.on_chain(users[0]), before + 650 * DOLLAR);
    let (insured, uninsured) = world.owned(users[3]);
    assert!(insured >= 549 * DOLLAR && uninsured < 10 * DOLLAR, "{insured} insured, {uninsured} not");
    assert_eq!(insured + uninsured + world.on_chain(users[3]), 559 * DOLLAR);
    let safety = (1_000_000 - 50) * DOLLAR;
    assert!(world.on_chain(bank) >= safety);
}

#[test]
fn nobody_is_disputed_who_consents_or_whose_money_is_not_needed() {
    for (free, stays) in [(1_000_000, false), (0, true)] {
        let setup = Setup { safety_balance: (1_000_000 - free) * DOLLAR, ..short_of_money() };
        let (mut world, spender, receiver) = spender_and_receiver(setup);
        world.pay(spender, receiver, 300 * DOLLAR);
        if !stays {
            world.disconnect(spender);
        }
        world.blocks(60);
        assert_eq!(world.follower.state().disputes().count(), 0);
        assert_eq!(world.owned(receiver).1, 0);
    }
}

#[test]
fn a_consent_is_spent_once_however_often_a_rebalance_is_asked_for() {
    let (mut world, spender, receiver) = spender_and_receiver(Setup::new());
    world.pay(spender, receiver, 300 * DOLLAR);
    let bank = world.bank;
    for _ in 0..3 {
        world.tell_bank(bank::Input::Rebalance).unwrap();
        world.deliver();
    }
    let mut operations = 0;
    for _ in 0..12 {
        world.tell_bank(bank::Input::Rebalance).unwrap();
        world.block();
        let ours = world.outcomes.iter().filter(|outcome| outcome.signer == bank);
        operations += ours.map(|outcome| outcome.operations.len()).sum::<usize>();
    }
    assert_eq!(operations, 2, "one withdrawal and one deposit");
    assert_eq!((world.number_line(spender).0, world.owned(receiver)), (70_000, (29_500, 0)));
}

/// A spender with consents for 700 and two to be insured, of whom the first is to have more: 400 and 300.
fn two_receivers(setup: Setup) -> (World, PublicKey, PublicKey) {
    let keys = [key(20), key(21), key(22)];
    let accounts = keys.iter().map(|key| (key.public(), 10_000 * DOLLAR)).collect();
    let mut world = World::new(Setup { accounts, ..setup });
    let users: Vec<_> = keys.iter().map(|key| world.user(key, 1_000 * DOLLAR, Some(0))).collect();
    world.fund(users[0], 1_000 * DOLLAR);
    world.pay(users[0], users[1], 400 * DOLLAR);
    world.pay(users[0], users[2], 300 * DOLLAR);
    (world, users[1], users[2])
}

/// Makes as many assets as a channel takes and deposits one of each into the own channel with the bank, so that FRD never
/// enters it.
fn junk(world: &World, user: PublicKey) -> Signed<Batch> {
    let state = world.follower.state();
    let first = state.assets().map(|asset| asset.id.0).max().unwrap() + 1;
    let count = u32::from(state.parameters().max_channel_assets);
    let make = |number: u32| {
        let ticker = format!("JUNK{number}");
        Operation::CreateAsset(CreateAsset { name: ticker.clone(), ticker, decimals: 0, supply: 1 })
    };
    let bring = |number: u32| {
        let (asset, partner) = (AssetId(first + number), Some(world.bank));
        Operation::Deposit(Deposit { asset, amount: 1, to: user, partner, keep: 0, epoch: None, invoice: None })
    };
    let operations = (0..count).map(make).chain((0..count).map(bring));
    let batch = Batch {
        signer: user,
        nonce: state.account(&user).unwrap().nonce,
        valid_until: state.height() + 10,
        fee_rate: 100,
        entries: operations.map(|operation| Entry { group: None, operation }).collect(),
    };
    Signed::new(batch, &state.chain_id(), &world.nodes[&user].secret)
}

/// Whoever makes the bank's deposit impossible is to stand in the way of those with whom it would be funded, for ever.
#[test]
fn whoever_cannot_be_insured_keeps_insurance_from_nobody() {
    let (mut world, junker, other) =
        two_receivers(Setup { rebalance_every_blocks: 0, dispute_after_blocks: 0, ..short_of_money() });
    let junk = junk(&world, junker);
    world.submit(junk);
    world.block();
    world.assert_applied();
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(4);
    assert_eq!(world.owned(other), (300 * DOLLAR, 0));
    assert_eq!(world.owned(junker), (0, 400 * DOLLAR));
}

/// The junk comes just before the bank's batch: only what was for the junker is skipped, as far as the bank's own balance
/// goes.
#[test]
fn a_deposit_that_is_skipped_sinks_no_other() {
    let (mut world, junker, other) = two_receivers(Setup::new());
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    while world.mempool.is_empty() {
        world.block();
    }
    let junk = junk(&world, junker);
    world.submit(junk);
    world.blocks(2);
    assert_eq!(world.owned(other), (300 * DOLLAR, 0));
    assert_eq!(world.owned(junker), (0, 400 * DOLLAR));
}

/// And where the bank has no balance for it, the consents that were skipped with it are there for the next rebalance.
#[test]
fn a_consent_that_was_skipped_with_a_deposit_is_used_again() {
    let (mut world, junker, other) =
        two_receivers(Setup { rebalance_every_blocks: 0, dispute_after_blocks: 0, ..short_of_money() });
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    while world.mempool.is_empty() {
        world.block();
    }
    let junk = junk(&world, junker);
    world.submit(junk);
    world.blocks(2);
    assert_eq!(world.owned(other), (0, 300 * DOLLAR));
    world.restart(world.bank);
    world.deliver();
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(8);
    assert_eq!(world.owned(other), (300 * DOLLAR, 0));
}
