//! A wallet and its tower: states are handed over by themselves, whoever is killed; a tower that breaks its word
//! is named.

use crate::world::*;
use fair_core::bank;
use fair_core::crypto::SecretKey;
use fair_core::effect::Effect;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::limits;
use fair_core::message::Signed;
use fair_core::tower::wire::{Declined, FromTower, Place, Reason, Receipt, ToTower};
use fair_core::tower::{self, Tower};
use fair_core::types::{Hash, PublicKey};
use fair_core::wallet::{self, Refusal, TowerFault};

const TOWER: u8 = 77;

/// A tower beside the world, with its disk.
struct Watch {
    key: PublicKey,
    tower: Tower,
    disk: Rows,
}

impl Watch {
    fn new(world: &mut World) -> Self {
        let secret = key(TOWER);
        world.insert(Machine::Puppet(vec![]), secret.clone(), Rows::new());
        let tower = Self::start(world, &Rows::new());
        Self { key: secret.public(), tower, disk: Rows::new() }
    }

    fn start(world: &World, disk: &Rows) -> Tower {
        let rows = disk.iter().map(|(key, value)| (&key[..], &value[..]));
        Tower::restore(tower::Config::default(), key(TOWER), world.follower.state().chain_id(), rows).unwrap()
    }

    fn connect(&mut self, world: &mut World, user: PublicKey) {
        world.sessions.insert((user, self.key));
        self.tower.handle(tower::Input::Connected { peer: user }, &world.chain(), world.now_ms).unwrap();
        world.wish(user, wallet::Input::Connected { peer: self.key }).unwrap();
    }

    fn disconnect(&mut self, world: &mut World, user: PublicKey) {
        world.sessions.remove(&(user, self.key));
        world.messages.retain(|(_, to, _)| *to != self.key);
        world.take_inbox(self.key);
        self.tower.handle(tower::Input::Disconnected { peer: user }, &world.chain(), world.now_ms).unwrap();
        world.wish(user, wallet::Input::Disconnected { peer: self.key }).unwrap();
    }

    /// Gives the tower one message that has arrived; what it answers.
    fn take(&mut self, world: &World, user: PublicKey, bytes: &[u8]) -> Vec<Vec<u8>> {
        let input = tower::Input::Message { peer: user, bytes };
        let mut answers = vec![];
        for effect in self.tower.handle(input, &world.chain(), world.now_ms).unwrap() {
            match effect {
                Effect::Write(write) => store(&mut self.disk, write),
                Effect::Send { to, bytes } => {
                    assert_eq!(to, user);
                    answers.push(bytes);
                }
                Effect::Notify(_) => {}
                other => panic!("{other:?}"),
            }
        }
        answers
    }

    /// Delivers everybody's messages until all is quiet.
    fn run(&mut self, world: &mut World, user: PublicKey) {
        loop {
            world.deliver();
            let inbox = world.take_inbox(self.key);
            if inbox.is_empty() {
                return;
            }
            for bytes in inbox {
                for answer in self.take(world, user, &bytes) {
                    world.wish(user, wallet::Input::Message { peer: self.key, bytes: &answer }).unwrap();
                }
            }
        }
    }

    /// Frame of the state that the tower has of a user's channel.
    fn has(&self, world: &World, user: PublicKey) -> Option<u64> {
        let parties = world.wallet(user).channel(&world.bank).unwrap().parties();
        self.tower.holding(&parties).map(|held| held.state.frame)
    }
}

/// A payer and a payee; the payee has a tower.
fn watched() -> (World, Watch, PublicKey, PublicKey) {
    watched_in(Setup::new())
}

fn watched_in(setup: Setup) -> (World, Watch, PublicKey, PublicKey) {
    let (mut world, payer, payee) = crate::mediation::pair(setup);
    let mut watch = Watch::new(&mut world);
    world.wish(payee, wallet::Input::AddTower { tower: watch.key, url: String::new() }).unwrap();
    watch.connect(&mut world, payee);
    watch.run(&mut world, payee);
    (world, watch, payer, payee)
}

