use super::*;
use crate::crypto::SecretKey;
use crate::types::{Hash, Parties, Side};
use proptest::prelude::*;

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

fn source(seed: u8, amount: Amount) -> Source {
    let chain_id = Hash([7; 32]);
    let consent = WithdrawalConsent {
        chain_id,
        parties: Parties::new(key(1), key(seed)).unwrap(),
        epoch: 0,
        withdrawer: Side::Left,
        asset: AssetId::FRD,
        amount,
        nonce: 0,
        expires_at: 99,
    };
    Source { proof: Signed::new(consent, &chain_id, &SecretKey::from_seed(&[seed; 32])) }
}

fn receiver(seed: u8, amount: Amount) -> Receiver {
    Receiver { partner: key(seed), amount, epoch: 0, least: 10 }
}

fn situation(balance: Amount, safety_balance: Amount) -> Situation {
    Situation { asset: AssetId::FRD, bank: key(1), balance, safety_balance }
}

/// Amounts of withdrawals and deposits of each group.
fn shape(groups: &[Group]) -> Vec<(Vec<Amount>, Vec<Amount>)> {
    groups
        .iter()
        .map(|group| {
            (
                group.sources.iter().map(|source| source.body.amount).collect(),
                group.deposits.iter().map(|deposit| deposit.amount).collect(),
            )
        })
        .collect()
}

#[test]
fn cases() {
    let check = |deposits: &[Amount], withdrawals: &[Amount], free: Amount, expected: &[(&[Amount], &[Amount])]| {
        let receivers = deposits.iter().zip(10..).map(|(amount, seed)| receiver(seed, *amount)).collect();
        let sources = withdrawals.iter().zip(100..).map(|(amount, seed)| source(seed, *amount)).collect();
        let groups = plan(receivers, sources, &situation(1_000 + free, 1_000));
        let expected: Vec<_> = expected.iter().map(|(a, b)| (a.to_vec(), b.to_vec())).collect();
        assert_eq!(shape(&groups), expected, "{deposits:?} out of {withdrawals:?} and {free}");
    };
    check(&[], &[], 50, &[]);
    check(&[100], &[100], 0, &[(&[100], &[100])]);
    // Largest first, each with what funds it.
    check(&[100, 300], &[100, 300], 0, &[(&[300], &[300]), (&[100], &[100])]);
    // What is left of a group funds the next, which does not fall with it, after all others.
    check(&[100, 200], &[400], 0, &[(&[400], &[200]), (&[], &[100])]);
    check(&[50, 60, 200], &[260, 50, 7], 0, &[(&[260], &[200]), (&[50], &[50]), (&[7], &[]), (&[], &[60])]);
    // Several withdrawals for one deposit.
    check(&[100], &[40, 50, 30], 0, &[(&[50, 40, 30], &[100])]);
    // The rest comes out of the reserve, but not beyond it.
    check(&[100], &[40], 70, &[(&[40], &[100])]);
    check(&[100], &[40], 20, &[(&[40], &[60])]);
    check(&[100, 80], &[], 120, &[(&[], &[100]), (&[], &[20])]);
    // Less than is worth it: the withdrawal is used, alone.
    check(&[100], &[4], 5, &[(&[4], &[])]);
    // Withdrawals that nobody needs stand alone.
    check(&[100], &[100, 90, 80], 0, &[(&[100], &[100]), (&[90], &[]), (&[80], &[])]);
}

proptest! {
    #[test]
    fn no_group_spends_more_than_it_brings_and_the_reserve_has(
        deposits in proptest::collection::vec(10..1_000_u64, 0..8),
        withdrawals in proptest::collection::vec(1..1_000_u64, 0..8),
        free in 0..2_000_u64,
    ) {
        let receivers: Vec<_> = deposits.iter().zip(10..).map(|(amount, seed)| receiver(seed, *amount)).collect();
        let sources: Vec<_> = withdrawals.iter().zip(100..).map(|(amount, seed)| source(seed, *amount)).collect();
        let groups = plan(receivers.clone(), sources, &situation(5_000 + free, 5_000));
        // As the ledger does it: whichever group it skips, the reserve stays, and no other withdrawal is skipped.
        for skipped in 0..=groups.len() {
            let mut balance = 5_000 + free;
            for (place, (sources, deposits)) in shape(&groups).into_iter().enumerate() {
                let brought = balance + sources.iter().sum::<Amount>();
                let left = deposits.iter().try_fold(brought, |left, amount| {
                    left.checked_sub(*amount).filter(|left| *left >= 5_000)
                });
                if let Some(left) = left.filter(|_| place != skipped) {
                    balance = left;
                } else {
                    prop_assert!(place == skipped || (skipped < place && sources.is_empty()), "skipped with another");
                }
            }
            prop_assert!(balance >= 5_000);
        }
        let mut used: Vec<_> = shape(&groups).into_iter().flat_map(|(sources, _)| sources).collect();
        let mut given = withdrawals.clone();
        used.sort_unstable();
        given.sort_unstable();
        prop_assert_eq!(used, given, "every consent is used once");
        for deposit in groups.iter().flat_map(|group| &group.deposits) {
            let wanted = receivers.iter().find(|receiver| Some(receiver.partner) == deposit.partner).unwrap();
            prop_assert!(deposit.amount <= wanted.amount && deposit.amount >= wanted.least);
            prop_assert_eq!((deposit.to, deposit.keep), (key(1), 5_000));
        }
        for group in groups {
            let operations = group.operations();
            let first_deposit = operations.iter().position(|one| matches!(one, Operation::Deposit(_)));
            let last_withdrawal = operations.iter().rposition(|one| matches!(one, Operation::Withdraw(_)));
            prop_assert!(first_deposit.is_none() || last_withdrawal.is_none() || last_withdrawal < first_deposit);
        }
    }
}
