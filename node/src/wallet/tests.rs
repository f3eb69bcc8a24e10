use super::*;
use crate::genesis::{Plan, genesis};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::Bank;

/// The genesis document has banks A and B, and A is struck off.
#[test]
fn a_bank_that_was_struck_off_is_left_to_those_who_have_money_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut genesis = genesis(&Plan::of_four(folder.path())).unwrap();
    let a = genesis.banks[0].clone();
    let b = Bank { key: genesis.accounts[1].key, handle: "other".to_owned(), ..a.clone() };
    let bank_of = |genesis: &Genesis, used: &[PublicKey]| usual_bank(Follower::new(genesis).state(), genesis, used);
    genesis.banks = vec![a.clone(), b.clone()];
    genesis.banks.sort_by_key(|bank| bank.key);
    assert_eq!(bank_of(&genesis, &[]), Some(a.key), "the lowest account number");
    assert_eq!(bank_of(&genesis, &[b.key]), Some(b.key), "the one that is used");
    assert_eq!(bank_of(&genesis, &[b.key, a.key]), Some(a.key));
    genesis.banks = vec![b.clone()];
    assert_eq!(bank_of(&genesis, &[]), Some(b.key));
    assert_eq!(bank_of(&genesis, &[a.key, b.key]), Some(b.key));
    assert_eq!(bank_of(&genesis, &[a.key]), Some(a.key), "money in a channel has to be looked after");
    genesis.banks = Vec::new();
    assert_eq!(bank_of(&genesis, &[]), None);
}
