//! Bounds on what is decoded, kept and worked through, in one place. Bounds that the chain may change
//! are parameters (`chain::params`).

/// Longest encoded header in bytes.
pub const MAX_HEADER_BYTES: usize = 1024;
/// Longest encoded genesis document in bytes.
pub const MAX_GENESIS_BYTES: usize = 1 << 20;
/// Longest encoded block in bytes, whatever the parameters say: header, batches and framing.
pub const MAX_BLOCK_BYTES: usize = 8 << 20;
/// Longest encoded way back from a block that is stored: what a full block touches, but for one made to touch more.
pub const MAX_UNDO_BYTES: usize = 16 * MAX_BLOCK_BYTES;
/// Longest encoded certificate in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 64 + MAX_VALIDATORS * 65;
/// Longest certified block in bytes.
pub const MAX_CERTIFIED_BLOCK_BYTES: usize = MAX_BLOCK_BYTES + MAX_CERTIFICATE_BYTES;
/// Longest batch in bytes, whatever the parameters say.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// Most operations in one batch.
pub const MAX_OPERATIONS: usize = 4096;
/// Most validators of a set.
pub const MAX_VALIDATORS: usize = 256;
/// Largest supply of an asset: leaves room for sums in i64 and far more in i128.
pub const MAX_SUPPLY: u64 = 1 << 62;
/// Most decimal digits after the point of an asset.
pub const MAX_DECIMALS: u8 = 18;
/// Largest proportional fee of a bank, in parts per million: all of the amount.
pub const MAX_FEE_PPM: u32 = 1_000_000;
/// Longest URL in bytes.
pub const MAX_URL_BYTES: usize = 256;
/// Longest handle, ticker or network name in bytes.
pub const MAX_NAME_BYTES: usize = 32;
/// Longest public tag of a deposit (an invoice id) in bytes.
pub const MAX_INVOICE_TAG_BYTES: usize = 32;
/// Most secrets in one reveal.
pub const MAX_SECRETS: usize = 256;
/// Longest text of a proposal in bytes.
pub const MAX_PROPOSAL_TEXT_BYTES: usize = 4096;
/// Longest rationale of a vote in bytes.
pub const MAX_RATIONALE_BYTES: usize = 1024;
/// Places for proposals that are open or wait for their effect: validators share them, and each has at least one.
pub const PROPOSAL_PLACES: usize = 64;
/// Most steps of proposals in one block, as many as all validators have places; the rest carries over in key order.
pub const MAX_PROPOSAL_STEPS: usize = MAX_VALIDATORS;
/// Bytes of K.max_block for each of which a block does one piece of work on disputes that are due: it looks at one,
/// splits one asset, or counts one lock. So what one block begins takes about one block to end; the rest carries over
/// in key order. The cheapest pieces of work are a lock (56 bytes of a state) and half of a dispute with what was
/// deposited for it (124 bytes).
pub const BYTES_PER_RESOLUTION_WORK: u32 = 64;
/// Most registry entries that one block deletes; the rest carries over in key order.
pub const MAX_DELETIONS: usize = 1024;
/// Most payments of debts in one block; the rest carries over.
pub const MAX_DEBT_PAYMENTS: u32 = 16_384;
/// Bytes after which a chunk of a snapshot's state ends; none is longer.
pub const SNAPSHOT_CHUNK_BYTES: usize = 256 << 10;
/// Most chunks of a snapshot.
pub const MAX_SNAPSHOT_CHUNKS: usize = 1 << 14;
/// Most headers of a snapshot that change the validators.
pub const MAX_SNAPSHOT_TURNS: usize = 1 << 14;
/// Most trusted headers that a light client keeps, the newest.
pub const MAX_TRUSTED_HEADERS: usize = 256;
/// Most blocks between a head that is too old and a checkpoint that leads on: their hashes are in memory.
pub const MAX_LEAD: u64 = 1 << 20;
/// Longest message between validators in bytes: a proposal with a full block, and room for certificates.
pub const MAX_CONSENSUS_MESSAGE_BYTES: usize = MAX_BLOCK_BYTES + (64 << 10);
/// Most messages of one validator that are kept for a height that has not begun here.
pub const MAX_EARLY_MESSAGES: usize = 32;
/// Most blocks of one validator among them.
pub const MAX_EARLY_PROPOSALS: usize = 2;
/// Most different blocks that are executed for one round: a second one already proves misbehaviour.
pub const MAX_PROPOSALS_PER_ROUND: usize = 2;
/// How many rounds ahead of the current one messages are accepted.
pub const MAX_ROUNDS_AHEAD: u32 = 10;
/// How far a fresh proposal's time may lie from the local clock, and a header's ahead of it.
pub const CLOCK_DRIFT_MS: u64 = 5_000;

