//! What a page may ask: one case per method of `Fair` in `www/js/api.d.ts`.

use crate::error::Error;
use crate::input::{FromJs, Misfit, field, from_js};
use fair_core::types::{AssetId, Hash, PublicKey};
use fair_core::wallet::Credit;
use wasm_bindgen::JsValue;

/// A call with its parameters. Some are secret, so that it cannot be printed.
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum Method {
    Status,
    Create(Create),
    ConfirmWords(ConfirmWords),
    Restore(Restore),
    Restoration,
    Unlock(Password),
    Lock,
    Wipe,
    Words(Password),
    ChangePassword(ChangePassword),
    RawState,
    SyncState,
    SetRelays(SetRelays),
    DismissFailure,
    Confirm(Checkpoint),
    Head,
    Block(BlockId),
    Blocks(Blocks),
    Account(AccountText),
    Accounts(Accounts),
    ChannelOnChain(Pair),
    Validators,
    Parameters,
    Banks,
    Assets,
    Court(Court),
    Governance,
    Snapshots,
    Draft,
    DraftAdd(DraftAdd),
    DraftRemove(Id),
    SignAndSend(CallerKey),
    Batches(Limit),
    Faucet(OneAsset),
    Balances,
    Channels,
    AddBank(AddBank),
    SetCredit(SetCredit),
    RequestInsurance(Insure),
    Resume(OneBank),
    Dispute(OneBank),
    RequestWithdrawal(BankAmount),
    Splice(Splice),
    Address,
    CreateInvoice(CreateInvoice),
    CancelInvoice(InvoiceKey),
    Invoices,
    Decode(Text),
    Quote(PayRequest),
    Pay(Pay),
    Activity(Activity),
    Payment(PaymentId),
    Towers,
    AddTower(TowerAddress),
    RemoveTower(OneTower),
}

/// Parameters whose fields are documented in `www/js/api.d.ts`.
macro_rules! parameters {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[doc = concat!("Parameters of `", stringify!($name), "`.")]
        #[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
        pub struct $name { $(pub $field: $type),* }

        from_js!($name { $($field),* });
    )*};
}

parameters! {
    Create { words: u64, password: String }
    ConfirmWords { answers: Vec<Answer> }
    Answer { index: usize, word: String }
    Restore { words: Vec<String>, password: String }
    Password { password: String }
    ChangePassword { old: String, new: String }
    SetRelays { urls: Vec<String> }
    Checkpoint { checkpoint: String }
    Blocks { before: Option<u64>, limit: u64 }
    AccountText { account: String }
    Accounts { search: Option<String>, after: Option<u64>, limit: u64 }
    Court { account: Option<String> }
    Pair { a: String, b: String }
    DraftAdd { operation: DraftOperation }
    CreateAsset { ticker: String, name: String, decimals: u8, supply: u64 }
    Terms { handle: String, url: String, fee_flat: u64, fee_ppm: u32, insurance_price: u64 }
    Vote { proposal: u64, approve: bool, rationale: String }
    NewValue { name: String, value: u64 }
    NewValidator { account: String, signing_key: PublicKey, shares: u64, url: String }
    Id { id: u64 }
    CallerKey { key: String }
    Limit { limit: u64 }
    OneAsset { asset: AssetId }
    AddBank { bank: String, credit: Vec<BankCredit> }
    BankCredit { asset: AssetId, limit: u64, insure_above: Option<u64>, most_price: Option<u64> }
    SetCredit { bank: String, asset: AssetId, limit: u64, insure_above: Option<u64>, most_price: Option<u64> }
    Insure { bank: String, asset: AssetId, most_price: u64 }
    BankAsset { bank: String, asset: AssetId }
    OneBank { bank: String }
    BankAmount { bank: String, asset: AssetId, amount: u64 }
    Splice {
        key: String,
        asset: AssetId,
        amount: u64,
        from: String,
        to: Option<String>,
        account: Option<String>,
        invoice: Option<String>,
    }
    CreateInvoice {
        key: String,
        asset: AssetId,
        amount: Option<u64>,
        description: Option<String>,
        expires_in_seconds: u64,
    }
    InvoiceKey { key: String }
    Text { text: String }
    PayRequest { text: String, amount: Option<u64>, asset: Option<AssetId> }
    Pay {
        key: String,
        text: String,
        amount: Option<u64>,
        asset: Option<AssetId>,
        max_fee: u64,
        description: Option<String>,
    }
    Activity { before: Option<String>, limit: u64 }
    PaymentId { id: String }
    TowerAddress { address: String }
    OneTower { tower: String }
}

impl From<BankCredit> for Credit {
    fn from(credit: BankCredit) -> Self {
        let BankCredit { asset, limit, insure_above, most_price } = credit;
        Self { asset, limit, insure_above, most_price: most_price.unwrap_or(0) }
    }
}

impl From<&SetCredit> for Credit {
    fn from(credit: &SetCredit) -> Self {
        let SetCredit { asset, limit, insure_above, most_price, .. } = *credit;
        Self { asset, limit, insure_above, most_price: most_price.unwrap_or(0) }
    }
}

/// A block by height or hash.
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum BlockId {
    Height { height: u64 },
    Hash { hash: String },
}

impl FromJs for BlockId {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        match field(value, "height")? {
            Some(height) => Ok(Self::Height { height }),
            None => Ok(Self::Hash { hash: field(value, "hash")? }),
        }
    }
}

