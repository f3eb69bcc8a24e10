//! A small network of one process: a chain that the test builds, validators that serve it (honestly or
//! not), a bank that echoes, and a relay.

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Bank, Genesis, GenesisAccount, Purpose};
use fair_core::chain::header::Header;
use fair_core::chain::params::Parameters;
use fair_core::codec;
use fair_core::crypto::{Secret, SecretKey};
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation, Reveal};
use fair_core::message::{Message as _, Signed};
use fair_core::types::{AssetId, Height, PublicKey};
use fair_relay::config::{Checked, Rates};
use fair_relay::{Relay, Shutdown};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longest that anything here may take; reached only by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a head is repeated.
const REPEAT_TIME: Duration = Duration::from_millis(20);

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) fn account(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn signing(number: u8) -> SecretKey {
    SecretKey::from_seed(&[100 + number; 32])
}

/// A chain and those who can certify it.
pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    signers: Vec<SecretKey>,
    follower: Follower,
    pub(crate) blocks: watch::Sender<Vec<CertifiedBlock>>,
}

impl Network {
    /// A network whose bank is at a URL, with some blocks.
    pub(crate) fn new(name: &str, bank_url: &str, purpose: Purpose, blocks: u64) -> Self {
        Self::with(name, bank_url, purpose, blocks, Parameters::DEMO)
    }

    /// The same with other parameters.
    pub(crate) fn with(name: &str, bank_url: &str, purpose: Purpose, blocks: u64, parameters: Parameters) -> Self {
        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let mut accounts: Vec<SecretKey> = (1..=4).map(account).collect();
        let bank = accounts[0].public();
        let mut validators: Vec<(Validator, SecretKey)> = (1..=4)
            .map(|number| {
                let key = signing(number);
                let validator = Validator {
                    account: account(number).public(),
                    signing_key: key.public(),
                    shares: 25,
                    url: format!("http://127.0.0.1:{number}"),
                };
                (validator, key)
            })
            .collect();
        validators.sort_by_key(|(validator, _)| validator.account);
        let (validators, signers): (Vec<_>, Vec<_>) = validators.into_iter().unzip();
        let asset =
            |id, ticker: &str| Asset { id, ticker: ticker.into(), name: ticker.into(), decimals: 2, supply: 4_000_000 };
        let balances = vec![(AssetId::FRD, 1_000_000), (AssetId::FRB, 1_000_000)];
        let genesis = Genesis {
            network: name.into(),
            purpose,
            time_ms: now - 3_600_000,
            parameters,
            validators: ValidatorSet { validators },
            assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
            accounts: accounts
                .drain(..)
                .map(|key| GenesisAccount { key: key.public(), balances: balances.clone() })
                .collect(),
            banks: vec![Bank {
                key: bank,
                handle: "main".into(),
                url: bank_url.into(),
                fee_base: 0,
                fee_ppm: 0,
                insurance_price: 0,
            }],
        };
        genesis.check().unwrap();
        let follower = Follower::new(&genesis);
        let mut network = Self { genesis, signers, follower, blocks: watch::Sender::new(Vec::new()) };
        for _ in 0..blocks {
            network.add_block(&[]);
        }
        network
    }

    pub(crate) fn bank(&self) -> PublicKey {
        self.genesis.banks[0].key
    }

    /// Builds, certifies and announces a block.
    pub(crate) fn add_block(&mut self, batches: &[Signed<Batch>]) {
        let proposer = self.genesis.validators.validators[0].account;
        let built = self.follower.build(batches, proposer, 0);
        assert!(built.left_out.is_empty(), "{:?}", built.left_out);
        let (height, block_hash) = (built.block.header.height, built.block.header.hash());
        let vote = Precommit { height, round: 0, block_hash: Some(block_hash) };
        let chain_id = self.genesis.chain_id();
        let signatures = self.signers.iter().map(|key| Some(vote.sign(&chain_id, key))).collect();
        let certificate = Certificate { height, round: 0, block_hash, signatures };
        self.follower.commit(built.step);
        self.blocks.send_modify(|blocks| blocks.push(CertifiedBlock { block: built.block, certificate }));
    }

