//! All interleavings of two peers with three queued transitions each, over the real channel code.
//!
//! Bounds: each wish at any time, in order; messages of a session arrive in order; one fault in a run (a
//! message lost, a message delivered twice, a session that ends, a power loss before or after a write or
//! after its sends, a frame refused because its block did not come); each party sees at most one new head,
//! at any time. Reordering, several faults and longer runs are the simulation's.

use fair_tests::world::explore::{Budget, Case, Wish, explore};
use fair_tests::world::pair::{Pair, brisk_parameters};

const ONE_FAULT: Budget = Budget { losses: 1, copies: 1, reconnects: 1, crashes: 1, timeouts: 1, total: 1 };

/// Explores with these wishes; `ahead` blocks come that each party sees at any time. Prints what was seen.
fn check(name: &str, wishes: [&[Wish]; 2], ahead: u64) -> usize {
    let mut pair = Pair::funded(brisk_parameters(), 500, 200);
    pair.chain.mine_many(ahead);
    pair.follow_clock();
    let explored = explore(Case { pair, wishes: wishes.map(<[Wish]>::to_vec), budget: ONE_FAULT });
    println!("{name}: {explored:?}");
    assert!(explored.healed > 100);
    explored.refusals
}

#[test]
fn payments_cross() {
    use Wish::Pay;
    check("payments", [&[Pay(10), Pay(600), Pay(30)], &[Pay(1), Pay(700), Pay(3)]], 0);
}

/// Locks are taken and given back while one party's head is past their expiry: late settlements are refused.
#[test]
fn locks_cross() {
    use Wish::{GiveBack, Lock, Pay, Take};
    let refusals = check("locks", [&[Lock(100, 5), Pay(500), Take], &[Take, Lock(50, 3), GiveBack]], 4);
    assert!(refusals > 0, "some frames are refused");
}

/// Withdrawals are asked and answered while payments want the same money; frames wait for a block.
#[test]
fn withdrawals_cross() {
    use Wish::{Decline, Grant, Pay, Withdraw};
    check("withdrawals", [&[Withdraw(400), Pay(300), Grant], &[Grant, Withdraw(100), Decline]], 2);
}
