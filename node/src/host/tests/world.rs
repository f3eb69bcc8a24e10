//! Three hosts in one process, joined by channels of bytes, on a chain that the test builds.

use crate::clock;
use crate::home;
use crate::host::{self, Crash, Handle, Host, Input, LineId, Machine, Parts, Submitter, Through, Told, line};
use crate::presets::Preset;
use crate::store::onchain;
use fair_core::bank::{self, AssetPolicy, Bank};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{self, Asset, Genesis, GenesisAccount, Purpose};
use fair_core::channel::event::Debug;
use fair_core::channel::state::ChannelState;
use fair_core::crypto::SecretKey;
use fair_core::effect::Effect;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::message::{Message as _, Signed};
use fair_core::payment::invoice::{self, Description, InvoiceId, LatePolicy, RefundPolicy};
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, PublicKey, TimeMs};
use fair_core::wallet::{self, Credit, InvoiceState, NewInvoice, Payable, PaymentState, Wallet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);
const DEPOSIT: Amount = 500_000;

/// Who is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Payer,
    Bank,
    Payee,
}

struct OfBank(Bank);
struct OfWallet(Wallet);

impl Machine for OfBank {
    type Event = bank::Event;
    type Refusal = bank::Refusal;

    fn handle(
        &mut self,
        input: Input<'_>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<Vec<Effect<bank::Event>>, bank::Refusal> {
        use bank::Input as Of;
        let input = match input {
            Input::Connected { peer } => Of::Connected { peer },
            Input::Disconnected { peer } => Of::Disconnected { peer },
            Input::Message { peer, bytes } => Of::Message { peer, bytes },
            Input::Block { outcomes, openings } => Of::Block { outcomes, openings },
            Input::Tick => Of::Tick,
        };
        self.0.handle(input, chain, now_ms)
    }

    fn heard(&mut self, event: bank::Event) {
        let wrong = matches!(event, bank::Event::Misbehaviour { .. } | bank::Event::Suspended { .. });
        assert!(!wrong, "{event:?}");
    }
}

impl Machine for OfWallet {
    type Event = wallet::Event;
    type Refusal = wallet::Refusal;

    fn handle(
        &mut self,
        input: Input<'_>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<Vec<Effect<wallet::Event>>, wallet::Refusal> {
        use wallet::Input as Of;
        let input = match input {
            Input::Connected { peer } => Of::Connected { peer },
            Input::Disconnected { peer } => Of::Disconnected { peer },
            Input::Message { peer, bytes } => Of::Message { peer, bytes },
            Input::Block { outcomes, openings } => Of::Block { outcomes, openings },
            Input::Tick => Of::Tick,
        };
        self.0.handle(input, chain, now_ms)
    }

    fn heard(&mut self, event: wallet::Event) {
        let wrong = matches!(event, wallet::Event::Misbehaviour { .. } | wallet::Event::Suspended { .. });
        assert!(!wrong, "{event:?}");
    }
}

/// One host that runs.
struct Running<M: Machine> {
    handle: Handle<M>,
    task: JoinHandle<()>,
    crash: Crash,
}

impl<M: Machine> Drop for Running<M> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens what is stored and runs; `make` makes the machine of its records.
async fn run<M: Machine>(
    folder: &Path,
    genesis: &Genesis,
    key: PublicKey,
    make: impl FnOnce(Vec<(Vec<u8>, Vec<u8>)>) -> M,
) -> Running<M> {
    home::make_private_folder(folder).unwrap();
    let (onchain, found) = onchain::open(&folder.join("onchain.sqlite"), genesis).await.unwrap();
    let (offchain, records) =
        host::open_records(&folder.join("offchain.sqlite"), genesis.chain_id(), key, Vec::new()).await.unwrap();
    let submitter = Submitter::new(reqwest::Client::new(), Through::Configured, Vec::new());
    let parts = Parts { machine: make(records), follower: found.follower, onchain, offchain, submitter };
    let (host, handle) = Host::new(parts);
    let crash = host.crash.clone();
    let task = tokio::spawn(async move { host.run().await.unwrap() });
    Running { handle, task, crash }
}

