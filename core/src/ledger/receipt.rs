//! What became of batches and operations: receipts, reasons, and flows of money. They follow from the
//! chain and are not part of the state; hosts store them beside each block for people to look at.

use super::operation::ProposalId;
use super::state::ProposalState;
use crate::channel::state::StateOrder;
use crate::types::{AccountId, Amount, AssetId, Epoch, Hash, Height, Parties, PublicKey, Side, UsableHeight};
use borsh::de::EnumExt as _;
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// What became of one batch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct BatchOutcome {
    /// Hash by which the batch is known ([`super::batch::hash`]).
    pub hash: Hash,
    /// Who signed it.
    pub signer: PublicKey,
    /// FRD that the signer paid to the proposer for its bytes.
    pub fee: Amount,
    /// One per operation, in order.
    pub operations: Vec<OperationOutcome>,
    /// Payments of older debts that it set off; per asset they sum up to zero.
    pub debts: Vec<Flow>,
}

/// What became of one operation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct OperationOutcome {
    /// Whether it applied.
    pub receipt: Receipt,
    /// What moved; per asset it sums up to zero, or to the supply of the asset that it made. Empty when it was
    /// skipped.
    pub flows: Vec<Flow>,
}

/// What fell due at the start of a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Opening {
    /// What happened.
    pub event: OpeningEvent,
    /// What moved; per asset it sums up to zero.
    pub flows: Vec<Flow>,
}

/// Kinds of what falls due.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OpeningEvent {
    /// A dispute was resolved.
    Resolved {
        /// Whose.
        parties: Parties,
        /// The channel's epoch from now on.
        epoch: Epoch,
        /// Order of the state by which it was.
        order: StateOrder,
        /// One for each asset of the channel or the state.
        assets: Vec<ResolvedAsset>,
    },
    /// A proposal was tallied, or took effect.
    Proposal {
        /// Which.
        id: ProposalId,
        /// Where it stands now.
        state: ProposalState,
    },
}

/// How court split one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct ResolvedAsset {
    /// Which.
    pub asset: AssetId,
    /// What was locked.
    pub insurance: Amount,
    /// D, with the locks that were revealed in time; the nearest i64 should it be ±2^63.
    pub delta: i64,
    /// Left's part of the insurance.
    pub left: Amount,
    /// Right's part of the insurance.
    pub right: Amount,
    /// Who owed more than the insurance, if anybody.
    pub debtor: Option<Side>,
    /// How much more.
    pub owed: Amount,
    /// What of it came from the debtor's on-chain balance.
    pub paid: Amount,
    /// What of it is a debt now.
    pub debt: Amount,
}

/// Whether an operation applied.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Receipt {
    /// It did.
    Applied {
        /// The account that it made.
        registered: Option<Registered>,
    },
    /// It changed nothing.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
}

/// An account made by an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Registered {
    /// Its number.
    pub id: AccountId,
    /// Its key.
    pub key: PublicKey,
}

/// Money that came to a place or left it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Flow {
    /// Where.
    pub place: Place,
    /// Which asset.
    pub asset: AssetId,
    /// How much; negative when it left.
    pub amount: i64,
    /// What for.
    pub purpose: Purpose,
}

/// Where money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// On-chain balance.
    Account {
        /// Whose.
        key: PublicKey,
    },
    /// On-chain part of one side of a channel; may go below zero.
    Channel {
        /// Whose side.
        owner: PublicKey,
        /// The other party.
        partner: PublicKey,
    },
}

/// What money moved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// What the operation says.
    Transfer,
    /// Fee for making an account.
    CreationFee,
    /// On-chain balance of a new account, out of its own side.
    StandaloneBalance,
    /// Split of a channel's insurance by court.
    Resolution,
    /// What a resolved dispute took from the debtor's on-chain balance.
    Enforcement,
    /// Payment of an older debt.
    Debt,
    /// The supply of a new asset.
    Issue,
}

/// Reads the reason inside a group's, which is none of a group: so bytes cannot nest without end.
fn not_a_group<R: Read>(reader: &mut R) -> io::Result<Box<SkipReason>> {
    const GROUP: u8 = 0;
    match u8::deserialize_reader(reader)? {
        GROUP => Err(io::Error::new(io::ErrorKind::InvalidData, "a group within a group")),
        variant => SkipReason::deserialize_variant(reader, variant).map(Box::new),
    }
}

