//! A bank that goes on from an old copy of its database.

use crate::mediation::pair;
use crate::world::*;
use fair_core::wallet::PaymentState;

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
