//! Attacks on payments and banks, each run by the adversary that profits from it, with the rule that stops it.
//! Numbers are those of the list of attacks in docs/protocol.md.

use crate::mediation::{failure, pair};
use crate::puppet::Puppet;
use crate::world::*;
use fair_core::bank;
use fair_core::channel;
use fair_core::channel::event::{Command, Event, Misbehaviour};
use fair_core::channel::state::Lock;
use fair_core::channel::transition::FailReason;
use fair_core::channel::wire::RefusalReason;
use fair_core::crypto::{Secret, lock_hash};
use fair_core::entropy::Entropy;
use fair_core::ledger::operation::{BankTerms, Operation};
use fair_core::payment::address::Address;
use fair_core::payment::onion::{self, Claim, Final, FirstLayer, Layer};
use fair_core::types::{Amount, Hash, PublicKey, Side, UsableHeight};
use fair_core::wallet::{self, CannotPay, InvoiceState, Payable, PaymentState, Refusal};

/// A payer with a wallet and a payee that does what the scenario says, on a side of the bank.
fn with_thieving_payee(side: Side) -> (World, PublicKey, Puppet) {
    let (bank_key, payer_key) = (key(1), key(20));
    let thief_key = key_on(side, &bank_key, 60);
    let mut world = World::new(Setup { accounts: vec![(payer_key.public(), 10_000 * DOLLAR)], ..Setup::new() });
    let payer = world.user(&payer_key, 1_000 * DOLLAR, None);
    world.fund(payer, 1_000 * DOLLAR);
    let mut thief = Puppet::new(&mut world, &thief_key);
    thief.command(&mut world, Command::SetCredit { asset: FRD, limit: 1_000 * DOLLAR, insure_above: None }).unwrap();
    thief.run(&mut world);
    (world, payer, thief)
}

/// The payer pays the thief's address; the thief gets the lock and the secret, and says nothing more.
fn lock_to_thief(world: &mut World, payer: PublicKey, thief: &mut Puppet) -> ([u8; 16], Lock, Command) {
    let chain_id = world.follower.state().chain_id();
    let to = Payable::Address(Address::new(&chain_id, thief.public(), &[world.bank]));
    let request = world.start_payment(payer, to, 700).unwrap();
    thief.run(world);
    let received = thief.events.iter().find_map(|event| match event {
        Event::LockReceived { id, lock, onion } => Some((*id, lock.clone(), onion.clone())),
        _ => None,
    });
    let (id, lock, packet) = received.unwrap();
    let hops = world.follower.state().parameters().max_hops;
    let Ok(Layer::Final(last)) = onion::open(&chain_id, &lock.hash, &packet, hops, &thief.key) else {
        panic!("a final layer")
    };
    let Claim::Spontaneous { preimage } = last.claim else { panic!("a spontaneous payment") };
    (request, lock, Command::Settle { lock: id, secret: preimage })
}

/// Attack 12, 16. Rules: Settle is accepted after U > expiry only if the registry shows the reveal; the incoming
/// lock is failed only when the outgoing one cannot be claimed any more.
#[test]
fn a12_late_settle_and_a16_too_early_failure() {
    for side in [Side::Left, Side::Right] {
        let (mut world, payer, mut thief) = with_thieving_payee(side);
        let (request, lock, settle) = lock_to_thief(&mut world, payer, &mut thief);
        let believed = world.usable_height();
        thief.silent = Some(vec![]);
        while world.usable_height() <= lock.expiry {
            assert_eq!(world.payment(payer, &request).state, PaymentState::Locking, "could still be claimed");
            world.block();
            world.take_inbox(thief.public());
        }
        world.block();
        assert_eq!(failure(&world, payer, &request), FailReason::Downstream);
        // Z settles by a head that it pretends to have.
        thief.silent = None;
        thief.frozen = Some(believed);
        thief.command(&mut world, settle).unwrap();
        thief.run(&mut world);
        assert_eq!(world.balance(payer), 100_000);
        let bank = world.bank().channel(&thief.public()).unwrap();
        let own = bank.agreement().line(FRD).balance(bank.side());
        assert_eq!(own, 0, "the bank paid nothing");
        let refused = thief
            .events
            .iter()
            .any(|event| matches!(event, Event::FrameRefused { reason: RefusalReason::SettledTooLate { .. }, .. }));
        assert!(refused, "{:?}", thief.events);
    }
}