fn frame(world: &World, user: PublicKey) -> u64 {
    world.wallet(user).channel(&world.bank).unwrap().agreement().state.frame
}

fn is_covered(world: &World, user: PublicKey, tower: PublicKey) -> bool {
    let view = world.wallet(user).tower(&tower).unwrap();
    !view.channels.is_empty() && view.channels.iter().all(|channel| channel.is_covered)
}

fn received(world: &World, user: PublicKey) -> Option<bool> {
    let wallet = world.wallet(user);
    let newest = wallet.payments().max_by_key(|payment| payment.ended_ms).unwrap();
    wallet.is_with_tower(newest)
}

#[test]
fn every_state_is_handed_over_by_itself() {
    let (mut world, mut watch, payer, payee) = watched();
    assert!(is_covered(&world, payee, watch.key), "what was signed before it was added");
    for amount in [700, 800, 900] {
        world.now_ms += 1_000;
        world.pay(payer, payee, amount);
        assert_eq!(received(&world, payee), Some(false), "paid, not yet with the tower");
        watch.run(&mut world, payee);
        assert_eq!(received(&world, payee), Some(true));
        assert_eq!(watch.has(&world, payee), Some(frame(&world, payee)));
        assert_eq!(world.wallet(payee).tower(&watch.key).unwrap().last_ms, Some(world.now_ms));
    }
    assert_eq!(received(&world, payer), None, "the payer has no tower");
    // Nothing new: nothing is sent, also not after a restart.
    world.restart(payee);
    watch.disconnect(&mut world, payee);
    watch.connect(&mut world, payee);
    assert!(world.messages.iter().all(|(_, to, _)| *to != watch.key));
    watch.run(&mut world, payee);
    assert!(is_covered(&world, payee, watch.key));
}

/// While the tower is silent one state is under way, the newest one when it is asked again.
#[test]
fn a_state_is_sent_again_until_there_is_a_receipt() {
    let (mut world, mut watch, payer, payee) = watched();
    world.pay(payer, payee, 700);
    let lost = world.take_inbox(watch.key);
    assert_eq!(lost.len(), 1, "one state of a channel is under way at a time");
    world.pay(payer, payee, 700);
    assert!(world.take_inbox(watch.key).is_empty());
    world.now_ms += limits::TOWER_RESEND_MS - 1;
    world.wish(payee, wallet::Input::Tick).unwrap();
    assert!(world.messages.is_empty());
    world.now_ms += 1;
    world.wish(payee, wallet::Input::Tick).unwrap();
    watch.run(&mut world, payee);
    assert_eq!(watch.has(&world, payee), Some(frame(&world, payee)));
    assert!(is_covered(&world, payee, watch.key));
    // After a new session at once.
    world.pay(payer, payee, 700);
    world.take_inbox(watch.key);
    watch.disconnect(&mut world, payee);
    watch.connect(&mut world, payee);
    watch.run(&mut world, payee);
    assert_eq!(watch.has(&world, payee), Some(frame(&world, payee)));
}

/// Wallet or tower is killed after every message of two payments; in the end the tower has the newest state
/// and nobody has broken a word.
#[test]
fn killed_at_every_message() {
    for tower_dies in [false, true] {
        let mut points = 0;
        loop {
            let (mut world, mut watch, payer, payee) = watched();
            let mut left: usize = points;
            for amount in [700, 800] {
                let to = world.invoice(payee, Some(amount));
                world.start_payment(payer, to, amount).unwrap();
                loop {
                    let inbox = world.take_inbox(watch.key);
                    let mut moved = !inbox.is_empty();
                    for bytes in inbox {
                        // The tower has it on disk; the answer may be lost.
                        let answers = watch.take(&world, payee, &bytes);
                        let dies = left == 0;
                        left = left.wrapping_sub(1);
                        if dies {
                            kill(&mut world, &mut watch, payee, tower_dies);
                            break;
                        }
                        for answer in answers {
                            world.wish(payee, wallet::Input::Message { peer: watch.key, bytes: &answer }).unwrap();
                        }
                    }
                    moved |= world.deliver_one();
                    if !moved {
                        break;
                    }
                    let dies = left == 0;
                    left = left.wrapping_sub(1);
                    if dies {
                        kill(&mut world, &mut watch, payee, tower_dies);
                    }
                }
            }
            watch.run(&mut world, payee);
            assert!(is_covered(&world, payee, watch.key), "killed at {points}");
            assert_eq!(watch.has(&world, payee), Some(frame(&world, payee)), "killed at {points}");
            assert_eq!(world.wallet(payee).tower(&watch.key).unwrap().tower.misbehaviours, vec![]);
            if left < usize::MAX / 2 {
                break;
            }
            points += 1;
        }
        println!("{points} points, the {} killed", if tower_dies { "tower" } else { "wallet" });
        assert!(points >= 20, "{points}");
    }
}

