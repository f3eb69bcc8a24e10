use super::*;
use crate::presets::Preset;
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::channel::state::{ChannelState, Sub};
use fair_core::crypto::Secret;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::Entry;
use fair_core::ledger::operation::{Deposit, Dispute, Operation, Reveal};
use fair_core::types::{Parties, Side};

mod full;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn follower() -> Follower {
    follower_of((1..=3).map(key))
}

/// A chain on which each of these has 10,000 of FRD and FRB; the first of [`key`] is its validator.
fn follower_of(keys: impl Iterator<Item = SecretKey>) -> Follower {
    let mut accounts: Vec<GenesisAccount> = keys
        .map(|key| GenesisAccount { key: key.public(), balances: vec![(AssetId::FRD, 10_000), (AssetId::FRB, 10_000)] })
        .collect();
    accounts.sort_by_key(|account| account.key);
    let supply = 10_000 * u64::try_from(accounts.len()).unwrap();
    let asset =
        |id, ticker: &str| Asset { id, ticker: ticker.to_owned(), name: ticker.to_owned(), decimals: 2, supply };
    let genesis = Genesis {
        network: "t".to_owned(),
        purpose: Purpose::Test,
        time_ms: 0,
        parameters: Preset::Demo.parameters(None).unwrap(),
        validators: ValidatorSet {
            validators: vec![Validator {
                account: key(1).public(),
                signing_key: key(9).public(),
                shares: 25,
                url: String::new(),
            }],
        },
        assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
        accounts,
        banks: Vec::new(),
    };
    genesis.check().unwrap();
    Follower::new(&genesis)
}

fn batch(state: &State, signer: u8, nonce: u64, fee_rate: Amount) -> Signed<Batch> {
    signed(state, signer, nonce, fee_rate, vec![deposit(5)])
}

fn deposit(amount: Amount) -> Operation {
    let (asset, to) = (AssetId::FRD, key(2).public());
    Operation::Deposit(Deposit { asset, amount, to, partner: None, keep: 0, epoch: None, invoice: None })
}

fn signed(state: &State, signer: u8, nonce: u64, fee_rate: Amount, operations: Vec<Operation>) -> Signed<Batch> {
    signed_by(&key(signer), state, nonce, fee_rate, operations)
}

fn signed_by(
    key: &SecretKey,
    state: &State,
    nonce: u64,
    fee_rate: Amount,
    operations: Vec<Operation>,
) -> Signed<Batch> {
    let entries = operations.into_iter().map(|operation| Entry { group: None, operation }).collect();
    let body = Batch { signer: key.public(), nonce, valid_until: 50, fee_rate, entries };
    Signed::new(body, &state.chain_id(), key)
}

fn reveal(number: u8) -> Operation {
    Operation::Reveal(Reveal { secrets: vec![Secret([number; 32])] })
}

/// Attack 28, before a block: what a bank answers many disputes with waits in order of its nonces, and other
/// accounts that pay more come between, not out of turn.
#[test]
fn court_batches_of_one_account_wait_in_order() {
    let follower = follower();
    let state = follower.state();
    let mut mempool = Mempool::default();
    let court = |nonce, rate| signed(state, 1, nonce, rate, vec![reveal(1)]);
    let gap = mempool.add(state, court(1, 10));
    assert!(matches!(gap, Err(Refused::Inclusion(InclusionError::WrongNonce { expected: 0, got: 1 }))));
    let queue = [court(0, 20), court(1, 10), court(2, 300)];
    for batch in &queue {
        assert!(matches!(mempool.add(state, batch.clone()), Ok(Accepted::New(_))));
    }
    let other = batch(state, 2, 0, 100);
    mempool.add(state, other.clone()).unwrap();
    let offered: Vec<_> = mempool.candidates().collect();
    assert_eq!(offered, [&other, &queue[0], &queue[1], &queue[2]]);
    let built = follower.build(offered, key(1).public(), 5_000);
    assert_eq!(built.left_out, vec![]);
    assert_eq!(mempool.len(), 4);

    // An ordinary batch may stand behind them, a second one not.
    mempool.add(state, batch(state, 1, 3, 10)).unwrap();
    let second = mempool.add(state, batch(state, 1, 4, 10));
    let expected = InclusionError::SecondBatch { signer: key(1).public() };
    assert_eq!(second, Err(Refused::Inclusion(expected)));
    mempool.forget(&batch::hash(&queue[1]));
    assert_eq!(mempool.candidates().collect::<Vec<_>>(), [&other, &queue[0]], "nothing waits behind a gap");
    assert_eq!(mempool.taken.all.bytes, batch::signed_bytes(&other) + batch::signed_bytes(&queue[0]));
}