/// Attack 16, the other half: until its expiry the outgoing lock is really paid, and then the incoming one is too.
#[test]
fn a16_claimed_at_the_last_moment_everybody_is_paid() {
    let (mut world, payer, mut thief) = with_thieving_payee(Side::Left);
    let (request, lock, settle) = lock_to_thief(&mut world, payer, &mut thief);
    let margin = UsableHeight::from(world.follower.state().parameters().margin_blocks);
    while world.usable_height() + margin < lock.expiry {
        thief.block(&mut world);
    }
    thief.command(&mut world, settle).unwrap();
    thief.run(&mut world);
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
    assert_eq!(world.balance(payer), 100_000 - 700);
    let bank = world.bank().channel(&thief.public()).unwrap();
    assert_eq!(bank.agreement().line(FRD).balance(bank.partner()), 700);
}

/// Attack 13. Rule: expiry ≤ U(as_of_height) + K.lock_horizon; no onion makes a bank lock for longer.
#[test]
fn a13_endless_dispute() {
    let (mut world, payer, payee) = pair(Setup::new());
    let thief_key = key(60);
    let mut thief = funded_thief(&mut world, payer, &thief_key);
    let horizon = UsableHeight::from(world.follower.state().parameters().lock_horizon_blocks);
    let far = world.usable_height() + horizon + 1;
    let onion = forward_onion(&world, &lock_hash(&Secret([1; 32])), payee, 500, far, Secret([1; 32]));
    let command =
        Command::Lock { asset: FRD, amount: 500, hash: lock_hash(&Secret([1; 32])), expiry: far, onion, reference: 1 };
    thief.command(&mut world, command).unwrap();
    thief.run(&mut world);
    assert!(thief.events.iter().any(|event| matches!(event, Event::OutgoingFailed { .. })));
    assert_eq!(world.bank().channel(&thief.public()).unwrap().incoming_locks().count(), 0);
    // Within the horizon, but with an outgoing lock that expires as late as the incoming one.
    let late = world.usable_height() + 200;
    send_lock(&mut world, &mut thief, payee, Secret([2; 32]), 500, late, late);
    assert_eq!(last_failure(&thief), FailReason::ExpiryTooSoon);
    assert_eq!(world.balance(payee), 0);
}

/// A thief with money: somebody paid it, and its balance can be spent.
pub(crate) fn funded_thief(world: &mut World, payer: PublicKey, thief_key: &fair_core::crypto::SecretKey) -> Puppet {
    let mut thief = Puppet::new(world, thief_key);
    thief.command(world, Command::SetCredit { asset: FRD, limit: 1_000 * DOLLAR, insure_above: None }).unwrap();
    thief.run(world);
    let (_, _, settle) = lock_to_thief_of(world, payer, &mut thief, 20_000);
    thief.command(world, settle).unwrap();
    thief.run(world);
    world.deliver();
    thief.events.clear();
    thief
}

fn lock_to_thief_of(
    world: &mut World,
    payer: PublicKey,
    thief: &mut Puppet,
    amount: Amount,
) -> ([u8; 16], Lock, Command) {
    let chain_id = world.follower.state().chain_id();
    let to = Payable::Address(Address::new(&chain_id, thief.public(), &[world.bank]));
    let request = world.start_payment(payer, to, amount).unwrap();
    thief.run(world);
    let received = thief.events.iter().rev().find_map(|event| match event {
        Event::LockReceived { id, lock, onion } => Some((*id, lock.clone(), onion.clone())),
        _ => None,
    });
    let (id, lock, packet) = received.unwrap();
    let hops = world.follower.state().parameters().max_hops;
    let Ok(Layer::Final(Final { claim: Claim::Spontaneous { preimage }, .. })) =
        onion::open(&chain_id, &lock.hash, &packet, hops, &thief.key)
    else {
        panic!("a spontaneous payment")
    };
    (request, lock, Command::Settle { lock: id, secret: preimage })
}