/// Why an operation changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum SkipReason {
    /// Another operation of its group was skipped.
    #[error("operation {failed} of its group was skipped: {because}")]
    Group {
        /// Place of the other in the batch, from 0.
        failed: u32,
        /// Why the other was; never a group again.
        #[borsh(deserialize_with = "not_a_group")]
        because: Box<Self>,
    },
    /// Nothing to move.
    #[error("the amount is zero")]
    ZeroAmount,
    /// No such asset.
    #[error("asset {asset} does not exist")]
    UnknownAsset {
        /// What was named.
        asset: AssetId,
    },
    /// From an account to itself.
    #[error("a deposit to the signer's own balance moves nothing")]
    DepositToSelf,
    /// Between a key and itself.
    #[error("nobody has a channel with themselves")]
    SelfChannel,
    /// An epoch where there is no channel.
    #[error("an epoch was given for a deposit to an account")]
    EpochWithoutChannel,
    /// The tag is too long.
    #[error("the invoice tag has {got} bytes; {limit} are allowed")]
    InvoiceTagTooLong {
        /// Most bytes.
        limit: u32,
        /// Bytes given.
        got: u32,
    },
    /// The channel's epoch is another.
    #[error("it is for epoch {got} of the channel, which is in epoch {expected}")]
    WrongEpoch {
        /// The channel's.
        expected: Epoch,
        /// Given.
        got: Epoch,
    },
    /// Too little on-chain.
    #[error("the signer has {balance} of asset {asset}; {needed} are needed")]
    NotEnough {
        /// Which asset.
        asset: AssetId,
        /// What the signer has.
        balance: Amount,
        /// Amount, what is to be kept, and the creation fee.
        needed: Amount,
    },
    /// Both keys are unknown.
    #[error("both keys are unknown; one deposit makes at most one account")]
    TwoUnknownKeys,
    /// Accounts are made with FRD only.
    #[error("{key} is not registered, and only FRD makes an account")]
    RegistrationNeedsFrd {
        /// The unknown key.
        key: PublicKey,
    },
    /// Too little to make an account.
    #[error("{key} is not registered; more than {more_than} are needed to make an account, {got} came")]
    RegistrationTooSmall {
        /// The unknown key.
        key: PublicKey,
        /// K.standalone_balance.
        more_than: Amount,
        /// The amount.
        got: Amount,
    },
    /// A stranger brings a new asset.
    #[error("asset {asset} is new to the channel, and only its parties may bring it")]
    NewAssetByStranger {
        /// Which.
        asset: AssetId,
    },
    /// The channel is full.
    #[error("the channel has {limit} assets, the most that are allowed")]
    TooManyAssets {
        /// K.max_channel_assets.
        limit: u16,
    },
    /// A number would leave its bounds.
    #[error("a number would leave its bounds")]
    OutOfBounds,
    /// A consent or a state is for another chain.
    #[error("it is for another network")]
    WrongChain,
    /// The parties of a consent or a state are not ordered.
    #[error("it names its parties in the wrong order")]
    UnorderedParties,
    /// The signer is not who may withdraw.
    #[error("the consent is for {expected}")]
    NotTheWithdrawer {
        /// Who may.
        expected: PublicKey,
    },
    /// The consent was used, or another comes first.
    #[error("the consent has number {got}; {expected} is next")]
    WrongConsentNonce {
        /// The next.
        expected: u64,
        /// The consent's.
        got: u64,
    },
    /// The consent ran out.
    #[error("the consent was valid until block {expires_at}; it is {now}")]
    ConsentExpired {
        /// Last U.
        expires_at: UsableHeight,
        /// U now.
        now: UsableHeight,
    },
    /// The consent is not signed by the other side.
    #[error("the consent is not signed by {expected}")]
    BadConsentSignature {
        /// Who should have.
        expected: PublicKey,
    },
    /// More than is locked.
    #[error("the channel holds {insurance} of insurance; {amount} were asked for")]
    MoreThanInsurance {
        /// What is locked.
        insurance: Amount,
        /// The amount.
        amount: Amount,
    },
    /// Debts come first.
    #[error("the signer has {open} open debts of asset {asset}, which are paid first")]
    DebtsFirst {
        /// Which asset.
        asset: AssetId,
        /// How many are open.
        open: u64,
    },
    /// Only registered keys are taken to court.
    #[error("{key} is not registered and cannot answer in court")]
    AccusedUnknown {
        /// Who.
        key: PublicKey,
    },
    /// A dispute runs.
    #[error("the channel is in court since {start}")]
    AlreadyInCourt {
        /// U at its start.
        start: UsableHeight,
    },
    /// No dispute runs.
    #[error("the channel is not in court")]
    NotInCourt,
    /// A state of another channel.
    #[error("the state is of another channel")]
    OtherChannel,
    /// A state without the form that every state has.
    #[error("the state is not well formed")]
    MalformedState,
    /// A state with too many bytes.
    #[error("the state has {got} bytes; {limit} are allowed")]
    StateTooLong {
        /// K.max_state_bytes.
        limit: u64,
        /// Its bytes.
        got: u64,
    },
    /// A state with too many assets.
    #[error("the state has {got} assets; {limit} are allowed")]
    TooManyStateAssets {
        /// K.max_channel_assets.
        limit: u64,
        /// Its assets.
        got: u64,
    },
    /// A state in which a side gives too many locks.
    #[error("{giver} gives {got} locks in the state; {limit} are allowed")]
    TooManyLocks {
        /// Who gives them.
        giver: PublicKey,
        /// K.max_locks.
        limit: u64,
        /// How many.
        got: u64,
    },
    /// A state that is not above the one in court.
    #[error("court has frame {}, this is frame {}", in_court.frame, got.frame)]
    NotNewer {
        /// Order of what court has.
        in_court: StateOrder,
        /// Order of what came.
        got: StateOrder,
    },
    /// An answer after the window.
    #[error("answers counted until {until}; it is {now}")]
    AnswerTooLate {
        /// Last U.
        until: UsableHeight,
        /// U now.
        now: UsableHeight,
    },
    /// An answer lacks a signature.
    #[error("the signature of {expected} is missing")]
    MissingStateSignature {
        /// Whose.
        expected: PublicKey,
    },
    /// A state is not signed by who should have.
    #[error("the state is not signed by {expected}")]
    BadStateSignature {
        /// Who should have.
        expected: PublicKey,
    },
    /// Nothing to reveal.
    #[error("no secret was given")]
    NoSecrets,
    /// Too many secrets.
    #[error("{got} secrets were given; {limit} are allowed")]
    TooManySecrets {
        /// [`crate::limits::MAX_SECRETS`].
        limit: u64,
        /// How many.
        got: u64,
    },
    /// Not an account of the validator set in force.
    #[error("only validators propose and vote")]
    NotAValidator,
    /// A text is too long.
    #[error("the text has {got} bytes; {limit} are allowed")]
    TextTooLong {
        /// Most bytes.
        limit: u32,
        /// Bytes given.
        got: u32,
    },
    /// Too many proposals of the signer are open or wait for their effect.
    #[error("{limit} proposals of the signer are open or wait for their effect, its share of the places")]
    TooManyProposals {
        /// [`crate::limits::PROPOSAL_PLACES`], shared by the validators; at least one.
        limit: u32,
    },
    /// What would result breaks a rule.
    #[error("{rule}")]
    BreaksRule {
        /// The rule, in words.
        rule: String,
    },
    /// Somebody who would be a validator has no account.
    #[error("{account} would be a validator and is not registered")]
    UnregisteredValidator {
        /// Who.
        account: PublicKey,
    },
    /// No such proposal.
    #[error("proposal {proposal} does not exist")]
    UnknownProposal {
        /// What was named.
        proposal: ProposalId,
    },
    /// The vote comes too late.
    #[error("proposal {proposal} took votes until block {votes_until}; it is {now}")]
    VotingOver {
        /// Which.
        proposal: ProposalId,
        /// Last U.
        votes_until: UsableHeight,
        /// U now.
        now: UsableHeight,
    },
    /// Nobody is registered as a bank under this key.
    #[error("{bank} is not registered as a bank")]
    NotABank {
        /// Which.
        bank: PublicKey,
    },
    /// The signer is registered already.
    #[error("the signer is registered as a bank already")]
    AlreadyABank,
    /// The handle has another form.
    #[error("a handle has 1 to {} lower-case letters, digits and '-'", crate::limits::MAX_NAME_BYTES)]
    BadHandle,
    /// Another bank has the handle.
    #[error("the handle @{handle} is {owner}'s")]
    HandleTaken {
        /// Which.
        handle: String,
        /// Whose.
        owner: PublicKey,
    },
    /// The URL has another form.
    #[error(
        "a URL begins with http:// or https:// and has at most {} visible characters",
        crate::limits::MAX_URL_BYTES
    )]
    BadUrl,
    /// More than all of what is mediated.
    #[error("a fee of {got} parts per million is more than the whole")]
    FeeTooHigh {
        /// Given.
        got: u32,
    },
    /// The ticker has another form.
    #[error("a ticker has 1 to {} capital letters and digits", crate::limits::MAX_NAME_BYTES)]
    BadTicker,
    /// Another asset has the ticker.
    #[error("the ticker {ticker} is asset {asset}'s")]
    TickerTaken {
        /// Which.
        ticker: String,
        /// Whose.
        asset: AssetId,
    },
    /// The full name has another form.
    #[error("a name has 1 to {} bytes and no control characters", crate::limits::MAX_NAME_BYTES)]
    BadName,
    /// More digits than anybody reads.
    #[error("{got} decimal digits; at most {} are allowed", crate::limits::MAX_DECIMALS)]
    TooManyDecimals {
        /// Given.
        got: u8,
    },
    /// More than any asset may have.
    #[error("a supply of {got}; at most {} are allowed", crate::limits::MAX_SUPPLY)]
    SupplyTooLarge {
        /// Given.
        got: Amount,
    },
    /// A release that is not the next.
    #[error("version {got} was announced before, or is older than one that was; the newest is {newest}")]
    OldVersion {
        /// Newest version announced, or that of the start.
        newest: u16,
        /// Given.
        got: u16,
    },
    /// A release before its proposal can take effect, or before an older version.
    #[error("a release for block {got}; {earliest} is the earliest")]
    ReleaseTooEarly {
        /// Earliest first height.
        earliest: Height,
        /// Given.
        got: Height,
    },
    /// Nothing that court could split.
    #[error("nothing is in the channel on-chain, and no state was shown")]
    NothingAtStake,
}

#[cfg(test)]
mod tests;