fn kill(world: &mut World, watch: &mut Watch, payee: PublicKey, tower_dies: bool) {
    if tower_dies {
        watch.tower = Watch::start(world, &watch.disk);
    } else {
        world.restart(payee);
    }
    world.messages.retain(|(_, to, _)| *to != watch.key);
    world.take_inbox(watch.key);
    if tower_dies {
        world.wish(payee, wallet::Input::Disconnected { peer: watch.key }).unwrap();
    }
    watch.connect(world, payee);
}

/// A receipt of the payee's channel as an honest tower would sign it.
fn honest(world: &World, payee: PublicKey, number: u64) -> Receipt {
    use fair_core::message::Message as _;
    let channel = world.wallet(payee).channel(&world.bank).unwrap();
    let state = &channel.agreement().state;
    Receipt {
        tower: key(TOWER).public(),
        client: payee,
        parties: channel.parties(),
        place: Place::of(state),
        state: state.digest(&channel.chain_id()),
        number,
        height: world.chain().head.height,
    }
}

fn say(world: &mut World, payee: PublicKey, receipt: Receipt, signer: &SecretKey) {
    let chain_id = world.follower.state().chain_id();
    let bytes = FromTower::Receipt(Box::new(Signed::new(receipt, &chain_id, signer))).encode();
    world.wish(payee, wallet::Input::Message { peer: key(TOWER).public(), bytes: &bytes }).unwrap();
}

/// A world in which the tower has signed for a state and a newer one is not handed over yet.
fn half_way() -> (World, PublicKey) {
    let (mut world, _watch, payer, payee) = watched();
    let number = 5;
    let receipt = honest(&world, payee, number);
    say(&mut world, payee, receipt, &key(TOWER));
    assert!(is_covered(&world, payee, key(TOWER).public()));
    world.pay(payer, payee, 700);
    assert!(!is_covered(&world, payee, key(TOWER).public()));
    (world, payee)
}

/// Whether a fault is the one that is expected.
type Named<'a> = &'a dyn Fn(&TowerFault) -> bool;

