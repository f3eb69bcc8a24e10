//! Answers in court.

use super::desk::*;
use crate::ledger::batch::{self, Batch};
use crate::ledger::fixture::bare_dispute;
use crate::ledger::fixture::key;
use crate::limits;
use crate::message::Signed;
use crate::tower::*;

/// Either party, as either side, disputes with an older state or none; court ends up with the newest.
#[test]
fn a_stale_dispute_is_answered() {
    let bank = key(1);
    for user in [key(5), key(6), key(2), key(3)] {
        for (starter, partner) in [(&user, &bank), (&bank, &user)] {
            for stale in [None, Some(2)] {
                let mut desk = Desk::funded();
                desk.connect(&user);
                let deliver = desk.signed(&user, &bank, 7);
                desk.receipt(&user, &deliver);
                let old = stale.map(|frame| desk.state(&user, &bank, frame));
                desk.dispute(starter, partner, old);
                assert_eq!(desk.in_court(&user, &bank), Some(stale.unwrap_or(0)));
                assert_eq!(desk.mempool.len(), 1);
                desk.block(&[]);
                assert_eq!(desk.in_court(&user, &bank), Some(7));
                assert!(desk.events.contains(&Event::Answered { taken: 1, skipped: vec![] }));
                desk.block(&[]);
                assert!(desk.mempool.is_empty(), "answered once");
            }
        }
    }
}

/// The bank is a client too. It hands an old state over, to have the newest one forgotten, and disputes with it.
#[test]
fn a_partner_cannot_have_a_newer_state_forgotten() {
    let bank = key(1);
    for user in [key(5), key(6)] {
        let mut desk = Desk::funded();
        let (newest, old) = (desk.signed(&user, &bank, 7), desk.signed(&user, &bank, 2));
        for client in [&user, &bank] {
            desk.connect(client);
        }
        desk.receipt(&user, &newest);
        assert_eq!(desk.receipt(&bank, &old).place.order.frame, 7, "it is told what the tower has");
        desk.restart();
        desk.dispute(&bank, &user, Some(old.state));
        desk.block(&[]);
        assert_eq!(desk.in_court(&user, &bank), Some(7));
    }
}

#[test]
fn what_court_has_already_is_not_answered() {
    let (user, bank) = (key(5), key(1));
    for in_court in [7, 8] {
        let mut desk = Desk::funded();
        desk.connect(&user);
        let deliver = desk.signed(&user, &bank, 7);
        desk.receipt(&user, &deliver);
        let state = desk.state(&user, &bank, in_court);
        desk.dispute(&bank, &user, Some(state));
        assert!(desk.mempool.is_empty());
        desk.block(&[]);
        assert!(desk.mempool.is_empty());
    }
}

/// The state arrives while the dispute runs: at once. After the answer window: not at all.
#[test]
fn a_state_that_comes_late_is_shown_while_it_counts() {
    let (user, bank) = (key(5), key(1));
    let mut desk = Desk::funded();
    desk.connect(&user);
    desk.dispute(&bank, &user, None);
    let deliver = desk.signed(&user, &bank, 7);
    desk.receipt(&user, &deliver);
    assert_eq!(desk.mempool.len(), 1);
    desk.block(&[]);
    assert_eq!(desk.in_court(&user, &bank), Some(7));
    let until = desk.world.state().dispute(&deliver.state.parties).unwrap().answers_until();
    desk.world.wait_until(until);
    let last = desk.signed(&user, &bank, 8);
    desk.receipt(&user, &last);
    desk.block(&[]);
    assert_eq!(desk.in_court(&user, &bank), Some(8), "in the last block that takes it");
    let late = desk.signed(&user, &bank, 9);
    desk.receipt(&user, &late);
    assert!(desk.mempool.is_empty(), "too late");
}

/// A dozen channels with largest states: several answers share a batch, as many as fit, and all are answered.
#[test]
fn many_disputes_are_answered_in_few_batches() {
    let mut desk = Desk::funded();
    let keys: Vec<_> = (1..=6).map(key).collect();
    let pairs: Vec<_> = (0..6).flat_map(|a| (a + 1..6).map(move |b| (a, b))).collect();
    for client in &keys {
        desk.connect(client);
    }
    for (a, b) in &pairs {
        let deliver = large(&desk, &keys[*a], &keys[*b], 5);
        desk.receipt(&keys[*a], &deliver);
    }
    let batches: Vec<_> = (0..5)
        .map(|a| {
            let disputes =
                pairs.iter().filter(|(first, _)| *first == a).flat_map(|(_, b)| bare_dispute(&keys[a], &keys[*b]));
            desk.world.batch(&keys[a], disputes.collect())
        })
        .collect();
    desk.block(&batches);
    let mut signed = 0;
    while !desk.mempool.is_empty() {
        let bytes = batch::signed_bytes(&desk.mempool[0]);
        assert!(bytes <= usize::try_from(desk.world.state().parameters().max_batch_bytes).unwrap());
        assert!(desk.mempool[0].body.entries.len() > 1);
        signed += 1;
        desk.block(&[]);
    }
    assert!(pairs.iter().all(|(a, b)| desk.in_court(&keys[*a], &keys[*b]) == Some(5)));
    assert!((2..=5).contains(&signed), "{} answers in {signed} batches", pairs.len());
}