/// An onion through the bank to a payee, with a claim of the sender's choice.
fn forward_onion(
    world: &World,
    hash: &Hash,
    payee: PublicKey,
    amount: Amount,
    expiry: UsableHeight,
    preimage: Secret,
) -> Vec<u8> {
    let claim = Claim::Spontaneous { preimage };
    let last = Final { asset: FRD, amount, total: amount, least_expiry: expiry, claim, refund: None };
    let forward = Layer::Forward { asset: FRD, amount, expiry, next: payee };
    let hops = [(world.bank, forward), (payee, Layer::Final(last))];
    let state = world.follower.state();
    let mut entropy = Entropy::from_seed([77; 32]);
    let max_hops = state.parameters().max_hops;
    onion::build(&state.chain_id(), hash, &hops, FirstLayer::Open, max_hops, &mut entropy).unwrap()
}

/// A thief's lock with its own onion; `amount` both ways, which is no fee.
pub(crate) fn send_lock(
    world: &mut World,
    thief: &mut Puppet,
    payee: PublicKey,
    preimage: Secret,
    amount: Amount,
    expiry: UsableHeight,
    expiry_out: UsableHeight,
) {
    let hash = lock_hash(&preimage);
    let onion = forward_onion(world, &hash, payee, amount, expiry_out, preimage);
    thief.command(world, Command::Lock { asset: FRD, amount, hash, expiry, onion, reference: 1 }).unwrap();
    thief.run(world);
}

#[track_caller]
fn last_failure(puppet: &Puppet) -> FailReason {
    use fair_core::channel::event::OutgoingFailure;
    let failed = puppet.events.iter().rev().find_map(|event| match event {
        Event::OutgoingFailed { reason: OutgoingFailure::ByPartner { reason }, .. } => Some(*reason),
        _ => None,
    });
    failed.unwrap()
}

/// Attack 15. Rule: only an incoming lock that is in all possible outcomes is forwarded.
///
/// The payer's frame with the lock collides with frames of the bank, in both orders, with messages delivered one by one.
#[test]
fn a15_losing_forward() {
    for side in [Side::Left, Side::Right] {
        let (bank_key, payee_key) = (key(1), key(21));
        let payer_key = key_on(side, &bank_key, 30);
        let mut world = World::new(Setup { accounts: vec![(payer_key.public(), 10_000 * DOLLAR)], ..Setup::new() });
        let payer = world.user(&payer_key, 1_000 * DOLLAR, None);
        let payee = world.user(&payee_key, 1_000 * DOLLAR, None);
        world.fund(payer, 1_000 * DOLLAR);
        let mut requests = vec![];
        for round in 0..6 {
            let to = world.invoice(payee, Some(100));
            requests.push(world.start_payment(payer, to, 100).unwrap());
            // The bank's own frame crosses it.
            let input = bank::Input::SetCredit { peer: payer, asset: FRD, limit: round, insure_above: None };
            world.tell_bank(input).unwrap();
            while world.deliver_one() {
                for forward in world.bank().forwards().filter(|forward| !forward.origin.closed) {
                    let channel = world.bank().channel(&forward.origin.peer).unwrap();
                    let closing = forward.secret.is_some();
                    assert!(closing || channel.is_irrevocable(&forward.origin.lock), "forwarded what may be lost");
                }
            }
        }
        for request in requests {
            assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
        }
        assert_eq!((world.balance(payer), world.balance(payee)), (100_000 - 600, 600));
    }
}