#[test]
fn a_tower_that_breaks_its_word_is_named() {
    let (world, payee) = half_way();
    let good = honest(&world, payee, 6);
    let older = Place { epoch: 0, order: fair_core::channel::state::StateOrder { frame: 1, ..good.place.order } };
    let bad: [(Receipt, u8, Named<'_>); 7] = [
        (good.clone(), 78, &|fault| *fault == TowerFault::FalseReceipt),
        (Receipt { client: key(99).public(), ..good.clone() }, TOWER, &|fault| *fault == TowerFault::FalseReceipt),
        (Receipt { tower: key(99).public(), ..good.clone() }, TOWER, &|fault| *fault == TowerFault::FalseReceipt),
        (Receipt { number: 4, ..good.clone() }, TOWER, &|fault| {
            *fault == TowerFault::NumberWentBack { earlier: 5, got: 4 }
        }),
        (Receipt { number: 5, ..good.clone() }, TOWER, &|fault| matches!(fault, TowerFault::NumberWentBack { .. })),
        (Receipt { place: older, ..good.clone() }, TOWER, &|fault| matches!(fault, TowerFault::StateWentBack { .. })),
        (Receipt { state: Hash::ZERO, ..good }, TOWER, &|fault| matches!(fault, TowerFault::OtherState { .. })),
    ];
    for (receipt, signer, is_named) in bad {
        let (mut world, payee) = half_way();
        let text = format!("{receipt:?} by {signer}");
        say(&mut world, payee, receipt, &key(signer));
        for _ in 0..2 {
            let view = world.wallet(payee).tower(&key(TOWER).public()).unwrap();
            assert!(view.tower.misbehaviours.iter().all(is_named) && view.tower.misbehaviours.len() == 1, "{text}");
            assert!(view.channels.iter().all(|channel| !channel.is_covered && channel.has.is_none()), "{text}");
            world.restart(payee);
        }
    }
    let (mut world, payee) = half_way();
    world.wish(payee, wallet::Input::Message { peer: key(TOWER).public(), bytes: b"?" }).unwrap();
    let view = world.wallet(payee).tower(&key(TOWER).public()).unwrap();
    assert_eq!(view.tower.misbehaviours, vec![TowerFault::Malformed]);
}

/// A tower comes back from an old copy of its disk: the wallet sees it at the first receipt.
#[test]
fn a_tower_that_lost_data_is_seen() {
    let (mut world, mut watch, payer, payee) = watched();
    let old = watch.disk.clone();
    world.pay(payer, payee, 700);
    watch.run(&mut world, payee);
    watch.disconnect(&mut world, payee);
    watch.tower = Watch::start(&world, &old);
    watch.disk = old;
    watch.connect(&mut world, payee);
    world.pay(payer, payee, 700);
    watch.run(&mut world, payee);
    let view = world.wallet(payee).tower(&watch.key).unwrap();
    assert!(matches!(view.tower.misbehaviours[..], [TowerFault::NumberWentBack { .. }]), "{view:?}");
    // Removed and added again it begins anew.
    world.wish(payee, wallet::Input::RemoveTower { tower: watch.key }).unwrap();
    assert_eq!(world.wallet(payee).towers().count(), 0);
    world.wish(payee, wallet::Input::AddTower { tower: watch.key, url: String::new() }).unwrap();
    watch.disconnect(&mut world, payee);
    watch.connect(&mut world, payee);
    watch.run(&mut world, payee);
    assert!(is_covered(&world, payee, watch.key));
    assert_eq!(world.wallet(payee).tower(&watch.key).unwrap().tower.misbehaviours, vec![]);
}

/// A tower that the bank has bought signs for the newest state, and lets court decide by an old one.
#[test]
fn a_tower_that_did_not_answer_is_named() {
    let (mut world, mut watch, payer, payee) = watched();
    let bank = world.bank;
    let amount = 10 * DOLLAR;
    let account = Deposit { asset: FRD, amount, to: payee, partner: None, keep: 0, epoch: None, invoice: None };
    world.wish(payer, wallet::Input::DraftAdd { operations: vec![Operation::Deposit(account)] }).unwrap();
    world.send_batch(payer);
    world.block();
    world.assert_applied();
    world.pay(payer, payee, 700);
    let old = world.nodes[&bank].disk.clone();
    world.pay(payer, payee, 800);
    watch.run(&mut world, payee);
    assert!(is_covered(&world, payee, watch.key));
    let had = world.wallet(payee).channel(&bank).unwrap().agreement().state.order();
    // The wallet is away until it is too late.
    world.fall_behind(payee);
    crate::court::roll_back(&mut world, bank, old);
    world.tell_bank(fair_core::bank::Input::Dispute { peer: payee }).unwrap();
    world.resolve(payee);
    let parties = fair_core::types::Parties::new(payee, bank).unwrap();
    let decided = world.follower.state().channel(&parties).resolved.unwrap();
    assert!(decided < had);
    world.catch_up(payee);
    let view = world.wallet(payee).tower(&watch.key).unwrap();
    assert_eq!(view.tower.misbehaviours, [TowerFault::DidNotAnswer { bank, decided, had }]);
}

#[test]
fn a_declined_state_is_shown_and_tried_again() {
    let (mut world, mut watch, payer, payee) = watched();
    world.pay(payer, payee, 700);
    let ToTower::Deliver(deliver) = ToTower::decode(&world.take_inbox(watch.key)[0]).unwrap();
    let (parties, place) = (deliver.state.parties, Place::of(&deliver.state));
    let bytes = FromTower::Declined(Declined { parties, place, reason: Reason::Full }).encode();
    world.wish(payee, wallet::Input::Message { peer: watch.key, bytes: &bytes }).unwrap();
    let declined = |world: &World| world.wallet(payee).tower(&watch.key).unwrap().channels[0].declined;
    assert_eq!(declined(&world), Some(Reason::Full));
    assert_eq!(received(&world, payee), Some(false));
    world.now_ms += limits::TOWER_DECLINED_PAUSE_MS;
    world.wish(payee, wallet::Input::Tick).unwrap();
    assert_eq!(declined(&world), Some(Reason::Full), "until there is a receipt");
    watch.run(&mut world, payee);
    let view = world.wallet(payee).tower(&watch.key).unwrap();
    assert_eq!((view.channels[0].declined, view.channels[0].is_covered), (None, true));
}

#[test]
fn towers_are_few_and_no_banks() {
    let (mut world, payee) = half_way();
    let bank = world.bank;
    let add = |tower| wallet::Input::AddTower { tower, url: String::new() };
    assert_eq!(world.wish(payee, add(bank)), Err(Refusal::TowerIsBank { key: bank }));
    assert_eq!(world.wish(payee, add(payee)), Err(Refusal::BadTower { key: payee }));
    let weak = PublicKey([0; 32]);
    assert_eq!(world.wish(payee, add(weak)), Err(Refusal::BadTower { key: weak }));
    let url = "u".repeat(limits::MAX_URL_BYTES + 1);
    let long = wallet::Input::AddTower { tower: key(80).public(), url };
    assert!(matches!(world.wish(payee, long), Err(Refusal::BadTower { .. })));
    let unknown = key(80).public();
    let remove = wallet::Input::RemoveTower { tower: unknown };
    assert_eq!(world.wish(payee, remove), Err(Refusal::UnknownTower { key: unknown }));
    for seed in 81..=87 {
        world.wish(payee, add(key(seed).public())).unwrap();
    }
    let limit = limits::MAX_TOWERS;
    assert_eq!(world.wish(payee, add(unknown)), Err(Refusal::TooManyTowers { limit }));
    world.restart(payee);
    assert_eq!(world.wallet(payee).towers().count(), limit);
}

/// A bank shows an old state while the wallet is away, and the tower keeps still: it is named for a newer state that it
/// signed for, and not for one that it never had.
#[test]
fn a_tower_that_lets_an_old_state_decide_is_named() {
    for has_newest in [true, false] {
        let accounts = vec![(key(21).public(), 100 * DOLLAR)];
        let (mut world, mut watch, payer, payee) = watched_in(Setup { accounts, ..Setup::new() });
        let bank = world.bank;
        let order = |world: &World| world.wallet(payee).channel(&bank).unwrap().agreement().state.order();
        world.pay(payer, payee, 700);
        watch.run(&mut world, payee);
        let (old, decided) = (world.nodes[&bank].disk.clone(), order(&world));
        world.pay(payer, payee, 800);
        if has_newest {
            watch.run(&mut world, payee);
        }
        let had = order(&world);
        world.disconnect(payee);
        world.fall_behind(payee);
        world.sessions.clear();
        let Node { secret, .. } = world.nodes.remove(&bank).unwrap();
        world.start_bank(secret, old);
        let before = world.on_chain(payee);
        world.tell_bank(bank::Input::Dispute { peer: payee }).unwrap();
        world.resolve(payee);
        assert_eq!(world.on_chain(payee), before + 700, "the old state decided");
        world.catch_up(payee);
        let faults = world.wallet(payee).tower(&watch.key).unwrap().tower.misbehaviours.clone();
        let expected = if has_newest { vec![TowerFault::DidNotAnswer { bank, decided, had }] } else { vec![] };
        assert_eq!(faults, expected);
    }
}
