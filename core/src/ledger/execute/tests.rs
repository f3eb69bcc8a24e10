use super::{Excluded, Execution, Room};
use crate::chain::params::Parameters;
use crate::ledger::batch::{self, Batch, Entry};
use crate::ledger::fixture::{START, World, deposit, genesis, key, parties, signed_withdraw, stranger};
use crate::ledger::inclusion::{InclusionError, check_inclusion};
use crate::ledger::operation::{Deposit, Operation, WithdrawalConsent};
use crate::ledger::receipt::{OperationOutcome, Receipt, SkipReason};
use crate::ledger::state::ChannelAsset;
use crate::message::Signed;
use crate::types::{Amount, AssetId, Hash, Side};

mod model;

const FRD: AssetId = AssetId::FRD;

fn applied(outcomes: &[OperationOutcome]) -> Vec<bool> {
    outcomes.iter().map(|outcome| matches!(outcome.receipt, Receipt::Applied { .. })).collect()
}

fn reason(outcome: &OperationOutcome) -> SkipReason {
    match &outcome.receipt {
        Receipt::Skipped { reason } => reason.clone(),
        Receipt::Applied { .. } => panic!("it applied"),
    }
}

/// Attack 31: a stale consent is skipped, and the deposit that it should fund does not eat savings.
#[test]
fn skipped_withdrawal_applied_deposit() {
    let mut world = World::new();
    let (user, bank, other) = (key(5), key(1), key(6));
    world.run(&user, vec![Operation::Deposit(deposit(5_000, &user, Some(&bank)))]);
    world.run(&other, vec![Operation::Deposit(deposit(1_000, &other, Some(&bank)))]);
    let stale = WithdrawalConsent { nonce: 7, ..world.consent(&user, &bank, FRD, 3_000) };
    let splice = |world: &World, withdraw: Operation| {
        let pay_in = Operation::Deposit(deposit(3_000, &other, Some(&bank)));
        world.grouped(&user, vec![(Some(1), withdraw), (Some(1), pay_in)])
    };
    let savings = world.frd(&user);
    let batch = splice(&world, signed_withdraw(stale, &bank));
    let outcome = world.block(&[batch]).remove(0);
    let because = SkipReason::WrongConsentNonce { expected: 0, got: 7 };
    assert_eq!(reason(&outcome.operations[0]), because);
    assert_eq!(reason(&outcome.operations[1]), SkipReason::Group { failed: 0, because: Box::new(because) });
    assert_eq!(world.frd(&user), savings - outcome.fee);

    let fresh = splice(&world, world.withdraw(&user, &bank, FRD, 3_000));
    let outcome = world.block(&[fresh]).remove(0);
    assert_eq!(applied(&outcome.operations), [true, true]);
    assert_eq!(world.channel(&user, &bank, FRD).insurance, 2_000);
    assert_eq!(world.channel(&other, &bank, FRD).insurance, 4_000);
}

/// A group whose last operation fails leaves no trace of its first; its neighbours are on their own.
#[test]
fn a_group_applies_wholly_or_not_at_all() {
    let mut world = World::new();
    let (signer, bank) = (key(5), key(1));
    let good = || Operation::Deposit(deposit(10, &signer, Some(&bank)));
    let bad = || Operation::Deposit(deposit(0, &signer, Some(&bank)));
    let batch = world.grouped(
        &signer,
        vec![
            (None, good()),
            (Some(1), good()),
            (Some(1), bad()),
            (Some(2), good()),
            (Some(2), good()),
            (Some(1), good()),
            (None, bad()),
            (None, good()),
        ],
    );
    let outcome = world.block(&[batch]).remove(0);
    assert_eq!(applied(&outcome.operations), [true, false, false, true, true, true, false, true]);
    let group = SkipReason::Group { failed: 2, because: Box::new(SkipReason::ZeroAmount) };
    assert_eq!(reason(&outcome.operations[1]), group);
    assert_eq!(world.channel(&signer, &bank, FRD).insurance, 50);
}