fn pairs(records: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = (&[u8], &[u8])> {
    records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
}

/// A wish to pay, by the hash of its lock.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    request: [u8; 16],
    invoice: InvoiceId,
}

/// What the payer and the payee have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Balances {
    payer: i128,
    payee: i128,
}

pub(super) struct World {
    folder: TempDir,
    genesis: Genesis,
    keys: [SecretKey; 3],
    signer: SecretKey,
    chain: Follower,
    blocks: Vec<CertifiedBlock>,
    payer: Running<OfWallet>,
    bank: Running<OfBank>,
    payee: Running<OfWallet>,
    wishes: u8,
}

fn make_genesis(keys: &[SecretKey; 3], signer: &SecretKey) -> Genesis {
    let asset =
        |id, ticker: &str| Asset { id, ticker: ticker.into(), name: ticker.into(), decimals: 2, supply: 30_000_000 };
    let balances = vec![(AssetId::FRD, 10_000_000), (AssetId::FRB, 10_000_000)];
    let bank = keys[1].public();
    let genesis = Genesis {
        network: "crashes".into(),
        purpose: Purpose::Test,
        time_ms: clock::now_ms() - 1_000,
        parameters: Preset::Demo.parameters(Some(50)).unwrap(),
        validators: ValidatorSet {
            validators: vec![Validator {
                account: bank,
                signing_key: signer.public(),
                shares: 1,
                url: "http://127.0.0.1:1".into(),
            }],
        },
        assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
        accounts: keys.iter().map(|key| GenesisAccount { key: key.public(), balances: balances.clone() }).collect(),
        banks: vec![genesis::Bank {
            key: bank,
            handle: "main".into(),
            url: "http://127.0.0.1:2".into(),
            fee_base: 0,
            fee_ppm: 0,
            insurance_price: 0,
        }],
    };
    genesis.check().unwrap();
    genesis
}

