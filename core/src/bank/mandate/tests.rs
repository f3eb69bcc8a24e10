use super::FEE_ROOM_RATE;
use crate::bank::{AssetPolicy, Bank, Config};
use crate::channel::event::Debug;
use crate::channel::state::Sub;
use crate::crypto::{Secret, SecretKey};
use crate::entropy::Entropy;
use crate::ledger::fixture::{START, World, deposit, dispute, genesis, key, quick};
use crate::ledger::operation::{Operation, Reveal};
use crate::ledger::receipt::Receipt;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, Side};

const FRD: AssetId = AssetId::FRD;

fn policy(asset: AssetId) -> AssetPolicy {
    AssetPolicy { asset, credit_limit: 0, max_in_flight: 0, safety_balance: 40 }
}

fn bank(world: &World, key: &SecretKey) -> Bank {
    let config = Config {
        assets: vec![policy(FRD)],
        max_forwards: 1,
        max_strangers: 1,
        rebalance_every_blocks: 0,
        consent_wait_blocks: 1,
        dispute_after_blocks: 0,
        debug: Debug::Off,
    };
    let chain_id = world.state().chain_id();
    Bank::restore(config, key.clone(), chain_id, Entropy::from_seed([5; 32]), []).unwrap()
}

/// A bank that owes `amount` of FRD more than it has beyond K.debt_floor.
fn indebted(amount: Amount) -> (World, SecretKey) {
    let mut world = World::with(crate::chain::genesis::Genesis { parameters: quick(), ..genesis() });
    let (bank, user) = (key(1), key(5));
    let spent = world.run(&bank, vec![Operation::Deposit(deposit(START / 2, &key(6), None))]);
    assert!(matches!(spent[0].receipt, Receipt::Applied { .. }));
    let parties = crate::ledger::fixture::parties(&bank, &user);
    let owed = i64::try_from(START).unwrap();
    let sign = if parties.side_of(&user.public()) == Some(Side::Left) { 1 } else { -1 };
    let state = world.channel_state(&bank, &user, 1, vec![Sub { offdelta: sign * owed, ..Sub::zero(FRD) }]);
    world.run(&user, vec![dispute(&bank, Some(state))]);
    while world.state().dispute(&parties).is_some() {
        world.block(&[]);
    }
    // The creditor's friend pays all of it but the rest, which sets off the payment.
    let open = open_debts(&world, &bank);
    world.run(&key(2), vec![Operation::Deposit(deposit(open - amount, &bank, None))]);
    assert_eq!((open_debts(&world, &bank), world.frd(&bank)), (amount, world.state().parameters().debt_floor));
    (world, bank)
}

fn open_debts(world: &World, debtor: &SecretKey) -> Amount {
    world.state().debts_of(&debtor.public(), FRD).map(|(_, debt)| debt.amount).sum()
}

/// Fees that a bank earns as a proposer wait for its next batch, which pays its debts first: what a rebalance plans
/// with is what is left of them.
#[test]
fn a_rebalance_plans_with_what_debts_leave() {
    let debt = 300;
    let (mut world, key_of_bank) = indebted(debt);
    while world.frd(&key_of_bank) < 1_000 {
        let junk = vec![Operation::Reveal(Reveal { secrets: vec![Secret([4; 32]); 256] }); 7];
        world.run(&key(6), junk);
    }
    assert_eq!(open_debts(&world, &key_of_bank), debt);
    let bank = bank(&world, &key_of_bank);
    let chain = Chain::of(&world.client);
    let has = world.frd(&key_of_bank);
    let situation = bank.situation(&chain, policy(FRD), 0);
    assert_eq!((situation.balance, situation.safety_balance), (has - debt, 40));
    let fees = 2 * (world.state().parameters().account_creation_fee + FEE_ROOM_RATE);
    assert_eq!(bank.situation(&chain, policy(FRD), 2).balance, has - debt - fees);
    assert_eq!(bank.situation(&chain, policy(FRD), 1_000).balance, 0, "never below nothing");
    // Of what it owes nothing, everything counts, and fees are paid in FRD.
    assert_eq!(bank.situation(&chain, policy(AssetId::FRB), 2).balance, START);
}
