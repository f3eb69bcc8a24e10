//! Blocks and certificates.

use crate::measure::{Signatures, Table, median, per_second, times};
use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Bank, Genesis, GenesisAccount, Purpose};
use fair_core::chain::header::Header;
use fair_core::chain::params::Parameters;
use fair_core::chain::verify;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::message::{Message as _, Signed};
use fair_core::types::{AssetId, Hash};

const BATCHES: usize = 1_000;

pub(crate) fn key(number: usize) -> SecretKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    SecretKey::from_seed(&seed)
}

fn validators(count: usize) -> ValidatorSet {
    let mut validators: Vec<Validator> = (0..count)
        .map(|i| Validator {
            account: key(i).public(),
            signing_key: key(1_000_000 + i).public(),
            shares: 1,
            url: String::new(),
        })
        .collect();
    validators.sort_by_key(|validator| validator.account);
    ValidatorSet { validators }
}

/// A chain with so many funded accounts; account 0 is bank and validator.
pub(crate) fn genesis(accounts: usize) -> Genesis {
    let supply = 1_000_000 * accounts as u64;
    Genesis {
        network: "bench".to_owned(),
        purpose: Purpose::Test,
        time_ms: 0,
        parameters: Parameters::MAIN,
        validators: validators(1),
        assets: [("FRD", "Fair dollar"), ("FRB", "Fair bet")]
            .into_iter()
            .zip(1..)
            .map(|((ticker, name), id)| Asset {
                id: AssetId(id),
                ticker: ticker.to_owned(),
                name: name.to_owned(),
                decimals: 2,
                supply,
            })
            .collect(),
        accounts: (0..accounts)
            .map(|i| GenesisAccount {
                key: key(i).public(),
                balances: vec![(AssetId::FRD, 1_000_000), (AssetId::FRB, 1_000_000)],
            })
            .collect(),
        banks: vec![Bank {
            key: key(0).public(),
            handle: "main".to_owned(),
            url: String::new(),
            fee_base: 0,
            fee_ppm: 0,
            insurance_price: 0,
        }],
    }
}

/// Executing a block of deposits into channels with one bank, at three sizes of state.
pub(crate) fn blocks(table: &mut Table, signatures: &Signatures) {
    for accounts in [1_001, 10_000, 100_000] {
        let genesis = genesis(accounts);
        assert_eq!(genesis.check(), Ok(()), "the benchmark's genesis");
        let chain_id = genesis.chain_id();
        let follower = Follower::new(&genesis);
        let bank = key(0).public();
        let batches: Vec<Signed<Batch>> = (1..=BATCHES)
            .map(|i| {
                let signer = key(i);
                let deposit = Deposit {
                    asset: AssetId::FRD,
                    amount: 5_000,
                    to: signer.public(),
                    partner: Some(bank),
                    keep: 0,
                    epoch: None,
                    invoice: None,
                };
                let batch = Batch {
                    signer: signer.public(),
                    nonce: 0,
                    valid_until: 10,
                    fee_rate: genesis.parameters.min_fee_rate,
                    entries: vec![Entry { group: None, operation: Operation::Deposit(deposit) }],
                };
                Signed::new(batch, &chain_id, &signer)
            })
            .collect();
        let built = follower.build(&batches, bank, 1_000_000);
        assert_eq!(built.block.batches.len(), BATCHES, "every batch is included");
        let time = median(|| (), |()| follower.execute(&built.block));
        table.add(
            &format!("execute a block of {BATCHES} deposits, {accounts} accounts, per batch"),
            time / 1_000,
            per_second(time, BATCHES),
            times(time / 1_000, signatures.verify, "verify"),
        );
    }
}

/// What a client does for every header.
pub(crate) fn certificates(table: &mut Table, signatures: &Signatures) {
    for count in [4, 100] {
        let set = validators(count);
        let chain_id = Hash([7; 32]);
        let header = Header {
            version: 1,
            chain_id,
            height: 1,
            time_ms: 0,
            proposer: set.validators[0].account,
            previous: Hash::ZERO,
            usable_height: 0,
            batches_root: Hash::ZERO,
            state_root: Hash::ZERO,
            validators_hash: set.hash(),
            next_validators_hash: set.hash(),
            parameters_hash: Hash::ZERO,
        };
        let vote = Precommit { height: 1, round: 0, block_hash: Some(header.hash()) };
        let signing: Vec<SecretKey> = (0..count).map(|i| key(1_000_000 + i)).collect();
        let certificate = Certificate {
            height: 1,
            round: 0,
            block_hash: header.hash(),
            signatures: set
                .validators
                .iter()
                .map(|validator| signing.iter().find(|key| key.public() == validator.signing_key))
                .map(|key| key.map(|key| vote.sign(&chain_id, key)))
                .collect(),
        };
        assert_eq!(verify::certificate(&header, &certificate, &set), Ok(()), "the benchmark's certificate");
        let time = median(|| (), |()| verify::certificate(&header, &certificate, &set));
        table.add(
            &format!("verify a certificate of {count} signatures"),
            time,
            per_second(time, 1),
            times(time / u32::try_from(count).unwrap_or(1), signatures.verify, "verify a signature"),
        );
    }
}