/// Attack 17. Rule: a lock with somebody's invoice hash but without its secret is failed like any other and leaves the
/// invoice as it is.
#[test]
fn a17_public_hash() {
    let (mut world, payer, payee) = pair(Setup::new());
    let mut thief = funded_thief(&mut world, payer, &key(60));
    let to = world.invoice(payee, None);
    let Payable::Invoice(invoice) = &to else { panic!("an invoice") };
    let hash = invoice.body().lock_hash;
    let (amount, expiry) = (1, world.usable_height() + 200);
    let claims = [
        Claim::Invoice { id: invoice.body().id, payment_secret: Secret([0; 32]) },
        Claim::Spontaneous { preimage: Secret([0; 32]) },
    ];
    for claim in claims {
        let last = Final { asset: FRD, amount, total: amount, least_expiry: 0, claim, refund: None };
        let forward = Layer::Forward { asset: FRD, amount, expiry: expiry - 100, next: payee };
        let hops = [(world.bank, forward), (payee, Layer::Final(last))];
        let state = world.follower.state();
        let mut entropy = Entropy::from_seed([78; 32]);
        let max_hops = state.parameters().max_hops;
        let onion = onion::build(&state.chain_id(), &hash, &hops, FirstLayer::Open, max_hops, &mut entropy).unwrap();
        thief.command(&mut world, Command::Lock { asset: FRD, amount, hash, expiry, onion, reference: 2 }).unwrap();
        thief.run(&mut world);
        assert_eq!(last_failure(&thief), FailReason::Downstream);
        assert_eq!(world.wallet(payee).invoices().next().unwrap().state, InvoiceState::Open);
    }
    let request = world.start_payment(payer, to, 700).unwrap();
    thief.run(&mut world);
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
}

/// Attack 18. Rule: another attempt only after the earlier one failed irrevocably.
#[test]
fn a18_retry() {
    let (mut world, payer, mut thief) = with_thieving_payee(Side::Left);
    let payee = world.user(&key(21), 1_000 * DOLLAR, None);
    let to = world.invoice(payee, Some(700));
    let request = world.start_payment(payer, to.clone(), 700).unwrap();
    world.deliver_one();
    let again = world.start_payment(payer, to.clone(), 700).unwrap_err();
    assert_eq!(again, Refusal::Payment(CannotPay::AlreadyPaid));
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
    let again = world.start_payment(payer, to, 700).unwrap_err();
    assert_eq!(again, Refusal::Payment(CannotPay::AlreadyPaid));
    // A payee that does not answer: the one attempt lives until its lock is irrevocably gone.
    let (request, lock, _) = lock_to_thief(&mut world, payer, &mut thief);
    while world.usable_height() <= lock.expiry {
        assert_eq!(world.payment(payer, &request).attempts.len(), 1);
        assert_eq!(world.payment(payer, &request).state, PaymentState::Locking);
        thief.block(&mut world);
    }
}

/// Attack 19. Rule: the payee checks all of the final layer, which only the sender can seal with the invoice's secret.
/// A greedy bank stands in for the honest one: it forwards whatever it likes.
#[test]
fn a19_short_payment() {
    let (mut world, payer, _) = pair(Setup::new());
    let payee = PublicKey(*key(21).public().as_bytes());
    let to = world.invoice(payee, Some(700));
    let Payable::Invoice(invoice) = &to else { panic!("an invoice") };
    let (hash, id, secret) = (invoice.body().lock_hash, invoice.body().id, invoice.body().payment_secret);
    let mut thief = funded_thief(&mut world, payer, &key(60));
    let expiry = world.usable_height() + 100;
    let honest = Final {
        asset: FRD,
        amount: 700,
        total: 700,
        least_expiry: expiry,
        claim: Claim::Invoice { id, payment_secret: secret },
        refund: None,
    };
    // The lock that arrives, against what the sender sealed; and what a bank could seal itself.
    let short = Final { amount: 1, total: 700, ..honest.clone() };
    let less = Final { amount: 1, total: 1, ..honest.clone() };
    let cases: [(Amount, UsableHeight, Final); 5] = [
        (1, expiry, honest.clone()),
        (700, expiry - 1, honest.clone()),
        (1, expiry, short),
        (1, expiry, less),
        (700, expiry, Final { claim: Claim::Invoice { id, payment_secret: Secret([1; 32]) }, ..honest.clone() }),
    ];
    let try_case = |world: &mut World, thief: &mut Puppet, (amount, expiry_out, last): (Amount, u64, Final)| {
        let forward = Layer::Forward { asset: FRD, amount, expiry: expiry_out, next: payee };
        let hops = [(world.bank, forward), (payee, Layer::Final(last))];
        let state = world.follower.state();
        let mut entropy = Entropy::from_seed([79; 32]);
        let max_hops = state.parameters().max_hops;
        let onion = onion::build(&state.chain_id(), &hash, &hops, FirstLayer::Open, max_hops, &mut entropy).unwrap();
        let incoming = expiry + 100;
        let command = Command::Lock { asset: FRD, amount, hash, expiry: incoming, onion, reference: 3 };
        thief.command(world, command).unwrap();
        thief.run(world);
    };
    let before = world.balance(payee);
    for case in cases {
        try_case(&mut world, &mut thief, case);
        assert_eq!(last_failure(&thief), FailReason::Downstream);
        assert_eq!(world.balance(payee), before);
        assert_eq!(world.wallet(payee).invoices().next().unwrap().state, InvoiceState::Open);
    }
    try_case(&mut world, &mut thief, (700, expiry, honest));
    assert_eq!(world.balance(payee), before + 700);
}

