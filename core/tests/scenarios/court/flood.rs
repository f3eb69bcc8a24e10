//! Somebody fills court's room block after block, to keep an answer out until it is too late.

use super::{SIDES, chain, roll_back, users};
use crate::world::*;
use fair_core::account::{OnChain, SentState};
use fair_core::bank;
use fair_core::chain::params::Parameters;
use fair_core::crypto::SecretKey;
use fair_core::effect::Write;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Operation, Reveal};
use fair_core::limits;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, PublicKey, Side};

/// Batches that fill court's room.
const FLOODERS: u8 = 4;
/// Secrets that fill a batch.
const SECRETS: u8 = 59;

/// The bank has disputed with an old state, worth 400 dollars to it; the wallet's answer waits for a block.
struct Flooded {
    world: World,
    flooders: Vec<SecretKey>,
    victim: PublicKey,
    /// On-chain money of the victim.
    before: Amount,
}

impl Flooded {
    fn new(sides: (Side, Side)) -> Self {
        let parameters = Parameters {
            max_locks: 2,
            max_channel_assets: 2,
            max_state_bytes: 512,
            max_batch_bytes: 2_048,
            court_room_bytes: 8_192,
            max_block_bytes: 64 << 10,
            ..Parameters::DEMO
        };
        let flooders: Vec<SecretKey> = (220..220 + FLOODERS).map(key).collect();
        let accounts = flooders.iter().map(|flooder| (flooder.public(), 100_000 * DOLLAR)).collect();
        let (mut world, payer, victim) = users(Setup { parameters, accounts, ..Setup::new() }, sides);
        world.pay(payer, victim, 30 * DOLLAR);
        let old = world.nodes[&world.bank].disk.clone();
        world.pay(payer, victim, 400 * DOLLAR);
        let bank = world.bank;
        roll_back(&mut world, bank, old);
        let before = world.on_chain(victim);
        world.tell_bank(bank::Input::Dispute { peer: victim }).unwrap();
        world.block();
        assert_eq!(world.follower.state().disputes().count(), 1);
        Self { world, flooders, victim, before }
    }

    /// A block whose court room is filled at a rate. Returns what the victim paid, if its answer found room.
    fn block(&mut self, fee_rate: Amount) -> Option<Amount> {
        let world = &mut self.world;
        for flooder in &self.flooders {
            let signer = flooder.public();
            if world.mempool.iter().any(|batch| batch.body.signer == signer) {
                continue;
            }
            let state = world.follower.state();
            let secrets = (0..SECRETS).map(|place| fair_core::crypto::Secret([place; 32])).collect();
            let entries = vec![Entry { group: None, operation: Operation::Reveal(Reveal { secrets }) }];
            let (nonce, valid_until) = (state.account(&signer).unwrap().nonce, state.height() + 20);
            let batch = Batch { signer, nonce, valid_until, fee_rate, entries };
            let batch = Signed::new(batch, &state.chain_id(), flooder);
            world.submit(batch);
        }
        let before = world.usable_height();
        world.block();
        assert_eq!(world.usable_height(), before, "no deadline runs while court is full");
        let ours = world.outcomes.iter().find(|outcome| outcome.signer == self.victim);
        ours.map(|outcome| outcome.fee)
    }

    /// The flood is over: court decides by the newest state.
    fn end(mut self, fee: Amount) {
        let world = &mut self.world;
        world.mempool.retain(|batch| batch.body.signer == self.victim);
        world.resolve(self.victim);
        assert_eq!(world.on_chain(self.victim), self.before - fee + 430 * DOLLAR);
        let court = |sent: &&fair_core::account::SentBatch| {
            sent.batch.body.entries.iter().any(|entry| entry.operation.is_court())
                && matches!(sent.state, SentState::Included { .. })
        };
        let wallet = world.wallet(self.victim);
        assert_eq!(wallet.on_chain().sent().filter(court).count(), 1, "answered once");
        assert_eq!(wallet.on_chain().waiting().count(), 0);
    }
}

