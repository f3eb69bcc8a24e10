//! Batches that court displaced.

use super::{SIDES, users};
use crate::world::*;
use fair_core::account::SentState;
use fair_core::ledger::batch;
use fair_core::ledger::operation::Operation;
use fair_core::types::Parties;
use fair_core::wallet;
use fair_core::watch::CourtStage;

#[test]
fn court_goes_before_a_batch_under_way_and_what_was_displaced_comes_after() {
    let (mut world, payer, _) = users(Setup::new(), SIDES[0]);
    let bank = world.bank;
    world.draft_deposit(payer, payer, 20 * DOLLAR);
    let request = world.next_request();
    world.wish(payer, wallet::Input::SendBatch { request }).unwrap();
    let first = world.mempool[0].clone();
    world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
    assert_eq!(world.mempool.len(), 1);
    assert!(batch::is_court(&world.mempool[0].body) && world.mempool[0].body.nonce == first.body.nonce);
    world.restart(payer);
    world.wish(payer, wallet::Input::SendBatch { request }).unwrap();
    world.block();
    world.assert_applied();
    assert_eq!(world.follower.state().disputes().count(), 1);
    // The deposit follows under its own request, once.
    world.block();
    world.assert_applied();
    let sent = world.wallet(payer).on_chain().sent_for(&request).unwrap();
    assert_eq!(sent.batch.body.nonce, first.body.nonce + 1);
    assert!(matches!(sent.state, SentState::Included { .. }), "{:?}", sent.state);
    world.block();
    assert!(world.outcomes.is_empty());
    assert_eq!(world.wallet(payer).on_chain().draft().count(), 0);
}

#[test]
fn a_displaced_batch_that_lands_all_the_same_is_not_done_twice() {
    let (mut world, payer, _) = users(Setup::new(), SIDES[0]);
    let bank = world.bank;
    world.draft_deposit(payer, payer, 20 * DOLLAR);
    let request = world.next_request();
    world.wish(payer, wallet::Input::SendBatch { request }).unwrap();
    let first = world.mempool[0].clone();
    world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
    world.mempool = vec![first];
    world.block();
    world.assert_applied();
    // The dispute's nonce is gone: it can never land, so the channel is free; the wish was the person's.
    assert_eq!(world.wallet(payer).court(&bank, &world.chain()).unwrap().stage, CourtStage::None);
    world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
    world.block();
    world.assert_applied();
    let operations: Vec<Operation> = world
        .wallet(payer)
        .on_chain()
        .sent()
        .flat_map(|sent| {
            let included = matches!(sent.state, SentState::Included { .. });
            sent.batch.body.entries.iter().filter(move |_| included).map(|entry| entry.operation.clone())
        })
        .collect();
    let deposits = operations.iter().filter(|operation| matches!(operation, Operation::Deposit(_))).count();
    assert_eq!(deposits, 2, "the first funding, and this one");
    world.blocks(3);
    let parties = Parties::new(payer, bank).unwrap();
    let insurance = world.follower.state().channel(&parties).asset(FRD).unwrap().insurance;
    assert_eq!(insurance, 1_020 * DOLLAR, "and nothing more");
}
