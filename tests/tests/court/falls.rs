//! A bank that dies between learning a secret and settling with the payer, who stays away. The payee is paid; the
//! bank reveals the secret on-chain in time, disputes the payer's channel before the registry forgets, and is paid
//! out of it. The payer comes back to a payment that is paid, with its secret as the proof; of those whose payees were
//! told so, the payers are persons with browsers.

mod payer;

use anyhow::{Context, Result, bail, ensure};
use fair_core::bank::{self, Bank};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Follower;
use fair_core::channel::Channel;
use fair_core::channel::event::Debug;
use fair_core::codec;
use fair_core::crypto::Secret;
use fair_core::entropy::Entropy;
use fair_core::ledger::operation::Operation;
use fair_core::ledger::receipt::{OpeningEvent, ResolvedAsset};
use fair_core::types::{Amount, AssetId, Hash, Height, Parties, PublicKey, Side, UsableHeight};
use fair_core::wallet::{self, PaymentState, Wallet};
use fair_tests::browser::{Place, person};
use fair_tests::network::BANK;
use fair_tests::wait;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cast::{Actor, World, frd};
use crate::chain::{PATIENCE, Seen, account_key};
use payer::Payer;

const AMOUNT: Amount = frd(100);
/// What a payer has in its channel.
const FUNDS: Amount = frd(2_000);
/// Payments until the bank dies where it is to; the payee takes no more on credit.
const MOST_TRIES: u64 = 9;
/// Points that a bank passes between a settlement and its acknowledgement, and what else it writes with them.
const POINTS: u64 = 6;
/// Blocks that are awaited at a time.
const STRETCH: Height = 40;
const MAX_BLOCKS_BYTES: usize = 64 << 20;

/// When the bank dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// The payee's settlement is on its way; nothing of it is durable at the bank.
    BeforeLearning,
    /// The bank has the secret durably, and has not acknowledged it.
    BeforeAcknowledging,
    /// The payee is paid.
    AfterAcknowledging,
}

/// Who pays and who is paid.
type Pair = (Payer, Actor);

/// A payment during which the bank died, and what the chain makes of it.
struct Fall {
    payer: Payer,
    payee: Actor,
    parties: Parties,
    point: Point,
    hash: Hash,
    /// As the payer names the payment.
    payment: String,
    /// When the payer's lock expires.
    expiry: UsableHeight,
    /// Paid by this payer to this payee, this payment included.
    paid: Amount,
    revealed_at: Option<UsableHeight>,
    /// The blocks of the reveal and of the dispute.
    blocks: [Option<Height>; 2],
    /// Who began the dispute, and when.
    disputed: Option<(Side, UsableHeight)>,
    resolved: Option<(Height, Vec<ResolvedAsset>)>,
}

impl Fall {
    /// Takes note of one block.
    fn see(&mut self, seen: &Seen<'_>) -> Result<()> {
        let entry = seen.state.hashlock(&self.hash);
        if let (None, Some(entry)) = (self.revealed_at, entry) {
            self.revealed_at = Some(entry.revealed_at);
            self.blocks[0] = Some(seen.state.height());
        }
        if let (None, Some(dispute)) = (self.disputed, seen.state.dispute(&self.parties)) {
            self.disputed = Some((dispute.starter, dispute.start));
            self.blocks[1] = Some(seen.state.height());
        }
        for opening in seen.openings {
            let OpeningEvent::Resolved { parties, assets, .. } = &opening.event else { continue };
            if *parties == self.parties {
                ensure!(entry.is_some(), "the registry forgot before court looked");
                self.resolved = Some((seen.state.height(), assets.clone()));
            }
        }
        Ok(())
    }
}