impl World {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = [1, 2, 3].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let signer = SecretKey::from_seed(&[9; 32]);
        let genesis = make_genesis(&keys, &signer);
        let payer = wallet_at(&folder.path().join("payer"), &genesis, &keys[0]).await;
        let bank = bank_at(&folder.path().join("bank"), &genesis, &keys[1]).await;
        let payee = wallet_at(&folder.path().join("payee"), &genesis, &keys[2]).await;
        let chain = Follower::new(&genesis);
        let blocks = Vec::new();
        let mut world = Self { folder, genesis, keys, signer, chain, blocks, payer, bank, payee, wishes: 0 };
        let deposit = world.deposit();
        world.add_block(&[deposit]).await;
        for wallet in [&world.payer, &world.payee] {
            let bank = world.keys[1].public();
            let credit = vec![Credit { asset: AssetId::FRD, limit: 100_000, insure_above: None, most_price: 0 }];
            let added = wallet.handle.ask(move |machine, chain, now_ms| {
                (machine.0.handle(wallet::Input::AddBank { bank, credit }, chain, now_ms).unwrap(), ())
            });
            added.await.unwrap();
        }
        world.connect(Role::Payer).await;
        world.connect(Role::Payee).await;
        world.wait_until_quiet().await;
        world
    }

    fn deposit(&self) -> Signed<Batch> {
        let operation = Operation::Deposit(Deposit {
            asset: AssetId::FRD,
            amount: DEPOSIT,
            to: self.keys[0].public(),
            partner: Some(self.keys[1].public()),
            keep: 0,
            epoch: None,
            invoice: None,
        });
        let batch = Batch {
            signer: self.keys[0].public(),
            nonce: 0,
            valid_until: 100,
            fee_rate: self.genesis.parameters.min_fee_rate,
            entries: vec![Entry { group: None, operation }],
        };
        Signed::new(batch, &self.genesis.chain_id(), &self.keys[0])
    }

    async fn add_block(&mut self, batches: &[Signed<Batch>]) {
        let built = self.chain.build(batches, self.keys[1].public(), clock::now_ms());
        assert!(built.left_out.is_empty(), "{:?}", built.left_out);
        let (height, block_hash) = (built.block.header.height, built.block.header.hash());
        let vote = Precommit { height, round: 0, block_hash: Some(block_hash) };
        let signatures = vec![Some(vote.sign(&self.genesis.chain_id(), &self.signer))];
        self.chain.commit(built.step);
        let certificate = Certificate { height, round: 0, block_hash, signatures };
        self.blocks.push(CertifiedBlock { block: built.block, certificate });
        show(&self.payer.handle, &self.blocks).await;
        show(&self.bank.handle, &self.blocks).await;
        show(&self.payee.handle, &self.blocks).await;
    }

    /// Joins a wallet and the bank.
    async fn connect(&self, role: Role) {
        static LINES: AtomicU64 = AtomicU64::new(0);
        let (wallet, key) = match role {
            Role::Payer => (&self.payer, self.keys[0].public()),
            Role::Payee | Role::Bank => (&self.payee, self.keys[2].public()),
        };
        let (bank, line) = (self.keys[1].public(), LINES.fetch_add(1, Ordering::Relaxed));
        let (to_bank, from_wallet) = mpsc::channel(64);
        let (to_wallet, from_bank) = mpsc::channel(64);
        // Who has ended hears nothing.
        let _ = self.bank.handle.tell(Told::Connected { peer: key, line, out: to_wallet }).await;
        let _ = wallet.handle.tell(Told::Connected { peer: bank, line, out: to_bank }).await;
        tokio::spawn(carry(from_wallet, self.bank.handle.clone(), key, line));
        tokio::spawn(carry(from_bank, wallet.handle.clone(), bank, line));
    }

    fn crash(&self, role: Role) -> &Crash {
        match role {
            Role::Payer => &self.payer.crash,
            Role::Bank => &self.bank.crash,
            Role::Payee => &self.payee.crash,
        }
    }

    /// Ends a host at the n-th point from now.
    pub(super) fn crash_at(&self, role: Role, point: u64) {
        self.crash(role).arm(point);
    }

    /// Asks the payee for an invoice and the payer to pay it. Either may end on the way.
    pub(super) async fn pay(&mut self, amount: Amount) -> Wish {
        self.add_block(&[]).await;
        self.wishes += 1;
        let request = [self.wishes; 16];
        let new = NewInvoice {
            request,
            asset: AssetId::FRD,
            amount: Some(amount),
            description: Description::Text("a test".into()),
            lifetime_ms: 3_600_000,
            origin: None,
            refunds: RefundPolicy::None,
            late: LatePolicy::Fail,
        };
        let wish = Wish { request, invoice: InvoiceId(request) };
        let chain_id = self.genesis.chain_id();
        let made = self.payee.handle.ask(move |machine, chain, now_ms| {
            let input = wallet::Input::CreateInvoice(Box::new(new));
            let effects = machine.0.handle(input, chain, now_ms).unwrap();
            (effects, machine.0.invoice(&wish.invoice).unwrap().invoice.clone())
        });
        let Some(made) = self.or_crash(Role::Payee, made).await else { return wish };
        let to = Payable::Invoice(Box::new(invoice::check(made, &chain_id).unwrap()));
        let paying = self.payer.handle.ask(move |machine, chain, now_ms| {
            let input = wallet::Input::Pay {
                request,
                to: Box::new(to),
                asset: AssetId::FRD,
                amount,
                max_fee: 0,
                description: String::new(),
            };
            (machine.0.handle(input, chain, now_ms).unwrap_or_default(), ())
        });
        self.or_crash(Role::Payer, paying).await;
        wish
    }

    /// The answer, or nothing when the host ends before it gives one.
    async fn or_crash<T>(&self, role: Role, answer: impl Future<Output = Result<T, host::Stopping>>) -> Option<T> {
        tokio::select! {
            answer = answer => answer.ok(),
            () = self.crash(role).happened() => None,
        }
    }

    /// Waits for the end of a payment; starts who ended. Says whether somebody did.
    pub(super) async fn settle(&mut self, role: Role, wish: Wish) -> bool {
        let until = Instant::now() + PATIENCE;
        let mut looks = tokio::time::interval(POLL);
        let mut crashed = false;
        loop {
            if self.crash(role).has_happened() {
                crashed = true;
                self.restart(role).await;
            }
            if !self.crash(role).has_happened() && self.has_ended(role, wish).await && self.is_quiet(role).await {
                break;
            }
            assert!(Instant::now() < until, "{role:?}: the payment does not end");
            looks.tick().await;
        }
        self.crash(role).disarm();
        crashed
    }

    async fn restart(&mut self, role: Role) {
        let folder = self.folder.path().to_owned();
        match role {
            Role::Payer => {
                stop(&mut self.payer.task).await;
                self.payer = wallet_at(&folder.join("payer"), &self.genesis, &self.keys[0]).await;
                show(&self.payer.handle, &self.blocks).await;
                self.connect(Role::Payer).await;
            }
            Role::Payee => {
                stop(&mut self.payee.task).await;
                self.payee = wallet_at(&folder.join("payee"), &self.genesis, &self.keys[2]).await;
                show(&self.payee.handle, &self.blocks).await;
                self.connect(Role::Payee).await;
            }
            Role::Bank => {
                stop(&mut self.bank.task).await;
                self.bank = bank_at(&folder.join("bank"), &self.genesis, &self.keys[1]).await;
                show(&self.bank.handle, &self.blocks).await;
                self.connect(Role::Payer).await;
                self.connect(Role::Payee).await;
            }
        }
    }

    async fn has_ended(&self, role: Role, wish: Wish) -> bool {
        let outgoing = self.payer.handle.ask(move |machine, _, _| {
            let state = machine.0.payment(&wish.request).map(|payment| payment.state);
            (Vec::new(), matches!(state, None | Some(PaymentState::Paid | PaymentState::Failed)))
        });
        let incoming = self.payee.handle.ask(move |machine, _, _| {
            let state = machine.0.invoice(&wish.invoice).map(|own| own.state);
            (Vec::new(), state != Some(InvoiceState::Pending))
        });
        let outgoing = self.or_crash(role, outgoing).await.unwrap_or(false);
        outgoing && self.or_crash(role, incoming).await.unwrap_or(false)
    }

    async fn wait_until_quiet(&self) {
        let until = Instant::now() + PATIENCE;
        let mut looks = tokio::time::interval(POLL);
        while !self.is_quiet(Role::Bank).await {
            assert!(Instant::now() < until, "the channels do not come to rest");
            looks.tick().await;
        }
    }

    /// Whether both channels rest and both ends hold the same state.
    async fn is_quiet(&self, role: Role) -> bool {
        for wallet in [Role::Payer, Role::Payee] {
            let Some((ours, theirs)) = self.ends(role, wallet).await else { return false };
            let (Some(ours), Some(theirs)) = (ours, theirs) else { return false };
            if ours != theirs {
                return false;
            }
        }
        true
    }

    /// The state of a wallet's channel at both ends, where it rests.
    async fn ends(&self, role: Role, wallet: Role) -> Option<(Option<ChannelState>, Option<ChannelState>)> {
        let (running, key) = match wallet {
            Role::Payer => (&self.payer, self.keys[0].public()),
            Role::Payee | Role::Bank => (&self.payee, self.keys[2].public()),
        };
        let bank = self.keys[1].public();
        let ours = running.handle.ask(move |machine, _, _| {
            let channel = machine.0.channel(&bank).filter(|channel| channel.is_idle() && channel.is_connected());
            (Vec::new(), channel.map(|channel| channel.agreement().state.clone()))
        });
        let theirs = self.bank.handle.ask(move |machine, _, _| {
            let channel = machine.0.channel(&key).filter(|channel| channel.is_idle() && channel.is_connected());
            (Vec::new(), channel.map(|channel| channel.agreement().state.clone()))
        });
        let ours = self.or_crash(role, ours).await?;
        Some((ours, self.or_crash(role, theirs).await?))
    }

    pub(super) async fn was_paid(&self, wish: Wish) -> bool {
        let outgoing = self.payer.handle.ask(move |machine, _, _| {
            (Vec::new(), machine.0.payment(&wish.request).is_some_and(|payment| payment.state == PaymentState::Paid))
        });
        let incoming = self.payee.handle.ask(move |machine, _, _| {
            (Vec::new(), machine.0.invoice(&wish.invoice).is_some_and(|own| own.state == InvoiceState::Paid))
        });
        let (outgoing, incoming) = (outgoing.await.unwrap(), incoming.await.unwrap());
        assert_eq!(outgoing, incoming, "paid on one side only");
        outgoing
    }

    pub(super) async fn balances(&self) -> Balances {
        let bank = self.keys[1].public();
        let of = async |wallet: &Running<OfWallet>| {
            let parts = wallet.handle.ask(move |machine, _, _| (Vec::new(), machine.0.parts(&bank, AssetId::FRD)));
            let parts = parts.await.unwrap();
            i128::from(parts.insured) + i128::from(parts.uninsured) - i128::from(parts.owed)
        };
        Balances { payer: of(&self.payer).await, payee: of(&self.payee).await }
    }

    /// Everybody has what the payments that arrived make.
    pub(super) async fn compare(&self, before: Balances, paid: u64) {
        let paid = i128::from(paid);
        let expected = Balances { payer: before.payer - paid, payee: before.payee + paid };
        assert_eq!(self.balances().await, expected);
    }
}

