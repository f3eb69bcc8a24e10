//! The worked example of docs/protocol.md, section 8 (all but the bad bank), in whole FRD and all four
//! orientations. `scale` scales every amount, but not what the chain takes for accounts.

use crate::world::*;
use fair_core::ledger::receipt::Receipt;
use fair_core::types::{Amount, PublicKey, Side};
use fair_core::wallet::{self, Target};

struct Story {
    world: World,
    two: PublicKey,
    newcomer: PublicKey,
    scale: i64,
}

impl Story {
    fn new(two_is: Side, newcomer_is: Side, scale: i64) -> Self {
        let bank = key(1);
        let two_key = key_on(two_is, &bank, 2);
        let newcomer_key = key_on(newcomer_is, &bank, 123);
        let setup = Setup { accounts: vec![(two_key.public(), 1_000_000 * DOLLAR)], ..Setup::new() };
        let mut world = World::new(setup);
        let limit = 1_000 * DOLLAR * scale.unsigned_abs();
        let two = world.user(&two_key, limit, None);
        let newcomer = world.user(&newcomer_key, limit, None);
        Self { world, two, newcomer, scale }
    }

    /// Whole FRD of the example in cents, scaled.
    fn cents(&self, dollars: i64) -> i64 {
        dollars * 100 * self.scale
    }

    fn amount(&self, dollars: i64) -> Amount {
        self.cents(dollars).unsigned_abs()
    }

    #[track_caller]
    fn check(&self, user: PublicKey, insurance: i64, ondelta: i64, offdelta: i64, delta: i64) {
        let expected = (insurance.unsigned_abs(), ondelta, offdelta, i128::from(delta));
        assert_eq!(self.world.number_line(user), expected);
    }
}

fn example(two_is: Side, newcomer_is: Side, scale: i64) {
    let mut story = Story::new(two_is, newcomer_is, scale);
    let (two, newcomer, bank) = (story.two, story.newcomer, story.world.bank);
    let c = |dollars: i64| dollars * 100 * scale;
    let two_left = two_is == Side::Left;
    let standalone = 500;
    let before = story.world.on_chain(two);
    let mut batches = 0;

    // 2 deposits 5000 to 2@1 and pays its fee.
    story.world.fund(two, story.amount(5_000));
    batches += story.world.outcomes.len();
    let fee = story.world.outcomes[0].fee;
    assert_eq!(story.world.on_chain(two), before - story.amount(5_000) - fee);
    let deposited = if two_left { c(5_000) } else { 0 };
    story.check(two, c(5_000), deposited, 0, deposited);

    // 2 pays 10 to 1 directly, 1 pays the 10 back.
    let input =
        wallet::Input::PayDirect { request: request(1), bank, asset: FRD, amount: story.amount(10), note: vec![] };
    story.world.wish(two, input).unwrap();
    story.world.deliver();
    let towards_bank = if two_left { -1 } else { 1 };
    story.check(two, c(5_000), deposited, towards_bank * c(10), deposited + towards_bank * c(10));
    assert_eq!(story.world.balance(two), i128::from(c(4_990)));
    let back = fair_core::bank::Input::Pay {
        request: request(2),
        peer: two,
        asset: FRD,
        amount: story.amount(10),
        note: vec![],
    };
    story.world.tell_bank(back).unwrap();
    story.world.deliver();
    story.check(two, c(5_000), deposited, 0, deposited);

    // 2 pays 123 through 1 in many payments, 1000 in sum.
    for _ in 0..50 {
        story.world.pay(two, newcomer, story.amount(20));
    }
    story.check(two, c(5_000), deposited, towards_bank * c(1_000), deposited + towards_bank * c(1_000));
    assert_eq!(story.world.owned(newcomer), (0, story.amount(1_000)));
    assert_eq!(story.world.follower.state().account_id(&newcomer), None);
    assert_eq!(story.world.bank().forwards().count(), 0);
    // Its credit limit is used up.
    let more = story.world.invoice(newcomer, Some(1));
    let refused = story.world.start_payment(two, more, 1).unwrap();
    story.world.deliver();
    assert_eq!(story.world.payment(two, &refused).state, fair_core::wallet::PaymentState::Failed);

    // Good bank: rebalance.
    story.world.wish(newcomer, wallet::Input::RequestInsurance { bank, asset: FRD, most_price: 0 }).unwrap();
    story.world.deliver();
    story.world.tell_bank(fair_core::bank::Input::Rebalance).unwrap();
    story.world.deliver();
    while story.world.mempool.is_empty() {
        story.world.block();
        assert!(story.world.follower.height() < 20, "the bank sends its rebalance");
    }
    story.world.block();
    story.world.assert_applied();
    batches += story.world.outcomes.len();
    assert_eq!(batches, 2, "the deposit and the rebalance");

    let (ondelta, offdelta) = if two_left { (c(5_000), -c(1_000)) } else { (-c(1_000), c(1_000)) };
    story.check(two, c(4_000), ondelta, offdelta, if two_left { c(4_000) } else { 0 });
    assert_eq!(story.world.owned(two), (story.amount(4_000), 0));
    let insured = c(1_000) - standalone;
    let newcomer_left = newcomer_is == Side::Left;
    if newcomer_left {
        story.check(newcomer, insured, -standalone, c(1_000), insured);
    } else {
        story.check(newcomer, insured, c(1_000), -c(1_000), 0);
    }
    assert_eq!(story.world.owned(newcomer), (insured.unsigned_abs(), 0));
    assert_eq!(story.world.on_chain(newcomer), standalone.unsigned_abs());
    assert!(story.world.follower.state().account_id(&newcomer).is_some());

    splice(&mut story, insured);
}