/// A process's machine as its database has it.
fn records(world: &World, name: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let path = world.network.folder().join(name).join("offchain/db.sqlite");
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut rows = database.prepare("SELECT key, value FROM records")?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn bank_on_disk(world: &World) -> Result<Bank> {
    let (rows, key) = (records(world, BANK)?, account_key(&world.network, BANK)?);
    let config = bank::Config {
        assets: Vec::new(),
        max_forwards: 0,
        max_strangers: 0,
        rebalance_every_blocks: 0,
        consent_wait_blocks: 0,
        dispute_after_blocks: 0,
        debug: Debug::States,
    };
    let rows = rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let chain_id = world.network.genesis()?.chain_id();
    Ok(Bank::restore(config, key, chain_id, Entropy::from_seed([1; 32]), rows)?)
}

fn wallet_on_disk(world: &World, of: &Actor) -> Result<Wallet> {
    let (rows, key) = (records(world, &of.name)?, account_key(&world.network, &of.name)?);
    let rows = rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let (config, chain_id) = (wallet::Config { debug: Debug::States }, world.network.genesis()?.chain_id());
    Ok(Wallet::restore(&config, key, chain_id, Entropy::from_seed([1; 32]), rows)?)
}

/// What the bank's database says of a payment under way: the secret, if it knows it, and the payer's expiry.
fn known(world: &World, hash: &Hash) -> Result<(Option<Secret>, UsableHeight)> {
    let bank = bank_on_disk(world)?;
    let forward = bank.forwards().find(|forward| forward.hash == *hash && !forward.origin.closed);
    let forward = forward.context("the bank has no such payment under way")?;
    Ok((forward.secret, forward.origin.expiry))
}

fn signal(world: &mut World, of: &Actor, signal: Signal) -> Result<()> {
    let id = world.network.process(&of.name)?.id().context("it runs")?;
    let id = Pid::from_raw(i32::try_from(id)?).context("a process")?;
    Ok(kill_process(id, signal)?)
}

async fn state_of(world: &World, of: &Actor, path: &str) -> Result<String> {
    Ok(world.get(of, path).await?["state"].as_str().context("a state")?.to_owned())
}

async fn bank_died(world: &mut World) -> Result<()> {
    wait::until("the bank to die", PATIENCE, async || {
        Ok(world.network.ended()?.iter().any(|(name, _)| name == BANK).then_some(()))
    })
    .await
}

/// A number of the bank's status.
async fn bank_says(world: &World, place: &str) -> Result<u64> {
    let bank = Actor { name: BANK.to_owned(), key: world.bank };
    world.status(&bank).await?.pointer(place).and_then(Value::as_u64).context("a number")
}

/// A payer with money in its channel and a payee, both known to the chain.
async fn pair(world: &mut World, point: Point, side: Side) -> Result<Pair> {
    let payer = match point {
        Point::AfterAcknowledging => Payer::page(world, side).await?,
        Point::BeforeLearning | Point::BeforeAcknowledging => {
            Payer::process(world, &format!("payer-{point:?}-{side:?}"), side).await?
        }
    };
    let payee = world.wallet(&format!("payee-{point:?}-{side:?}"), side.other()).await?;
    world.give(payee.key, frd(10)).await?;
    world.connected(&payee).await?;
    Ok((payer, payee))
}

/// A payment that waits for its payee at the bank.
struct Forwarded {
    id: String,
    hash: Hash,
    payment: String,
}

/// Pays a payee that stands still, so that the bank can forward and learn nothing. `None`: it failed at once, since
/// sessions that just began take none yet; the payee goes on.
async fn forwarded(world: &mut World, payer: &mut Payer, payee: &Actor) -> Result<Option<Forwarded>> {
    payer.at_rest(world).await?;
    world.at_rest(payee).await?;
    let (id, text) = world.invoice(payee, AMOUNT).await?;
    let hash = world.lock_hash(&text)?;
    let payment: String = hash.to_string().chars().take(32).collect();
    signal(world, payee, Signal::STOP)?;
    payer.pays(world, &text).await?;
    let is_forwarded = wait::until("the bank to forward, or the payment to fail", PATIENCE, async || {
        if bank_on_disk(world)?.forwards().any(|forward| forward.hash == hash) {
            return Ok(Some(true));
        }
        Ok(payer.has_failed(world, &payment).await?.then_some(false))
    })
    .await?;
    if !is_forwarded {
        signal(world, payee, Signal::CONT)?;
        // With another block it may be otherwise; a wallet makes only so many invoices a minute.
        let head = world.status(payee).await?["head"].as_u64();
        wait::until("another block", PATIENCE, async || {
            Ok((world.status(payee).await?["head"].as_u64() > head).then_some(()))
        })
        .await?;
        return Ok(None);
    }
    Ok(Some(Forwarded { id, hash, payment }))
}

/// Those who are not part of a payment, and whose greetings would count as the bank's points.
struct Others<'a> {
    earlier: &'a [Fall],
    later: &'a VecDeque<(Point, Pair)>,
}

