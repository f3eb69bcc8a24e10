//! A frame between two parties: two signatures made and two checked. A mediated payment at the bank: four
//! frames, so four signatures made and four checked, in memory and with each input's writes in one durable
//! transaction.
//!
//! Payer, bank and payee are the machines that hosts run; messages go from hand to hand, and only the bank's
//! calls are timed. A payment counts when payer and payee hold their signatures and nothing is under way.

use crate::measure::{Signatures, Table, per_second, times};
use fair_core::bank::{self, AssetPolicy, Bank};
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Bank as Registered, Genesis, GenesisAccount, Purpose};
use fair_core::chain::params::Parameters;
use fair_core::channel::event::Debug;
use fair_core::crypto::SecretKey;
use fair_core::effect::{Effect, Write};
use fair_core::entropy::Entropy;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::peers::Chain;
use fair_core::types::{AssetId, PublicKey};
use fair_core::wallet::{self, Credit, Payable, PaymentState, Wallet};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PAYMENTS: usize = 300;
const NOW_MS: u64 = 1_000_000;
const FRD: AssetId = AssetId::FRD;

struct Desk {
    follower: Follower,
    bank: Bank,
    bank_key: PublicKey,
    wallets: [Wallet; 2],
    messages: VecDeque<(PublicKey, PublicKey, Vec<u8>)>,
    /// What the bank's calls took.
    spent: Duration,
    bytes_written: usize,
    writes: usize,
    /// Where the bank's writes go, if anywhere.
    disk: Option<Disk>,
}

/// A database as the bank's process keeps it: write-ahead log, flushed with every transaction.
struct Disk {
    connection: Connection,
    _folder: TempDir,
}

impl Disk {
    fn new() -> rusqlite::Result<Self> {
        let folder = TempDir::new().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let connection = Connection::open(folder.path().join("db.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch("CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB NOT NULL)")?;
        Ok(Self { connection, _folder: folder })
    }

    fn commit(&mut self, write: &Write) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for (key, value) in &write.puts {
            transaction.prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2)")?.execute((key, value))?;
        }
        for key in &write.deletes {
            transaction.prepare_cached("DELETE FROM records WHERE key = ?1")?.execute([key])?;
        }
        transaction.commit()
    }
}

impl Desk {
    fn new(disk: Option<Disk>) -> Self {
        let keys = [1, 2, 3].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let [bank_key, payer, payee] = [keys[0].public(), keys[1].public(), keys[2].public()];
        let follower = Follower::new(&genesis(bank_key, payer));
        let chain_id = follower.state().chain_id();
        let policy = AssetPolicy { asset: FRD, credit_limit: 0, max_in_flight: u64::MAX, safety_balance: 0 };
        let config = bank::Config {
            assets: vec![policy],
            max_forwards: 100,
            max_strangers: 100,
            rebalance_every_blocks: 0,
            consent_wait_blocks: 1,
            dispute_after_blocks: 0,
            debug: Debug::Off,
        };
        let entropy = |seed| Entropy::from_seed([seed; 32]);
        let Ok(bank) = Bank::restore(config, keys[0].clone(), chain_id, entropy(1), []) else {
            unreachable!("nothing is stored")
        };
        let wallet = |number: u8| {
            let key = keys[usize::from(number)].clone();
            let config = wallet::Config { debug: Debug::Off };
            let Ok(wallet) = Wallet::restore(&config, key, chain_id, entropy(10 + number), []) else {
                unreachable!("nothing is stored")
            };
            wallet
        };
        let wallets = [wallet(1), wallet(2)];
        let messages = VecDeque::new();
        let (spent, bytes_written, writes) = (Duration::ZERO, 0, 0);
        let mut desk = Self { follower, bank, bank_key, wallets, messages, spent, bytes_written, writes, disk };
        for (who, user) in [(0, payer), (1, payee)] {
            let credit = vec![Credit { asset: FRD, limit: 1 << 40, insure_above: None, most_price: 0 }];
            desk.wish(who, wallet::Input::AddBank { bank: bank_key, credit });
            desk.tell_bank(bank::Input::Connected { peer: user });
            desk.wish(who, wallet::Input::Connected { peer: bank_key });
        }
        desk.run();
        desk.fund(payer);
        desk
    }

    fn fund(&mut self, payer: PublicKey) {
        let partner = Some(self.bank_key);
        let amount = 1_000_000;
        let deposit = Deposit { asset: FRD, amount, to: payer, partner, keep: 0, epoch: None, invoice: None };
        self.wish(0, wallet::Input::DraftAdd { operations: vec![Operation::Deposit(deposit)] });
        self.wish(0, wallet::Input::SendBatch { request: [9; 16] });
        let batches: Vec<_> =
            self.wallets[0].on_chain().under_way().map(|sent| sent.batch.clone()).into_iter().collect();
        let built = self.follower.build(&batches, self.bank_key, NOW_MS);
        let outcomes = built.step.outcomes().to_vec();
        self.follower.commit(built.step);
        self.tell_bank(bank::Input::Block { outcomes: &outcomes, openings: &[] });
        for who in [0, 1] {
            self.wish(who, wallet::Input::Block { outcomes: &outcomes, openings: &[] });
        }
        self.run();
    }