/// 2 takes 3000 from 2@1 and deposits 3000 to 123@1 in one batch.
fn splice(story: &mut Story, insured: i64) {
    let (two, newcomer, bank) = (story.two, story.newcomer, story.world.bank);
    let target = Target::Channel { owner: newcomer, partner: bank, invoice: None };
    let amount = story.amount(3_000);
    story.world.wish(two, wallet::Input::RequestWithdrawal { bank, asset: FRD, amount, target }).unwrap();
    story.world.deliver();
    let draft: Vec<_> = story.world.wallet(two).on_chain().draft().cloned().collect();
    assert_eq!(draft.len(), 2, "a withdrawal and a deposit");
    assert!(draft[0].group.is_some() && draft[0].group == draft[1].group);
    let balance = story.world.on_chain(two);
    story.world.send_batch(two);
    story.world.block();
    assert_eq!(story.world.outcomes.len(), 1);
    let receipts = story.world.outcomes[0].operations.iter().map(|operation| &operation.receipt);
    assert!(receipts.clone().all(|receipt| matches!(receipt, Receipt::Applied { .. })), "{receipts:?}");
    assert_eq!(story.world.on_chain(two), balance - story.world.outcomes[0].fee, "the money only passed through");
    assert_eq!(story.world.owned(newcomer), (insured.unsigned_abs() + amount, 0));
    assert_eq!(story.world.owned(two), (story.amount(1_000), 0));
    story.world.number_line(two);
    story.world.number_line(newcomer);
}

#[test]
fn two_left_newcomer_right() {
    example(Side::Left, Side::Right, 1);
}

#[test]
fn two_left_newcomer_left() {
    example(Side::Left, Side::Left, 1);
}

#[test]
fn two_right_newcomer_right() {
    example(Side::Right, Side::Right, 1);
}

#[test]
fn two_right_newcomer_left() {
    example(Side::Right, Side::Left, 1);
}

#[test]
fn seven_times_as_much() {
    example(Side::Left, Side::Right, 7);
    example(Side::Right, Side::Left, 7);
}