#[test]
fn a_tower_without_money_says_so_and_answers_when_it_has_some() {
    let (user, bank) = (key(5), key(1));
    let mut desk = Desk::new();
    desk.connect(&user);
    let deliver = desk.signed(&user, &bank, 7);
    desk.receipt(&user, &deliver);
    desk.block(&[]);
    assert_eq!(desk.tower.money(), Money::Unregistered);
    desk.dispute(&bank, &user, None);
    assert!(desk.mempool.is_empty());
    desk.fund(501);
    desk.block(&[]);
    assert!(matches!(desk.tower.money(), Money::Short { balance: 500, .. }) || desk.tower.money() == Money::Enough);
    desk.block(&[]);
    assert_eq!(desk.in_court(&user, &bank), Some(7));
    let said: Vec<_> = desk.events.iter().filter(|event| matches!(event, Event::Money(_))).collect();
    assert_eq!(said[0], &Event::Money(Money::Unregistered));
}

/// Validators leave the batch aside. It is signed again with more, under one number: whichever of them is
/// included, it is the only one.
#[test]
fn a_batch_that_waits_offers_more() {
    for included in 0..3 {
        let (user, other, bank) = (key(5), key(6), key(1));
        let mut desk = Desk::funded();
        desk.connect(&user);
        desk.connect(&other);
        for client in [&user, &other] {
            let deliver = desk.signed(client, &bank, 7);
            desk.receipt(client, &deliver);
        }
        desk.dispute(&bank, &user, None);
        let mut versions = vec![desk.mempool[0].clone()];
        let second = desk.world.batch(&bank, bare_dispute(&bank, &other));
        desk.quiet_block(&[second]);
        while versions.len() < 3 {
            desk.quiet_block(&[]);
            let newest = desk.mempool[0].clone();
            if newest != *versions.last().unwrap() {
                let (old, new) = (&versions.last().unwrap().body, &newest.body);
                assert_eq!(old.nonce, new.nonce);
                assert!(new.fee_rate * 10 >= old.fee_rate * 11, "{} after {}", new.fee_rate, old.fee_rate);
                assert!(new.entries.starts_with(&old.entries), "what it held stays in it");
                versions.push(newest);
            }
        }
        assert_eq!(versions[1].body.entries.len(), 2, "what became due since is in it");
        desk.quiet_block(&[versions[included].clone()]);
        desk.block(&[]);
        assert_eq!(desk.in_court(&user, &bank), Some(7));
        assert_eq!(desk.in_court(&other, &bank), Some(7));
    }
}

/// It waits at the highest rate that the tower offers: more is not paid for it, but what becomes due meanwhile does not
/// wait until it can no longer be included.
#[test]
fn at_the_highest_rate_new_answers_are_signed_all_the_same() {
    let (user, other, bank) = (key(5), key(6), key(1));
    let mut desk = Desk::funded();
    for client in [&user, &other] {
        desk.connect(client);
    }
    let first = large(&desk, &user, &bank, 7);
    desk.receipt(&user, &first);
    let second = desk.signed(&other, &bank, 7);
    desk.receipt(&other, &second);
    desk.dispute(&bank, &user, None);
    let least = desk.world.state().parameters().min_fee_rate;
    let most = least * limits::TOWER_MOST_FEE_RATES;
    while desk.mempool[0].body.fee_rate * 5 / 4 < most {
        desk.quiet_block(&[]);
    }
    for _ in 0..10 {
        desk.quiet_block(&[]);
    }
    let waits = desk.mempool[0].clone();
    assert!(waits.body.fee_rate <= most && waits.body.entries.len() == 1, "nothing new, nothing more");
    let also = desk.world.batch(&bank, bare_dispute(&bank, &other));
    desk.quiet_block(&[also]);
    let newest = desk.mempool[0].clone();
    assert_eq!((newest.body.entries.len(), newest.body.nonce), (2, waits.body.nonce));
    let fee = |sent: &Signed<Batch>| batch::fee(sent.body.fee_rate, batch::signed_bytes(sent)).unwrap();
    assert!(fee(&newest) >= batch::outbid(fee(&waits)), "a mempool takes it in the place of the other");
    assert!(newest.body.fee_rate <= most * 11 / 10, "and it costs no more than that needs");
    desk.quiet_block(&[newest]);
    for client in [&user, &other] {
        assert_eq!(desk.in_court(client, &bank), Some(7));
    }
}

/// A batch that never arrived is brought again with the next block, the same bytes.
#[test]
fn a_lost_batch_is_brought_again() {
    let (user, bank) = (key(5), key(1));
    let mut desk = Desk::funded();
    desk.connect(&user);
    let deliver = desk.signed(&user, &bank, 7);
    desk.receipt(&user, &deliver);
    desk.dispute(&bank, &user, None);
    let lost = std::mem::take(&mut desk.mempool);
    desk.quiet_block(&[]);
    assert_eq!(desk.mempool, lost);
}