/// Those behind must be payable after those before.
#[test]
fn a_queue_is_paid_from_one_balance() {
    let follower = follower();
    let state = follower.state();
    let mut mempool = Mempool::default();
    let first = signed(state, 1, 0, 40_000, vec![reveal(1)]);
    let fee = batch::fee(40_000, batch::signed_bytes(&first)).unwrap();
    assert!(fee > 5_000, "{fee}");
    mempool.add(state, first).unwrap();
    let second = mempool.add(state, signed(state, 1, 1, 40_000, vec![reveal(1)]));
    let expected = InclusionError::CannotPayFee { fee, balance: 10_000 - fee };
    assert_eq!(second, Err(Refused::Inclusion(expected)));
}

/// Attack 28: who was heard in court is not unsaid by a later batch of the same nonce.
#[test]
fn a_replacement_repeats_what_was_said_to_court() {
    let follower = follower();
    let state = follower.state();
    let mut mempool = Mempool::default();
    let dispute = || Operation::Dispute(Dispute { partner: key(2).public(), proof: None });
    mempool.add(state, signed(state, 1, 0, 100, vec![dispute(), reveal(1)])).unwrap();
    for less in [vec![], vec![dispute()], vec![reveal(1)], vec![reveal(1), dispute()], vec![reveal(2), dispute()]] {
        assert_eq!(mempool.add(state, signed(state, 1, 0, 2_000, less)), Err(Refused::CourtNotRepeated));
    }
    let more = signed(state, 1, 0, 2_000, vec![reveal(2), dispute(), reveal(1)]);
    mempool.add(state, more.clone()).unwrap();
    assert_eq!(mempool.candidates().collect::<Vec<_>>(), [&more]);
}

#[test]
fn one_batch_of_an_account_waits_and_is_replaced_by_one_that_pays_more() {
    let follower = follower();
    let state = follower.state();
    let mut mempool = Mempool::default();
    let first = batch(state, 1, 0, 1_000);
    let hash = batch::hash(&first);
    assert_eq!(mempool.add(state, first.clone()), Ok(Accepted::New(hash)));
    assert_eq!(mempool.add(state, first.clone()), Ok(Accepted::Known(hash)), "the same again, the same answer");
    let fee = batch::fee(1_000, batch::signed_bytes(&first)).unwrap();
    let refused = mempool.add(state, batch(state, 1, 0, 1_050)).unwrap_err();
    assert_eq!(refused, Refused::Replacement { least: fair_core::ledger::batch::outbid(fee) });
    let second = batch(state, 1, 0, 1_101);
    assert!(matches!(mempool.add(state, second.clone()), Ok(Accepted::New(_))));
    assert_eq!(mempool.candidates().collect::<Vec<_>>(), vec![&second]);
    assert_eq!(mempool.taken.all.bytes, batch::signed_bytes(&second));
}

#[test]
fn refusals_are_the_ledgers() {
    let follower = follower();
    let state = follower.state();
    let mut mempool = Mempool::default();
    let wrong_nonce = mempool.add(state, batch(state, 1, 7, 1_000));
    assert!(matches!(wrong_nonce, Err(Refused::Inclusion(InclusionError::WrongNonce { expected: 0, got: 7 }))));
    let unknown = mempool.add(state, batch(state, 8, 0, 1_000));
    assert!(matches!(unknown, Err(Refused::Inclusion(InclusionError::UnknownSigner { .. }))));
    let mut forged = batch(state, 1, 0, 1_000);
    forged.signature = batch(state, 2, 0, 1_000).signature;
    let forged = mempool.add(state, forged);
    assert!(matches!(forged, Err(Refused::Inclusion(InclusionError::BatchSignature { .. }))));
    assert!(mempool.is_empty());
}

