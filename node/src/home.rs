//! Homes: the folder of one process.
//!
//! ```text
//! HOME/                0700
//!   config.toml        what the home is for and where it listens
//!   member.json        its public half, to be collected for a genesis document
//!   genesis.bin        the network
//!   lock               held while a process runs
//!   keys/              0700, each file 0600: 64 hexadecimal digits, an ed25519 seed
//!     signing.key      validator: signs blocks
//!     account.key      the account. A validator's process never reads it; it may be kept elsewhere
//!     operator.token   bank, wallet, merchant: what orders must show; made at the first start
//!   bank.toml          bank: what its operator decides; may be missing
//!   wallet.toml        wallet: the same
//!   merchant.toml      merchant: the same
//!   tower.toml         tower: the same
//!   onchain/db.sqlite  blocks and state; validator: consensus log
//!   offchain/db.sqlite bank, wallet, merchant, tower: channels and everything else that it must not lose
//! ```

use crate::error::NodeError;
use crate::local::Token;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::trust::Confirmed;
use fair_core::crypto::SecretKey;
use fair_core::types::PublicKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const CONFIG: &str = "config.toml";
const MEMBER: &str = "member.json";
const GENESIS: &str = "genesis.bin";
const SIGNING_KEY: &str = "keys/signing.key";
const ACCOUNT_KEY: &str = "keys/account.key";
const OPERATOR_TOKEN: &str = "keys/operator.token";

/// What a home is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Builds and certifies blocks.
    Validator,
    /// Mediates payments; holds the key of its account.
    Bank,
    /// Somebody's wallet without a person: sells and, on test networks, pays back.
    Wallet,
    /// A merchant's wallet: invoices, refunds and webhooks for a shop's server.
    Merchant,
    /// A watchtower: answers in court for users that are away; holds the key of its account.
    Tower,
}

/// `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What the home is for.
    pub(crate) kind: Kind,
    /// Where the process listens.
    pub(crate) listen: SocketAddr,
    /// Where others reach it.
    pub(crate) url: String,
    /// Public key of the account: a validator's fees go there.
    pub(crate) account: PublicKey,
    /// A wallet's way to the network: the URL of a relay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) relay: Option<String>,
    /// What leads on from a head that is too old; given with each start that needs it.
    #[serde(skip)]
    pub(crate) checkpoint: Option<Confirmed>,
    /// What the operator says of what was signed before; given with a start that needs it.
    #[serde(skip)]
    pub(crate) claims: Claims,
}

/// What an operator says of what a home's key has signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Nothing but what the databases tell.
    pub(crate) never_signed: bool,
    /// More than they tell.
    pub(crate) data_lost: bool,
}

/// `member.json`: what others need to know to put it into a genesis document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// What the home is for.
    pub(crate) kind: Kind,
    /// Account key.
    pub(crate) account: PublicKey,
    /// Block-signing key of a validator.
    pub(crate) signing_key: Option<PublicKey>,
    /// Where it is reached.
    pub(crate) url: String,
}

/// A home that exists.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    path: PathBuf,
}

/// Which key a new home gets for its account.
pub(crate) enum AccountKey {
    /// A fresh one.
    Fresh,
    /// This one, kept here.
    Given(SecretKey),
    /// This one, whose secret is kept in another home.
    Elsewhere(PublicKey),
}

impl Home {
    /// Makes a home with fresh keys. Refuses a folder that has one already.
    pub(crate) fn create(
        path: &Path,
        kind: Kind,
        listen: SocketAddr,
        url: String,
        account: AccountKey,
        relay: Option<String>,
    ) -> Result<(Self, Member), NodeError> {
        let home = Self { path: path.to_owned() };
        if home.file(CONFIG).exists() || home.file("keys").exists() {
            return Err(NodeError::Exists { path: path.to_owned() });
        }
        make_private_folder(path)?;
        make_private_folder(&home.file("keys"))?;
        let signing_key = match kind {
            Kind::Validator => {
                let key = fresh_key()?;
                write_key(&home.file(SIGNING_KEY), &key)?;
                Some(key.public())
            }
            Kind::Bank | Kind::Wallet | Kind::Merchant | Kind::Tower => None,
        };
        let account = match account {
            AccountKey::Fresh => {
                let key = fresh_key()?;
                write_key(&home.file(ACCOUNT_KEY), &key)?;
                key.public()
            }
            AccountKey::Given(key) => {
                write_key(&home.file(ACCOUNT_KEY), &key)?;
                key.public()
            }
            AccountKey::Elsewhere(account) => account,
        };
        let member = Member { kind, account, signing_key, url: url.clone() };
        let text = serde_json::to_string_pretty(&member).unwrap_or_default();
        write_new(&home.file(MEMBER), text.as_bytes(), 0o644)?;
        // The configuration comes last: a folder without it is no home.
        home.write_config(&Config { kind, listen, url, account, relay, checkpoint: None, claims: Claims::default() })?;
        Ok((home, member))
    }