#[test]
fn a_flood_is_outbid() {
    for sides in SIDES {
        let mut flooded = Flooded::new(sides);
        let least = flooded.world.follower.state().parameters().min_fee_rate;
        let mut blocks = 0;
        let fee = loop {
            blocks += 1;
            if let Some(fee) = flooded.block(least * 5) {
                break fee;
            }
            if blocks == 6 {
                let victim = flooded.victim;
                flooded.world.restart(victim);
            }
            assert!(blocks < 20, "the answer is kept out");
        };
        // Doubled three times: to 80 above 50.
        assert_eq!(blocks, 3 * limits::COURT_PATIENCE_HEIGHTS + 1);
        let wallet = flooded.world.wallet(flooded.victim);
        let rates: Vec<_> = wallet.on_chain().sent().map(|sent| (sent.batch.body.fee_rate, sent.fee)).collect();
        assert!(rates.contains(&(least * 8, fee)), "{rates:?}");
        flooded.end(fee);
    }
}

/// Nobody pays without end: above the ceiling the answer waits, and the clock with it.
#[test]
fn a_flood_above_the_ceiling_only_postpones() {
    let mut flooded = Flooded::new(SIDES[0]);
    let least = flooded.world.follower.state().parameters().min_fee_rate;
    let life = u64::from(flooded.world.follower.state().parameters().margin_blocks);
    // Longer than a batch lives.
    for _ in 0..life + 10 {
        assert_eq!(flooded.block(least * (limits::COURT_MOST_FEE_RATES + 1)), None);
        let wallet = flooded.world.wallet(flooded.victim);
        let rates = wallet.on_chain().to_submit(flooded.world.follower.state()).map(|sent| sent.batch.body.fee_rate);
        assert!(rates.max() <= Some(least * limits::COURT_MOST_FEE_RATES));
    }
    let world = &mut flooded.world;
    world.mempool.retain(|batch| batch.body.signer == flooded.victim);
    world.block();
    world.assert_applied();
    let fee = world.outcomes[0].fee;
    flooded.end(fee);
}

/// Who owes FRD may pay the least rate and no more: at a higher one its batch could never be included.
#[test]
fn a_debtor_offers_what_it_may() {
    let mut chain = chain::Chain::new();
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, chain::sub(-3_000_000))))).unwrap();
    chain.end(0, 1);
    for (who, times) in [(0, 1), (2, 4)] {
        let key = chain.people[who].clone();
        let mut on_chain = OnChain::new(key.public());
        let mut write = Write::default();
        let sent = on_chain.send_court(vec![chain::reveal()], &key, chain.state(), 0, &mut write);
        assert_eq!(sent.problem, None);
        for _ in 0..2 * limits::COURT_PATIENCE_HEIGHTS {
            chain.block(&[]);
            assert_eq!(on_chain.on_block(&key, chain.state(), 0, &[], &mut write), []);
        }
        let offered: Vec<_> = on_chain.to_submit(chain.state()).map(|sent| sent.batch.clone()).collect();
        let least = chain.state().parameters().min_fee_rate;
        assert_eq!(offered.iter().map(|batch| batch.body.fee_rate).collect::<Vec<_>>(), [least * times]);
        assert_eq!(chain.offer(&offered).0, 0, "it may be included");
    }
}

/// Court is made dear until somebody's batch waits at a higher rate, and then a resolution takes what that costs, or
/// leaves a debt: no block can have the batch at that rate any more. What it says is offered for what there is.
#[test]
fn who_loses_money_or_comes_into_debt_offers_less() {
    let (floor, least) = (chain::PARAMETERS.debt_floor, chain::PARAMETERS.min_fee_rate);
    for owed in [3 * chain::START, chain::START - floor - least] {
        let mut chain = chain::Chain::new();
        let state = chain.signed(0, 1, 1, chain::sub(-i64::try_from(owed).unwrap()));
        chain.run(1, chain.dispute(0, Some(state))).unwrap();
        let end = chain.state().dispute(&chain.parties(0, 1)).unwrap().end;
        chain.wait_until(end - limits::COURT_PATIENCE_HEIGHTS);
        let key = chain.people[0].clone();
        let mut on_chain = OnChain::new(key.public());
        let mut write = Write::default();
        let reveal = Operation::Reveal(Reveal { secrets: vec![chain::SECRET; limits::MAX_SECRETS] });
        assert_eq!(on_chain.send_court(vec![reveal], &key, chain.state(), 0, &mut write).problem, None);
        let offered = |on_chain: &OnChain, chain: &chain::Chain| -> Vec<_> {
            on_chain.to_submit(chain.state()).map(|sent| sent.batch.clone()).collect()
        };
        let mut rates = vec![];
        while chain.state().dispute(&chain.parties(0, 1)).is_some() {
            rates.extend(offered(&on_chain, &chain).iter().map(|batch| batch.body.fee_rate));
            chain.block(&[]);
            on_chain.on_block(&key, chain.state(), 0, &[], &mut write);
        }
        assert_eq!(rates.last(), Some(&(2 * least)), "it waits for long: {rates:?}");
        let now = offered(&on_chain, &chain);
        assert_eq!(now.iter().map(|batch| batch.body.fee_rate).collect::<Vec<_>>(), [least], "{owed} owed");
        let outcomes = chain.block(&now);
        assert_eq!(on_chain.on_block(&key, chain.state(), 0, &outcomes, &mut write).len(), 1);
        assert_eq!(on_chain.waiting().count(), 0);
    }
}

