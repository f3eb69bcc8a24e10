//! A wallet made from its words (docs/protocol.md, section 4, rule 8): it has its key and nothing else.

use crate::mediation::pair;
use crate::world::*;
use fair_core::bank;
use fair_core::channel::state::StateOrder;
use fair_core::types::PublicKey;
use fair_core::wallet::{self, Credit, PaymentState, RestoreStage, Target, Wallet};

fn words_alone() -> Rows {
    Rows::from([Wallet::first_record_from_words()])
}

/// The wallet's disk is lost; what is left are its words.
fn lose_everything(world: &mut World, user: PublicKey) {
    let bank = world.bank;
    if world.sessions.remove(&(user, bank)) {
        world.messages.retain(|(from, to, _)| *from != user && *to != user);
        world.tell_bank(bank::Input::Disconnected { peer: user }).unwrap();
    }
    let secret = world.nodes.remove(&user).unwrap().secret;
    world.start_wallet(secret, words_alone());
}

/// What a host does: a session with every bank that the wallet wants one with.
fn connect_wanted(world: &mut World, user: PublicKey) {
    let wanted: Vec<_> = world.wallet(user).sessions().collect();
    for bank in wanted {
        assert_eq!(bank, world.bank);
        if !world.sessions.contains(&(user, bank)) {
            world.connect(user);
        }
    }
}

fn stage(world: &World, user: PublicKey) -> Option<RestoreStage> {
    let banks = world.wallet(user).restoration().expect("made from its words").banks?;
    banks.iter().find(|(bank, _)| *bank == world.bank).map(|(_, stage)| *stage)
}

/// From the words to a channel that works.
fn come_back(world: &mut World, user: PublicKey) {
    world.block();
    connect_wanted(world, user);
    world.deliver();
    assert_eq!(stage(world, user), Some(RestoreStage::Adopted), "not before a new block");
    world.block();
    assert_eq!(stage(world, user), Some(RestoreStage::Restored));
}

fn frame(world: &World, user: PublicKey) -> u64 {
    world.wallet(user).channel(&world.bank).unwrap().agreement().state.frame
}

#[test]
fn words_bring_back_balance_and_limits_and_payments_go_on() {
    let (mut world, payer, payee) = pair(Setup::new());
    world.pay(payer, payee, 300 * DOLLAR);
    let before = frame(&world, payer);
    lose_everything(&mut world, payer);
    lose_everything(&mut world, payee);
    assert_eq!(stage(&world, payer), None, "nobody is asked before the head is known");
    assert_eq!(world.wallet(payer).banks().count(), 0);
    world.block();
    assert_eq!(stage(&world, payer), Some(RestoreStage::Asked));
    assert_eq!(world.wallet(payer).address().banks, vec![], "a bank that is only asked is named to nobody");
    come_back(&mut world, payer);
    come_back(&mut world, payee);

    assert_eq!((world.balance(payer), world.owned(payer)), (70_000, (70_000, 0)));
    assert_eq!((world.balance(payee), world.owned(payee)), (30_000, (0, 30_000)));
    let side = world.wallet(payee).channel(&world.bank).unwrap().side();
    let shared = world.wallet(payee).channel(&world.bank).unwrap().agreement().shared.clone();
    assert_eq!(shared.terms(FRD, side).unwrap().credit_limit, 50_000, "limits are part of what was signed");
    assert!(frame(&world, payer) >= (world.follower.height() - 2) << 32 && frame(&world, payer) > before);

    let request = world.pay(payer, payee, 100 * DOLLAR);
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
    assert_eq!((world.balance(payer), world.balance(payee)), (60_000, 40_000));
    // What the payee is owed can be insured, and taken out.
    let (bank, amount) = (world.bank, 200 * DOLLAR);
    let input = wallet::Input::RequestWithdrawal { bank, asset: FRD, amount, target: Target::OnChain };
    world.wish(payer, input).unwrap();
    world.deliver();
    world.send_batch(payer);
    world.block();
    world.assert_applied();
    assert_eq!(world.balance(payer), 40_000);
}

