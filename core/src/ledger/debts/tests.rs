use super::{Payments, add, open, pay};
use crate::chain::params::Parameters;
use crate::ledger::fixture::{START, World, key};
use crate::ledger::state::Debt;
use crate::ledger::view::{Overlay, View as _};
use crate::limits;
use crate::types::AssetId;

const FRB: AssetId = AssetId::FRB;

/// Oldest first, so many in a step, and the rest later; nothing but what is there.
#[test]
fn a_step_makes_so_many_payments_and_the_rest_carries_over() {
    let world = World::new();
    let mut overlay = Overlay::new(world.state());
    let debtor = key(5).public();
    for creditor in 0..40_u8 {
        add(&mut overlay, debtor, FRB, Debt { creditor: key(100 + creditor).public(), amount: 10 });
    }
    let mut payments = Payments::of_block();
    let mut flows = Vec::new();
    for expected in [24, 8, 0, 0] {
        payments.begin_step(&Parameters::DEMO);
        pay(&mut overlay, &Parameters::DEMO, &mut payments, debtor, FRB, &mut flows);
        assert_eq!(open(&overlay, &debtor, FRB), expected);
    }
    assert_eq!(overlay.balance(&debtor, FRB), START - 400);
    assert_eq!(flows.len(), 80);
    assert!(flows.chunks(2).map(|pair| pair[1].place).eq((0..40).map(|n| super::account(key(100 + n).public()))));
}

/// However many steps a block has, and however long each may be: the rest waits for the next block.
#[test]
fn a_block_makes_so_many_payments_and_the_rest_carries_over() {
    let world = World::new();
    let mut overlay = Overlay::new(world.state());
    let (debtor, creditor) = (key(5).public(), key(6).public());
    let most = u64::from(limits::MAX_DEBT_PAYMENTS);
    for _ in 0..most + 100 {
        add(&mut overlay, debtor, FRB, Debt { creditor, amount: 1 });
    }
    let wide = Parameters { debt_payments_per_step: 10_000, ..Parameters::DEMO };
    let mut flows = Vec::new();
    let mut block = |payments: &mut Payments, expected: &[u64]| {
        for expected in expected {
            payments.begin_step(&wide);
            pay(&mut overlay, &wide, payments, debtor, FRB, &mut flows);
            assert_eq!(open(&overlay, &debtor, FRB), *expected);
        }
    };
    block(&mut Payments::of_block(), &[most + 100 - 10_000, 100, 100]);
    block(&mut Payments::of_block(), &[0]);
    assert_eq!(overlay.balance(&debtor, FRB), START - most - 100);
}