    /// A batch of account 1 that sends one FRD to account 2.
    pub(crate) fn batch(&self, nonce: u64) -> Signed<Batch> {
        let operation = Operation::Deposit(Deposit {
            asset: AssetId::FRD,
            amount: 100,
            to: account(2).public(),
            partner: None,
            keep: 0,
            epoch: None,
            invoice: None,
        });
        self.signed(1, nonce, operation)
    }

    /// A court batch of an account: it reveals a secret.
    pub(crate) fn court_batch(&self, number: u8, nonce: u64) -> Signed<Batch> {
        self.signed(number, nonce, Operation::Reveal(Reveal { secrets: vec![Secret([number; 32])] }))
    }

    fn signed(&self, number: u8, nonce: u64, operation: Operation) -> Signed<Batch> {
        let entries = vec![Entry { group: None, operation }];
        let valid_until = self.follower.height() + 50;
        let batch = Batch { signer: account(number).public(), nonce, valid_until, fee_rate: 10, entries };
        Signed::new(batch, &self.genesis.chain_id(), &account(number))
    }
}

/// How a validator serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// One bit of one byte of the newest block is wrong; the place counts from the block's first byte.
    Flips {
        byte: usize,
    },
    /// Announces what it does not serve.
    Withholds,
    /// Answers with something that is no list of blocks.
    Babbles,
    /// Takes no batches, with this status.
    Refuses(StatusCode),
    /// Takes batches and never says so.
    Stalls,
    /// Serves the first block alone, and announces it again and again.
    Repeats,
}

/// A validator's server.
pub(crate) struct FakeValidator {
    pub(crate) url: String,
    pub(crate) batches: Arc<Mutex<Vec<Vec<u8>>>>,
    waiting: Arc<Waiting>,
    task: JoinHandle<()>,
}

