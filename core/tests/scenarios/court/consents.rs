//! Consents to withdrawals: one party's, once, for a time. And batches of the like that a partner can make stale.

use super::chain::*;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::SkipReason;

/// 0 has 1000 in its channel with 1, and let 1 take `amount` out.
fn consented(amount: u64) -> (Chain, Operation) {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let withdraw = chain.withdraw(chain.consent(1, 0, amount), 0);
    (chain, withdraw)
}

/// A consent from before a dispute is shown when new insurance lies in the channel.
#[test]
fn attack_24_consent_outlives_court() {
    let (mut chain, withdraw) = consented(1_000);
    chain.run(0, chain.dispute(1, None)).unwrap();
    chain.end(0, 1);
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    assert_eq!(chain.run(1, withdraw), Err(SkipReason::WrongEpoch { expected: 1, got: 0 }));
}

/// One consent is used again and again.
#[test]
fn attack_24_consent_used_twice() {
    let (mut chain, withdraw) = consented(300);
    chain.run(1, withdraw.clone()).unwrap();
    let used = SkipReason::WrongConsentNonce { expected: 1, got: 0 };
    assert_eq!(chain.run(1, withdraw), Err(used));
    assert_eq!(chain.state().channel(&chain.parties(0, 1)).asset(FRD).unwrap().insurance, 700);
}

/// A consent is kept back until the other counts its money as free again.
#[test]
fn attack_24_consent_after_its_hold() {
    let (mut chain, withdraw) = consented(300);
    let expires_at = chain.u() + 60;
    chain.wait_until(expires_at + 1);
    let late = SkipReason::ConsentExpired { expires_at, now: expires_at + 1 };
    assert_eq!(chain.run(1, withdraw), Err(late));
}

/// Somebody sees a consent in a mempool and brings it in an own batch; a party signs its own.
#[test]
fn attack_24_consent_of_somebody_else() {
    let (mut chain, withdraw) = consented(300);
    let expected = chain.people[1].public();
    assert_eq!(chain.run(2, withdraw), Err(SkipReason::NotTheWithdrawer { expected }));
    let forged = chain.withdraw(chain.consent(1, 0, 300), 1);
    let expected = chain.people[0].public();
    assert_eq!(chain.run(1, forged), Err(SkipReason::BadConsentSignature { expected }));
}

/// 0 is a bank that moves what its spender 1 lets go to its receiver 2. The two are one person: the consent is made
/// stale by a dispute, so that the receiver's insurance comes out of the bank's reserve.
#[test]
fn attack_31_stale_consent() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(3_000, 0, Some(1))).unwrap();
    let consent = chain.consent(0, 1, 3_000);
    let fund = chain.deposit(3_000, 0, Some(2));
    chain.run(1, chain.dispute(0, None)).unwrap();
    chain.end(0, 1);
    let reserve = chain.frd(0);
    let batch = chain.group(0, vec![chain.withdraw(consent.clone(), 1), fund]);
    let stale = SkipReason::WrongEpoch { expected: 1, got: 0 };
    let with_it = SkipReason::Group { failed: 0, because: Box::new(stale.clone()) };
    assert_eq!(chain.run_batch(batch), [Err(stale), Err(with_it)]);
    assert!(reserve - chain.frd(0) < 100, "a fee, and no more");
    assert_eq!(chain.state().channel(&chain.parties(0, 2)).assets, vec![]);
    // Beside it, what is not in its group applies.
    let apart = chain.batch(0, 0, 10, vec![chain.withdraw(consent, 1), chain.deposit(700, 0, Some(3))]);
    assert!(matches!(chain.run_batch(apart)[..], [Err(_), Ok(())]));
}

/// The same where the bank has no group to rely on: what it wants to keep is kept.
#[test]
fn attack_31_reserve() {
    let mut chain = Chain::new();
    let reserve = chain.frd(0) - 500;
    let Operation::Deposit(deposit) = chain.deposit(3_000, 0, Some(2)) else { unreachable!() };
    let refused = chain.run(0, Operation::Deposit(Deposit { keep: reserve, ..deposit }));
    assert!(matches!(refused, Err(SkipReason::NotEnough { needed, .. }) if needed == reserve + 3_000));
}