/// The batch had taken the place of an ordinary one, so that it was never signed at the least rate.
#[test]
fn who_comes_into_debt_signs_again_at_the_least_rate() {
    let mut chain = chain::Chain::new();
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, chain::sub(-3_000_000))))).unwrap();
    let end = chain.state().dispute(&chain.parties(0, 1)).unwrap().end;
    chain.wait_until(end - 1);
    let (key, deposit) = (chain.people[0].clone(), chain.deposit(700, 2, None));
    let mut on_chain = OnChain::new(key.public());
    let mut write = Write::default();
    on_chain.add(vec![deposit], &mut write).unwrap();
    on_chain.send([1; 16], &key, chain.state(), 0, &mut write).unwrap();
    let sent = on_chain.send_court(vec![chain::reveal()], &key, chain.state(), 0, &mut write);
    let least = chain.state().parameters().min_fee_rate;
    assert!(sent.batches[0].batch.body.fee_rate > least && sent.batches[0].batch.body.nonce == 0);
    chain.end(0, 1);
    assert_eq!(on_chain.on_block(&key, chain.state(), 0, &[], &mut write), []);
    let now: Vec<_> = on_chain.to_submit(chain.state()).map(|sent| sent.batch.clone()).collect();
    assert_eq!(now.iter().map(|batch| batch.body.fee_rate).collect::<Vec<_>>(), [least]);
    let outcomes = chain.block(&now);
    on_chain.on_block(&key, chain.state(), 0, &outcomes, &mut write);
    let again: Vec<_> = on_chain.to_submit(chain.state()).map(|sent| sent.request).collect();
    assert_eq!(again, [[1; 16]], "what it displaced is signed again");
}

/// An ordinary batch under way costs more than a resolution left: no block can have it, so it keeps nothing out that can
/// be paid.
#[test]
fn what_can_no_longer_be_paid_gives_its_place_to_court() {
    let mut chain = chain::Chain::new();
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, chain::sub(-3_000_000))))).unwrap();
    let end = chain.state().dispute(&chain.parties(0, 1)).unwrap().end;
    chain.wait_until(end - 1);
    let (key, deposit) = (chain.people[0].clone(), chain.deposit(1, 2, None));
    let mut on_chain = OnChain::new(key.public());
    let mut write = Write::default();
    on_chain.add(vec![deposit; 200], &mut write).unwrap();
    on_chain.send([1; 16], &key, chain.state(), 0, &mut write).unwrap();
    chain.end(0, 1);
    assert_eq!(on_chain.on_block(&key, chain.state(), 0, &[], &mut write), []);
    let left = chain.state().balance(&key.public(), AssetId::FRD);
    assert!(on_chain.under_way().unwrap().fee > left, "it cannot be paid");

    let sent = on_chain.send_court(vec![chain::reveal()], &key, chain.state(), 0, &mut write);
    assert_eq!(sent.problem, None);
    let now: Vec<_> = on_chain.to_submit(chain.state()).map(|sent| sent.batch.clone()).collect();
    assert_eq!(now, [sent.batches[0].batch.clone()]);
    assert_eq!(chain.block(&now).len(), 1);
}