async fn wallet_at(folder: &Path, genesis: &Genesis, key: &SecretKey) -> Running<OfWallet> {
    run(folder, genesis, key.public(), |records| {
        let config = wallet::Config { debug: Debug::States };
        let entropy = line::entropy().unwrap();
        OfWallet(Wallet::restore(&config, key.clone(), genesis.chain_id(), entropy, pairs(&records)).unwrap())
    })
    .await
}

async fn bank_at(folder: &Path, genesis: &Genesis, key: &SecretKey) -> Running<OfBank> {
    run(folder, genesis, key.public(), |records| {
        let asset = AssetPolicy { asset: AssetId::FRD, credit_limit: 0, max_in_flight: 100_000, safety_balance: 0 };
        let config = bank::Config {
            assets: vec![asset],
            max_forwards: 10,
            max_strangers: 10,
            rebalance_every_blocks: 0,
            consent_wait_blocks: 10,
            dispute_after_blocks: 0,
            debug: Debug::States,
        };
        let entropy = line::entropy().unwrap();
        OfBank(Bank::restore(config, key.clone(), genesis.chain_id(), entropy, pairs(&records)).unwrap())
    })
    .await
}

/// Ends a task and waits until what it held is closed.
async fn stop(task: &mut JoinHandle<()>) {
    task.abort();
    let _ = task.await;
}

async fn show<M: Machine>(handle: &Handle<M>, blocks: &[CertifiedBlock]) {
    let (taken, result) = oneshot::channel();
    let blocks = blocks.to_vec();
    if handle.tell(Told::Blocks { blocks, taken }).await.is_ok() {
        // Without an answer the host has ended, which is what is tested.
        if let Ok(Ok(result)) = tokio::time::timeout(Duration::from_secs(1), result).await {
            result.unwrap();
        }
    }
}

async fn carry<M: Machine>(mut from: mpsc::Receiver<Vec<u8>>, to: Handle<M>, peer: PublicKey, line: LineId) {
    while let Some(bytes) = from.recv().await {
        if to.tell(Told::Message { peer, line, bytes }).await.is_err() {
            return;
        }
    }
    let _ = to.tell(Told::Disconnected { peer, line }).await;
}
