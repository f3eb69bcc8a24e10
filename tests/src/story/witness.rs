//! Three witnesses of one channel: Merkle proofs against a certified root, left's databases, right's databases.
//!
//! | | on-chain part | off-chain part | batches |
//! |---|---|---|---|
//! | proof | Merkle proofs of the relay, under a header that 2/3+ certified | the newest state, with the signatures of both parties over it and its terms | the nonces of 1 and 2, by Merkle proof |
//! | left, right | the state in `onchain/db.sqlite`, whose root is the certified header's | the channel's record in `offchain/db.sqlite` | the blocks in `onchain/db.sqlite` |
//!
//! What is only off-chain is under no root; both signatures over it are what court would go by.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fair_core::channel::Channel;
use fair_core::channel::agreement::Agreement;
use fair_core::ledger::state::{ChannelAsset, Key, Value};
use fair_core::message::Message as _;
use fair_core::types::{Amount, AssetId, Hash, Height, Parties, PublicKey, Side};

use super::client::Client;
use super::database::{Databases, Verified};
use crate::wait;

/// How long two parties and the chain may take to agree.
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);

/// What one witness says about a channel and its user's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) height: Height,
    pub(super) root: Hash,
    pub(super) insurance: Amount,
    pub(super) ondelta: i64,
    /// What both parties signed.
    pub(super) agreement: Agreement,
    /// On-chain balance of the user.
    pub(super) balance: Amount,
    pub(super) is_registered: bool,
    /// Batches since the beginning of the story.
    pub(super) batches: u64,
}

/// A channel of the bank with a user, and where both keep their databases.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) bank: PublicKey,
    pub(super) user: PublicKey,
    pub(super) bank_home: Databases,
    pub(super) user_home: Databases,
}

/// Where the story begins, and whose batches it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) height: Height,
    pub(super) two: PublicKey,
    /// Nonces of 2 and of the bank together.
    pub(super) nonces: u64,
}

/// All three, of the same moment of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witnesses {
    pub(super) proof: Witness,
    pub(super) left: Witness,
    pub(super) right: Witness,
}

/// What one party's databases say at one moment.
struct Seen {
    verified: Verified,
    channel: Channel,
}

impl Pair {
    pub(super) fn parties(&self) -> Result<Parties> {
        Parties::new(self.bank, self.user).context("two keys")
    }

    /// Which side the user is.
    pub(super) fn side(&self) -> Side {
        if self.user < self.bank { Side::Left } else { Side::Right }
    }

    /// Waits until both parties have seen block `height`, hold the same state and have nothing under way, that
    /// state has taken note of the chain and is what is `awaited`; then hears all three.
    pub(super) async fn hear(
        &self,
        client: &Client,
        height: Height,
        beginning: &Beginning,
        awaited: impl Fn(&Agreement) -> bool,
    ) -> Result<Witnesses> {
        let what = format!("1 and {} to agree at block {height}", self.user);
        let (bank, user) = wait::until(what, SETTLE_DEADLINE, async || {
            let bank = self.look(client, &self.bank_home, &self.user, beginning)?;
            let user = self.look(client, &self.user_home, &self.bank, beginning)?;
            Ok(bank.zip(user).filter(|(bank, user)| agree(bank, user, height) && awaited(user.channel.agreement())))
        })
        .await?;
        let common = bank.verified.height.min(user.verified.height);
        let (left, right) = if self.side() == Side::Left { (&user, &bank) } else { (&bank, &user) };
        let proof = self.prove(client, common, &left.channel, beginning).await?;
        let (left, right) = (self.testify(left)?, self.testify(right)?);
        for party in [&left, &right] {
            let is_other_chain = party.height == proof.height && party.root != proof.root;
            ensure!(!is_other_chain, "two roots at height {}: {} and {}", party.height, party.root, proof.root);
        }
        Ok(Witnesses { proof, left, right })
    }

    fn look(
        &self,
        client: &Client,
        home: &Databases,
        partner: &PublicKey,
        beginning: &Beginning,
    ) -> Result<Option<Seen>> {
        let verified = home.verified(client.genesis(), beginning.height)?;
        let channel = home.channel(partner)?;
        Ok(verified.zip(channel).map(|(verified, channel)| Seen { verified, channel }))
    }