#[test]
fn higher_rates_come_first_and_a_block_clears_what_it_includes() {
    let mut follower = follower();
    let mut mempool = Mempool::default();
    let (low, high) = (batch(follower.state(), 1, 0, 100), batch(follower.state(), 2, 0, 200));
    mempool.add(follower.state(), low.clone()).unwrap();
    mempool.add(follower.state(), high.clone()).unwrap();
    assert_eq!(mempool.candidates().collect::<Vec<_>>(), vec![&high, &low]);
    let built = follower.build([&high], key(1).public(), 5_000);
    assert!(built.left_out.is_empty());
    follower.commit(built.step);
    mempool.after_block(follower.state(), &built.block.batches);
    assert_eq!(mempool.candidates().collect::<Vec<_>>(), vec![&low]);
    let again = mempool.add(follower.state(), high.clone());
    assert_eq!(again, Ok(Accepted::Included(batch::hash(&high), 1)), "who asks again is told where it is");
}

/// A validator that is behind has not executed the batch before: its refusal must not end what is right for others.
#[test]
fn what_a_validator_has_not_seen_yet_is_not_final() {
    let is_final = |reason: &InclusionError, is_behind| match Refused::from(reason.clone()).told(is_behind) {
        Refused::Inclusion(told) => {
            assert_eq!(told, *reason);
            true
        }
        Refused::NotYet(told) => {
            assert_eq!(told, *reason);
            false
        }
        other => panic!("another reason: {other}"),
    };
    let signer = key(1).public();
    for is_behind in [false, true] {
        assert!(!is_final(&InclusionError::WrongNonce { expected: 5, got: 6 }, is_behind));
        assert!(!is_final(&InclusionError::SecondBatch { signer }, is_behind));
        assert!(is_final(&InclusionError::WrongNonce { expected: 5, got: 4 }, is_behind));
        assert!(is_final(&InclusionError::Expired { valid_until: 3, next: 4 }, is_behind));
        assert!(is_final(&InclusionError::BatchSignature { signer }, is_behind));
        // What a block to come may bring.
        assert_eq!(is_final(&InclusionError::UnknownSigner { signer }, is_behind), !is_behind);
        assert_eq!(is_final(&InclusionError::CannotPayFee { fee: 5, balance: 4 }, is_behind), !is_behind);
        assert_eq!(is_final(&InclusionError::ValidTooLong { valid_until: 9, latest: 8 }, is_behind), !is_behind);
    }
}

/// Who comes into debt may pay the least rate and no more: what it offered before at a higher one makes way for the same
/// at the least.
#[test]
fn what_a_debtor_may_not_pay_makes_way() {
    let mut follower = follower();
    let block = |follower: &mut Follower, batches: &[Signed<Batch>]| {
        let built = follower.build(batches, key(1).public(), follower.head_time_ms().saturating_add(5_000));
        assert_eq!(built.left_out, vec![]);
        follower.commit(built.step);
    };
    let court = |state: &State, signer: u8, fee_rate, operation| {
        let (key, entries) = (key(signer), vec![Entry { group: None, operation }]);
        let nonce = state.account(&key.public()).unwrap().nonce;
        let body = Batch { signer: key.public(), nonce, valid_until: state.height() + 20, fee_rate, entries };
        Signed::new(body, &state.chain_id(), &key)
    };
    let (debtor, chain_id) = (key(3), follower.state().chain_id());
    let parties = Parties::new(debtor.public(), key(2).public()).unwrap();
    let offdelta = if parties.side_of(&debtor.public()) == Some(Side::Left) { -20_000 } else { 20_000 };
    let mut owed = ChannelState::default_of(chain_id, parties, 0, Hash::ZERO);
    (owed.frame, owed.subs) = (1, vec![Sub { offdelta, ..Sub::zero(AssetId::FRD) }]);
    let proof = Some(Signed::new(owed, &chain_id, &debtor));
    let dispute = Operation::Dispute(Dispute { partner: debtor.public(), proof });
    let dispute = court(follower.state(), 2, 10, dispute);
    block(&mut follower, &[dispute]);
    let end = follower.state().dispute(&parties).unwrap().end;
    while follower.state().usable_height() < end {
        block(&mut follower, &[]);
    }
    let mut mempool = Mempool::default();
    let dear = court(follower.state(), 3, 20, reveal(1));
    let least = court(follower.state(), 3, 10, reveal(1));
    mempool.add(follower.state(), dear).unwrap();
    block(&mut follower, &[]);
    assert!(follower.state().debts_of(&debtor.public(), AssetId::FRD).next().is_some());
    mempool.after_block(follower.state(), &[]);
    assert!(mempool.is_empty());
    assert!(matches!(mempool.add(follower.state(), least), Ok(Accepted::New(_))));
    let offered: Vec<_> = mempool.candidates().cloned().collect();
    block(&mut follower, &offered);
}
