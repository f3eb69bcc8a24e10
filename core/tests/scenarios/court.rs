//! Court between a bank and its users: stale proofs, silent partners, crashes, withheld batches, the next epoch.
//! Below it attacks on the ledger's court, each run by the one who would profit.

mod chain;
mod consents;
mod displaced;
mod flood;
mod load;
mod money;
mod states;
mod strangers;

use crate::world::*;
use fair_core::bank;
use fair_core::chain::params::Parameters;
use fair_core::channel::event::Refusal as ChannelRefusal;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Operation, Reveal};
use fair_core::message::Signed;
use fair_core::types::{Amount, PublicKey, Side};
use fair_core::wallet::{self, CannotPay, Credit, InvoiceState, PaymentState};
use fair_core::watch::{CourtEvent, CourtStage};

/// Two registered users: the first with 1000 FRD insured, the second accepts 500 uninsured.
fn users(setup: Setup, sides: (Side, Side)) -> (World, PublicKey, PublicKey) {
    let payer_key = key_on(sides.0, &setup.bank_key, 20);
    let payee_key = key_on(sides.1, &setup.bank_key, 60);
    let mut accounts = setup.accounts.clone();
    accounts.extend([(payer_key.public(), 10_000 * DOLLAR), (payee_key.public(), 100 * DOLLAR)]);
    let mut world = World::new(Setup { accounts, ..setup });
    let payer = world.user(&payer_key, 1_000 * DOLLAR, None);
    let payee = world.user(&payee_key, 500 * DOLLAR, None);
    world.fund(payer, 1_000 * DOLLAR);
    (world, payer, payee)
}

const SIDES: [(Side, Side); 4] =
    [(Side::Left, Side::Right), (Side::Left, Side::Left), (Side::Right, Side::Right), (Side::Right, Side::Left)];

/// Replaces what a node has on disk by an older copy and restarts it; it stays alone.
pub(crate) fn roll_back(world: &mut World, node: PublicKey, disk: Rows) {
    for user in world.sessions.iter().map(|(user, _)| *user).collect::<Vec<_>>() {
        if user == node || node == world.bank {
            world.disconnect(user);
        }
    }
    let Node { secret, .. } = world.nodes.remove(&node).unwrap();
    if node == world.bank { world.start_bank(secret, disk) } else { world.start_wallet(secret, disk) }
}

fn court_events(world: &World, user: PublicKey) -> Vec<CourtEvent> {
    let bank = world.bank;
    let what = world.nodes[&user].wallet_events.iter().filter_map(|event| match event {
        wallet::Event::Court { peer, what } if *peer == bank => Some(what.clone()),
        _ => None,
    });
    what.collect()
}

#[track_caller]
fn assert_idle(world: &World, users: &[PublicKey]) {
    assert_eq!(world.bank().forwards().count(), 0, "no forward is left over");
    for user in users {
        assert!(world.wallet(*user).channel(&world.bank).unwrap().is_idle());
    }
}

#[test]
fn a_stale_proof_of_the_bank_is_answered_by_the_wallet() {
    for sides in SIDES {
        let (mut world, payer, payee) = users(Setup::new(), sides);
        world.pay(payer, payee, 30 * DOLLAR);
        let old = world.nodes[&world.bank].disk.clone();
        world.pay(payer, payee, 400 * DOLLAR);
        let bank = world.bank;
        roll_back(&mut world, bank, old);
        let before = world.on_chain(payee);
        world.tell_bank(bank::Input::Dispute { peer: payee }).unwrap();
        world.block();
        let view = world.wallet(payee).court(&bank, &world.chain()).unwrap();
        assert!(matches!(view.stage, CourtStage::Answering { .. }) && view.answer_under_way, "{view:?}");
        assert_eq!(view.lines_in_court[0].uninsured, 30 * DOLLAR);
        assert_eq!(view.lines_newest[0].uninsured, 430 * DOLLAR);
        world.block();
        world.assert_applied();
        let fee = world.outcomes[0].fee;
        let view = world.wallet(payee).court(&bank, &world.chain()).unwrap();
        assert_eq!(view.lines_in_court[0].uninsured, 430 * DOLLAR);
        assert!(!view.answer_under_way);
        world.block();
        assert!(world.outcomes.is_empty(), "answered once");
        world.resolve(payee);
        assert_eq!(world.on_chain(payee), before - fee + 430 * DOLLAR, "{sides:?}");
        let events = court_events(&world, payee);
        assert!(
            matches!(
                &events[..],
                [CourtEvent::Disputed { by_us: false, .. }, CourtEvent::Answered { .. }, CourtEvent::Resolved(_)]
            ),
            "{events:?}"
        );
    }
}