/// The page is loaded again after every message and block of a restore.
#[test]
fn a_restore_survives_restarts_at_every_step() {
    let mut points: usize = 0;
    loop {
        let (mut world, payer, payee) = pair(Setup::new());
        world.pay(payer, payee, 300 * DOLLAR);
        lose_everything(&mut world, payer);
        let mut left = points;
        let mut restarted = false;
        for _ in 0..4 {
            world.block_unheard();
            let outcomes = world.outcomes.clone();
            let bank = world.bank;
            world.tell_bank(bank::Input::Block { outcomes: &outcomes, openings: &[] }).unwrap();
            world.wish(payer, wallet::Input::Block { outcomes: &outcomes, openings: &[] }).unwrap();
            assert!(world.wallet(payer).restoration().is_some());
            connect_wanted(&mut world, payer);
            loop {
                if left == 0 && !restarted {
                    restarted = true;
                    let Node { secret, disk, .. } = world.nodes.remove(&payer).unwrap();
                    if world.sessions.remove(&(payer, bank)) {
                        world.messages.retain(|(from, to, _)| *from != payer && *to != payer);
                        world.tell_bank(bank::Input::Disconnected { peer: payer }).unwrap();
                    }
                    world.start_wallet(secret, disk);
                    connect_wanted(&mut world, payer);
                }
                if !world.deliver_one() {
                    break;
                }
                left = left.saturating_sub(1);
            }
        }
        assert_eq!(stage(&world, payer), Some(RestoreStage::Restored), "after {points} messages");
        assert_eq!(world.balance(payer), 70_000);
        if !restarted {
            break;
        }
        points += 1;
    }
    assert!(points >= 4, "{points} points");
}

/// What rule 8 admits: what a bank withholds is lost. What it does not: that anything signed before the restore
/// outranks what is signed after it.
#[test]
fn an_older_state_takes_what_it_withholds_and_nothing_more() {
    let (mut world, payer, payee) = pair(Setup::new());
    world.pay(payer, payee, 200 * DOLLAR);
    let old = world.nodes[&world.bank].disk.clone();
    world.pay(payer, payee, 100 * DOLLAR);
    let newest = frame(&world, payee);
    let newer = world.nodes[&world.bank].disk.clone();
    let bank = world.bank;
    world.disconnect(payer);
    lose_everything(&mut world, payee);
    let secret = world.nodes.remove(&bank).unwrap().secret;
    world.start_bank(secret, old);
    come_back(&mut world, payee);
    assert_eq!(world.balance(payee), 20_000, "the bank withheld the newest state");
    let restored = frame(&world, payee);
    assert!(restored > newest && restored >> 32 > 0, "nothing that was signed before is above it");

    let pay = bank::Input::Pay { request: request(1), peer: payee, asset: FRD, amount: 50 * DOLLAR, note: vec![] };
    world.tell_bank(pay).unwrap();
    world.deliver();
    assert_eq!(world.balance(payee), 25_000);
    let channel = world.wallet(payee).channel(&bank).unwrap();
    assert!(channel.outcomes().all(|state| state.frame > newest), "court could decide by nothing older");

    // The bank comes with the newer state after all: it is below what both have signed since.
    world.disconnect(payee);
    let secret = world.nodes.remove(&bank).unwrap().secret;
    world.start_bank(secret, newer);
    world.connect(payee);
    world.deliver();
    world.blocks(2);
    assert_eq!(world.balance(payee), 25_000);
    assert!(frame(&world, payee) > restored);
}

/// Attack 6 with wallets: the same words are restored again before the first restore was answered, or heard of.
#[test]
fn words_can_be_restored_again_at_any_moment() {
    for heard in [false, true] {
        let (mut world, payer, payee) = pair(Setup::new());
        world.pay(payer, payee, 300 * DOLLAR);
        lose_everything(&mut world, payer);
        world.block();
        connect_wanted(&mut world, payer);
        world.deliver();
        world.block_unheard();
        let outcomes = world.outcomes.clone();
        world.wish(payer, wallet::Input::Block { outcomes: &outcomes, openings: &[] }).unwrap();
        let signed = |world: &World| -> StateOrder {
            let channel = world.wallet(payer).channel(&world.bank).unwrap();
            channel.outcomes().map(|state| state.order()).max().unwrap()
        };
        let first = signed(&world);
        assert!(first.frame >> 32 > 0, "the restore is signed");
        if heard {
            assert!(world.deliver_one(), "the bank takes it, its answer is lost");
        }
        lose_everything(&mut world, payer);
        come_back(&mut world, payer);
        assert!(signed(&world) > first);
        assert_eq!(world.balance(payer), 70_000);
        world.pay(payer, payee, 100 * DOLLAR);
        assert_eq!(world.balance(payer), 60_000);
    }
}