impl Others<'_> {
    async fn are_at_rest(&self, world: &World) -> Result<()> {
        for fall in self.earlier {
            world.at_rest(&fall.payee).await?;
        }
        for (_, (payer, payee)) in self.later {
            payer.at_rest(world).await?;
            world.at_rest(payee).await?;
        }
        Ok(())
    }
}

/// Pays until the bank is dead at the point; so is the payer then, which died when its lock was irrevocable.
async fn fall(world: &mut World, (mut payer, payee): Pair, point: Point, others: Others<'_>) -> Result<Fall> {
    let parties = world.parties(&payer.key())?;
    for count in 1..=MOST_TRIES {
        others.are_at_rest(world).await?;
        let trying = wait::until("a payment that the bank forwards", PATIENCE, async || {
            forwarded(world, &mut payer, &payee).await
        });
        let Forwarded { id, hash, payment } = trying.await?;
        payer.goes(world).await?;
        // With each block the bank writes; between two it does little else than this.
        let head = bank_says(world, "/head").await?;
        wait::until("the bank to see a block", PATIENCE, async || {
            Ok((bank_says(world, "/head").await? > head).then_some(()))
        })
        .await?;
        let later = (count - 1) % POINTS;
        match point {
            Point::BeforeLearning => world.arm(BANK, 1 + later).await?,
            Point::BeforeAcknowledging => world.arm(BANK, 2 + later).await?,
            Point::AfterAcknowledging => {}
        }
        signal(world, &payee, Signal::CONT)?;
        let path = format!("/v1/invoices/{id}");
        if point == Point::AfterAcknowledging {
            wait::until("the payee to be paid", PATIENCE, async || {
                Ok((state_of(world, &payee, &path).await? == "paid").then_some(()))
            })
            .await?;
            world.arm(BANK, 1).await?;
        }
        bank_died(world).await?;
        let (secret, expiry) = known(world, &hash)?;
        let settled = wait::until("the payee to have settled", PATIENCE, async || {
            Ok(Some(state_of(world, &payee, &path).await?).filter(|state| state == "pending" || state == "paid"))
        })
        .await?;
        let is_wished = match point {
            Point::BeforeLearning => secret.is_none() && settled == "pending",
            Point::BeforeAcknowledging => secret.is_some() && settled == "pending",
            Point::AfterAcknowledging => secret.is_some() && settled == "paid",
        };
        world.network.restart(BANK).await?;
        // The payee, at least, is there.
        wait::until("the payee to be paid", PATIENCE, async || {
            Ok((state_of(world, &payee, &path).await? == "paid").then_some(()))
        })
        .await?;
        if is_wished {
            let (paid, blocks) = (AMOUNT * count, [None; 2]);
            let (revealed_at, disputed, resolved) = (None, None, None);
            return Ok(Fall {
                payer,
                payee,
                parties,
                point,
                hash,
                payment,
                expiry,
                paid,
                revealed_at,
                blocks,
                disputed,
                resolved,
            });
        }
        payer.comes_back(world).await?;
        payer.owns(world, i64::try_from(FUNDS - AMOUNT * count)?).await?;
    }
    bail!("no point of the bank is {point:?}")
}

/// Fees that an account paid for its batches, and that it was paid as a proposer, above a height; and who revealed
/// which secret.
struct Books {
    paid: Amount,
    earned: Amount,
    revealed_by: BTreeMap<Secret, PublicKey>,
}

