//! All interleavings of two peers with three queued transitions each, over the real channel code.
//!
//! Bounds: each wish at any time, in order; messages of a session arrive in order; two faults in a run, each
//! of any kind (a message lost, a message delivered twice, a session that ends, a power loss before or after
//! a write or after its sends, a frame refused because its block did not come); each party sees at most
//! one new head, at any time. Reordering, more faults and longer runs are the simulation's.

use fair_tests::world::explore::{Budget, Case, Wish, explore};
use fair_tests::world::pair::{Pair, brisk_parameters};

const TWO_FAULTS: Budget = Budget { losses: 2, copies: 2, reconnects: 2, crashes: 2, timeouts: 2, total: 2 };

/// Explores with these wishes; `ahead` blocks come that each party sees at any time. Prints what was seen.
fn check(name: &str, wishes: [&[Wish]; 2], ahead: u64, budget: Budget) -> usize {
    let mut pair = Pair::funded(brisk_parameters(), 500, 200);
    pair.chain.mine_many(ahead);
    pair.follow_clock();
    let explored = explore(Case { pair, wishes: wishes.map(<[Wish]>::to_vec), budget });
    println!("{name}: {explored:?}");
    assert!(explored.healed > 100);
    explored.refusals
}

#[test]
fn payments_cross() {
    use Wish::Pay;
    check("payments", [&[Pay(10), Pay(600), Pay(30)], &[Pay(1), Pay(700), Pay(3)]], 0, TWO_FAULTS);
}

/// Locks are taken and given back while one party's head is past their expiry: late settlements are refused.
#[test]
fn locks_cross() {
    use Wish::{GiveBack, Lock, Pay, Take};
    let wishes: [&[Wish]; 2] = [&[Lock(100, 5), Pay(500), Take], &[Take, Lock(50, 3), GiveBack]];
    let refusals = check("locks", wishes, 4, TWO_FAULTS);
    assert!(refusals > 0, "some frames are refused");
}

/// Withdrawals are asked and answered while payments want the same money; frames wait for a block.
#[test]
fn withdrawals_cross() {
    use Wish::{Decline, Grant, Pay, Withdraw};
    let wishes: [&[Wish]; 2] = [&[Withdraw(400), Pay(300), Grant], &[Grant, Withdraw(100), Decline]];
    check("withdrawals", wishes, 2, TWO_FAULTS);
}
