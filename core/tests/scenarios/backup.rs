//! A bank that goes on from an old copy of its database.

use crate::attacks::{funded_thief, send_lock};
use crate::mediation::pair;
use crate::puppet::Puppet;
use crate::world::*;
use fair_core::bank;
use fair_core::channel::event::{Command, Event, Input};
use fair_core::crypto::Secret;
use fair_core::types::{Amount, PublicKey};
use fair_core::wallet::{self, PaymentState};

/// The bank's process ends, with all sessions, and begins again with this copy.
fn go_back_to(world: &mut World, copy: Rows) {
    let bank = world.bank;
    world.sessions.clear();
    world.messages.clear();
    let secret = world.nodes.remove(&bank).unwrap().secret;
    world.start_bank(secret, copy);
}

/// What the bank owes a partner.
fn owed_to(world: &World, partner: PublicKey) -> i128 {
    let channel = world.bank().channel(&partner).unwrap();
    channel.agreement().line(FRD).balance(channel.partner())
}

/// The copy is from before a payment that the bank forwarded. The payee settles its lock with the bank, which has
/// forgotten where the money came from: the lock that it was given stands in the channel that the payer shows, and the
/// secret takes it.
#[test]
fn a_forward_that_a_bank_forgot_costs_it_nothing() {
    let (mut world, payer, payee) = pair(Setup { fee_base: 2, ..Setup::new() });
    world.pay(payer, payee, 5 * DOLLAR);
    let (bank, before) = (world.bank, (world.balance(payer), world.balance(payee)));
    let copy = world.nodes[&bank].disk.clone();
    let to = world.invoice(payee, Some(300 * DOLLAR));
    let request = world.start_payment(payer, to, 300 * DOLLAR).unwrap();
    while world.wallet(payee).payments().count() < 2 {
        assert!(world.deliver_one());
    }
    world.disconnect(payee);
    world.deliver();
    assert_eq!(world.bank().forwards().count(), 1);

    world.nodes.get_mut(&bank).unwrap().disk = copy;
    world.restart(bank);
    world.connect(payee);
    world.deliver();
    assert_eq!(world.bank().forwards().count(), 0, "it is forgotten");
    // Beyond the expiry of both locks.
    world.blocks(2 * u64::from(world.follower.state().parameters().lock_horizon_blocks));
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
    let amount = i128::from(300 * DOLLAR);
    assert_eq!((world.balance(payer), world.balance(payee)), (before.0 - amount - 2, before.1 + amount));
    assert_eq!(world.follower.state().disputes().count(), 0);
}

/// Attack 8. Rule: of several locks with the hash of what was forwarded, the secret takes the largest.
/// The giver had a lock of the least amount forwarded under the same secret before the large one, and both are forgotten.
/// Its friend settles the large one.
#[test]
fn dust_under_the_hash_of_a_forgotten_forward_is_not_taken_for_it() {
    let (mut world, payer, _) = pair(Setup::new());
    let mut giver = funded_thief(&mut world, payer, &key(60));
    let mut friend = Puppet::new(&mut world, &key(70));
    let credit = Command::SetCredit { asset: FRD, limit: 1_000 * DOLLAR, insure_above: None };
    friend.command(&mut world, credit).unwrap();
    friend.run(&mut world);
    let copy = world.nodes[&world.bank].disk.clone();
    let before = (owed_to(&world, giver.public()), owed_to(&world, friend.public()));
    let (secret, dust, amount): (Secret, Amount, Amount) = (Secret([3; 32]), 100, 5_000);
    assert!(dust >= world.follower.state().parameters().min_lock);
    let expiry_out = world.usable_height() + 100;
    for amount in [dust, amount] {
        send_lock(&mut world, &mut giver, friend.public(), secret, amount, expiry_out + 100, expiry_out);
        friend.run(&mut world);
    }
    assert_eq!(world.bank().forwards().count(), 2);

    go_back_to(&mut world, copy);
    for partner in [&mut giver, &mut friend] {
        partner.input(&mut world, Input::Disconnected).unwrap();
        world.sessions.insert((partner.public(), world.bank));
        world.tell_bank(bank::Input::Connected { peer: partner.public() }).unwrap();
        partner.input(&mut world, Input::Connected).unwrap();
        partner.run(&mut world);
    }
    for _ in 0..2 {
        giver.block(&mut world);
        friend.input(&mut world, Input::Head).unwrap();
        friend.run(&mut world);
    }
    assert_eq!(world.bank().forwards().count(), 0, "they are forgotten");
    let received = friend.events.iter().find_map(|event| match event {
        Event::LockReceived { id, lock, .. } if lock.amount == amount => Some(*id),
        _ => None,
    });
    friend.command(&mut world, Command::Settle { lock: received.unwrap(), secret }).unwrap();
    friend.run(&mut world);
    giver.run(&mut world);
    let amount = i128::from(amount);
    assert_eq!(owed_to(&world, friend.public()), before.1 + amount, "the bank has paid");
    assert_eq!(owed_to(&world, giver.public()), before.0 - amount, "and was paid");
}

/// Attack 8. Rule: a channel that came back after data loss is never forgotten again, whoever needs its place.
/// The copy is from before the bank paid a stranger, which shows that state, spends the money, and could show it once more.
#[test]
fn a_channel_that_came_back_gives_its_place_to_nobody() {
    let mut world = World::new(Setup::new());
    world.config.max_strangers = 1;
    let copy = world.nodes[&world.bank].disk.clone();
    go_back_to(&mut world, copy.clone());
    let (stranger, bank) = (world.user(&key(60), 1_000 * DOLLAR, None), world.bank);
    let paid = bank::Input::Pay { request: request(1), peer: stranger, asset: FRD, amount: 200, note: vec![] };
    world.tell_bank(paid).unwrap();
    world.deliver();
    assert_eq!(world.balance(stranger), 200);

    go_back_to(&mut world, copy);
    world.wish(stranger, wallet::Input::Disconnected { peer: bank }).unwrap();
    world.connect(stranger);
    world.deliver();
    world.blocks(2);
    assert_eq!(world.balance(stranger), 200, "it came back");
    let spent = wallet::Input::PayDirect { request: request(2), bank, asset: FRD, amount: 200, note: vec![] };
    world.wish(stranger, spent).unwrap();
    world.deliver();
    assert_eq!(world.balance(stranger), 0);
    world.disconnect(stranger);
    let newcomer = bank::Input::Connected { peer: key(61).public() };
    assert_eq!(world.tell_bank(newcomer).unwrap_err(), bank::Refusal::TooManyStrangers { limit: 1 });
    assert!(world.bank().channel(&stranger).is_some());
}
