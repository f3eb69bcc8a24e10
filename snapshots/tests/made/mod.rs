//! Snapshots to write: one block of one validator over a genesis of some size.
#![allow(dead_code, reason = "each file of tests uses a part")]

use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::chain::params::Parameters;
use fair_core::chain::snapshot::{Reader, Snapshot};
use fair_core::crypto::SecretKey;
use fair_core::message::Message as _;
use fair_core::types::{AssetId, PublicKey};

const START_MS: u64 = 1_700_000_000_000;

/// A chain whose blocks are empty.
pub(crate) struct Made {
    genesis: Genesis,
    follower: Follower,
}

fn validator() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

impl Made {
    /// With so many accounts.
    pub(crate) fn new(accounts: u32) -> Self {
        let key = |number: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            SecretKey::from_seed(&bytes).public()
        };
        let account =
            |key: PublicKey| GenesisAccount { key, balances: vec![(AssetId::FRD, 1_000), (AssetId::FRB, 1_000)] };
        let validator = Validator {
            account: validator().public(),
            signing_key: validator().public(),
            shares: 1,
            url: "http://127.0.0.1:9".to_owned(),
        };
        let mut accounts: Vec<_> = (1..accounts).map(|number| account(key(number))).collect();
        accounts.push(account(validator.account));
        let supply = 1_000 * accounts.len() as u64;
        let asset =
            |id, ticker: &str| Asset { id, ticker: ticker.to_owned(), name: ticker.to_owned(), decimals: 2, supply };
        let genesis = Genesis {
            network: "made".to_owned(),
            purpose: Purpose::Test,
            time_ms: START_MS,
            parameters: Parameters::DEMO,
            validators: ValidatorSet { validators: vec![validator] },
            assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
            accounts,
            banks: Vec::new(),
        };
        genesis.check().expect("a genesis");
        let follower = Follower::new(&genesis);
        Self { genesis, follower }
    }

    /// The snapshot after one more block.
    pub(crate) fn next(&mut self) -> Snapshot {
        let built = self.follower.build([], validator().public(), START_MS);
        self.follower.commit(built.step);
        let header = built.block.header;
        let vote = Precommit { height: header.height, round: 0, block_hash: Some(header.hash()) };
        let signatures = vec![Some(vote.sign(&header.chain_id, &validator()))];
        let certificate = Certificate { height: header.height, round: 0, block_hash: header.hash(), signatures };
        Snapshot::new(&self.genesis, Vec::new(), header, certificate, self.follower.state())
    }

    /// Reads snapshots of this chain.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.genesis.chain_id(), None, START_MS + 3_600_000)
    }
}
