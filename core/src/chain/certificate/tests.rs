use super::*;

fn set(shares: &[u64]) -> ValidatorSet {
    ValidatorSet {
        validators: shares
            .iter()
            .zip(1_u8..)
            .map(|(&shares, i)| Validator {
                account: PublicKey([i; 32]),
                signing_key: PublicKey([100 + i; 32]),
                shares,
                url: String::new(),
            })
            .collect(),
    }
}

#[test]
fn quorum_is_strictly_more_than_two_thirds() {
    let four = set(&[25; 4]);
    assert!(!four.is_quorum(50));
    assert!(!four.is_quorum(66));
    assert!(four.is_quorum(67));
    assert!(!set(&[1; 3]).is_quorum(2));
}

#[test]
fn everybody_proposes_by_weight_and_in_turn() {
    let check = |shares: &[u64]| {
        let set = set(shares);
        let total = set.total_shares();
        let mut turns = vec![0; shares.len()];
        for height in 1..=total {
            let proposer = set.proposer(height, 0).unwrap();
            turns[usize::from(proposer.account.0[0]) - 1] += 1;
            assert_eq!(set.proposer(height, 1), set.proposer(height + 1, 0));
        }
        assert_eq!(turns, shares);
    };
    check(&[25; 4]);
    check(&[1]);
    check(&[1, 2, 3, 94]);
}

#[test]
fn a_fresh_round_has_another_proposer_among_equals() {
    let four = set(&[25; 4]);
    for height in 1..200 {
        assert_ne!(four.proposer(height, 0), four.proposer(height, 1), "height {height}");
    }
}

#[test]
fn bad_sets_are_named() {
    assert_eq!(set(&[]).check(), Err(BadValidatorSet::Count(0)));
    assert_eq!(set(&[1, 0]).check(), Err(BadValidatorSet::Shares));
    assert_eq!(set(&[u64::MAX, 1]).check(), Err(BadValidatorSet::Shares));
    let mut twice = set(&[1, 1]);
    twice.validators[1].account = twice.validators[0].account;
    assert_eq!(twice.check(), Err(BadValidatorSet::Order));
    let mut shared = set(&[1, 1]);
    shared.validators[1].signing_key = shared.validators[0].signing_key;
    assert_eq!(shared.check(), Err(BadValidatorSet::SharedKey(shared.validators[0].signing_key)));
    assert_eq!(set(&[25; 4]).check(), Ok(()));
}