    fn tell_bank(&mut self, input: bank::Input<'_>) {
        let chain = Chain::of(&self.follower);
        let start = Instant::now();
        let effects = self.bank.handle(input, &chain, NOW_MS);
        let Ok(effects) = effects else { panic!("the bank takes it: {effects:?}") };
        if let (Some(disk), Some(Effect::Write(write))) = (&mut self.disk, effects.first()) {
            disk.commit(write).unwrap_or_else(|error| panic!("the disk takes it: {error}"));
        }
        self.spent += start.elapsed();
        let from = self.bank_key;
        self.perform(from, effects);
    }

    fn wish(&mut self, who: usize, input: wallet::Input<'_>) {
        let chain = Chain::of(&self.follower);
        let effects = self.wallets[who].handle(input, &chain, NOW_MS);
        let Ok(effects) = effects else { panic!("the wallet takes it: {effects:?}") };
        let from = self.wallets[who].key();
        self.perform(from, effects);
    }

    fn perform<E>(&mut self, from: PublicKey, effects: Vec<Effect<E>>) {
        for effect in effects {
            match effect {
                Effect::Send { to, bytes } => self.messages.push_back((from, to, bytes)),
                Effect::Write(write) if from == self.bank_key => {
                    self.writes += 1;
                    self.bytes_written += write.puts.iter().map(|(_, value)| value.len()).sum::<usize>();
                }
                _ => {}
            }
        }
    }

    fn run(&mut self) {
        while let Some((from, to, bytes)) = self.messages.pop_front() {
            if to == self.bank_key {
                self.tell_bank(bank::Input::Message { peer: from, bytes: &bytes });
            } else {
                let who = usize::from(to != self.wallets[0].key());
                self.wish(who, wallet::Input::Message { peer: from, bytes: &bytes });
            }
        }
    }

    /// One payment of 1 from wallet 0 to wallet 1; what the bank's calls took.
    fn pay(&mut self, number: u64) -> Duration {
        let mut request = [0; 16];
        request[..8].copy_from_slice(&number.to_le_bytes());
        let to = Box::new(Payable::Address(self.wallets[1].address()));
        let description = String::new();
        self.spent = Duration::ZERO;
        self.wish(0, wallet::Input::Pay { request, to, asset: FRD, amount: 1, max_fee: 0, description });
        self.run();
        let paid = self.wallets[0].payment(&request).map(|payment| payment.state);
        assert_eq!(paid, Some(PaymentState::Paid), "both hold their signatures");
        assert_eq!(self.bank.forwards().count(), 0, "nothing is under way");
        self.spent
    }
}

fn genesis(bank: PublicKey, payer: PublicKey) -> Genesis {
    let asset = |id: u32, ticker: &str, supply| Asset {
        id: AssetId(id),
        ticker: ticker.to_owned(),
        name: ticker.to_owned(),
        decimals: 2,
        supply,
    };
    let account = |key| GenesisAccount { key, balances: vec![(FRD, 10_000_000)] };
    let signing_key = SecretKey::from_seed(&[4; 32]).public();
    Genesis {
        network: "bench".to_owned(),
        purpose: Purpose::Test,
        time_ms: NOW_MS - 10_000,
        parameters: Parameters::MAIN,
        validators: ValidatorSet {
            validators: vec![Validator { account: bank, signing_key, shares: 1, url: String::new() }],
        },
        assets: vec![asset(1, "FRD", 20_000_000), asset(2, "FRB", 0)],
        accounts: vec![account(bank), account(payer)],
        banks: vec![Registered {
            key: bank,
            handle: "main".to_owned(),
            url: String::new(),
            fee_base: 0,
            fee_ppm: 0,
            insurance_price: 0,
        }],
    }
}

/// One direct payment: a frame, its acknowledgement, and all that both sides do for them.
pub(crate) fn frames(table: &mut Table, signatures: &Signatures) {
    let mut desk = Desk::new(None);
    let bank = desk.bank_key;
    let mut samples: Vec<Duration> = (0..PAYMENTS)
        .zip(0_u64..)
        .map(|(_, number)| {
            let mut request = [1; 16];
            request[..8].copy_from_slice(&number.to_le_bytes());
            let start = Instant::now();
            desk.wish(0, wallet::Input::PayDirect { request, bank, asset: FRD, amount: 1, note: Vec::new() });
            desk.run();
            start.elapsed()
        })
        .collect();
    samples.sort();
    let time = samples[PAYMENTS / 2];
    let own = 2 * (signatures.sign + signatures.verify);
    table.add("one frame, both sides", time, per_second(time, 1), times(time, own, "its 2 signs and 2 verifies"));
}

/// What one mediated payment costs the bank, without durability and with it.
pub(crate) fn mediated(table: &mut Table, signatures: &Signatures) {
    let disk = Disk::new().unwrap_or_else(|error| panic!("a database: {error}"));
    for (what, disk) in [("in memory", None), ("each input durable alone", Some(disk))] {
        let mut desk = Desk::new(disk);
        (desk.writes, desk.bytes_written) = (0, 0);
        let mut samples: Vec<Duration> = (0..PAYMENTS).zip(0..).map(|(_, number)| desk.pay(number)).collect();
        samples.sort();
        let time = samples[PAYMENTS / 2];
        let own = 4 * (signatures.sign + signatures.verify);
        let (writes, bytes) = (desk.writes / PAYMENTS, desk.bytes_written / PAYMENTS);
        let what = format!("mediate a payment at the bank, {what} ({writes} writes, {bytes} bytes)");
        table.add(&what, time, per_second(time, 1), times(time, own, "its 4 signs and 4 verifies"));
    }
}
