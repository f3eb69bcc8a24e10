//! What pages see: the shapes of `www/js/api.d.ts`, in its order.
//!
//! Heights, counts and times are numbers in JavaScript ([`Num`]), amounts are bigints (`u64`, `i128`),
//! hashes and keys are hexadecimal text, absent is null.

use crate::error::Error;
use fair_core::types::{AssetId, Hash, PublicKey};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// An integer that is a number, not a bigint, in JavaScript. Exact below 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Num(pub u64);

impl Serialize for Num {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64)
    }
}

impl From<u64> for Num {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<usize> for Num {
    fn from(value: usize) -> Self {
        Self(value as u64)
    }
}

impl From<u32> for Num {
    fn from(value: u32) -> Self {
        Self(value.into())
    }
}

/// Somebody with a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "fields are documented once, in www/js/api.d.ts")]
pub struct AccountRef {
    pub id: Option<Num>,
    pub key: PublicKey,
    pub handle: Option<String>,
    pub you: bool,
}

/// Shapes whose fields are documented in `www/js/api.d.ts`.
macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident { $($(#[$inner:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        #[doc = concat!("`", stringify!($name), "` of `www/js/api.d.ts`.")]
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(missing_docs, reason = "fields are documented once, in www/js/api.d.ts")]
        $(#[$meta])*
        pub struct $name { $($(#[$inner])* pub $field: $type),* }
    )*};
}

mod court;
mod governance;
pub use court::{ChannelCourt, Court, CourtAsset, Debt, Dispute, Flow, Opening, OpeningEvent, Resolution};
pub use governance::{
    Governance, GovernanceAction, ParameterChange, Proposal, ProposalState, Release, ValidatorChange, ValidatorTerms,
    VoteCast,
};

shapes! {
    Asset { id: AssetId, ticker: String, name: String, decimals: u8, supply: u64 }
    AssetAmount { asset: AssetId, amount: u64 }
    VerifiedAt { height: Num, time: Num, state_root: Hash }
    Network { name: String, chain_id: Hash, test: bool, faucet: bool }
    Status {
        version: &'static str,
        network: Option<Network>,
        wallet: WalletState,
        words_confirmed: bool,
        account: Option<AccountRef>,
        read_only: Option<Error>,
        persisted: Option<bool>,
    }
    WordList { words: Vec<String> }
    RawState { json: String }
    ChannelChange { bank: PublicKey }
    TowerChange { tower: PublicKey }
    RelayState { url: String, state: RelayPhase, head: Option<Num>, hash: Option<Hash>, error: Option<Error> }
    VerificationFailure { error: Error, relay: String, height: Option<Num>, at: Num }
    Base { height: Num, hash: Hash }
    SnapshotProgress { height: Num, bytes_done: Num, bytes_total: Num, seconds_left: Option<Num> }
    Snapshot { height: Num, hash: Hash, block: Hash, bytes: Num, urls: Vec<String>, state: SnapshotState }
    SyncState {
        phase: Phase,
        mode: &'static str,
        base: Option<Base>,
        snapshot: Option<SnapshotProgress>,
        verified: Option<VerifiedAt>,
        hash: Option<Hash>,
        expired: Option<Error>,
        confirmed: Option<String>,
        stuck: bool,
        verified_at: Option<Num>,
        target: Option<Num>,
        blocks_done: Num,
        blocks_total: Num,
        bytes_done: Num,
        seconds_left: Option<Num>,
        relays: Vec<RelayState>,
        failure: Option<VerificationFailure>,
    }
    Signature { validator: AccountRef, shares: Num, signed: bool }
    BlockSummary {
        height: Num,
        hash: Hash,
        time: Num,
        proposer: AccountRef,
        signatures: Vec<Signature>,
        batches: Num,
        operations: Num,
        bytes: Num,
    }
    Block {
        #[serde(flatten)]
        summary: BlockSummary,
        version: u16,
        round: u32,
        previous: Hash,
        usable: Num,
        batches_root: Hash,
        state_root: Hash,
        validators_hash: Hash,
        next_validators_hash: Hash,
        parameters_hash: Hash,
        openings: Vec<Opening>,
        contents: Vec<Batch>,
        mode: &'static str,
    }
    Batch {
        hash: Hash,
        signer: AccountRef,
        nonce: Num,
        valid_until: Num,
        fee_rate: u64,
        bytes: Num,
        fee: u64,
        operations: Vec<ExecutedOperation>,
        debts: Vec<Flow>,
    }
    ExecutedOperation { operation: Operation, group: Option<u16>, receipt: Receipt }
    Account {
        account: AccountRef,
        balances: Vec<AssetAmount>,
        nonce: Num,
        channels: Vec<ChainChannel>,
        validator: Option<Shares>,
        bank: Option<Bank>,
        recent: Vec<Mention>,
        at: VerifiedAt,
    }
    Shares { shares: Num }
    Mention { height: Num, time: Num, batch: Option<Batch>, opening: Option<Opening> }
    AccountRow { account: AccountRef, balances: Vec<AssetAmount>, channels: Num }
    ChainChannel { left: AccountRef, right: AccountRef, epoch: Num, assets: Vec<ChainChannelAsset>, at: VerifiedAt }
    ChainChannelAsset { asset: AssetId, insurance: u64, ondelta: i64, offdelta: Option<i64> }
    Validator { account: AccountRef, signing_key: PublicKey, shares: Num, url: String, next: bool }
    Bank {
        account: AccountRef,
        handle: String,
        urls: Vec<String>,
        fee_flat: u64,
        fee_ppm: u32,
        insurance_price: u64,
        insured: Vec<AssetAmount>,
        channels: Num,
    }
    BankTerms { handle: String, url: String, fee_flat: u64, fee_ppm: u32, insurance_price: u64 }
    Parameter { name: &'static str, value: u64, unit: &'static str, meaning: &'static str }
    DraftAction { id: Num, operation: Operation, group: Option<u16>, problem: Option<Error> }
    Draft { actions: Vec<DraftAction>, bytes: Num, fee_rate: u64, fee: u64, problem: Option<Error> }
    SentOperation { operation: Operation, group: Option<u16>, receipt: Option<Receipt> }
    SentBatch {
        key: String,
        hash: Hash,
        nonce: Num,
        state: SentState,
        sent_at: Num,
        valid_until: Num,
        fee: u64,
        height: Option<Num>,
        time: Option<Num>,
        operations: Vec<SentOperation>,
        error: Option<Error>,
    }
    Parts {
        insured: u64,
        uninsured: u64,
        in_flight: u64,
        can_receive: u64,
        owed: u64,
        incoming: u64,
    }
    Balance { asset: Asset, onchain: u64, parts: Parts, can_send: u64, banks: Vec<BankBalance> }
    BankBalance { bank: AccountRef, connection: Connection, parts: Parts, can_send: u64 }
    Channel {
        bank: Bank,
        connection: Connection,
        side: &'static str,
        epoch: Num,
        frame: Num,
        assets: Vec<ChannelAsset>,
        problem: Option<Error>,
        court: ChannelCourt,
        at: Option<VerifiedAt>,
    }
    ChannelAsset {
        asset: AssetId,
        insurance: u64,
        ondelta: i64,
        offdelta: i64,
        delta: i64,
        balance: i64,
        parts: Parts,
        can_send: u64,
        credit_limit: u64,
        insure_above: Option<u64>,
        credit_received: u64,
        insurance_price: u64,
        insurance_requested: bool,
        withdrawal: Option<Withdrawal>,
        locks: Vec<Lock>,
    }
    Lock { direction: &'static str, amount: u64, hash: Hash, expiry: Num, expires_at: Num }
    Withdrawal {
        amount: u64,
        state: &'static str,
        expires_at: Num,
        expires_time: Num,
        target: Option<WithdrawalTarget>,
    }
    WithdrawalTarget { owner: AccountRef, partner: Option<AccountRef> }
    Restoration { banks: Option<Vec<RestoredBank>> }
    RestoredBank { bank: AccountRef, state: &'static str }
    Tower {
        tower: PublicKey,
        url: String,
        connected: bool,
        last: Option<Num>,
        channels: Vec<TowerChannel>,
        faults: Vec<String>,
    }
    TowerChannel { bank: AccountRef, covered: bool, declined: Option<String> }
    Invoice {
        text: String,
        id: String,
        asset: Asset,
        amount: Option<u64>,
        description: Option<String>,
        payee: AccountRef,
        banks: Vec<AccountRef>,
        created: Num,
        expires: Num,
        origin: Option<String>,
        refunds: bool,
        accepts_late: bool,
        hash: Hash,
    }
    OwnInvoice {
        #[serde(flatten)]
        invoice: Invoice,
        key: String,
        state: &'static str,
        received: u64,
        link: String,
        qr: Option<Qr>,
    }
    Proven {
        payee: PublicKey,
        id: String,
        asset: AssetId,
        amount: Option<u64>,
        description: Option<String>,
        origin: Option<String>,
        hash: Hash,
        received: Option<u64>,
        paid_at: Option<Num>,
    }
    Address { text: String, qr: Qr }
    Quote {
        asset: Asset,
        amount: u64,
        fee: u64,
        route: Vec<AccountRef>,
        assurance: Assurance,
        latest_end: Num,
        provable: bool,
    }
    Assurance { insured: u64, uninsured: u64 }
    Payment {
        id: String,
        direction: &'static str,
        kind: &'static str,
        asset: AssetId,
        amount: u64,
        fee: u64,
        counterparty: Option<AccountRef>,
        description: Option<String>,
        state: &'static str,
        error: Option<Error>,
        created_at: Num,
        ended_at: Option<Num>,
        latest_end: Option<Num>,
        with_tower: Option<bool>,
    }
    PaymentDetails {
        #[serde(flatten)]
        payment: Payment,
        hash: Option<Hash>,
        proof: Option<String>,
        preimage: Option<String>,
        invoice: Option<String>,
        route: Vec<AccountRef>,
        attempts: Vec<Attempt>,
        lock_expiry: Option<LockExpiry>,
        height: Option<Num>,
    }
    Attempt { route: Vec<AccountRef>, state: &'static str, error: Option<Error>, started_at: Num }
    LockExpiry { usable: Num, time: Num }
    ActivityPage { payments: Vec<Payment>, next: Option<String> }
}

/// A QR code: rows of modules, 1 is dark, without quiet zone. The modules are a `Uint8Array`.
#[derive(Clone, Debug, PartialEq)]
pub struct Qr {
    /// Modules in a row.
    pub size: usize,
    /// Row by row.
    pub modules: Vec<u8>,
}

impl Serialize for Qr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Bytes<'a>(&'a [u8]);
        impl Serialize for Bytes<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }
        let mut fields = serializer.serialize_struct("Qr", 2)?;
        fields.serialize_field("size", &Num::from(self.size))?;
        fields.serialize_field("modules", &Bytes(&self.modules))?;
        fields.end()
    }
}

/// What a pasted or scanned text means.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum Decoded {
    Invoice { invoice: Box<Invoice> },
    Address { text: String, payee: AccountRef, banks: Vec<AccountRef> },
}

/// How the session with a bank does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum Connection {
    Connecting,
    Online,
    Offline,
    Suspended,
}

/// Whether there is a wallet, and its key in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum WalletState {
    None,
    Locked,
    Unlocked,
}

/// How a relay does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum RelayPhase {
    Connecting,
    Online,
    Offline,
    Dropped,
}