#[test]
fn a_stale_proof_of_a_wallet_is_answered_by_the_bank() {
    for sides in SIDES {
        let (mut world, payer, payee) = users(Setup::new(), sides);
        let old = world.nodes[&payer].disk.clone();
        world.pay(payer, payee, 400 * DOLLAR);
        roll_back(&mut world, payer, old);
        let bank = world.bank;
        let (mut user, safe) = (world.on_chain(payer), world.on_chain(bank));
        world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
        world.block();
        user -= world.outcomes[0].fee;
        world.block();
        world.assert_applied();
        let fee = world.outcomes[0].fee;
        world.resolve(payer);
        assert_eq!(world.on_chain(payer), user + 600 * DOLLAR);
        assert_eq!(world.on_chain(bank), safe - fee + 400 * DOLLAR, "{sides:?}");
    }
}

/// A payment whose payee took the lock and whose settlement does not reach the bank.
fn settled_in_vain(world: &mut World, payer: PublicKey, payee: PublicKey, amount: Amount) -> [u8; 16] {
    let to = world.invoice(payee, Some(amount));
    let request = world.start_payment(payer, to, amount).unwrap();
    while world.wallet(payee).payments().next().is_none() {
        assert!(world.deliver_one());
    }
    world.disconnect(payee);
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Locking);
    request
}

#[test]
fn a_payee_enforces_a_lock_against_a_silent_bank() {
    for sides in SIDES {
        let (mut world, payer, payee) = users(Setup { fee_base: 7, ..Setup::new() }, sides);
        let bank = world.bank;
        let before = world.on_chain(payee);
        let request = settled_in_vain(&mut world, payer, payee, 300 * DOLLAR);
        let (_, lock) = world.wallet(payee).channel(&bank).unwrap().incoming_locks().next().unwrap();
        let (expiry, hash) = (lock.expiry, lock.hash);
        let mut fees = 0;
        let mut disputed_at = None;
        for _ in 0..1_000 {
            world.block();
            fees += world.outcomes.iter().filter(|o| o.signer == payee).map(|outcome| outcome.fee).sum::<Amount>();
            let state = world.follower.state();
            if disputed_at.is_none() && state.disputes().next().is_some() {
                disputed_at = Some(world.usable_height());
            }
            if !world.openings.is_empty() {
                break;
            }
        }
        let state = world.follower.state();
        let revealed = state.hashlock(&hash).unwrap().revealed_at;
        let margin = u64::from(state.parameters().margin_blocks);
        assert!(revealed + margin / 2 < expiry && disputed_at.unwrap() <= expiry, "well before it expires");
        // The payee has its money, the payer its proof, and the bank has lost nothing.
        assert_eq!(world.on_chain(payee), before - fees + 300 * DOLLAR, "{sides:?}");
        let payment = world.payment(payer, &request);
        assert_eq!(payment.state, PaymentState::Paid);
        assert!(world.wallet(payer).proof(&request).unwrap().verify(&state.chain_id()).is_ok());
        assert_eq!(world.balance(payer), i128::from(700 * DOLLAR - 7));
        assert_eq!(world.wallet(payee).payments().next().unwrap().state, PaymentState::Paid);
        assert_eq!(world.wallet(payee).invoices().next().unwrap().state, InvoiceState::Paid);
        assert_eq!(world.bank().channel(&payer).unwrap().incoming_locks().count(), 0);
        assert_eq!(world.bank().forwards().count(), 0);
    }
}