impl Books {
    async fn of(world: &World, key: PublicKey, above: Height) -> Result<Self> {
        let mut follower = Follower::new(&world.network.genesis()?);
        let mut books = Self { paid: 0, earned: 0, revealed_by: BTreeMap::new() };
        let until = world.watcher.state().height();
        while follower.height() < until {
            let url = format!("{}/v1/blocks?from={}&count=100", world.network.url()?, follower.height() + 1);
            let bytes = reqwest::get(url).await?.error_for_status()?.bytes().await?;
            let blocks: Vec<CertifiedBlock> = codec::decode(&bytes, MAX_BLOCKS_BYTES)?;
            let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
            for block in blocks.iter().take_while(|block| block.block.header.height <= until) {
                let step = follower.check(block, now_ms)?;
                let header = &block.block.header;
                for outcome in step.outcomes().iter().filter(|_| header.height > above) {
                    books.paid += if outcome.signer == key { outcome.fee } else { 0 };
                    books.earned += if header.proposer == key { outcome.fee } else { 0 };
                }
                for batch in &block.block.batches {
                    for entry in &batch.body.entries {
                        if let Operation::Reveal(reveal) = &entry.operation {
                            let secrets = reveal.secrets.iter().map(|secret| (*secret, batch.body.signer));
                            books.revealed_by.extend(secrets);
                        }
                    }
                }
                follower.commit(step);
            }
        }
        Ok(books)
    }
}

/// All that the bank has: on-chain, and in its channels as its database has them.
fn worth(world: &World) -> Result<i128> {
    let bank = bank_on_disk(world)?;
    let own = |(_, channel): (&PublicKey, &Channel)| channel.agreement().line(AssetId::FRD).balance(channel.side());
    Ok(i128::from(world.balance(&world.bank)) + bank.partners().map(own).sum::<i128>())
}

/// Looks at blocks until each fall is resolved.
async fn decided(world: &mut World, falls: &mut [Fall]) -> Result<()> {
    let parameters = world.watcher.state().parameters().clone();
    let latest = falls.iter().map(|fall| fall.expiry).max().context("a fall")?;
    let end = latest + u64::from(parameters.hashlock_keepalive_blocks);
    loop {
        let stretch = world.watcher.state().height() + STRETCH;
        // The bank may be asked as often as one likes, the relay not.
        wait::until("the bank to see more blocks", PATIENCE, async || {
            Ok((bank_says(world, "/head").await? >= stretch).then_some(()))
        })
        .await?;
        let all = world.watcher.until("those blocks", |seen| {
            for fall in falls.iter_mut() {
                fall.see(seen)?;
            }
            let all = falls.iter().all(|fall| fall.resolved.is_some());
            Ok((all || seen.state.height() >= stretch).then_some(all))
        });
        if all.await? {
            return Ok(());
        }
        let now = world.watcher.state().usable_height();
        let late = falls.iter().find(|fall| fall.revealed_at.is_none() && now > fall.expiry);
        ensure!(late.is_none(), "a lock expired before its secret was revealed");
        ensure!(now < end, "the bank did not dispute in time");
    }
}

/// Who was paid how much, and why, by the chain.
fn check_chain(world: &World, fall: &Fall, books: &Books, secret: &Secret) -> Result<()> {
    let parameters = world.watcher.state().parameters();
    let margin = u64::from(parameters.margin_blocks);
    let revealed_at = fall.revealed_at.context("the secret is in the registry")?;
    ensure!(revealed_at + margin / 2 <= fall.expiry, "revealed at {revealed_at}, the lock expires at {}", fall.expiry);
    ensure!(books.revealed_by.get(secret) == Some(&world.bank), "the bank revealed it");
    let (starter, start) = fall.disputed.context("a dispute")?;
    ensure!(fall.parties.side_of(&world.bank) == Some(starter), "the bank disputed");
    let forgotten = revealed_at + u64::from(parameters.hashlock_keepalive_blocks);
    ensure!(start + parameters.longest_dispute_blocks() <= forgotten, "disputed at {start}, forgotten at {forgotten}");
    let Some((_, [asset])) = fall.resolved.as_ref().map(|(height, assets)| (height, assets.as_slice())) else {
        bail!("{:?}", fall.resolved)
    };
    ensure!((asset.insurance, asset.owed, asset.debt) == (FUNDS, 0, 0), "{asset:?}");
    let payer_is_left = fall.parties.left() == fall.payer.key();
    let (payer, bank) = if payer_is_left { (asset.left, asset.right) } else { (asset.right, asset.left) };
    ensure!((payer, bank) == (FUNDS - fall.paid, fall.paid), "{asset:?}");
    Ok(())
}