/// Attack 20. Rule: slots and value are capped for each incoming channel; what is over the cap is failed, and others go on.
#[test]
fn a20_slot_stuffing() {
    let (bank_key, payer_key) = (key(1), key(20));
    let silent_key = key_on(Side::Left, &bank_key, 60);
    let setup = Setup { accounts: vec![(payer_key.public(), 10_000 * DOLLAR)], max_forwards: 5, ..Setup::new() };
    let mut world = World::new(setup);
    let payer = world.user(&payer_key, 1_000 * DOLLAR, None);
    world.fund(payer, 1_000 * DOLLAR);
    let mut silent = Puppet::new(&mut world, &silent_key);
    silent.command(&mut world, Command::SetCredit { asset: FRD, limit: 1_000 * DOLLAR, insure_above: None }).unwrap();
    silent.run(&mut world);
    let chain_id = world.follower.state().chain_id();
    let address = Address::new(&chain_id, silent.public(), &[world.bank]);
    let requests: Vec<_> = (0..8)
        .map(|_| {
            let request = world.start_payment(payer, Payable::Address(address.clone()), 1).unwrap();
            silent.run(&mut world);
            request
        })
        .collect();
    let failed = requests.iter().filter(|request| world.payment(payer, request).state == PaymentState::Failed);
    assert_eq!(failed.count(), 3);
    assert_eq!(failure(&world, payer, &requests[7]), FailReason::NextHopUnavailable);
    assert_eq!(world.bank().forwards().count(), 5);
}

/// Attack 39. Rule: with a stale head there are no new locks, no forwarding, and nothing is reported as paid.
#[test]
fn a39_frozen_head() {
    let (mut world, payer, payee) = pair(Setup::new());
    let to = world.invoice(payee, Some(700));
    let request = world.start_payment(payer, to, 700).unwrap();
    let stale_ms = world.follower.state().parameters().stale_head_ms;
    world.now_ms += stale_ms + 1;
    world.deliver();
    assert_eq!(world.bank().forwards().count(), 0, "nothing is forwarded by a stale head");
    assert_eq!(world.balance(payee), 0);
    let later = world.invoice(payee, Some(1));
    let refused = world.start_payment(payer, later, 1).unwrap_err();
    assert_eq!(refused, Refusal::Payment(CannotPay::StaleHead));
    world.block();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
    assert_eq!(world.balance(payee), 700);
}

/// What a bank has in all: on-chain, and its own balance in every channel.
fn worth(world: &World) -> i128 {
    let in_channels: i128 =
        world.bank().partners().map(|(_, channel)| channel.agreement().line(FRD).balance(channel.side())).sum();
    i128::from(world.on_chain(world.bank)) + in_channels
}