#[test]
fn a_lock_that_nobody_can_pay_goes_back_after_court_closed_it() {
    let (mut world, payer, payee) = users(Setup::new(), SIDES[0]);
    let bank = world.bank;
    let to = world.invoice(payee, Some(300 * DOLLAR));
    let request = world.start_payment(payer, to, 300 * DOLLAR).unwrap();
    // The payee disputes before it ever sees the lock: the bank has signed it, so court may still have it.
    while world.bank().channel(&payee).unwrap().is_idle() {
        assert!(world.deliver_one());
    }
    world.disconnect(payee);
    world.wish(payee, wallet::Input::Dispute { bank }).unwrap();
    world.deliver();
    world.block();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Locking, "not before court has decided");
    world.resolve(payee);
    world.block();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Failed);
    assert_eq!(world.balance(payer), i128::from(1_000 * DOLLAR));
    assert_eq!(world.bank().forwards().count(), 0);
}

/// The payee has settled with the bank; the payer is away before the bank can settle with it, and the bank crashes.
fn bank_that_learned(sides: (Side, Side)) -> (World, PublicKey, PublicKey, [u8; 16]) {
    let (mut world, payer, payee) = users(Setup::new(), sides);
    let to = world.invoice(payee, Some(300 * DOLLAR));
    let request = world.start_payment(payer, to, 300 * DOLLAR).unwrap();
    while world.bank().forwards().all(|forward| forward.secret.is_none()) {
        assert!(world.deliver_one());
    }
    world.disconnect(payer);
    world.restart(world.bank);
    world.sessions.retain(|(user, _)| *user != payer);
    world.deliver();
    (world, payer, payee, request)
}

#[test]
fn a_bank_that_crashes_between_learning_and_settling_loses_nothing() {
    for sides in SIDES {
        let (mut world, payer, _, request) = bank_that_learned(sides);
        let bank = world.bank;
        let (_, lock) = world.bank().channel(&payer).unwrap().incoming_locks().next().unwrap();
        let (expiry, hash) = (lock.expiry, lock.hash);
        while world.usable_height() <= expiry + 100 {
            world.block();
        }
        let revealed = world.follower.state().hashlock(&hash).unwrap().revealed_at;
        assert!(revealed < expiry);
        // The payer's proof is on the chain; the bank waits for it to come back, since nothing can be taken away.
        assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
        assert_eq!(world.follower.state().disputes().count(), 0);
        world.connect(payer);
        world.deliver();
        world.block();
        assert_eq!(world.balance(payer), i128::from(700 * DOLLAR), "{sides:?}");
        assert_eq!(world.bank().forwards().count(), 0);
        assert!(world.wallet(payer).channel(&bank).unwrap().is_idle());
    }
}

#[test]
fn a_payer_that_never_comes_back_is_disputed_before_the_registry_forgets() {
    let (mut world, payer, _, _) = bank_that_learned(SIDES[0]);
    let bank = world.bank;
    let hash = world.bank().channel(&payer).unwrap().incoming_locks().next().unwrap().1.hash;
    let (mut user, mut safe) = (world.on_chain(payer), world.on_chain(bank));
    let mut resolved = false;
    for _ in 0..3_000 {
        world.block();
        for outcome in &world.outcomes {
            let balance = if outcome.signer == bank { &mut safe } else { &mut user };
            *balance -= outcome.fee;
        }
        if !world.openings.is_empty() {
            assert!(world.follower.state().hashlock(&hash).is_some());
            resolved = true;
            break;
        }
    }
    assert!(resolved);
    assert_eq!((world.on_chain(payer), world.on_chain(bank)), (user + 700 * DOLLAR, safe + 300 * DOLLAR));
    assert_eq!(world.bank().forwards().count(), 0);
}

