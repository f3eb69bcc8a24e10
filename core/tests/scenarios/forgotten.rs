//! A secret that the registry has forgotten by the time at which the lock that it settled is closed.

use crate::attacks::{funded_thief, send_lock};
use crate::mediation::pair;
use crate::puppet::Puppet;
use crate::world::*;
use fair_core::chain::params::Parameters;
use fair_core::channel::event::{Command, Event};
use fair_core::crypto::{Secret, lock_hash};
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Operation, Reveal};
use fair_core::message::Signed;
use fair_core::types::{Amount, PublicKey};

fn balance_of(world: &World, peer: PublicKey) -> i128 {
    let channel = world.bank().channel(&peer).unwrap();
    channel.agreement().line(FRD).balance(channel.partner())
}

/// The bank is down when the lock that it gave runs out, and then somebody reveals the secret: too late for that lock,
/// in time for the one that it was given. The bank settles that one with what the registry says, and the giver, which
/// nobody can dispute because it has no account, acknowledges only when the registry has forgotten. The bank has the
/// money and goes on, though it never learned the secret from its own forward.
#[test]
fn a_settlement_acknowledged_after_the_registry_forgot_costs_the_bank_nothing() {
    // The least that the rules allow, to forget soon.
    let parameters = Parameters { hashlock_keepalive_blocks: 1_114, ..Parameters::DEMO };
    let (mut world, payer, payee) = pair(Setup { parameters, ..Setup::new() });
    let bank = world.bank;
    let mut giver = funded_thief(&mut world, payer, &key(60));
    let mut receiver = Puppet::new(&mut world, &key(70));
    let credit = Command::SetCredit { asset: FRD, limit: 1_000 * DOLLAR, insure_above: None };
    receiver.command(&mut world, credit).unwrap();
    receiver.run(&mut world);
    let (secret, amount): (Secret, Amount) = (Secret([3; 32]), 500);
    let before = balance_of(&world, giver.public());
    let expiry_out = world.usable_height() + 100;
    send_lock(&mut world, &mut giver, receiver.public(), secret, amount, expiry_out + 100, expiry_out);
    receiver.run(&mut world);
    assert!(receiver.events.iter().any(|event| matches!(event, Event::LockReceived { .. })));
    assert_eq!(world.bank().forwards().count(), 1);

    world.fall_behind(bank);
    while world.usable_height() <= expiry_out {
        world.block();
    }
    let friend = key(201);
    let state = world.follower.state();
    let reveal = Operation::Reveal(Reveal { secrets: vec![secret] });
    let batch = Batch {
        signer: friend.public(),
        nonce: state.account(&friend.public()).unwrap().nonce,
        valid_until: state.height() + 10,
        fee_rate: 10,
        entries: vec![Entry { group: None, operation: reveal }],
    };
    world.mempool.push(Signed::new(batch, &state.chain_id(), &friend));
    world.block();
    world.assert_applied();
    giver.silent = Some(vec![]);
    world.catch_up(bank);
    giver.run(&mut world);
    let kept = giver.silent.take().unwrap();
    assert!(!kept.is_empty(), "the settlement is signed, and the signature kept back");
    assert_eq!(balance_of(&world, giver.public()), before);

    while world.follower.state().hashlock(&lock_hash(&secret)).is_some() {
        world.block();
        assert_eq!(world.follower.state().disputes().count(), 0, "whoever has no account cannot be disputed");
    }
    let forward = world.bank().forwards().next().unwrap();
    assert!(forward.secret.is_none() && !forward.origin.closed);
    for bytes in kept {
        world.messages.push_back((giver.public(), bank, bytes));
    }
    world.deliver();
    assert_eq!(balance_of(&world, giver.public()), before - i128::from(amount), "the giver has paid");
    assert!(world.bank().forwards().all(|forward| forward.origin.closed));
    // The receiver, which was too late, takes note of that, and nothing is left over.
    for _ in 0..5 {
        receiver.block(&mut world);
    }
    assert_eq!(balance_of(&world, receiver.public()), 0);
    assert_eq!(world.bank().forwards().count(), 0);
    world.pay(payer, payee, 700);
}