/// Attack 40, first half. Rule: the price falls due in the first frame whose chain facts show the deposit, once.
#[test]
fn a40_unpaid_insurance_greedy_bank() {
    let (mut world, payer, payee) = pair(Setup { insurance_price: 300, ..Setup::new() });
    world.pay(payer, payee, 400 * DOLLAR);
    world.wish(payee, insurance(&world, 300)).unwrap();
    world.deliver();
    world.blocks(5);
    world.pay(payer, payee, 1);
    assert_eq!(world.balance(payee), 40_001, "nothing is paid for what did not come");
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(5);
    assert_eq!(world.balance(payee), 40_001 - 500 - 300, "paid once, when it came; 5 are on-chain");
    world.pay(payer, payee, 1);
    world.blocks(5);
    assert_eq!(world.balance(payee), 40_002 - 500 - 300);
}

/// Attack 40, from the bank's side. Rule: an insurance never costs more than it insures newly.
/// The bank raises its price to all that there is once somebody has money in the channel, and insures a little.
#[test]
fn a40_a_price_beyond_what_is_insured_takes_nothing_else() {
    let (mut world, payer, _) = pair(Setup { insurance_price: 300, ..Setup::new() });
    let rich = world.user(&key(60), 1_000 * DOLLAR, None);
    let paid = bank::Input::Pay { request: [1; 16], peer: rich, asset: FRD, amount: 200 * DOLLAR, note: vec![] };
    world.tell_bank(paid).unwrap();
    world.deliver();
    world.pay(rich, payer, 200 * DOLLAR);
    assert_eq!(world.owned(payer), (1_000 * DOLLAR, 200 * DOLLAR));
    raise_price(&mut world, Amount::MAX);
    world.wish(payer, insurance(&world, Amount::MAX)).unwrap();
    world.deliver();
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(5);
    let (insured, uninsured) = world.owned(payer);
    assert!(insured >= 1_000 * DOLLAR, "{insured} and {uninsured}: what was insured before is");
}

fn insurance(world: &World, most_price: Amount) -> wallet::Input<'static> {
    wallet::Input::RequestInsurance { bank: world.bank, asset: FRD, most_price }
}

/// The bank registers another price.
fn raise_price(world: &mut World, insurance_price: Amount) {
    let terms = BankTerms {
        handle: "main".into(),
        url: "https://main.example".into(),
        fee_base: 0,
        fee_ppm: 0,
        insurance_price,
    };
    let (request, operation) = (world.next_request(), Box::new(Operation::UpdateBank(terms)));
    world.tell_bank(bank::Input::Order { request, operation }).unwrap();
    world.block();
    world.assert_applied();
}

/// Attack 40, from the bank's side. Rule: nobody signs for a price above what its owner said.
/// The bank raises it once somebody saw the old one: before it is asked, and while the question waits for a session.
#[test]
fn a40_a_price_that_was_raised_gets_no_signature() {
    let (mut world, payer, payee) = pair(Setup { insurance_price: 300, ..Setup::new() });
    world.pay(payer, payee, 400 * DOLLAR);
    let bank = world.bank;
    let with_threshold =
        |most_price| wallet::Input::SetCredit { bank, credit: wallet::Credit { most_price, ..credit(0) } };
    let refused = |most, price| wallet::Refusal::Channel(channel::event::Refusal::InsurancePrice { most, price });
    assert_eq!(world.wish(payee, insurance(&world, 299)).unwrap_err(), refused(299, 300));
    assert_eq!(world.wish(payee, with_threshold(299)).unwrap_err(), refused(299, 300));

    world.disconnect(payee);
    world.wish(payee, insurance(&world, 300)).unwrap();
    world.wish(payee, with_threshold(300)).unwrap();
    raise_price(&mut world, 20_000);
    world.connect(payee);
    world.deliver();
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(5);
    let channel = world.wallet(payee).channel(&bank).unwrap();
    let terms = channel.agreement().shared.terms(FRD, channel.side()).unwrap();
    assert_eq!((terms.insurance_requested, terms.insure_above), (false, None), "nothing was asked for");
    assert_eq!(world.owned(payee), (0, 400 * DOLLAR), "and nothing paid");

    // Whoever finds that worth it says so.
    world.wish(payee, insurance(&world, 20_000)).unwrap();
    world.deliver();
    world.tell_bank(bank::Input::Rebalance).unwrap();
    world.deliver();
    world.blocks(5);
    assert_eq!(world.balance(payee), 40_000 - 500 - 20_000, "5 are on-chain");
}

