//! A payment from one wallet through a bank to another, with real databases, where each of the three is
//! ended at every durable write and every send in turn and started again from what it stored.

mod world;

use world::{Role, World};

/// Ends `role` at every point of a payment, one after another, until a payment passes fewer points.
async fn check(role: Role) -> u64 {
    let mut world = World::start().await;
    let before = world.balances().await;
    let (mut paid, mut points) = (0, 0);
    for point in 1.. {
        world.crash_at(role, point);
        let payment = world.pay(100).await;
        let crashed = world.settle(role, payment).await;
        paid += u64::from(world.was_paid(payment).await);
        world.compare(before, paid * 100).await;
        if !crashed {
            points = point - 1;
            break;
        }
    }
    assert!(points > 4, "{role:?}: a payment has more durable writes and sends than {points}");
    assert!(paid > 0, "{role:?}: some payments arrive");
    points
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payer_may_end_at_any_point() {
    println!("payer: {} points", check(Role::Payer).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bank_may_end_at_any_point() {
    println!("bank: {} points", check(Role::Bank).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payee_may_end_at_any_point() {
    println!("payee: {} points", check(Role::Payee).await);
}
