//! Where withdrawn money can go, and what is refused before the bank is asked.

use crate::mediation::pair;
use crate::world::*;
use fair_core::ledger::operation::Operation;
use fair_core::ledger::receipt::SkipReason;
use fair_core::types::{Amount, PublicKey};
use fair_core::wallet::{self, Refusal, Target};

fn withdraw(world: &mut World, user: PublicKey, amount: Amount, target: Target) -> Result<(), Refusal> {
    let bank = world.bank;
    world.wish(user, wallet::Input::RequestWithdrawal { bank, asset: FRD, amount, target })
}

#[test]
fn withdrawn_money_can_go_to_an_account_in_the_same_batch() {
    let (mut world, payer, _) = pair(Setup::new());
    let owner = key(60).public();
    let invoice = Some(b"order 42".to_vec());
    withdraw(&mut world, payer, 300 * DOLLAR, Target::Account { owner, invoice: invoice.clone() }).unwrap();
    world.deliver();
    let drafted: Vec<_> = world.wallet(payer).on_chain().draft().map(|action| action.operation.clone()).collect();
    assert!(
        matches!(&drafted[..], [Operation::Withdraw(_), Operation::Deposit(deposit)] if deposit.invoice == invoice),
        "the deposit carries the payee's tag: {drafted:?}"
    );
    let before = world.on_chain(payer);
    world.send_batch(payer);
    world.block();
    world.assert_applied();
    let outcome = &world.outcomes[0];
    assert_eq!(outcome.operations.len(), 2, "one group: a withdrawal and a deposit");
    assert_eq!(world.on_chain(owner), 300 * DOLLAR, "a new account is made by it");
    let creation_fee = world.follower.state().parameters().account_creation_fee;
    assert_eq!(world.on_chain(payer), before - outcome.fee - creation_fee);
    assert_eq!(world.owned(payer), (700 * DOLLAR, 0));
    assert_eq!(world.wallet(payer).target(&world.bank, FRD), None);
}

/// 2 takes 3000 from 2@1 for 123@1 is in `worked_example`; here it is told early what would only be skipped.
#[test]
fn a_place_that_would_not_take_the_money_is_refused_before_the_bank_is_asked() {
    let (mut world, payer, payee) = pair(Setup::new());
    let (bank, nobody) = (world.bank, key(61).public());
    let standalone = world.follower.state().parameters().standalone_balance;
    let mut refused = |amount, target| withdraw(&mut world, payer, amount, target).unwrap_err();
    assert_eq!(refused(100, Target::Channel { owner: payer, partner: bank, invoice: None }), Refusal::SameChannel);
    let self_channel = refused(100, Target::Channel { owner: bank, partner: bank, invoice: None });
    assert_eq!(self_channel, Refusal::Target(SkipReason::SelfChannel));
    // The payee has credit with the bank, and no FRD in the channel on-chain: only the two can bring it in.
    let stranger = refused(10_000, Target::Channel { owner: payee, partner: bank, invoice: None });
    assert_eq!(stranger, Refusal::Target(SkipReason::NewAssetByStranger { asset: FRD }));
    let too_small = refused(standalone, Target::Account { owner: nobody, invoice: None });
    let expected = SkipReason::RegistrationTooSmall { key: nobody, more_than: standalone, got: standalone };
    assert_eq!(too_small, Refusal::Target(expected));
    let oneself = refused(100, Target::Account { owner: payer, invoice: None });
    assert_eq!(oneself, Refusal::Target(SkipReason::DepositToSelf));
    assert!(world.messages.is_empty(), "the bank heard of none of it");
    assert_eq!(world.wallet(payer).target(&bank, FRD), None);
    assert_eq!(world.wallet(payer).parts(&bank, FRD).in_flight, 0);
}
