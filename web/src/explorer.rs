//! Answers about the verified chain, in the shapes that pages see. Pure functions of the state and of
//! stored blocks.

mod court;
mod governance;
mod operation;
pub mod parameters;

pub use governance::Base;

use crate::chain::block::StoredBlock;
use crate::error::Error;
use crate::view::{
    Account, AccountRef, AccountRow, Asset, AssetAmount, Bank, Batch, Block, BlockSummary, ChainChannel,
    ChainChannelAsset, ExecutedOperation, Receipt, Shares, Signature, Validator, VerifiedAt,
};
use fair_core::chain::genesis::Genesis;
use fair_core::codec;
use fair_core::ledger::batch::{self, Batch as CoreBatch};
use fair_core::ledger::receipt::{BatchOutcome, Receipt as CoreReceipt};
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::payment::address::{Address, BadAddress};
use fair_core::types::{AssetId, Parties, PublicKey, Side};
use std::collections::BTreeMap;

/// The state, and who is asking.
#[derive(Clone, Copy)]
pub struct Explorer<'a> {
    /// State after the head.
    pub state: &'a State,
    /// The own account, if there is a wallet.
    pub you: Option<PublicKey>,
}

impl Explorer<'_> {
    /// A key with its number and handle.
    pub fn reference(&self, key: &PublicKey) -> AccountRef {
        AccountRef {
            id: self.state.account_id(key).map(Into::into),
            key: *key,
            handle: self.state.bank(key).map(|bank| bank.handle.clone()),
            you: self.you == Some(*key),
        }
    }

    /// What a person wrote for an account: number, key, address or `@handle`.
    ///
    /// # Errors
    /// `chain.unknown_account`; `payment.wrong_network` for an address of another network. A key needs no
    /// account.
    pub fn resolve(&self, text: &str) -> Result<PublicKey, Error> {
        let text = text.trim();
        let unknown = || {
            Error::new("chain.unknown_account", format!("There is no account {text} on this network."))
                .with("got", text)
        };
        if let Some(handle) = text.strip_prefix('@') {
            return self.state.banks().find(|bank| bank.handle == handle).map(|bank| bank.key).ok_or_else(unknown);
        }
        if let Ok(key) = text.to_ascii_lowercase().parse() {
            return Ok(key);
        }
        match Address::from_text(text, &self.state.chain_id()) {
            Ok(address) => return Ok(address.key),
            Err(BadAddress::WrongNetwork) => {
                return Err(Error::new("payment.wrong_network", "This address belongs to another network."));
            }
            Err(_) => {}
        }
        let id = text.strip_prefix('#').unwrap_or(text).parse().map_err(|_| unknown())?;
        self.state.account_key(id).ok_or_else(unknown)
    }

    /// A block in short.
    pub fn summary(&self, block: &StoredBlock, genesis: &Genesis) -> BlockSummary {
        let header = &block.certified.block.header;
        let batches = &block.certified.block.batches;
        let set = self.validator_set(&header.validators_hash, genesis);
        let signatures = set
            .map_or(&[][..], |set| &set.validators)
            .iter()
            .zip(&block.certified.certificate.signatures)
            .map(|(validator, signature)| Signature {
                validator: self.reference(&validator.account),
                shares: validator.shares.into(),
                signed: signature.is_some(),
            })
            .collect();
        BlockSummary {
            height: header.height.into(),
            hash: header.hash(),
            time: header.time_ms.into(),
            proposer: self.reference(&header.proposer),
            signatures,
            batches: batches.len().into(),
            operations: batches.iter().map(|batch| batch.body.entries.len()).sum::<usize>().into(),
            bytes: codec::encode(&block.certified).len().into(),
        }
    }

    /// A block with everything in it.
    pub fn block(&self, block: &StoredBlock, genesis: &Genesis) -> Block {
        let header = &block.certified.block.header;
        Block {
            summary: self.summary(block, genesis),
            version: header.version,
            round: block.certified.certificate.round,
            previous: header.previous,
            usable: header.usable_height.into(),
            batches_root: header.batches_root,
            state_root: header.state_root,
            validators_hash: header.validators_hash,
            next_validators_hash: header.next_validators_hash,
            parameters_hash: header.parameters_hash,
            openings: block.openings.iter().map(|opening| self.opening(opening)).collect(),
            contents: self.batches(block).collect(),
            mode: "full",
        }
    }

    /// The batches of a block.
    pub fn batches<'b>(&'b self, block: &'b StoredBlock) -> impl Iterator<Item = Batch> + 'b {
        block.certified.block.batches.iter().zip(&block.outcomes).map(|(signed, outcome)| self.batch(signed, outcome))
    }

    /// A batch with what became of it.
    pub fn batch(&self, signed: &Signed<CoreBatch>, outcome: &BatchOutcome) -> Batch {
        let body = &signed.body;
        let operations = body
            .entries
            .iter()
            .zip(&outcome.operations)
            .map(|(entry, outcome)| ExecutedOperation {
                operation: self.operation(&entry.operation),
                group: entry.group,
                receipt: self.receipt(&outcome.receipt),
            })
            .collect();
        Batch {
            hash: outcome.hash,
            signer: self.reference(&body.signer),
            nonce: body.nonce.into(),
            valid_until: body.valid_until.into(),
            fee_rate: body.fee_rate,
            bytes: batch::signed_bytes(signed).into(),
            fee: outcome.fee,
            operations,
            debts: self.flows(&outcome.debts),
        }
    }

    /// What became of an operation.
    pub fn receipt(&self, receipt: &CoreReceipt) -> Receipt {
        match receipt {
            CoreReceipt::Applied { registered } => Receipt::Applied {
                registered: registered.map(|made| AccountRef { id: Some(made.id.into()), ..self.reference(&made.key) }),
            },
            CoreReceipt::Skipped { reason } => Receipt::Skipped { reason: Error::of("batch", reason) },
        }
    }

    /// On-chain balances of an account.
    pub fn balances(&self, key: &PublicKey) -> Vec<AssetAmount> {
        let balances = self.state.account(key).map(|account| account.balances).unwrap_or_default();
        balances.into_iter().map(|(asset, amount)| AssetAmount { asset, amount }).collect()
    }

    /// A registered account; `recent` is looked up by the caller.
    ///
    /// # Errors
    /// `chain.unknown_account`.
    pub fn account(&self, key: &PublicKey, at: VerifiedAt) -> Result<Account, Error> {
        let account = self.state.account(key).ok_or_else(|| {
            Error::new("chain.unknown_account", "This key has no account on this network yet.")
                .with("got", key.to_string())
        })?;
        let channels = self.state.partners(key).filter_map(|partner| Parties::new(*key, partner));
        let shares =
            self.state.validators().by_account(key).map(|validator| Shares { shares: validator.shares.into() });
        Ok(Account {
            account: self.reference(key),
            balances: self.balances(key),
            nonce: account.nonce.into(),
            channels: channels.map(|parties| self.channel(&parties, at.clone())).collect(),
            validator: shares,
            bank: self.state.bank(key).map(|bank| self.bank(bank)),
            recent: Vec::new(),
            at,
        })
    }

    /// Accounts by number, those that match.
    pub fn accounts(&self, search: Option<&str>, after: u64, limit: usize) -> Vec<AccountRow> {
        let search = search.map(|text| text.trim().to_ascii_lowercase()).filter(|text| !text.is_empty());
        let matches = |id: u64, key: &PublicKey| {
            let Some(text) = &search else { return true };
            let name = text.strip_prefix('@').unwrap_or(text);
            id.to_string() == text.strip_prefix('#').unwrap_or(text)
                || (text.len() >= 4 && key.to_string().starts_with(text))
                || self.state.bank(key).is_some_and(|bank| bank.handle.starts_with(name))
        };
        self.state
            .accounts_after(after)
            .filter(|(id, key)| matches(*id, key))
            .take(limit)
            .map(|(_, key)| AccountRow {
                account: self.reference(&key),
                balances: self.balances(&key),
                channels: self.state.partners(&key).count().into(),
            })
            .collect()
    }

    /// A channel as the chain knows it.
    pub fn channel(&self, parties: &Parties, at: VerifiedAt) -> ChainChannel {
        let channel = self.state.channel(parties);
        ChainChannel {
            left: self.reference(&parties.left()),
            right: self.reference(&parties.right()),
            epoch: channel.epoch.into(),
            assets: channel
                .assets
                .iter()
                .map(|part| ChainChannelAsset {
                    asset: part.asset,
                    insurance: part.insurance,
                    ondelta: part.ondelta,
                    offdelta: None,
                })
                .collect(),
            at,
        }
    }

    /// Who certifies blocks, now and next.
    pub fn validators(&self) -> Vec<Validator> {
        let (now, next) = (self.state.validators(), self.state.next_validators());
        now.validators
            .iter()
            .map(|validator| Validator {
                account: self.reference(&validator.account),
                signing_key: validator.signing_key,
                shares: validator.shares.into(),
                url: validator.url.clone(),
                next: next.by_account(&validator.account).is_some(),
            })
            .collect()
    }

    /// All banks.
    pub fn banks(&self) -> Vec<Bank> {
        self.state.banks().map(|bank| self.bank(bank)).collect()
    }

    /// A bank, with the insurance in all its channels.
    pub fn bank(&self, bank: &fair_core::chain::genesis::Bank) -> Bank {
        let (mut insured, mut channels) = (BTreeMap::<AssetId, u64>::new(), 0_u64);
        for parties in self.state.partners(&bank.key).filter_map(|partner| Parties::new(bank.key, partner)) {
            channels += 1;
            for part in self.state.channel(&parties).assets {
                let sum = insured.entry(part.asset).or_default();
                *sum = sum.saturating_add(part.insurance);
            }
        }
        Bank {
            account: self.reference(&bank.key),
            handle: bank.handle.clone(),
            urls: vec![bank.url.clone()],
            fee_flat: bank.fee_base,
            fee_ppm: bank.fee_ppm,
            insurance_price: bank.insurance_price,
            insured: insured.into_iter().map(|(asset, amount)| AssetAmount { asset, amount }).collect(),
            channels: channels.into(),
        }
    }

    /// All assets.
    pub fn assets(&self) -> Vec<Asset> {
        self.state.assets().map(asset).collect()
    }
}

/// An asset.
pub fn asset(asset: &fair_core::chain::genesis::Asset) -> Asset {
    Asset {
        id: asset.id,
        ticker: asset.ticker.clone(),
        name: asset.name.clone(),
        decimals: asset.decimals,
        supply: asset.supply,
    }
}

/// `left` or `right`.
pub const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}
