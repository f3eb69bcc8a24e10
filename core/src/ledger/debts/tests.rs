use super::{Payments, add, open, pay};
use crate::chain::params::Parameters;
use crate::ledger::fixture::{START, World, key};
use crate::ledger::state::Debt;
use crate::ledger::view::{Overlay, View as _};
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
