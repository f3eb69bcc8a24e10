//! Numbers at their ends, and debts.

use super::chain::*;
use fair_core::ledger::operation::{CreateAsset, Operation};
use fair_core::ledger::receipt::SkipReason;

/// Two colluders bring numbers that would stop the chain at resolution.
#[test]
fn attack_34_overflow() {
    let mut chain = Chain::new();
    for offdelta in [i64::MIN, i64::MAX, -(1 << 62) - 1] {
        let dispute = chain.dispute(1, Some(chain.signed(0, 1, 1, sub(offdelta))));
        assert_eq!(chain.run(0, dispute), Err(SkipReason::MalformedState));
    }
    // The largest that court takes, both ways.
    for offdelta in [1 << 62, -(1 << 62)] {
        chain.run(0, chain.dispute(1, Some(chain.signed(0, 1, 1, sub(offdelta))))).unwrap();
        chain.end(0, 1);
    }
    for who in [0, 1] {
        assert_eq!(chain.state().debts_of(&chain.people[who].public(), FRD).count(), 1);
    }
}

/// A debtor moves its floor away: by a deposit, by a large fee to a friendly proposer, again and again.
#[test]
fn attack_35_leaking_floor() {
    let mut chain = Chain::new();
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, sub(-3_000_000))))).unwrap();
    chain.end(0, 1);
    let floor = PARAMETERS.debt_floor;
    for _ in 0..3 {
        let before = chain.frd(0);
        assert_eq!(chain.run(0, chain.deposit(50, 2, None)), Err(SkipReason::DebtsFirst { asset: FRD, open: 1 }));
        assert!(before - chain.frd(0) <= 2, "a batch costs its least fee");
        let name = CreateAsset { ticker: "MINE".into(), name: "Mine".into(), decimals: 0, supply: 1 };
        let entry = chain.run(0, Operation::CreateAsset(name));
        assert_eq!(entry, Err(SkipReason::DebtsFirst { asset: FRD, open: 1 }), "nor does the floor pay for an entry");
        let generous = chain.batch(0, 0, 400, vec![]);
        assert_eq!(chain.offer(&[generous]).0, 1, "no more than the least fee rate");
        let (creditor, given) = (chain.frd(1), 1_000);
        let missing = floor - chain.frd(0);
        chain.run(3, chain.deposit(given, 0, None)).unwrap();
        assert_eq!(chain.frd(0), floor, "what comes fills the floor");
        assert_eq!(chain.frd(1), creditor + given - missing, "and the rest is paid");
    }
}

/// Debts in a ring, and more dust debts than a step pays: nothing runs on, and nothing is spent before them.
#[test]
fn attack_33_dust_debts_and_cycles() {
    let mut chain = Chain::new();
    // 0 owes 1 to 8, who each ask for little more than it has together.
    chain.run(0, chain.deposit(chain.frd(0) - 150, 9, None)).unwrap();
    for creditor in 1..=8 {
        chain.run(creditor, chain.dispute(0, Some(chain.signed(0, creditor, 1, sub(-1_000))))).unwrap();
    }
    // 1 owes 0 as well: a ring.
    chain.end(0, 8);
    chain.run(1, chain.deposit(chain.frd(1) - 150, 9, None)).unwrap();
    chain.run(0, chain.dispute(1, Some(chain.signed(0, 1, 1, sub(2_000))))).unwrap();
    chain.end(0, 1);
    let open = |chain: &Chain| chain.state().debts_of(&chain.people[0].public(), FRD).count();
    let owed = |chain: &Chain| chain.state().debts().map(|(_, _, _, debt)| debt.amount).sum::<u64>();
    let (count, sum) = (open(&chain), owed(&chain));
    assert_eq!(count, 8);
    chain.run(9, chain.deposit(20_000, 0, None)).unwrap();
    assert_eq!(open(&chain), count - usize::from(PARAMETERS.debt_payments_per_step));
    assert!(owed(&chain) < sum);
    assert_eq!(chain.run(0, chain.deposit(1, 2, None)), Ok(()), "the next step pays the rest, and then it is free");
    assert_eq!(open(&chain), 0);
}

/// A debtor has many small debts and a large one. An accomplice takes it to court so that both are looked at in the
/// block that brings it money: the small debts use up what a step may pay, and the accomplice is to come next.
#[test]
fn an_accomplice_is_not_paid_before_older_debts() {
    let mut chain = Chain::new();
    let (creditor, accomplice) = (11, 9);
    chain.run(0, chain.deposit(5_000, 0, Some(8))).unwrap();
    chain.run(0, chain.deposit(chain.frd(0) - 150, creditor, None)).unwrap();
    for small in [1, 2, 3, 4, 5, 6, 7, 10] {
        chain.run(small, chain.dispute(0, Some(chain.signed(0, small, 1, sub(-200))))).unwrap();
    }
    chain.run(creditor, chain.dispute(0, Some(chain.signed(0, creditor, 1, sub(-10_000))))).unwrap();
    chain.end(0, creditor);
    let theirs = chain.dispute(0, Some(chain.signed(0, accomplice, 1, sub(-4_000))));
    let both = [chain.batch(8, 0, 10, vec![chain.dispute(0, None)]), chain.batch(accomplice, 0, 10, vec![theirs])];
    chain.block(&both);
    chain.end(0, accomplice);
    let debts = chain.state().debts_of(&chain.people[0].public(), FRD);
    let debts: Vec<_> = debts.map(|(_, debt)| (debt.creditor, debt.amount)).collect();
    assert_eq!(debts[0].0, chain.people[creditor].public());
    assert_eq!(debts[1..], [(chain.people[accomplice].public(), 4_000)]);
}