    /// What a party's own databases say.
    fn testify(&self, seen: &Seen) -> Result<Witness> {
        let state = seen.verified.state();
        let part = state.channel(&self.parties()?).asset_or_zero(AssetId::FRD);
        Ok(Witness {
            height: seen.verified.height,
            root: seen.verified.root,
            insurance: part.insurance,
            ondelta: part.ondelta,
            agreement: seen.channel.agreement().clone(),
            balance: state.balance(&self.user, AssetId::FRD),
            is_registered: state.account_id(&self.user).is_some(),
            batches: seen.verified.batches,
        })
    }

    /// What the certified root and both signatures prove. It does not matter who shows the signed state.
    async fn prove(&self, client: &Client, height: Height, shown: &Channel, beginning: &Beginning) -> Result<Witness> {
        let parties = self.parties()?;
        let on_chain = client.proven(&Key::Channel(parties), height).await?;
        let root = on_chain.header.state_root;
        let (epoch, part) = match on_chain.value {
            Some(Value::Channel(channel)) => (channel.epoch, channel.asset_or_zero(AssetId::FRD)),
            None => (0, ChannelAsset::none(AssetId::FRD)),
            Some(other) => bail!("{other:?} in place of a channel"),
        };
        let agreement = check_signatures(client, shown, parties, epoch)?;
        let balance = match client.proven(&Key::Balance(self.user, AssetId::FRD), height).await?.value {
            Some(Value::Balance(balance)) => balance,
            None => 0,
            Some(other) => bail!("{other:?} in place of a balance"),
        };
        let (two, bank) = (nonce(client, &beginning.two, height).await?, nonce(client, &self.bank, height).await?);
        let batches = two.unwrap_or(0) + bank.unwrap_or(0);
        Ok(Witness {
            height,
            root,
            insurance: part.insurance,
            ondelta: part.ondelta,
            agreement,
            balance,
            is_registered: nonce(client, &self.user, height).await?.is_some(),
            batches: batches.checked_sub(beginning.nonces).context("a nonce went back")?,
        })
    }
}

/// Whether two parties hold the same and nothing is under way between them.
fn agree(bank: &Seen, user: &Seen, height: Height) -> bool {
    let is_settled = |seen: &Seen| {
        let agreement = seen.channel.agreement();
        let noted = agreement.shared.asset(AssetId::FRD).map_or((0, 0), |part| (part.insurance, part.ondelta));
        let on_chain = seen.verified.state().channel(&agreement.state.parties).asset_or_zero(AssetId::FRD);
        seen.verified.height >= height
            && seen.channel.is_idle()
            && noted == (on_chain.insurance, on_chain.ondelta)
            && seen.channel.incoming_locks().chain(seen.channel.outgoing_locks()).next().is_none()
    };
    is_settled(bank) && is_settled(user) && bank.channel.agreement() == user.channel.agreement()
}

/// Nonce of an account's next batch; `None` when it is proven that there is no such account.
pub(super) async fn nonce(client: &Client, key: &PublicKey, height: Height) -> Result<Option<u64>> {
    match client.proven(&Key::Account(*key), height).await?.value {
        Some(Value::Account(account)) => Ok(Some(account.nonce)),
        None => Ok(None),
        Some(other) => bail!("{other:?} in place of an account"),
    }
}

/// The state and terms that both parties signed, of the epoch in which the chain says the channel is.
fn check_signatures(client: &Client, shown: &Channel, parties: Parties, epoch: u64) -> Result<Agreement> {
    let agreement = shown.agreement();
    let (state, chain_id) = (&agreement.state, client.genesis().chain_id());
    let signatures = shown.signatures().context("nobody signed a state of this channel")?;
    ensure!(state.parties == parties && state.chain_id == chain_id, "a state of another channel");
    ensure!(state.epoch == epoch, "a state of epoch {}; the chain says {epoch}", state.epoch);
    ensure!(state.shared_hash == agreement.shared.hash(), "terms that are not those of the signed state");
    for side in [Side::Left, Side::Right] {
        let signed = state.is_signed_by(&chain_id, &parties.key(side), signatures.get(side));
        ensure!(signed, "{side:?} did not sign the state shown");
    }
    Ok(agreement.clone())
}
