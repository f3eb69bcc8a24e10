use crate::ledger::fixture::{START, World, deposit, key, parties, stranger};
use crate::ledger::operation::{Deposit, Operation};
use crate::ledger::receipt::{Receipt, Registered, SkipReason};
use crate::ledger::state::ChannelAsset;
use crate::types::{AssetId, Side};

const FRD: AssetId = AssetId::FRD;

fn part(insurance: u64, ondelta: i64) -> ChannelAsset {
    ChannelAsset { insurance, ondelta, ..ChannelAsset::none(FRD) }
}

/// The worked example: 1000 FRD as 1@123 for a new 123 on either side.
#[test]
fn a_newcomer_pays_its_standalone_balance_out_of_its_own_side() {
    let check = |newcomer_side: Side, expected: ChannelAsset| {
        let mut world = World::new();
        let bank = key(1);
        let newcomer = stranger(newcomer_side, &bank.public());
        let outcome = world.run(&bank, vec![Operation::Deposit(deposit(100_000, &bank, Some(&newcomer)))]).remove(0);
        let registered = Some(Registered { id: 7, key: newcomer.public() });
        assert_eq!(outcome.receipt, Receipt::Applied { registered });
        assert_eq!(world.channel(&bank, &newcomer, FRD), expected);
        assert_eq!(world.frd(&newcomer), 500);
        // Net zero: what it has on-chain is what its side of the channel owes.
        let side = i64::try_from(expected.insurance).unwrap() - expected.ondelta;
        assert_eq!(if newcomer_side == Side::Right { side } else { expected.ondelta }, -500);
    };
    check(Side::Right, part(99_500, 100_000));
    check(Side::Left, part(99_500, -500));
}

/// A deposit to the newcomer's own side: it has what came, in two places.
#[test]
fn a_newcomer_that_receives_has_the_whole_amount() {
    let check = |newcomer_side: Side, expected: ChannelAsset| {
        let mut world = World::new();
        let bank = key(1);
        let newcomer = stranger(newcomer_side, &bank.public());
        world.run(&bank, vec![Operation::Deposit(deposit(100_000, &newcomer, Some(&bank)))]);
        assert_eq!(world.channel(&bank, &newcomer, FRD), expected);
        assert_eq!(world.frd(&newcomer), 500);
    };
    check(Side::Right, part(99_500, 0));
    check(Side::Left, part(99_500, 99_500));
}

#[test]
fn a_deposit_to_a_new_account_registers_it_for_a_fee_to_the_proposer() {
    let mut world = World::new();
    let (signer, newcomer) = (key(5), key(200));
    let proposer = world.state().validators().proposer(1, 0).unwrap().account;
    let batch = world.batch(&signer, vec![Operation::Deposit(deposit(501, &newcomer, None))]);
    let outcome = world.block(&[batch]).remove(0);
    assert_eq!(world.frd(&newcomer), 501);
    assert_eq!(world.frd(&signer), START - 501 - 100 - outcome.fee);
    assert_eq!(world.state().balance(&proposer, FRD), START + 100 + outcome.fee);
    assert_eq!(world.state().account_key(7), Some(newcomer.public()));
}

#[test]
fn deposits_between_known_parties_move_both_sides_rightly() {
    let mut world = World::new();
    let parties = parties(&key(5), &key(6));
    let (left, right) = if parties.left() == key(5).public() { (key(5), key(6)) } else { (key(6), key(5)) };
    world.run(&left, vec![Operation::Deposit(deposit(700, &left, Some(&right)))]);
    assert_eq!(world.channel(&left, &right, FRD), part(700, 700));
    world.run(&left, vec![Operation::Deposit(deposit(50, &right, Some(&left)))]);
    assert_eq!(world.channel(&left, &right, FRD), part(750, 700));
    world.run(&key(1), vec![Operation::Deposit(deposit(1, &left, Some(&right)))]);
    assert_eq!(world.channel(&left, &right, FRD), part(751, 701));
    assert_eq!(world.state().partners(&left.public()).collect::<Vec<_>>(), vec![right.public()]);
    assert_eq!(world.state().partners(&right.public()).collect::<Vec<_>>(), vec![left.public()]);
}

