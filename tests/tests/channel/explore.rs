//! All interleavings of two peers with three queued transitions each, over the real channel code.
//!
//! Bounds: at most one of each fault (a message lost, a message delivered twice, a session that ends, a
//! power loss before or after a write or after its sends, a frame refused because its block did not come),
//! at most two faults in a run; messages of a session arrive in order; each party sees at most one new
//! head, at any time. Reordering and longer runs are the simulation's.

use fair_tests::world::explore::{Budget, Case, Wish, explore};
use fair_tests::world::pair::{Pair, brisk_parameters};

const FAULTS: Budget = Budget { losses: 1, copies: 1, reconnects: 1, crashes: 1, timeouts: 1, total: 2 };

/// Explores with these wishes; `ahead` blocks come that each party sees at any time.
fn check(name: &str, wishes: [&[Wish]; 2], ahead: u64, budget: Budget) -> usize {
    let mut pair = Pair::funded(brisk_parameters(), 500, 200);
    pair.chain.mine_many(ahead);
    let explored = explore(Case { pair, wishes: wishes.map(<[Wish]>::to_vec), budget });
    println!("{name}: {explored:?}");
    explored.states
}

#[test]
fn payments_cross() {
    use Wish::Pay;
    for total in 0..2 {
        let start = std::time::Instant::now();
        check("payments", [&[Pay(10), Pay(600), Pay(30)], &[Pay(1), Pay(700), Pay(3)]], 0, Budget { total, ..FAULTS });
        println!("{total}: {:?}", start.elapsed());
    }
}

#[test]
fn locks_cross() {
    use Wish::{GiveBack, Lock, Pay, Take};
    for total in 0..2 {
        let start = std::time::Instant::now();
        check(
            "locks",
            [&[Lock(100, 5), Pay(500), Take], &[Take, Lock(50, 3), GiveBack]],
            4,
            Budget { total, ..FAULTS },
        );
        println!("{total}: {:?}", start.elapsed());
    }
}