/// Attack 40, second half. Rule: every insurance costs its price, which an operator sets to cover fees and new accounts.
/// Strangers pass 100 FRD along a chain of accounts with insure_above 0; the bank does not pay for it.
#[test]
fn a40_unpaid_insurance_chain_of_strangers() {
    let (mut world, payer, first) = pair(Setup { insurance_price: 150, ..Setup::new() });
    world.pay(payer, first, 100 * DOLLAR);
    let before = worth(&world);
    let mut holder = first;
    let mut amount = 100 * DOLLAR;
    for hop in 0..4 {
        world.wish(holder, wallet::Input::SetCredit { bank: world.bank, credit: credit(0) }).unwrap();
        world.deliver();
        world.tell_bank(bank::Input::Rebalance).unwrap();
        world.deliver();
        world.blocks(3);
        let (insured, uninsured) = world.owned(holder);
        assert_eq!(uninsured, 0, "insured at hop {hop}");
        assert!(insured < amount, "and paid for it");
        amount = insured;
        let next = world.user(&key(100 + hop), 1_000 * DOLLAR, None);
        world.pay(holder, next, amount);
        holder = next;
        assert!(worth(&world) >= before, "the bank lost {} at hop {hop}", before - worth(&world));
    }
}

fn credit(insure_above: Amount) -> wallet::Credit {
    wallet::Credit { asset: FRD, limit: 1_000 * DOLLAR, insure_above: Some(insure_above), most_price: 150 }
}

/// Strangers are capped; one that the bank never gave anything gives way, nobody else does.
#[test]
fn strangers_are_capped_and_evicted() {
    let (mut world, payer, payee) = pair(Setup::new());
    world.pay(payer, payee, 700);
    // The payee holds money; it is no stranger. Eight more are taken.
    let strangers: Vec<_> = (100..108).map(|seed| world.user(&key(seed), 1_000, None)).collect();
    let newcomer = bank::Input::Connected { peer: key(120).public() };
    assert_eq!(world.tell_bank(newcomer.clone()).unwrap_err(), bank::Refusal::TooManyStrangers { limit: 8 });
    // One was paid and paid everything back: its older state is worth something, its channel stays.
    let input = bank::Input::Pay { request: request(2), peer: strangers[0], asset: FRD, amount: 5, note: vec![] };
    world.tell_bank(input).unwrap();
    world.deliver();
    let (request, bank) = (request(1), world.bank);
    let input = wallet::Input::PayDirect { request, bank, asset: FRD, amount: 5, note: vec![] };
    world.wish(strangers[0], input).unwrap();
    world.deliver();
    assert_eq!(world.balance(strangers[0]), 0);
    world.disconnect(strangers[0]);
    assert_eq!(world.tell_bank(newcomer.clone()).unwrap_err(), bank::Refusal::TooManyStrangers { limit: 8 });
    world.disconnect(strangers[1]);
    world.tell_bank(newcomer).unwrap();
    assert!(world.bank().channel(&strangers[0]).is_some());
    assert!(world.bank().channel(&strangers[1]).is_none());
}

/// A bank that lies in a session is named and nothing is taken from it.
#[test]
fn nonsense_of_a_peer_is_named_and_changes_nothing() {
    let (mut world, payer, payee) = pair(Setup::new());
    world.pay(payer, payee, 700);
    let before = (world.balance(payer), world.balance(payee));
    for bytes in [&[][..], &[0xff; 40], &[1; 3]] {
        world.tell_bank(bank::Input::Message { peer: payer, bytes }).unwrap();
        world.wish(payee, wallet::Input::Message { peer: world.bank, bytes }).unwrap();
    }
    let named =
        |event: &bank::Event| matches!(event, bank::Event::Misbehaviour { what: Misbehaviour::Malformed(_), .. });
    assert!(world.nodes[&world.bank].bank_events.iter().any(named));
    assert_eq!((world.balance(payer), world.balance(payee)), before);
}