#[test]
fn a_bank_that_knows_nothing_is_asked_once_and_can_be_added_later() {
    let mut world = World::new(Setup::new());
    let secret = key(40);
    let user = secret.public();
    world.start_wallet(secret, words_alone());
    world.block();
    assert!(world.nodes[&user].wallet_events.contains(&wallet::Event::SessionWanted(world.bank)));
    connect_wanted(&mut world, user);
    world.deliver();
    assert_eq!(stage(&world, user), Some(RestoreStage::Nothing));
    assert!(world.nodes[&user].wallet_events.contains(&wallet::Event::SessionUnwanted(world.bank)));
    assert!(world.nodes[&user].disk.keys().all(|key| key.first() != Some(&b'c')), "no channel is kept");
    let Node { secret, disk, .. } = world.nodes.remove(&user).unwrap();
    world.start_wallet(secret, disk);
    world.block();
    assert_eq!(world.wallet(user).sessions().count(), 0, "nor asked again");

    // The person adds it: what was signed with these words before is still unknown, so it begins by asking.
    let credit = vec![Credit { asset: FRD, limit: 500 * DOLLAR, insure_above: None, most_price: 0 }];
    let bank = world.bank;
    world.wish(user, wallet::Input::AddBank { bank, credit }).unwrap();
    assert!(world.wallet(user).channel(&bank).unwrap().is_restoring());
    connect_wanted(&mut world, user);
    world.deliver();
    assert_eq!(stage(&world, user), Some(RestoreStage::Adopted));
    world.block();
    assert_eq!(stage(&world, user), Some(RestoreStage::Restored));
    let channel = world.wallet(user).channel(&bank).unwrap();
    assert_eq!(channel.agreement().shared.terms(FRD, channel.side()).unwrap().credit_limit, 50_000);
    assert_eq!(channel.receivable(FRD), 50_000);
}

/// A bank that is added while it is being asked is kept, whatever it answers.
#[test]
fn a_bank_that_is_added_while_it_is_asked_is_kept() {
    let mut world = World::new(Setup::new());
    let secret = key(41);
    let user = secret.public();
    world.start_wallet(secret, words_alone());
    world.block();
    assert_eq!(world.wallet(user).banks().count(), 0);
    let credit = vec![Credit { asset: FRD, limit: 500 * DOLLAR, insure_above: None, most_price: 0 }];
    let bank = world.bank;
    world.wish(user, wallet::Input::AddBank { bank, credit }).unwrap();
    assert_eq!(world.wallet(user).banks().count(), 1);
    connect_wanted(&mut world, user);
    world.deliver();
    world.block();
    assert_eq!(stage(&world, user), Some(RestoreStage::Restored));
    assert_eq!(world.wallet(user).channel(&bank).unwrap().receivable(FRD), 50_000);
}

/// Collateral alone, without any signed state: the chain knows the channel, so it is kept.
#[test]
fn collateral_without_any_signed_state_is_found() {
    let secret = key(42);
    let user = secret.public();
    let mut world = World::new(Setup { accounts: vec![(user, 5_000 * DOLLAR)], ..Setup::new() });
    world.start_wallet(secret, Rows::new());
    world.fund(user, 1_000 * DOLLAR);
    lose_everything(&mut world, user);
    come_back(&mut world, user);
    assert_eq!(world.owned(user), (1_000 * DOLLAR, 0));
}

/// A wallet with a new key has nothing to ask for: its channels begin at once.
#[test]
fn a_new_wallet_asks_nobody() {
    let mut world = World::new(Setup::new());
    let user = world.user(&key(44), 1_000 * DOLLAR, None);
    world.block();
    assert_eq!(world.wallet(user).restoration(), None);
    assert!(!world.wallet(user).channel(&world.bank).unwrap().is_restoring());
}
