//! The wallet itself: words, password, account key, and when the key is in memory.

use super::Core;
use crate::changes::Changes;
use crate::error::{Datum, Error};
use crate::keys::Words;
use crate::keys::vault::{Entropy, Vault};
use crate::record;
use crate::store::Store;
use crate::view::{Status, WordList};
use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::types::PublicKey;
use fair_core::wallet::Wallet as Machine;
use std::rc::Rc;
use zeroize::Zeroizing;

/// What is known of a wallet without its password.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Profile {
    words_confirmed: bool,
}

/// A wallet, or none.
pub(super) struct Wallet {
    vault: Option<Vault>,
    profile: Profile,
    /// Words and account key while it is unlocked.
    open: Option<(Words, SecretKey)>,
}

impl Wallet {
    pub(super) async fn load(store: &Store) -> Result<Self, Error> {
        let vault = match store.get(&record::vault()).await? {
            Some(bytes) => Some(Vault::decode(&bytes)?),
            None => None,
        };
        let profile = match store.get(&record::profile()).await? {
            Some(bytes) => codec::decode(&bytes, 64).map_err(|error| {
                Error::new("storage.damaged", format!("The wallet's record cannot be read: {error}"))
            })?,
            None => Profile::default(),
        };
        Ok(Self { vault, profile, open: None })
    }

    pub(super) fn account(&self) -> Option<PublicKey> {
        self.vault.as_ref().map(Vault::account)
    }

    pub(super) const fn words_confirmed(&self) -> bool {
        self.profile.words_confirmed
    }

    pub(super) fn key(&self) -> Result<SecretKey, Error> {
        match (&self.open, &self.vault) {
            (Some((_, key)), _) => Ok(key.clone()),
            (None, Some(_)) => Err(Error::new("wallet.locked", "The wallet is locked; enter the password first.")),
            (None, None) => Err(no_wallet()),
        }
    }

    fn vault(&self) -> Result<Vault, Error> {
        self.vault.clone().ok_or_else(no_wallet)
    }
}

impl Core {
    pub(super) async fn create(self: &Rc<Self>, words: u64, password: &str) -> Result<WordList, Error> {
        let length = match words {
            12 => 16,
            24 => 32,
            got => return Err(Error::new("input.words", "A wallet has 12 or 24 words.").with("got", got)),
        };
        let mut entropy = Zeroizing::new([0; 32]);
        fill(&mut *entropy)?;
        let words = Words::from_entropy(&entropy[..length])?;
        self.adopt(&words, password, Profile { words_confirmed: false }, Changes::default()).await?;
        Ok(WordList { words: words.list() })
    }

    pub(super) async fn restore(self: &Rc<Self>, words: &[String], password: &str) -> Result<Status, Error> {
        let words = Words::parse(&Zeroizing::new(words.join(" ")))?;
        // With the words, not after them: a wallet that began as a new one would sign what it must not.
        let mut first = Changes::default();
        let (key, value) = Machine::first_record_from_words();
        first.put(record::machine(&key), value);
        self.adopt(&words, password, Profile { words_confirmed: true }, first).await?;
        Ok(self.status())
    }

    /// Stores the words, with what the machine's records begin with.
    async fn adopt(
        self: &Rc<Self>,
        words: &Words,
        password: &str,
        profile: Profile,
        mut changes: Changes,
    ) -> Result<(), Error> {
        if self.you().is_some() {
            return Err(Error::new("wallet.exists", "There is a wallet here already; wipe it before making another."));
        }
        let vault = Vault::seal(words, password, &entropy()?)?;
        changes.put(record::vault(), codec::encode(&vault));
        changes.put(record::profile(), codec::encode(&profile));
        self.store.commit(changes).await?;
        {
            let mut wallet = self.wallet.borrow_mut();
            wallet.vault = Some(vault);
            wallet.profile = profile;
            wallet.open = Some((words.clone(), words.account_key()));
        }
        self.emit_status();
        self.unlocked().await
    }

    pub(super) async fn confirm_words(&self, answers: &[(usize, String)]) -> Result<Status, Error> {
        let wrong = match &self.wallet.borrow().open {
            Some((words, _)) => words.wrong_answers(answers),
            None => return Err(self.key().err().unwrap_or_else(no_wallet)),
        };
        if !wrong.is_empty() || answers.is_empty() {
            let positions = wrong.into_iter().map(Datum::from).collect();
            return Err(Error::new("wallet.wrong_words", "Some of the words are not those of this wallet.")
                .with("positions", Datum::List(positions)));
        }
        let profile = Profile { words_confirmed: true };
        let mut changes = Changes::default();
        changes.put(record::profile(), codec::encode(&profile));
        self.store.commit(changes).await?;
        self.wallet.borrow_mut().profile = profile;
        self.emit_status();
        Ok(self.status())
    }

    pub(super) async fn unlock(self: &Rc<Self>, password: &str) -> Result<Status, Error> {
        let vault = self.wallet.borrow().vault()?;
        let words = vault.open(password)?;
        let key = words.account_key();
        self.wallet.borrow_mut().open = Some((words, key));
        self.emit_status();
        self.unlocked().await?;
        Ok(self.status())
    }

    pub(super) fn lock(&self) -> Status {
        self.wallet.borrow_mut().open = None;
        self.locked();
        self.emit_status();
        self.status()
    }

    pub(super) fn words(&self, password: &str) -> Result<WordList, Error> {
        let words = self.wallet.borrow().vault()?.open(password)?;
        Ok(WordList { words: words.list() })
    }

    pub(super) async fn change_password(&self, old: &str, new: &str) -> Result<Status, Error> {
        let words = self.wallet.borrow().vault()?.open(old)?;
        let vault = Vault::seal(&words, new, &entropy()?)?;
        let mut changes = Changes::default();
        changes.put(record::vault(), codec::encode(&vault));
        self.store.commit(changes).await?;
        self.wallet.borrow_mut().vault = Some(vault);
        Ok(self.status())
    }

    /// Deletes everything of the wallet; the chain stays.
    pub(super) async fn wipe(self: &Rc<Self>) -> Result<Status, Error> {
        self.lock();
        let _writing = self.writing.lock().await;
        let store = self.store.clone();
        let mut changes = Changes::default();
        for (key, _) in store.range(&[0x01], &[0xff], u32::MAX).await? {
            changes.delete(key);
        }
        store.commit(changes).await?;
        *self.wallet.borrow_mut() = Wallet::load(&store).await?;
        self.emit_status();
        self.emit_draft();
        Ok(self.status())
    }

    /// Begins everything that needs the key.
    async fn unlocked(self: &Rc<Self>) -> Result<(), Error> {
        self.start_machine().await?;
        self.feed_machine().await;
        self.emit_draft();
        Ok(())
    }

    /// Ends everything that needs the key.
    fn locked(&self) {
        self.end_sessions();
        *self.machine.borrow_mut() = None;
        self.emit_draft();
    }
}

fn no_wallet() -> Error {
    Error::new("wallet.none", "There is no wallet here yet.")
}

/// Fresh randomness from the browser.
pub(super) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(
            "engine.no_entropy",
            format!("The browser gives no randomness ({error}), and no key is made without."),
        )
    })
}

fn entropy() -> Result<Entropy, Error> {
    let mut entropy = [0; 40];
    fill(&mut entropy)?;
    Ok(entropy)
}