/// Longest description of an invoice in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 640;
/// Most banks that an invoice or address names.
pub const MAX_PAYEE_BANKS: usize = 8;
/// Longest signed invoice in bytes.
pub const MAX_INVOICE_BYTES: usize = 2048;
/// Longest address in bytes.
pub const MAX_ADDRESS_BYTES: usize = 512;
/// Longest proof of payment in bytes: an invoice, a preimage, a receipt.
pub const MAX_PROOF_BYTES: usize = MAX_INVOICE_BYTES + 256;
/// Longest invoice, address or proof as text, in characters (five bits each).
pub const MAX_TEXT_CHARS: usize = 4096;
/// Steps after which a search for a route gives up.
pub const MAX_ROUTE_STEPS: usize = 20_000;
/// Most banks that a search for a route looks at.
pub const MAX_ROUTE_BANKS: usize = 64;
/// Most banks that a wallet made from its words asks for its channels.
pub const MAX_BANKS_ASKED: usize = 64;
/// Most actions in the draft of a batch.
pub const MAX_DRAFT_ACTIONS: usize = 256;
/// Most court batches of one account that wait for a block at a time.
pub const MAX_COURT_BATCHES: usize = 16;
/// Heights for which a court batch waits before it is signed again at twice the rate.
pub const COURT_PATIENCE_HEIGHTS: u64 = 4;
/// Times K.min_fee_rate that a court batch offers at the most.
pub const COURT_MOST_FEE_RATES: u64 = 100;
/// Longest stored record of an account, bank or wallet in bytes.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// Longest payload of a session in bytes.
pub const MAX_SESSION_PAYLOAD_BYTES: usize = 2 << 20;
/// Longest sealed payload of a session in bytes: what a host accepts as one WebSocket message.
pub const MAX_SESSION_MESSAGE_BYTES: usize = MAX_SESSION_PAYLOAD_BYTES + (MAX_SESSION_PAYLOAD_BYTES / 65_518 + 1) * 17;
/// Sealed records of one direction after which a session takes new keys.
pub const SESSION_REKEY_RECORDS: u64 = 1 << 16;

const _: () = assert!(PROPOSAL_PLACES <= MAX_PROPOSAL_STEPS);
const _: () = assert!(MAX_PROOF_BYTES * 8 / 5 + 32 < MAX_TEXT_CHARS);
const _: () = assert!(MAX_BATCH_BYTES < MAX_BLOCK_BYTES);
const _: () = assert!(MAX_HEADER_BYTES < MAX_BLOCK_BYTES);

/// Longest note of an unconditional payment in bytes.
pub const MAX_NOTE_BYTES: usize = 256;
/// Longest onion in bytes.
pub const MAX_ONION_BYTES: usize = 4096;
/// Most transitions in one frame.
pub const MAX_FRAME_TRANSITIONS: usize = 256;
/// Longest message between the parties of a channel in bytes.
pub const MAX_PEER_MESSAGE_BYTES: usize = 2 << 20;
/// Most wishes that wait in a channel.
pub const MAX_CHANNEL_QUEUE: usize = 1024;
/// Own frames refused in a row before a channel is suspended.
pub const MAX_REFUSALS: u32 = 4;
/// Most refused own frames that are alive in court at once; beyond it nothing is proposed.
pub const MAX_ALIVE_STATES: usize = 16;
/// Most received payments and locks that wait for a fresh head to be reported; beyond it no frame is taken.
pub const MAX_UNREPORTED: usize = 4096;
/// Misbehaviours of a partner that are kept.
pub const MAX_MISBEHAVIOURS: usize = 16;
/// Longest durable record of a channel in bytes.
pub const MAX_CHANNEL_RECORD_BYTES: usize = 32 << 20;

const _: () = assert!(MAX_FRAME_TRANSITIONS * (MAX_ONION_BYTES + 128) < MAX_PEER_MESSAGE_BYTES);
const _: () = assert!(MAX_CHANNEL_QUEUE * (MAX_ONION_BYTES + 128) < MAX_CHANNEL_RECORD_BYTES / 4);
const _: () = assert!(MAX_PEER_MESSAGE_BYTES <= MAX_SESSION_PAYLOAD_BYTES);

/// Longest message between a tower and a client in bytes: a largest state with two signatures.
pub const MAX_TOWER_MESSAGE_BYTES: usize = 64 << 10;
/// Channels between two accounts for which a tower has room, unless its operator says otherwise. A room is sized for a
/// largest state, so that a newer one always fits where an older one was.
pub const TOWER_CHANNELS: usize = 16_384;
/// Rooms for channels with one party that has no account.
pub const TOWER_STRANGERS: usize = 8_192;
/// Most of them with one account: it could make any number for nothing.
pub const TOWER_STRANGERS_PER_ACCOUNT: usize = 4_096;
/// Most channels that one client hands over.
pub const TOWER_CHANNELS_PER_CLIENT: usize = 256;
/// New states that a client may hand over at once.
pub const TOWER_BURST: u64 = 256;
/// New states per second that it may hand over on and on.
pub const TOWER_STATES_PER_SECOND: u64 = 64;
/// Blocks that a tower's batch waits at one fee before it offers a higher one.
pub const TOWER_PATIENCE_HEIGHTS: u64 = 2;
/// A tower offers at most so many times the least fee rate, and beyond it only what takes the place of a batch with
/// fewer answers.
pub const TOWER_MOST_FEE_RATES: u64 = 100;
/// Bytes of a batch with one answer beside the channel state.
pub const TOWER_ANSWER_BYTES: usize = 512;
/// What an insurance may cost, in parts per million of what it insures, where no person says more.
pub const USUAL_PRICE_PPM: u64 = 10_000;
/// Towers of one wallet.
pub const MAX_TOWERS: usize = 8;
/// Misbehaviours of a tower that a wallet keeps.
pub const MAX_TOWER_MISBEHAVIOURS: usize = 8;
/// A wallet waits this long for a tower's receipt before it hands the state over again.
pub const TOWER_RESEND_MS: u64 = 10_000;
/// It waits this long after a tower declined a state.
pub const TOWER_DECLINED_PAUSE_MS: u64 = 5_000;

const _: () = assert!(TOWER_STRANGERS_PER_ACCOUNT <= TOWER_STRANGERS);
const _: () = assert!(TOWER_BURST >= TOWER_STATES_PER_SECOND);