/// The payer that stays away reveals the secret again and again: the bank, which can take its time while the
/// registry's entry lasts, is to wait for ever.
#[test]
fn an_entry_that_is_extended_makes_no_bank_wait() {
    let (mut world, payer, _, _) = bank_that_learned(SIDES[0]);
    let hash = world.bank().channel(&payer).unwrap().incoming_locks().next().unwrap().1.hash;
    let mut first = None;
    for _ in 0..3_000 {
        world.block();
        let state = world.follower.state();
        let (now, keepalive) = (world.usable_height(), u64::from(state.parameters().hashlock_keepalive_blocks));
        if !world.openings.is_empty() {
            assert!(now < first.unwrap() + keepalive, "within what the first reveal gave");
            return;
        }
        if let Some(entry) = state.hashlock(&hash)
            && (first.is_none() || now > entry.deleted_at - keepalive / 2)
        {
            first = first.or(Some(entry.revealed_at));
            let signer = key(201);
            let nonce = state.account(&signer.public()).unwrap().nonce;
            let operation = Operation::Reveal(Reveal { secrets: vec![entry.secret] });
            let entries = vec![Entry { group: None, operation }];
            let valid_until = state.height() + 9;
            let batch = Batch { signer: signer.public(), nonce, valid_until, fee_rate: 10, entries };
            world.mempool.push(Signed::new(batch, &state.chain_id(), &signer));
        }
    }
    panic!("the bank waits");
}

#[test]
fn a28_mass_dispute() {
    // Small batches, so that the answers need many of them.
    let parameters = Parameters {
        max_locks: 2,
        max_channel_assets: 2,
        max_state_bytes: 512,
        max_batch_bytes: 2_048,
        court_room_bytes: 8_192,
        max_block_bytes: 64 << 10,
        ..Parameters::DEMO
    };
    assert_eq!(parameters.check(), Ok(()));
    let keys: Vec<SecretKey> = (20..60).map(key).collect();
    let accounts = keys.iter().map(|key| (key.public(), 1_000 * DOLLAR)).collect();
    let mut world = World::new(Setup { parameters, accounts, ..Setup::new() });
    let bank = world.bank;
    let users: Vec<PublicKey> = keys.iter().map(|key| world.user(key, 1_000 * DOLLAR, None)).collect();
    for user in &users {
        world.draft_deposit(*user, *user, 100 * DOLLAR);
        world.send_batch(*user);
    }
    world.block();
    world.block();
    let old: Vec<Rows> = users.iter().map(|user| world.nodes[user].disk.clone()).collect();
    for (user, place) in users.iter().zip(1..) {
        let (asset, note) = (FRD, vec![]);
        let request = request(place);
        world.wish(*user, wallet::Input::PayDirect { request, bank, asset, amount: 60 * DOLLAR, note }).unwrap();
    }
    world.deliver();
    for (user, disk) in users.iter().zip(old) {
        roll_back(&mut world, *user, disk);
        world.wish(*user, wallet::Input::Dispute { bank }).unwrap();
    }
    let safe = world.on_chain(bank);
    let (mut fees, mut answers, mut batches, mut most) = (0, 0, 0, 0);
    for _ in 0..200 {
        world.block();
        let ours: Vec<_> = world.outcomes.iter().filter(|outcome| outcome.signer == bank).collect();
        most = most.max(ours.len());
        batches += ours.len();
        fees += ours.iter().map(|outcome| outcome.fee).sum::<Amount>();
        answers += ours.iter().map(|outcome| outcome.operations.len()).sum::<usize>();
    }
    assert_eq!(world.follower.state().disputes().count(), 0);
    assert_eq!(answers, users.len(), "each is answered, and once");
    assert!(batches >= 4 && most >= 2, "{batches} batches, {most} in a block");
    assert_eq!(world.on_chain(bank), safe - fees + 60 * DOLLAR * 40);
}

