//! What strangers do to accounts and channels that are not theirs.

use super::chain::*;
use fair_core::crypto::SecretKey;
use fair_core::ledger::operation::{CreateAsset, Deposit, Dispute, Operation};
use fair_core::ledger::receipt::SkipReason;
use fair_core::types::{AssetId, Parties};

/// A key that nobody has an account for, on the wanted side of a channel with somebody.
fn newcomer(chain: &Chain, partner: usize, left: bool) -> SecretKey {
    let partner = chain.people[partner].public();
    (100..=u8::MAX).map(|seed| SecretKey::from_seed(&[seed; 32])).find(|key| (key.public() < partner) == left).unwrap()
}

/// Eve deposits into her side of a channel with Victim, who has no account, and so registers it: what the account
/// begins with comes out of Victim's side. Then she takes Victim to court for it.
#[test]
fn attack_27_charged_stranger() {
    for left in [true, false] {
        let mut chain = Chain::new();
        let eve = 5;
        let victim = newcomer(&chain, eve, left).public();
        let parties = Parties::new(victim, chain.people[eve].public()).unwrap();
        let before = chain.frd(eve);
        let deposit = Deposit { partner: Some(victim), ..chain.deposit_of(FRD, 1_000, eve, None) };
        chain.run(eve, Operation::Deposit(deposit)).unwrap();
        chain.run(eve, Operation::Dispute(Dispute { partner: victim, proof: None })).unwrap();
        while chain.state().dispute(&parties).is_some() {
            chain.block(&[]);
        }
        let owed: u64 = chain.state().debts_of(&victim, FRD).map(|(_, debt)| debt.amount).sum();
        assert_eq!(chain.state().balance(&victim, FRD), owed, "it has what it owes");
        assert!(before - chain.frd(eve) >= owed + PARAMETERS.account_creation_fee, "Eve has paid for it");
    }
}

/// The same with an asset that is worth nothing, of which fees would be conjured; and by nobody's batch.
#[test]
fn attack_27_conjured_fees() {
    let mut chain = Chain::new();
    let (eve, victim) = (2, 5);
    let key = newcomer(&chain, victim, true).public();
    let junk = Deposit { to: key, ..chain.deposit_of(AssetId::FRB, 1_000, eve, Some(victim)) };
    assert_eq!(chain.run(eve, Operation::Deposit(junk)), Err(SkipReason::RegistrationNeedsFrd { key }));
    let little = Deposit { to: key, ..chain.deposit_of(FRD, 500, eve, Some(victim)) };
    let (more_than, got) = (PARAMETERS.standalone_balance, 500);
    assert_eq!(
        chain.run(eve, Operation::Deposit(little)),
        Err(SkipReason::RegistrationTooSmall { key, more_than, got })
    );
    assert!(chain.state().account(&key).is_none());
}

/// Eve fills the channel of two others with assets of her making, until it takes no asset that they want. One of
/// the two does the same to the other.
#[test]
fn attack_33_junk_assets() {
    let mut chain = Chain::new();
    let limit = PARAMETERS.max_channel_assets;
    for number in 0..=u8::try_from(limit).unwrap() {
        let ticker = format!("JUNK{}", char::from(b'A' + number));
        let junk = CreateAsset { name: ticker.clone(), ticker, decimals: 0, supply: 1_000 };
        chain.run(2, Operation::CreateAsset(junk)).unwrap();
        let asset = AssetId(3 + u32::from(number));
        let junk = Operation::Deposit(chain.deposit_of(asset, 1, 0, Some(1)));
        assert_eq!(chain.run(2, junk.clone()), Err(SkipReason::NewAssetByStranger { asset }));
        chain.run(2, Operation::Deposit(chain.deposit_of(asset, 10, 1, None))).unwrap();
        let by_party = chain.run(1, junk);
        assert_eq!(by_party, if u16::from(number) < limit { Ok(()) } else { Err(SkipReason::TooManyAssets { limit }) });
    }
    // Court takes the other's state all the same, in an asset that is not there.
    let state = chain.signed(0, 1, 1, fair_core::channel::state::Sub { offdelta: -40, ..sub(0) });
    chain.run(1, chain.dispute(0, Some(state))).unwrap();
    let before = chain.frd(1);
    chain.end(0, 1);
    assert_eq!(chain.frd(1), before + 40);
}