/// How following the chain does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum Phase {
    Connecting,
    Syncing,
    Live,
    Stale,
    Offline,
    Failed,
    Forked,
    Expired,
}

/// What is known here of a snapshot that relays list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum SnapshotState {
    Begun,
    BlockVerified,
    OtherBlock,
    Unknown,
}

/// What became of an own batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum SentState {
    Sending,
    Waiting,
    Included,
    Expired,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum Receipt {
    Applied { registered: Option<AccountRef> },
    Skipped { reason: Error },
}

/// An on-chain action.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum Operation {
    Deposit {
        asset: AssetId,
        amount: u64,
        to: AccountRef,
        partner: Option<AccountRef>,
        keep: Option<u64>,
        epoch: Option<Num>,
        invoice: Option<String>,
    },
    Withdraw {
        asset: AssetId,
        amount: u64,
        withdrawer: AccountRef,
        partner: AccountRef,
        nonce: Num,
        expires_at: Num,
    },
    Dispute {
        partner: AccountRef,
        frame: Option<Num>,
    },
    Answer {
        left: AccountRef,
        right: AccountRef,
        frame: Num,
    },
    Reveal {
        hashes: Vec<Hash>,
    },
    Propose {
        action: GovernanceAction,
        text: String,
    },
    Vote {
        proposal: Num,
        approve: bool,
        rationale: String,
    },
    CreateAsset {
        ticker: String,
        name: String,
        decimals: u8,
        supply: u64,
    },
    RegisterBank(BankTerms),
    UpdateBank(BankTerms),
}