#[test]
fn a_batch_of_skipped_operations_still_costs_its_fee_and_nonce() {
    let mut world = World::new();
    let signer = key(5);
    let proposer = world.state().validators().proposer(1, 0).unwrap().account;
    let batch = world.batch(&signer, vec![Operation::Deposit(deposit(0, &signer, None))]);
    let fee = batch::fee(10, batch::signed_bytes(&batch)).unwrap();
    assert_eq!(batch::bytes_when_signed(&batch.body), batch::signed_bytes(&batch));
    let outcome = world.block(&[batch]).remove(0);
    assert_eq!(outcome.fee, fee);
    assert_eq!(world.frd(&signer), START - fee);
    assert_eq!(world.state().balance(&proposer, FRD), START + fee);
    assert_eq!(world.state().account(&signer.public()).unwrap().nonce, 1);
}

/// One hostile batch for each rule of inclusion: refused by mempool and proposer under the same name.
#[test]
fn each_rule_of_inclusion_refuses_by_its_name() {
    type Change = fn(&mut Batch);
    let world = World::new();
    let signer = key(5);
    let good = world.batch(&signer, vec![Operation::Deposit(deposit(1, &signer, Some(&key(1))))]).body;
    let long = |batch: &mut Batch| {
        let entry = batch.entries[0].clone();
        batch.entries = vec![entry; 64 * 1024 / 50];
    };
    let cases: Vec<(Change, InclusionError)> = vec![
        (|batch| batch.signer = key(200).public(), InclusionError::UnknownSigner { signer: key(200).public() }),
        (|batch| batch.nonce = 1, InclusionError::WrongNonce { expected: 0, got: 1 }),
        (|batch| batch.valid_until = 0, InclusionError::Expired { valid_until: 0, next: 1 }),
        (|batch| batch.valid_until = 122, InclusionError::ValidTooLong { valid_until: 122, latest: 121 }),
        (|batch| batch.fee_rate = 9, InclusionError::FeeTooLow { least: 10, got: 9 }),
        (|batch| batch.fee_rate = u64::MAX, InclusionError::CannotPayFee { fee: u64::MAX, balance: START }),
        (|batch| batch.signer = key(6).public(), InclusionError::BatchSignature { signer: key(6).public() }),
    ];
    let chain_id = world.state().chain_id();
    let check = |batch: Signed<Batch>, expected: InclusionError| {
        assert_eq!(check_inclusion(world.state(), [], &batch, 1), Err(expected.clone()));
        let mut execution = Execution::new(world.state(), key(1).public());
        assert_eq!(execution.include(&batch), Err(expected.into()));
        // No trace: the block is the same as one in which it never was.
        let untouched = Execution::new(world.state(), key(1).public()).finish();
        assert_eq!(execution.finish().root(), untouched.root());
    };
    for (change, expected) in cases {
        let mut batch = good.clone();
        change(&mut batch);
        check(Signed::new(batch, &chain_id, &signer), expected);
    }
    let mut batch = good.clone();
    long(&mut batch);
    let got = u64::try_from(batch::bytes_when_signed(&batch)).unwrap();
    check(Signed::new(batch, &chain_id, &signer), InclusionError::BatchTooLong { limit: 65_536, got });
    let elsewhere = Signed::new(good.clone(), &Hash([9; 32]), &signer);
    check(elsewhere, InclusionError::BatchSignature { signer: signer.public() });
    let forged = Signed::new(good.clone(), &chain_id, &key(6));
    check(forged, InclusionError::BatchSignature { signer: signer.public() });
    let edge = Signed::new(Batch { valid_until: 121, ..good.clone() }, &chain_id, &signer);
    assert!(check_inclusion(world.state(), [], &edge, 1).is_ok());
    let edge = Signed::new(Batch { valid_until: 1, ..good }, &chain_id, &signer);
    assert!(check_inclusion(world.state(), [], &edge, 1).is_ok());
}