#[test]
fn a30_withheld_batch() {
    let (mut world, payer, payee) = users(Setup::new(), SIDES[0]);
    let bank = world.bank;
    world.withholding.insert(payer);
    world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
    world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
    assert_eq!(world.withheld.len(), 1, "asking again does nothing twice");
    let held = world.withheld[0].clone();
    let margin = u64::from(world.follower.state().parameters().margin_blocks);
    assert_eq!(held.body.valid_until, world.follower.height() + margin, "no longer than needed");
    let frozen = world.wallet(payer).channel(&bank).unwrap().agreement().state.order();
    // While it could land nothing is signed: no payment out, no frame of the bank acknowledged.
    let to = world.invoice(payee, Some(50 * DOLLAR));
    let refused = world.start_payment(payer, to.clone(), 50 * DOLLAR).unwrap_err();
    assert!(matches!(refused, wallet::Refusal::Payment(CannotPay::Route(_))), "{refused:?}");
    let direct = |request| wallet::Input::PayDirect { request, bank, asset: FRD, amount: 5, note: vec![] };
    let refused = world.wish(payer, direct(request(1))).unwrap_err();
    assert!(matches!(refused, wallet::Refusal::Channel(ChannelRefusal::InCourt)), "{refused:?}");
    let pay = bank::Input::Pay { request: request(2), peer: payer, asset: FRD, amount: 10, note: vec![] };
    world.tell_bank(pay).unwrap();
    world.deliver();
    world.restart(payer);
    world.deliver();
    while world.follower.height() < held.body.valid_until {
        assert!(matches!(
            world.wallet(payer).court(&bank, &world.chain()).unwrap().stage,
            CourtStage::BatchUnderWay { .. }
        ));
        assert_eq!(world.wallet(payer).channel(&bank).unwrap().agreement().state.order(), frozen);
        world.block();
    }
    // Now it can no longer: the channel goes on.
    assert!(court_events(&world, payer).contains(&CourtEvent::Lapsed));
    world.deliver();
    let request = world.start_payment(payer, to, 50 * DOLLAR).unwrap();
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
    // And landing it comes to nothing.
    let built = world.follower.build(&[held], world.proposer, world.now_ms + 1_000);
    let excluded = format!("{:?}", built.left_out);
    assert!(built.step.outcomes().is_empty() && excluded.contains("Expired"), "{excluded}");
}

#[test]
fn a30_withheld_batch_that_lands_finds_the_newest_state() {
    let (mut world, payer, payee) = users(Setup::new(), SIDES[0]);
    let bank = world.bank;
    world.pay(payer, payee, 50 * DOLLAR);
    world.withholding.insert(payer);
    world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
    let held = world.withheld[0].clone();
    let pay = bank::Input::Pay { request: request(2), peer: payer, asset: FRD, amount: 10 * DOLLAR, note: vec![] };
    world.tell_bank(pay).unwrap();
    world.blocks(20);
    world.mempool.push(held);
    let before = world.on_chain(payer);
    world.block();
    world.assert_applied();
    let fee = world.outcomes[0].fee;
    world.resolve(payer);
    // The bank's last frame was never counted as received, and the bank paid nothing.
    assert_eq!(world.on_chain(payer), before - fee + 950 * DOLLAR);
    assert!(world.wallet(payer).payments().all(|payment| payment.amount != 10 * DOLLAR));
    let direct = world.bank().direct_payment(&request(2)).unwrap();
    assert!(matches!(direct.state, bank::DirectState::Failed(_)));
}

#[test]
fn a39_a_dispute_unseen() {
    let (mut world, payer, payee) = users(Setup::new(), SIDES[0]);
    let bank = world.bank;
    world.pay(payer, payee, 30 * DOLLAR);
    let old = world.nodes[&bank].disk.clone();
    world.pay(payer, payee, 400 * DOLLAR);
    // The payee's relay shows it no more blocks; the bank disputes with an old state.
    world.fall_behind(payee);
    roll_back(&mut world, bank, old);
    let before = world.on_chain(payee);
    world.tell_bank(bank::Input::Dispute { peer: payee }).unwrap();
    world.blocks(25);
    assert_eq!(world.follower.state().disputes().count(), 1);
    // Its head is stale by now: it promises nothing.
    let to = world.invoice(payer, Some(5 * DOLLAR));
    let refused = world.start_payment(payee, to, 5 * DOLLAR).unwrap_err();
    assert!(matches!(refused, wallet::Refusal::Payment(CannotPay::StaleHead)), "{refused:?}");
    // It finds another relay in time, and answers.
    world.catch_up(payee);
    world.block();
    world.assert_applied();
    let fee = world.outcomes[0].fee;
    world.resolve(payee);
    assert_eq!(world.on_chain(payee), before - fee + 430 * DOLLAR);
}

