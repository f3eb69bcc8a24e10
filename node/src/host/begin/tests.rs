use super::*;
use crate::genesis::{Plan, genesis};
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::message::Signed;
use fair_core::types::AssetId;

const NOTHING: Claims = Claims { never_signed: false, data_lost: false };

/// A validator's account pays into its channel with the bank.
#[test]
fn what_the_chain_or_the_home_shows_is_no_beginning_and_the_operator_knows_better() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = genesis(&Plan::of_four(folder.path())).unwrap();
    let key = Home::open(&folder.path().join("v2")).unwrap().0.account_key().unwrap();
    let (own, bank) = (key.public(), genesis.banks[0].key);
    let mut follower = Follower::new(&genesis);
    for account in [&own, &bank] {
        assert_eq!(judge(NOTHING, false, follower.state(), account), Past::New);
        assert_eq!(judge(NOTHING, true, follower.state(), account), Past::Lost, "its process has run");
    }
    let operation = Operation::Deposit(Deposit {
        asset: AssetId::FRD,
        amount: 500,
        to: own,
        partner: Some(bank),
        keep: 0,
        epoch: None,
        invoice: None,
    });
    let batch = Batch {
        signer: own,
        nonce: 0,
        valid_until: 10,
        fee_rate: genesis.parameters.min_fee_rate,
        entries: vec![Entry { group: None, operation }],
    };
    let batch = Signed::new(batch, &genesis.chain_id(), &key);
    let built = follower.build([&batch], own, genesis.time_ms + 1_000);
    assert!(built.left_out.is_empty(), "{:?}", built.left_out);
    follower.commit(built.step);
    for account in [&own, &bank] {
        assert_eq!(judge(NOTHING, false, follower.state(), account), Past::Lost, "the chain shows a channel");
        let says = |never_signed, data_lost, has_run| {
            judge(Claims { never_signed, data_lost }, has_run, follower.state(), account)
        };
        assert_eq!((says(true, false, false), says(false, true, false)), (Past::New, Past::Lost));
        assert_eq!(says(true, false, true), Past::Lost, "it was left standing");
    }
    let other =
        genesis.validators.validators.iter().map(|validator| validator.account).find(|key| ![own, bank].contains(key));
    assert_eq!(judge(NOTHING, false, follower.state(), &other.unwrap()), Past::New);
}