/// Requests without an answer: now, and the most at a time.
#[derive(Default)]
struct Waiting {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One of them, until it is answered or given up.
struct Counted(Arc<Waiting>);

impl Counted {
    fn new(waiting: Arc<Waiting>) -> Self {
        let now = waiting.now.fetch_add(1, Ordering::SeqCst) + 1;
        waiting.most.fetch_max(now, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for FakeValidator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Serving {
    blocks: watch::Receiver<Vec<CertifiedBlock>>,
    manner: Manner,
    batches: Arc<Mutex<Vec<Vec<u8>>>>,
    waiting: Arc<Waiting>,
}

impl FakeValidator {
    pub(crate) async fn start(network: &Network, manner: Manner) -> Self {
        let (batches, waiting) = (Arc::new(Mutex::new(Vec::new())), Arc::<Waiting>::default());
        let blocks = network.blocks.subscribe();
        let serving = Serving { blocks, manner, batches: batches.clone(), waiting: waiting.clone() };
        let router = Router::new()
            .route("/v1/blocks", get(serve_blocks))
            .route("/v1/heads", get(serve_heads))
            .route("/v1/batches", post(take_batch))
            .with_state(serving);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, batches, waiting, task }
    }

    /// The most requests that waited for its answer at a time.
    pub(crate) fn most_waiting(&self) -> usize {
        self.waiting.most.load(Ordering::SeqCst)
    }

    /// How often it was handed a batch.
    pub(crate) fn had(&self, batch: &Signed<Batch>) -> usize {
        let bytes = codec::encode(batch);
        self.batches.lock().unwrap().iter().filter(|had| **had == bytes).count()
    }

    /// Waits until it was handed a batch so often.
    pub(crate) async fn has(&self, batch: &Signed<Batch>, times: usize) {
        let handed = async {
            while self.had(batch) < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, handed).await.expect("the batch in time");
    }
}

async fn serve_blocks(State(serving): State<Serving>, Query(query): Query<BTreeMap<String, u64>>) -> Vec<u8> {
    let blocks = serving.blocks.borrow().clone();
    let newest = blocks.last().map(|newest| newest.block.header.height);
    let wanted: Vec<_> = blocks.into_iter().filter(|one| one.block.header.height >= query["from"]).take(64).collect();
    match serving.manner {
        Manner::Babbles => b"not a list of blocks".to_vec(),
        Manner::Withholds => {
            codec::encode(&wanted.into_iter().filter(|one| Some(one.block.header.height) < newest).collect::<Vec<_>>())
        }
        Manner::Flips { byte } => {
            let mut bytes = codec::encode(&wanted);
            if let Some(last) = wanted.last().filter(|last| Some(last.block.header.height) == newest) {
                let start = bytes.len() - codec::encode(last).len();
                bytes[start + byte] ^= 1;
            }
            bytes
        }
        Manner::Repeats => {
            codec::encode(&wanted.into_iter().filter(|one| one.block.header.height == 1).collect::<Vec<_>>())
        }
        Manner::Honest | Manner::Refuses(_) | Manner::Stalls => codec::encode(&wanted),
    }
}

async fn serve_heads(State(serving): State<Serving>, upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(move |mut socket| async move {
        let mut blocks = serving.blocks;
        let repeats = serving.manner == Manner::Repeats;
        let mut again = tokio::time::interval(REPEAT_TIME);
        loop {
            let blocks_now = blocks.borrow_and_update().clone();
            let announced = if repeats { blocks_now.first() } else { blocks_now.last() };
            if let Some(newest) = announced.cloned() {
                let head = codec::encode(&(newest.block.header, newest.certificate));
                if socket.send(Message::Binary(head.into())).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = blocks.changed() => if changed.is_err() { return },
                _ = again.tick(), if repeats => {}
                message = socket.recv() => if message.is_none_or(|message| message.is_err()) { return },
            }
        }
    })
}

async fn take_batch(State(serving): State<Serving>, body: Bytes) -> (StatusCode, Json<serde_json::Value>) {
    let _counted = Counted::new(serving.waiting);
    serving.batches.lock().unwrap().push(body.to_vec());
    match serving.manner {
        Manner::Stalls => std::future::pending().await,
        Manner::Refuses(status) => {
            let problem = serde_json::json!({
                "code": "wrong_nonce", "message": "no", "data": { "expected": 7 },
                "retryable": status == StatusCode::SERVICE_UNAVAILABLE,
            });
            (status, Json(problem))
        }
        _ => (StatusCode::ACCEPTED, Json(serde_json::json!({ "hash": "00" }))),
    }
}

/// A bank that sends back what it gets, and gives money to everybody.
pub(crate) struct EchoBank {
    pub(crate) url: String,
    /// Pipes open at the bank.
    pub(crate) open: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Drop for EchoBank {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl EchoBank {
    pub(crate) async fn start() -> Self {
        let (count, open) = watch::channel(0_usize);
        let count = Arc::new(count);
        let peer = move |upgrade: WebSocketUpgrade| {
            let count = count.clone();
            async move {
                upgrade.on_upgrade(move |mut socket| async move {
                    count.send_modify(|open| *open += 1);
                    while let Some(Ok(message)) = socket.recv().await {
                        if let Message::Binary(bytes) = message
                            && socket.send(Message::Binary(bytes)).await.is_err()
                        {
                            break;
                        }
                    }
                    count.send_modify(|open| *open -= 1);
                })
            }
        };
        let faucet = |Json(wish): Json<serde_json::Value>| async move {
            Json(serde_json::json!({ "account": wish["account"], "asset": 1, "amount": "100000" }))
        };
        let router = Router::new().route("/v1/peer", get(peer)).route("/v1/faucet", post(faucet));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, open, task }
    }
}

/// A relay that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
    data: PathBuf,
    /// Its pages.
    _pages: TempDir,
}

/// Settings for a network and its validators.
pub(crate) fn settings(network: &Network, validators: &[&FakeValidator], data: &Path) -> Checked {
    let many = NonZeroU32::new(1_000_000).unwrap();
    Checked {
        genesis: network.genesis.clone(),
        listen: "127.0.0.1:0".parse().unwrap(),
        pages: None,
        data: data.to_owned(),
        validators: validators.iter().map(|validator| validator.url.clone()).collect(),
        trusted_proxies: Vec::new(),
        terms: "Be kind.".into(),
        shop: Some("http://shop.example".into()),
        counterpart: Some("http://counterpart.example".into()),
        towers: std::collections::BTreeMap::new(),
        snapshot: None,
        checkpoint: None,
        rates: Rates {
            requests_per_minute: many,
            batches_per_minute: many,
            faucet_per_minute: many,
            sockets_per_address: NonZeroU32::new(64).unwrap(),
        },
    }
}

impl Running {
    pub(crate) async fn start(network: &Network, validators: &[&FakeValidator], data: &Path) -> Self {
        Self::with(settings(network, validators, data)).await
    }

    pub(crate) async fn with(mut settings: Checked) -> Self {
        let pages = TempDir::new().unwrap();
        std::fs::write(pages.path().join("index.html"), "<!doctype html><title>Fair</title>").unwrap();
        std::fs::write(pages.path().join("app.js"), "export {}").unwrap();
        std::fs::write(pages.path().join("app.js.br"), "compressed").unwrap();
        std::fs::write(pages.path().join("fair_web_bg.0123456789abcdef.wasm"), "\0asm").unwrap();
        settings.pages = Some(pages.path().to_owned());
        let data = settings.data.clone();
        let relay = Relay::start(settings).await.unwrap();
        let address = relay.address().unwrap();
        let shutdown = Shutdown::default();
        let task = tokio::spawn(relay.run(shutdown.clone()));
        Self { address, client: reqwest::Client::new(), shutdown, task, data, _pages: pages }
    }

    /// Stops it and waits until its data folder can be used by another: a process that ends lets go of it
    /// at once, here the last connections and writes have to end first.
    pub(crate) async fn stop(self) {
        self.shutdown.stop();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
        let released = async {
            let lock = std::fs::File::open(self.data.join("lock")).unwrap();
            let mut looks = tokio::time::interval(Duration::from_millis(10));
            while lock.try_lock().is_err() {
                looks.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, released).await.expect("the last connections let go of the data folder");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, serde_json::Value) {
        let request = self.client.post(self.url(path)).header("content-type", "application/json").body(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn open(&self, path: &str) -> Result<Socket, tungstenite::Error> {
        let url = format!("ws://{}{path}", self.address);
        tokio_tungstenite::connect_async(url).await.map(|(socket, _)| socket)
    }

    /// Waits until the relay announces a height; listens again when a burst of blocks was too fast to be read.
    pub(crate) async fn reached(&self, height: Height) {
        loop {
            let mut heads = self.open("/v1/heads").await.unwrap();
            while let Some(head) = try_next_head(&mut heads).await {
                if head.height >= height {
                    return;
                }
            }
        }
    }

    /// A number from `/metrics`, once it is above zero.
    pub(crate) async fn counted(&self, name: &str) -> u64 {
        let counted = async {
            loop {
                match self.metric(name).await {
                    0 => tokio::task::yield_now().await,
                    count => break count,
                }
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.expect("a count in time")
    }

    /// A number from `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

pub(crate) async fn next_head(heads: &mut Socket) -> Header {
    try_next_head(heads).await.expect("an open connection")
}

/// The next head; nothing at the connection's end.
async fn try_next_head(heads: &mut Socket) -> Option<Header> {
    loop {
        let message = tokio::time::timeout(PATIENCE, heads.next()).await.expect("a head in time")?.unwrap();
        if let tungstenite::Message::Binary(bytes) = message {
            let (header, _): (Header, Certificate) = codec::decode(&bytes, 1 << 16).unwrap();
            return Some(header);
        }
    }
}
