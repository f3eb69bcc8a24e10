//! `tower.toml` in a tower's home: what its operator decides. Every line may be left out.

use crate::error::NodeError;
use crate::home::Home;
use fair_core::chain::genesis::Genesis;
use fair_core::tower;
use fair_core::types::PublicKey;
use serde::Deserialize;
use std::collections::BTreeSet;

const FILE: &str = "tower.toml";

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    /// Validators or relays to fetch blocks from; the genesis document's validators when empty.
    follow: Vec<String>,
    /// Account keys of its clients; everybody when empty.
    clients: BTreeSet<PublicKey>,
    /// Rooms for channels between two accounts.
    channels: usize,
    /// Rooms for channels with one party that has no account.
    strangers: usize,
    /// Most of those with one account.
    strangers_per_account: usize,
    /// Most channels of one client.
    channels_per_client: usize,
}

impl Default for File {
    fn default() -> Self {
        let tower::Config { channels, strangers, strangers_per_account, channels_per_client, .. } =
            tower::Config::default();
        Self {
            follow: Vec::new(),
            clients: BTreeSet::new(),
            channels,
            strangers,
            strangers_per_account,
            channels_per_client,
        }
    }
}

/// What a tower runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) machine: tower::Config,
    pub(super) follow: Vec<String>,
}

impl Settings {
    /// Reads the file, if there is one.
    pub(super) fn read(home: &Home, genesis: &Genesis) -> Result<Self, NodeError> {
        let validators = genesis.validators.validators.iter().map(|validator| validator.url.clone());
        Ok(Self::of(home.settings(FILE)?, validators))
    }

    fn of(file: File, validators: impl Iterator<Item = String>) -> Self {
        let File { follow, clients, channels, strangers, strangers_per_account, channels_per_client } = file;
        let clients = (!clients.is_empty()).then_some(clients);
        Self {
            machine: tower::Config { clients, channels, strangers, strangers_per_account, channels_per_client },
            follow: if follow.is_empty() { validators.collect() } else { follow },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_be_left_out_but_not_misspelt() {
        let of = |text: &str| toml::from_str::<File>(text).map(|file| Settings::of(file, std::iter::empty()));
        assert_eq!(of("").unwrap().machine, tower::Config::default());
        let key = "ab".repeat(32);
        let settings = of(&format!("clients = [\"{key}\"]\nchannels = 3\nfollow = [\"http://x\"]")).unwrap();
        assert_eq!(settings.machine.clients.unwrap().len(), 1);
        assert_eq!((settings.machine.channels, settings.follow.len()), (3, 1));
        for bad in ["client = []", "clients = [\"ab\"]", "channels = -1"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