/// An action for the draft.
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum DraftOperation {
    Deposit { asset: AssetId, amount: u64, to: String, partner: Option<String>, invoice: Option<String> },
    CreateAsset(CreateAsset),
    RegisterBank(Terms),
    UpdateBank(Terms),
    Propose { action: DraftAction, text: String },
    Vote(Vote),
}

impl FromJs for DraftOperation {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(match field::<String>(value, "kind")?.as_str() {
            "deposit" => Self::Deposit {
                asset: field(value, "asset")?,
                amount: field(value, "amount")?,
                to: field(value, "to")?,
                partner: field(value, "partner")?,
                invoice: field(value, "invoice")?,
            },
            "create_asset" => Self::CreateAsset(FromJs::from_js(value)?),
            "register_bank" => Self::RegisterBank(FromJs::from_js(value)?),
            "update_bank" => Self::UpdateBank(FromJs::from_js(value)?),
            "propose" => Self::Propose { action: field(value, "action")?, text: field(value, "text")? },
            "vote" => Self::Vote(FromJs::from_js(value)?),
            _ => return Err(Misfit::KIND),
        })
    }
}

/// What a page may propose.
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum DraftAction {
    SetParameters { changes: Vec<NewValue> },
    SetValidators { validators: Vec<NewValidator> },
    RemoveBank { bank: String },
    RenameAsset { asset: AssetId, ticker: String, name: String },
    Release { version: u16, height: u64, bundle: Hash },
}

impl FromJs for DraftAction {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(match field::<String>(value, "kind")?.as_str() {
            "set_parameters" => Self::SetParameters { changes: field(value, "changes")? },
            "set_validators" => Self::SetValidators { validators: field(value, "validators")? },
            "remove_bank" => Self::RemoveBank { bank: field(value, "bank")? },
            "rename_asset" => Self::RenameAsset {
                asset: field(value, "asset")?,
                ticker: field(value, "ticker")?,
                name: field(value, "name")?,
            },
            "release" => Self::Release {
                version: field(value, "version")?,
                height: field(value, "height")?,
                bundle: field(value, "bundle")?,
            },
            _ => return Err(Misfit::KIND),
        })
    }
}

impl Method {
    /// Reads a call.
    ///
    /// # Errors
    /// `engine.unknown_method`; `input.parameters` when they do not fit.
    pub fn read(name: &str, parameters: &JsValue) -> Result<Self, Error> {
        Ok(match name {
            "status" => Self::Status,
            "create" => Self::Create(read(parameters)?),
            "confirmWords" => Self::ConfirmWords(read(parameters)?),
            "restore" => Self::Restore(read(parameters)?),
            "restoration" => Self::Restoration,
            "unlock" => Self::Unlock(read(parameters)?),
            "lock" => Self::Lock,
            "wipe" => Self::Wipe,
            "words" => Self::Words(read(parameters)?),
            "changePassword" => Self::ChangePassword(read(parameters)?),
            "rawState" => Self::RawState,
            "syncState" => Self::SyncState,
            "setRelays" => Self::SetRelays(read(parameters)?),
            "dismissFailure" => Self::DismissFailure,
            "confirm" => Self::Confirm(read(parameters)?),
            "head" => Self::Head,
            "block" => Self::Block(read(parameters)?),
            "blocks" => Self::Blocks(read(parameters)?),
            "account" => Self::Account(read(parameters)?),
            "accounts" => Self::Accounts(read(parameters)?),
            "channelOnChain" => Self::ChannelOnChain(read(parameters)?),
            "validators" => Self::Validators,
            "parameters" => Self::Parameters,
            "banks" => Self::Banks,
            "assets" => Self::Assets,
            "court" => Self::Court(read(parameters)?),
            "governance" => Self::Governance,
            "snapshots" => Self::Snapshots,
            "draft" => Self::Draft,
            "draftAdd" => Self::DraftAdd(read(parameters)?),
            "draftRemove" => Self::DraftRemove(read(parameters)?),
            "signAndSend" => Self::SignAndSend(read(parameters)?),
            "batches" => Self::Batches(read(parameters)?),
            "faucet" => Self::Faucet(read(parameters)?),
            "balances" => Self::Balances,
            "channels" => Self::Channels,
            "addBank" => Self::AddBank(read(parameters)?),
            "setCredit" => Self::SetCredit(read(parameters)?),
            "requestInsurance" => Self::RequestInsurance(read(parameters)?),
            "dispute" => Self::Dispute(read(parameters)?),
            "resume" => Self::Resume(read(parameters)?),
            "requestWithdrawal" => Self::RequestWithdrawal(read(parameters)?),
            "splice" => Self::Splice(read(parameters)?),
            "address" => Self::Address,
            "createInvoice" => Self::CreateInvoice(read(parameters)?),
            "cancelInvoice" => Self::CancelInvoice(read(parameters)?),
            "invoices" => Self::Invoices,
            "decode" => Self::Decode(read(parameters)?),
            "quote" => Self::Quote(read(parameters)?),
            "pay" => Self::Pay(read(parameters)?),
            "activity" => Self::Activity(read(parameters)?),
            "payment" => Self::Payment(read(parameters)?),
            "towers" => Self::Towers,
            "addTower" => Self::AddTower(read(parameters)?),
            "removeTower" => Self::RemoveTower(read(parameters)?),
            other => {
                return Err(Error::new("engine.unknown_method", format!("This version has no method {other}.")));
            }
        })
    }
}

fn read<T: FromJs>(parameters: &JsValue) -> Result<T, Error> {
    T::from_js(parameters).map_err(|error| Error::new("input.parameters", format!("The call does not fit: {error}.")))
}