#[test]
fn an_account_has_one_batch_a_block_and_pays_it_from_what_the_block_left_it() {
    let world = World::new();
    let (rich, poor) = (key(5), key(6));
    let mut execution = Execution::new(world.state(), key(1).public());
    let first = world.batch(&rich, vec![]);
    let mut again = first.body.clone();
    again.nonce = 1;
    let again = Signed::new(again, &world.state().chain_id(), &rich);
    assert_eq!(execution.include(&first), Ok(()));
    let second = InclusionError::SecondBatch { signer: rich.public() };
    assert_eq!(execution.include(&again), Err(second.into()));

    // 6 spends all but a unit in its own batch; a batch of a later account is judged after it.
    let drain = world.batch(&poor, vec![]);
    let fee = batch::fee(10, batch::signed_bytes(&drain)).unwrap();
    assert_eq!(execution.include(&drain), Ok(()));
    let transition = execution.finish();
    assert_eq!(transition.outcomes().iter().map(|outcome| outcome.fee).collect::<Vec<_>>(), [fee, fee]);
}

/// A block is full when its ordinary batches fill K.max_block − K.court_room, and stays usable then.
#[test]
fn ordinary_batches_leave_the_court_its_room() {
    let parameters = Parameters {
        max_batch_bytes: 600,
        max_state_bytes: 299,
        court_room_bytes: 1_200,
        max_block_bytes: 2_400,
        ..Parameters::DEMO
    };
    let world = World::new();
    let mut room = Room::new(&parameters);
    let batch = world.batch(&key(5), vec![]);
    let bytes = batch::signed_bytes(&batch);
    for _ in 0..1_200 / bytes {
        room = room.with(&batch).unwrap();
    }
    let got = (1_200 / bytes + 1) * bytes;
    assert_eq!(room.with(&batch).err(), Some(Excluded::NoRoom { limit: 1_200, got }));
    assert!(room.is_usable());
}

#[test]
fn nobody_overflows_the_delimiter() {
    let supply: Amount = 1 << 62;
    let mut genesis = genesis();
    let parties = parties(&key(5), &key(6));
    let (left, right) = if parties.left() == key(5).public() { (key(5), key(6)) } else { (key(6), key(5)) };
    for account in &mut genesis.accounts {
        account.balances = vec![(FRD, START)];
        if account.key == left.public() {
            account.balances.push((AssetId::FRB, supply));
        }
    }
    genesis.assets[1].supply = supply;
    genesis.check().unwrap();
    let mut world = World::with(genesis);
    let frb = |deposit: Deposit| Operation::Deposit(Deposit { asset: AssetId::FRB, ..deposit });
    let all_in = frb(deposit(supply, &left, Some(&right)));
    assert_eq!(applied(&world.run(&left, vec![all_in.clone()])), [true]);
    let out = world.withdraw(&right, &left, AssetId::FRB, supply);
    let back = frb(deposit(supply, &left, None));
    assert_eq!(applied(&world.run(&right, vec![out, back])), [true, true]);
    let one_more = frb(deposit(1, &left, Some(&right)));
    world.assert_skipped(&left, one_more.clone(), SkipReason::OutOfBounds);
    world.assert_skipped(&left, all_in, SkipReason::OutOfBounds);
    assert_eq!(world.channel(&left, &right, AssetId::FRB).ondelta, 1 << 62);

    // Downwards alike: right pays in what left takes out, twice around and one unit more.
    let over = frb(deposit(supply, &right, None));
    let pay_in = frb(deposit(supply, &right, Some(&left)));
    assert_eq!(applied(&world.run(&left, vec![over.clone()])), [true]);
    for ondelta in [0, -(1 << 62)] {
        assert_eq!(applied(&world.run(&right, vec![pay_in.clone()])), [true]);
        let out = world.withdraw(&left, &right, AssetId::FRB, supply);
        assert_eq!(applied(&world.run(&left, vec![out, over.clone()])), [true, true]);
        assert_eq!(world.channel(&left, &right, AssetId::FRB).ondelta, ondelta);
    }
    assert_eq!(applied(&world.run(&right, vec![pay_in])), [true]);
    let one_more = world.withdraw(&left, &right, AssetId::FRB, 1);
    world.assert_skipped(&left, one_more, SkipReason::OutOfBounds);
}