#[test]
fn an_unanswered_payment_is_decided_once_by_court() {
    // The bank takes the frame that nobody acknowledged to court: paid there, it is not repeated (attack 7).
    let (mut world, payer, _) = users(Setup::new(), SIDES[0]);
    let bank = world.bank;
    let pay = wallet::Input::PayDirect { request: request(1), bank, asset: FRD, amount: 40 * DOLLAR, note: vec![] };
    world.wish(payer, pay).unwrap();
    assert!(world.deliver_one(), "the bank signs it");
    world.disconnect(payer);
    assert_eq!(world.payment(payer, &request(1)).state, PaymentState::Locking);
    let before = world.on_chain(payer);
    world.tell_bank(bank::Input::Dispute { peer: payer }).unwrap();
    world.resolve(payer);
    assert_eq!(world.payment(payer, &request(1)).state, PaymentState::Paid);
    assert_eq!(world.on_chain(payer), before + 960 * DOLLAR);
    world.connect(payer);
    world.deliver();
    assert_idle(&world, &[payer]);
    assert_eq!(world.balance(payer), 0);
}

#[test]
fn the_channel_works_again_in_the_next_epoch() {
    for sides in SIDES {
        let (mut world, payer, payee) = users(Setup::new(), sides);
        let bank = world.bank;
        world.pay(payer, payee, 200 * DOLLAR);
        world.wish(payee, wallet::Input::Dispute { bank }).unwrap();
        world.block();
        world.wish(payer, wallet::Input::Dispute { bank }).unwrap();
        world.resolve(payee);
        world.blocks(80);
        world.deliver();
        // Nothing is owed, and no credit is given until it is set anew.
        for user in [payer, payee] {
            let channel = world.wallet(user).channel(&bank).unwrap();
            assert_eq!((channel.epoch(), world.balance(user)), (1, 0));
            assert_eq!((channel.spendable(FRD), channel.receivable(FRD)), (0, 0), "{sides:?}");
            assert!(channel.is_idle() && world.bank().channel(&user).unwrap().is_idle());
        }
        let credit = Credit { asset: FRD, limit: 500 * DOLLAR, insure_above: None, most_price: 0 };
        world.wish(payee, wallet::Input::SetCredit { bank, credit }).unwrap();
        world.fund(payer, 100 * DOLLAR);
        world.pay(payer, payee, 60 * DOLLAR);
        assert_eq!((world.owned(payer), world.owned(payee)), ((40 * DOLLAR, 0), (0, 60 * DOLLAR)));
        // A second dispute in the new epoch, with an old state of the first, is nothing.
        world.wish(payee, wallet::Input::Dispute { bank }).unwrap();
        world.resolve(payee);
        assert_eq!(world.wallet(payee).channel(&bank).unwrap().epoch(), 2);
    }
}

/// Whoever presses for court where nothing is at stake is told so, and the channel goes on.
#[test]
fn a_dispute_about_nothing_is_refused() {
    let mut world = World::new(Setup { accounts: vec![(key(20).public(), 10_000 * DOLLAR)], ..Setup::new() });
    let user = key(20).public();
    world.start_wallet(key(20), Rows::new());
    let credit = vec![Credit { asset: FRD, limit: 500 * DOLLAR, insure_above: None, most_price: 0 }];
    world.wish(user, wallet::Input::AddBank { bank: world.bank, credit }).unwrap();
    let bank = world.bank;
    let refused = world.wish(user, wallet::Input::Dispute { bank }).unwrap_err();
    assert_eq!(refused, wallet::Refusal::Batch(fair_core::account::CannotSend::NothingAtStake));
    assert!(world.mempool.is_empty() && !world.wallet(user).channel(&bank).unwrap().is_frozen());
    // With money in it there is something to decide, though the bank has signed nothing.
    world.fund(user, 1_000 * DOLLAR);
    world.wish(user, wallet::Input::Dispute { bank }).unwrap();
    world.block();
    world.assert_applied();
    let before = world.on_chain(user);
    world.resolve(user);
    assert_eq!(world.on_chain(user), before + 1_000 * DOLLAR);
}