/// The end of a fall for everybody to look up.
async fn show(world: &World, fall: &Fall) -> Result<()> {
    let (height, _) = fall.resolved.as_ref().context("a resolution")?;
    let [Some(revealed), Some(disputed)] = fall.blocks else { bail!("{:?}", fall.blocks) };
    let who = world.number(&fall.payer.key())?;
    let (kept, paid) = (person::shown(FUNDS - fall.paid), person::shown(fall.paid));
    let picture = |of: &str| format!("fall-{}-{of}", fall.payer.name());
    world
        .pictures(&[
            Place {
                at: &format!("explorer/block/{revealed}"),
                says: &["@main revealed", &format!("of the hash {}", fall.hash)],
                picture: &picture("reveal"),
            },
            Place {
                at: &format!("explorer/block/{disputed}"),
                says: &[&format!("@main took its channel with account {who} to court")],
                picture: &picture("dispute"),
            },
            Place {
                at: &format!("explorer/block/{height}"),
                says: &[&format!("account {who} got {kept} FRD"), &format!("@main got {paid} FRD")],
                picture: &picture("resolution"),
            },
        ])
        .await
}

/// A channel in the epoch after court.
fn begins_at_nothing(channel: &Channel) -> Result<()> {
    ensure!(channel.epoch() == 1, "the channel is in its next epoch");
    ensure!(channel.agreement().line(AssetId::FRD).balance(channel.side()) == 0, "and begins at nothing");
    Ok(())
}

/// What both ends and the bank have once the payer is back. Returns the secret.
async fn check_parties(world: &mut World, fall: &mut Fall) -> Result<Secret> {
    let secret = payer::check(world, fall).await?;
    let (bank, payee) = (bank_on_disk(world)?, wallet_on_disk(world, &fall.payee)?);
    let received = payee.payments().find(|payment| payment.hash == Some(fall.hash)).context("a payment in")?;
    ensure!((received.state, received.amount) == (PaymentState::Paid, AMOUNT), "{received:?}");
    ensure!(bank.forwards().all(|forward| forward.hash != fall.hash), "the bank has nothing left to settle");
    let with = |partner: &PublicKey| bank.channel(partner).context("a channel");
    let (ours, theirs) = (with(&fall.payee.key)?, payee.channel(&world.bank).context("a channel")?);
    ensure!(ours.agreement() == theirs.agreement(), "both hold the same state");
    ensure!(ours.agreement().line(AssetId::FRD).uninsured(theirs.side()) == fall.paid);
    begins_at_nothing(with(&fall.payer.key())?)?;
    Ok(secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_dies_between_learning_and_settling_loses_nothing() -> Result<()> {
    let mut world = World::start().await?;
    let mut pairs = VecDeque::new();
    // What counts the bank's points comes before the bank is busy in court.
    for point in [Point::BeforeLearning, Point::BeforeAcknowledging, Point::AfterAcknowledging] {
        for side in [Side::Left, Side::Right] {
            pairs.push_back((point, pair(&mut world, point, side).await?));
        }
    }
    world.watcher.until("the newest block", |_| Ok(Some(()))).await?;
    let (before, since) = (worth(&world)?, world.watcher.state().height());
    let mut falls = Vec::new();
    while let Some((point, pair)) = pairs.pop_front() {
        let what = format!("{point:?}, {}", pair.0.name());
        let others = Others { earlier: &falls, later: &pairs };
        let fallen = fall(&mut world, pair, point, others).await.context(what)?;
        falls.push(fallen);
    }
    decided(&mut world, &mut falls).await?;
    let mut secrets = Vec::new();
    for fall in &mut falls {
        let named = format!("{:?}, {}", fall.point, fall.payer.name());
        secrets.push(check_parties(&mut world, fall).await.context(named)?);
    }
    let books = Books::of(&world, world.bank, since).await?;
    for (fall, secret) in falls.iter().zip(&secrets) {
        let named = || format!("{:?}, {}", fall.point, fall.payer.name());
        check_chain(&world, fall, &books, secret).with_context(named)?;
    }
    for fall in falls.iter().filter(|fall| fall.point == Point::AfterAcknowledging) {
        show(&world, fall).await?;
    }
    let expected = before - i128::from(books.paid) + i128::from(books.earned);
    ensure!(worth(&world)? == expected, "the bank has {}, and had {before}: {expected} is right", worth(&world)?);
    world.end().await
}