/// One hostile deposit for each rule, refused by its name and without a trace.
#[test]
fn each_rule_skips_by_its_name() {
    let (signer, unknown, other_unknown) = (key(5), key(200), key(201));
    let (bank, six) = (key(1), key(6));
    let base = deposit(1_000, &signer, Some(&bank));
    let cases: Vec<(Deposit, SkipReason)> = vec![
        (Deposit { amount: 0, ..base.clone() }, SkipReason::ZeroAmount),
        (Deposit { asset: AssetId(3), ..base.clone() }, SkipReason::UnknownAsset { asset: AssetId(3) }),
        (Deposit { partner: Some(signer.public()), ..base.clone() }, SkipReason::SelfChannel),
        (Deposit { partner: None, ..base.clone() }, SkipReason::DepositToSelf),
        (Deposit { partner: None, to: bank.public(), epoch: Some(0), ..base.clone() }, SkipReason::EpochWithoutChannel),
        (Deposit { invoice: Some(vec![0; 33]), ..base.clone() }, SkipReason::InvoiceTagTooLong { limit: 32, got: 33 }),
        (Deposit { epoch: Some(1), ..base.clone() }, SkipReason::WrongEpoch { expected: 0, got: 1 }),
        (
            Deposit { to: unknown.public(), partner: Some(other_unknown.public()), ..base.clone() },
            SkipReason::TwoUnknownKeys,
        ),
        (
            Deposit { asset: AssetId::FRB, partner: Some(unknown.public()), ..base.clone() },
            SkipReason::RegistrationNeedsFrd { key: unknown.public() },
        ),
        (
            Deposit { amount: 500, partner: Some(unknown.public()), ..base.clone() },
            SkipReason::RegistrationTooSmall { key: unknown.public(), more_than: 500, got: 500 },
        ),
        (Deposit { to: six.public(), ..base.clone() }, SkipReason::NewAssetByStranger { asset: FRD }),
    ];
    let mut world = World::new();
    for (operation, reason) in cases {
        world.assert_skipped(&signer, Operation::Deposit(operation), reason);
    }
}

#[test]
fn what_is_to_be_kept_and_the_creation_fee_count_as_needed() {
    let mut world = World::new();
    let (signer, bank, newcomer) = (key(5), key(1), key(200));
    let short = |world: &World, operation: &Deposit, needed: u64| {
        let batch = world.batch(&signer, vec![Operation::Deposit(operation.clone())]);
        let fee = crate::ledger::batch::fee(10, crate::ledger::batch::signed_bytes(&batch)).unwrap();
        SkipReason::NotEnough { asset: FRD, balance: world.frd(&signer) - fee, needed }
    };
    let greedy = Deposit { keep: START - 1_000, ..deposit(1_000, &signer, Some(&bank)) };
    let reason = short(&world, &greedy, START);
    world.assert_skipped(&signer, Operation::Deposit(greedy), reason);
    let endless = Deposit { keep: u64::MAX, ..deposit(1_000, &signer, Some(&bank)) };
    let reason = short(&world, &endless, u64::MAX);
    world.assert_skipped(&signer, Operation::Deposit(endless), reason);
    let registering = Deposit { keep: world.frd(&signer) - 1_050, ..deposit(1_000, &newcomer, None) };
    let reason = short(&world, &registering, registering.keep + 1_100);
    world.assert_skipped(&signer, Operation::Deposit(registering), reason);
}

/// Attack 27: whoever deposits into `Eve@Victim` cannot make Victim owe anything.
#[test]
fn charged_stranger() {
    for side in [Side::Left, Side::Right] {
        let mut world = World::new();
        let eve = key(5);
        let victim = stranger(side, &eve.public());
        world.run(&eve, vec![Operation::Deposit(deposit(1_000, &eve, Some(&victim)))]);
        let part = world.channel(&eve, &victim, FRD);
        let left = part.ondelta;
        let right = i64::try_from(part.insurance).unwrap() - part.ondelta;
        let (victims, eves) = if side == Side::Left { (left, right) } else { (right, left) };
        assert_eq!(victims + i64::try_from(world.frd(&victim)).unwrap(), 0, "nothing owed");
        assert_eq!(eves, 1_000, "nothing lost for the other side either");
    }
    let mut world = World::new();
    let (eve, victim) = (key(5), key(200));
    let another_asset = Deposit { asset: AssetId::FRB, ..deposit(1_000, &eve, Some(&victim)) };
    world.assert_skipped(
        &eve,
        Operation::Deposit(another_asset),
        SkipReason::RegistrationNeedsFrd { key: victim.public() },
    );
    // And a third party cannot open somebody's channel with a stranger at all.
    let by_another = deposit(1_000, &key(6), Some(&victim));
    world.assert_skipped(&eve, Operation::Deposit(by_another), SkipReason::NewAssetByStranger { asset: FRD });
    assert_eq!(world.state().account(&victim.public()), None);
}