/// Somebody else's answer is first: this one is a tie then, and is over.
#[test]
fn a_faster_answer_is_as_good() {
    let (user, bank) = (key(5), key(1));
    let mut desk = Desk::funded();
    desk.connect(&user);
    let deliver = desk.signed(&user, &bank, 7);
    desk.receipt(&user, &deliver);
    desk.dispute(&bank, &user, None);
    let faster = desk.mempool.remove(0);
    let operations = faster.body.entries.iter().map(|entry| entry.operation.clone()).collect();
    let theirs = desk.world.batch(&key(2), operations);
    desk.quiet_block(&[theirs, faster]);
    let ended = |event: &Event| matches!(event, Event::Answered { taken: 0, skipped } if skipped.len() == 1);
    assert!(desk.events.iter().any(ended), "{:?}", desk.events);
    desk.block(&[]);
    assert!(desk.mempool.is_empty());
}

/// Something is kept that court does not take, as a damaged disk or other rules of court may leave it: the tower
/// pays for that once in a dispute, also over a restart.
#[test]
fn an_answer_that_court_skips_is_not_repeated() {
    let (user, bank) = (key(5), key(1));
    let mut desk = Desk::funded();
    let mut damaged = desk.signed(&user, &bank, 7);
    damaged.signatures.left = damaged.signatures.right;
    let mut write = crate::effect::Write::default();
    desk.tower.holdings.keep(damaged, Room::Accounts, &desk.config, &mut write);
    desk.rows.extend(write.puts);
    desk.dispute(&bank, &user, None);
    assert_eq!(desk.mempool.len(), 1);
    desk.block(&[]);
    let ended = |event: &Event| matches!(event, Event::Answered { taken: 0, skipped } if skipped.len() == 1);
    assert!(desk.events.iter().any(ended), "{:?}", desk.events);
    for _ in 0..3 {
        assert!(desk.mempool.is_empty());
        desk.restart();
        desk.block(&[]);
    }
    assert_eq!(desk.in_court(&user, &bank), Some(0));
}

#[test]
fn what_is_kept_goes_with_its_epoch() {
    let (user, bank) = (key(5), key(1));
    let mut desk = Desk::funded();
    desk.connect(&user);
    let deliver = desk.signed(&user, &bank, 7);
    desk.receipt(&user, &deliver);
    desk.dispute(&bank, &user, None);
    while desk.in_court(&user, &bank).is_some() {
        desk.block(&[]);
    }
    assert!(desk.events.contains(&Event::Released { parties: deliver.state.parties }));
    assert_eq!(desk.tower.holdings().count(), 0);
    let kept: Vec<_> = desk.rows.keys().map(|key| key[0]).collect();
    assert_eq!(kept, vec![b'c'], "only the client's numbers stay");
    let next = desk.signed(&user, &bank, 1);
    assert_eq!(next.state.epoch, 1);
    assert_eq!(desk.receipt(&user, &next).number, 2, "numbers go on");
    // The same with a tower that was down at the resolution.
    let mut desk = Desk::funded();
    desk.connect(&user);
    let deliver = desk.signed(&user, &bank, 7);
    desk.receipt(&user, &deliver);
    let batch = desk.world.batch(&bank, bare_dispute(&bank, &user));
    desk.world.block(&[batch]);
    while desk.in_court(&user, &bank).is_some() {
        desk.world.block(&[]);
    }
    desk.restart();
    desk.block(&[]);
    assert_eq!(desk.tower.holdings().count(), 0);
}

/// With little money, those who cost nothing so far come first.
#[test]
fn whoever_cost_the_least_comes_first() {
    // Whichever of the two channels would come first by its keys.
    least_cost_first([&key(5), &key(1)], [&key(2), &key(4)]);
    least_cost_first([&key(2), &key(4)], [&key(5), &key(1)]);
}

fn least_cost_first([user, bank]: [&SecretKey; 2], [attacker, other]: [&SecretKey; 2]) {
    let accomplice = &key(3);
    let mut desk = Desk::new();
    desk.fund(1_000);
    for client in [user, attacker] {
        desk.connect(client);
    }
    // Its own dispute, answered by the tower, has cost money before.
    let theirs = large(&desk, attacker, accomplice, 5);
    desk.receipt(attacker, &theirs);
    desk.dispute(accomplice, attacker, None);
    desk.block(&[]);
    assert_eq!(desk.in_court(attacker, accomplice), Some(5));
    let again = large(&desk, attacker, other, 5);
    desk.receipt(attacker, &again);
    let honest = large(&desk, user, bank, 5);
    desk.receipt(user, &honest);
    let batches =
        [desk.world.batch(other, bare_dispute(other, attacker)), desk.world.batch(bank, bare_dispute(bank, user))];
    // What is left pays for one answer.
    let fee = batch::fee(10, batch::signed_bytes(&desk.mempool_of_one(&honest))).unwrap();
    let left = desk.world.frd(&key(TOWER));
    desk.spend(left - fee);
    desk.block(&batches);
    desk.block(&[]);
    assert_eq!(desk.in_court(user, bank), Some(5));
    assert_eq!(desk.in_court(attacker, other), Some(0));
}
