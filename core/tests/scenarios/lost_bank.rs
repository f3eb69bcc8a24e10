//! A bank that lost its records (docs/protocol.md, section 4, rule 8): it has its key, and what partners show.

use crate::mediation::pair;
use crate::world::*;
use fair_core::bank::{self, Bank};
use fair_core::chain::params::Parameters;
use fair_core::types::PublicKey;

/// All sessions end, and the bank starts with these records.
fn start_again(world: &mut World, disk: Rows) {
    let bank = world.bank;
    let users: Vec<_> = world.sessions.iter().map(|(user, _)| *user).collect();
    for user in users {
        world.disconnect(user);
    }
    let secret = world.nodes.remove(&bank).unwrap().secret;
    world.start_bank(secret, disk);
}

fn frame(world: &World, user: PublicKey) -> u64 {
    world.bank().channel(&user).unwrap().agreement().state.frame
}

fn come_back(world: &mut World, users: [PublicKey; 2]) {
    for user in users {
        world.connect(user);
    }
    world.deliver();
    assert!(users.iter().all(|user| world.bank().channel(user).unwrap().is_restoring()), "not before a new block");
    world.blocks(2);
    assert!(users.iter().all(|user| !world.bank().channel(user).unwrap().is_restoring()));
}

#[test]
fn it_goes_on_with_what_partners_show() {
    let (mut world, payer, payee) = pair(Setup::new());
    world.pay(payer, payee, 300 * DOLLAR);
    let newest = [payer, payee].map(|user| frame(&world, user));
    start_again(&mut world, Rows::from([Bank::first_record_after_data_loss()]));
    come_back(&mut world, [payer, payee]);
    for (user, newest) in [payer, payee].into_iter().zip(newest) {
        assert!(frame(&world, user) > newest && frame(&world, user) >> 32 > 0, "above all that was signed");
    }
    assert_eq!((world.balance(payer), world.balance(payee)), (70_000, 30_000));
    // A consent that the bank forgot could still take the payer's insured money.
    let held = |world: &World| world.wallet(payer).parts(&world.bank, FRD).can_send == 0;
    assert!(held(&world));
    let parameters = Parameters::DEMO;
    world.blocks(u64::from(parameters.max_consent_blocks) + u64::from(parameters.margin_blocks) + 2);
    assert!(!held(&world));
    world.pay(payer, payee, 100 * DOLLAR);
    assert_eq!((world.balance(payer), world.balance(payee)), (60_000, 40_000));

    // Also after a restart, and with a partner that has never been there.
    let disk = world.nodes[&world.bank].disk.clone();
    start_again(&mut world, disk);
    for user in [payer, payee] {
        world.connect(user);
    }
    world.deliver();
    world.pay(payer, payee, 100 * DOLLAR);
    let third = world.user(&key(30), 500 * DOLLAR, None);
    world.deliver();
    world.blocks(2);
    assert!(frame(&world, third) >> 32 > 0, "whether it has been there, nobody knows");
    world.pay(payer, third, 100 * DOLLAR);
    assert_eq!((world.balance(payer), world.balance(third)), (40_000, 10_000));
}

/// Whoever shows nothing, or less than there was, keeps what is withheld and gets nothing signed that is lower.
#[test]
fn a_partner_that_shows_less_gets_no_second_state_under_an_old_number() {
    let (mut world, payer, payee) = pair(Setup::new());
    let old = world.nodes[&payee].disk.clone();
    world.pay(payer, payee, 200 * DOLLAR);
    let newest = frame(&world, payee);
    start_again(&mut world, Rows::from([Bank::first_record_after_data_loss()]));
    let secret = world.nodes.remove(&payee).unwrap().secret;
    world.start_wallet(secret, old);
    come_back(&mut world, [payer, payee]);
    let restored = frame(&world, payee);
    assert!(restored > newest && restored >> 32 > 0);
    let pay = bank::Input::Pay { request: request(1), peer: payee, asset: FRD, amount: 50 * DOLLAR, note: vec![] };
    world.tell_bank(pay).unwrap();
    world.deliver();
    let channel = world.bank().channel(&payee).unwrap();
    assert!(channel.outcomes().all(|state| state.frame > newest), "court could decide by nothing older");
}

/// Partners that come and show nothing do not fill the room for strangers.
#[test]
fn strangers_that_say_nothing_give_way() {
    let mut world = World::new(Setup::new());
    world.config.max_strangers = 2;
    start_again(&mut world, Rows::from([Bank::first_record_after_data_loss()]));
    for seed in 60..70 {
        let peer = key(seed).public();
        world.tell_bank(bank::Input::Connected { peer }).unwrap();
        world.tell_bank(bank::Input::Disconnected { peer }).unwrap();
    }
    assert_eq!(world.bank().partners().count(), 2);
}