    /// Opens a home.
    pub(crate) fn open(path: &Path) -> Result<(Self, Config), NodeError> {
        let home = Self { path: path.to_owned() };
        let file = home.file(CONFIG);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NodeError::NoHome { path: path.to_owned(), missing: CONFIG });
            }
            other => other.map_err(|error| NodeError::File { path: file.clone(), error })?,
        };
        let config =
            toml::from_str(&text).map_err(|error| NodeError::Content { path: file, reason: error.to_string() })?;
        Ok((home, config))
    }

    /// Reads one of the files that may be missing.
    pub(crate) fn settings<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, NodeError> {
        let path = self.file(name);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| NodeError::Content { path, reason: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(NodeError::File { path, error }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn write_config(&self, config: &Config) -> Result<(), NodeError> {
        let path = self.file(CONFIG);
        let text = toml::to_string(config)
            .map_err(|error| NodeError::Content { path: path.clone(), reason: error.to_string() })?;
        write_new(&path, text.as_bytes(), 0o644)
    }

    /// Keeps this process the only one of its home while the file is open.
    pub(crate) fn lock(&self) -> Result<File, NodeError> {
        let path = self.file("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = open.map_err(|error| NodeError::File { path: path.clone(), error })?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(NodeError::InUse { path: self.path.clone() }),
            Err(fs::TryLockError::Error(error)) => Err(NodeError::File { path, error }),
        }
    }

    pub(crate) fn signing_key(&self) -> Result<SecretKey, NodeError> {
        self.key(SIGNING_KEY)
    }

    /// Key of the account; a validator's process never reads it, all others need it.
    pub(crate) fn account_key(&self) -> Result<SecretKey, NodeError> {
        self.key(ACCOUNT_KEY)
    }

    /// What the operator's orders to the process of this home carry: whoever can read this file may give them.
    /// A process makes it at its first start.
    pub(crate) fn operator_token(&self) -> Result<Token, NodeError> {
        let path = self.file(OPERATOR_TOKEN);
        if !path.exists() {
            return Err(NodeError::NeverRan { path: self.path.clone(), missing: OPERATOR_TOKEN });
        }
        check_private(&path, 0o600)?;
        let text = fs::read_to_string(&path).map_err(|error| NodeError::File { path, error })?;
        Ok(Token::new(text.trim()))
    }

    /// Whether its process has served before, as far as what it makes then is there.
    pub(crate) fn has_run(&self) -> bool {
        self.file(OPERATOR_TOKEN).exists()
    }

    /// As [`Self::operator_token`], made if it is not there.
    pub(crate) fn make_operator_token(&self) -> Result<Token, NodeError> {
        let path = self.file(OPERATOR_TOKEN);
        if !path.exists() {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut_slice())
                .map_err(|error| NodeError::System { what: "randomness", reason: error.to_string() })?;
            write_new(&path, hex::encode(bytes.as_slice()).as_bytes(), 0o600)?;
        }
        self.operator_token()
    }

    fn key(&self, name: &'static str) -> Result<SecretKey, NodeError> {
        let path = self.file(name);
        if !path.exists() {
            return Err(NodeError::NoHome { path: self.path.clone(), missing: name });
        }
        check_private(&self.path, 0o700)?;
        check_private(&path, 0o600)?;
        let read = fs::read_to_string(&path).map(Zeroizing::new);
        let text = read.map_err(|error| NodeError::File { path: path.clone(), error })?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), seed.as_mut_slice())
            .map_err(|_| NodeError::Content { path, reason: "a key is 64 hexadecimal digits".to_owned() })?;
        Ok(SecretKey::from_seed(&seed))
    }

    /// The genesis document, checked, with its bytes.
    pub(crate) fn genesis(&self) -> Result<(Genesis, Vec<u8>), NodeError> {
        let path = self.file(GENESIS);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NodeError::NoHome { path: self.path.clone(), missing: GENESIS });
            }
            other => other.map_err(|error| NodeError::File { path, error })?,
        };
        Ok((Genesis::decode(&bytes)?, bytes))
    }

    /// Puts the network's document into the home.
    pub(crate) fn place_genesis(&self, bytes: &[u8]) -> Result<(), NodeError> {
        write_new(&self.file(GENESIS), bytes, 0o644)
    }

    /// The folder of a database, made if it is not there.
    pub(crate) fn database(&self, folder: &str) -> Result<PathBuf, NodeError> {
        let path = self.file(folder);
        make_private_folder(&path)?;
        Ok(path.join("db.sqlite"))
    }
}

/// Reads the public half of a home.
pub(crate) fn read_member(path: &Path) -> Result<Member, NodeError> {
    let text = fs::read_to_string(path).map_err(|error| NodeError::File { path: path.to_owned(), error })?;
    serde_json::from_str(&text).map_err(|error| NodeError::Content { path: path.to_owned(), reason: error.to_string() })
}

/// A key of the system's randomness.
pub(crate) fn fresh_key() -> Result<SecretKey, NodeError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|error| NodeError::System { what: "randomness", reason: error.to_string() })?;
    Ok(SecretKey::from_seed(&seed))
}

fn write_key(path: &Path, key: &SecretKey) -> Result<(), NodeError> {
    let text = Zeroizing::new(hex::encode(key.seed().as_slice()));
    write_new(path, text.as_bytes(), 0o600)
}

/// Writes a file that must not exist yet, durably.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), NodeError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => NodeError::Exists { path: path.to_owned() },
        _ => NodeError::File { path: path.to_owned(), error },
    })
}

/// Makes a folder for its owner alone, with those above it.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), NodeError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| NodeError::File { path: path.to_owned(), error })
}

fn check_private(path: &Path, wanted: u32) -> Result<(), NodeError> {
    let metadata = fs::metadata(path).map_err(|error| NodeError::File { path: path.to_owned(), error })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(NodeError::NotPrivate { path: path.to_owned(), mode, wanted }) }
}

#[cfg(test)]
mod tests;