#[test]
fn a_channel_takes_only_so_many_assets() {
    let mut genesis = genesis();
    for number in 3..=10 {
        let mut asset = genesis.assets[1].clone();
        asset.id = AssetId(number);
        asset.ticker = format!("X{number}");
        genesis.assets.push(asset);
        for account in &mut genesis.accounts {
            account.balances.push((AssetId(number), START));
        }
    }
    genesis.check().unwrap();
    let mut world = World::with(genesis);
    let put = |number| Operation::Deposit(Deposit { asset: AssetId(number), ..deposit(1, &key(5), Some(&key(6))) });
    let most = u32::from(Parameters::DEMO.max_channel_assets);
    assert!(applied(&world.run(&key(5), (1..=most).rev().map(put).collect())).iter().all(|applied| *applied));
    world.assert_skipped(&key(5), put(most + 1), SkipReason::TooManyAssets { limit: 8 });
    assert_eq!(applied(&world.run(&key(1), vec![put(most)])), [true], "a stranger may add to what is there");
    let channel = world.state().channel(&parties(&key(5), &key(6)));
    assert!(channel.assets.is_sorted_by_key(|part| part.asset));
}

/// The on-chain part of the worked example in all four orientations: deposit, rebalance, splice.
#[test]
fn worked_example_on_chain() {
    const FAIR: Amount = 100;
    for user_side in [Side::Left, Side::Right] {
        for shop_side in [Side::Left, Side::Right] {
            let mut world = World::new();
            let bank = key(1);
            let user = stranger(user_side, &bank.public());
            let shop = (150..=255)
                .map(key)
                .find(|key| {
                    let side = parties(key, &bank).side_of(&key.public());
                    side == Some(shop_side) && key.public() != user.public()
                })
                .unwrap();
            world.run(&key(5), vec![Operation::Deposit(deposit(6_000 * FAIR, &user, None))]);
            let pay_in = Operation::Deposit(deposit(5_000 * FAIR, &user, Some(&bank)));
            assert_eq!(applied(&world.run(&user, vec![pay_in])), [true]);

            let take = world.withdraw(&bank, &user, FRD, 1_000 * FAIR);
            let insure = Operation::Deposit(deposit(1_000 * FAIR, &bank, Some(&shop)));
            let batch = world.grouped(&bank, vec![(Some(0), take), (Some(0), insure)]);
            assert_eq!(applied(&world.block(&[batch])[0].operations), [true, true]);
            let numbers = |part: ChannelAsset| (part.insurance / FAIR, part.ondelta / 100);
            let expected = if user_side == Side::Left { (4_000, 5_000) } else { (4_000, -1_000) };
            assert_eq!(numbers(world.channel(&user, &bank, FRD)), expected);
            let expected = if shop_side == Side::Right { (995, 1_000) } else { (995, -5) };
            assert_eq!(numbers(world.channel(&shop, &bank, FRD)), expected);
            assert_eq!(world.frd(&shop), 5 * FAIR);

            let take = world.withdraw(&user, &bank, FRD, 3_000 * FAIR);
            let give = Operation::Deposit(deposit(3_000 * FAIR, &shop, Some(&bank)));
            let batch = world.grouped(&user, vec![(Some(0), take), (Some(0), give)]);
            assert_eq!(applied(&world.block(&[batch])[0].operations), [true, true]);
            assert_eq!(world.channel(&user, &bank, FRD).insurance, 1_000 * FAIR);
            assert_eq!(world.channel(&shop, &bank, FRD).insurance, 3_995 * FAIR);
        }
    }
}

/// Entries with the group numbers that an attacker would try leave the outcome list in step.
#[test]
fn every_operation_has_its_receipt() {
    let mut world = World::new();
    let signer = key(5);
    let entry = |group| Entry { group, operation: Operation::Deposit(deposit(0, &signer, None)) };
    let batch = world.grouped(
        &signer,
        [None, Some(0), Some(u16::MAX), Some(u16::MAX), None, None]
            .into_iter()
            .map(entry)
            .map(|entry| (entry.group, entry.operation))
            .collect(),
    );
    assert_eq!(world.block(&[batch])[0].operations.len(), 6);
}
