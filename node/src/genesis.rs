//! `node init` and `node genesis`: an operator's way, and a whole local network by the same steps.

use crate::clock;
use crate::error::NodeError;
use crate::home::{self, AccountKey, Home, Kind, Member};
use crate::presets::{self, Preset};
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::genesis::{Asset, Bank, Genesis, GenesisAccount, Purpose};
use fair_core::codec;
use fair_core::types::{Amount, AssetId, PublicKey};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

const SHARES: u64 = 25;
/// 1,000,000.00 of each asset to every validator.
const VALIDATOR_BALANCE: Amount = 100_000_000;
/// 100,000,000.00 of each asset to the bank's account, which faucets draw from.
const BANK_BALANCE: Amount = 10_000_000_000;
const DECIMALS: u8 = 2;

/// What `node genesis` is asked for.
pub(crate) struct Plan {
    pub(crate) preset: Preset,
    pub(crate) name: String,
    pub(crate) block_time_ms: Option<u64>,
    /// NAME=NUMBER.
    pub(crate) changes: Vec<String>,
    pub(crate) out: PathBuf,
    pub(crate) members: Vec<PathBuf>,
    pub(crate) validators: u16,
    pub(crate) base_port: u16,
}

/// Makes one home. A network that exists already can be put into it.
pub(crate) fn init(
    path: &Path,
    kind: Kind,
    listen: SocketAddr,
    url: Option<String>,
    relay: Option<String>,
    network: Option<&Path>,
) -> Result<Member, NodeError> {
    let bytes = network.map(|file| {
        let bytes = std::fs::read(file).map_err(|error| NodeError::File { path: file.to_owned(), error })?;
        Genesis::decode(&bytes)?;
        Ok::<_, NodeError>(bytes)
    });
    let bytes = bytes.transpose()?;
    let url = url.unwrap_or_else(|| format!("http://{listen}"));
    let (home, member) = Home::create(path, kind, listen, url, AccountKey::Fresh, relay)?;
    if let Some(bytes) = bytes {
        home.place_genesis(&bytes)?;
    }
    Ok(member)
}

/// Makes a genesis document: out of members that exist, or with homes for a whole local network.
pub(crate) fn genesis(plan: &Plan) -> Result<Genesis, NodeError> {
    let file = plan.out.join("genesis.bin");
    if file.exists() {
        return Err(NodeError::Exists { path: file });
    }
    // Whatever cannot become a genesis is refused before anything is made.
    let parameters = presets::changed(&plan.preset.parameters(plan.block_time_ms)?, &plan.changes)?;
    parameters.check()?;
    let (members, homes) = if plan.members.is_empty() {
        local_network(plan)?
    } else {
        let members = plan.members.iter().map(|path| home::read_member(path)).collect::<Result<_, _>>()?;
        (members, Vec::new())
    };
    let genesis = Genesis {
        network: plan.name.clone(),
        purpose: match plan.preset {
            Preset::Demo | Preset::Swift => Purpose::Test,
            Preset::Main => Purpose::Main,
        },
        time_ms: clock::now_ms(),
        parameters,
        validators: validator_set(&members),
        assets: assets(&members),
        accounts: accounts(&members),
        banks: banks(&members),
    };
    genesis.check()?;
    let bytes = codec::encode(&genesis);
    for home in homes {
        home.place_genesis(&bytes)?;
    }
    // Last, since it marks the network as complete.
    home::make_private_folder(&plan.out)?;
    home::write_new(&file, &bytes, 0o644)?;
    Ok(genesis)
}

/// Homes `v1` … `vN` and `bank`. The bank has the account of the first validator and alone holds its key.
fn local_network(plan: &Plan) -> Result<(Vec<Member>, Vec<Home>), NodeError> {
    let ports = u32::from(plan.base_port).saturating_add(u32::from(plan.validators));
    if plan.validators == 0 || plan.base_port == 0 || ports > u32::from(u16::MAX) {
        let reason = format!("{} validators and a bank do not fit above port {}", plan.validators, plan.base_port);
        return Err(NodeError::Content { path: plan.out.clone(), reason });
    }
    let bank_key = home::fresh_key()?;
    let bank_account = bank_key.public();
    let mut members = Vec::new();
    let mut homes = Vec::new();
    let mut make = |name: String, offset: u16, kind, account| -> Result<(), NodeError> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.base_port.saturating_add(offset)));
        let (home, member) =
            Home::create(&plan.out.join(name), kind, listen, format!("http://{listen}"), account, None)?;
        members.push(member);
        homes.push(home);
        Ok(())
    };
    for index in 0..plan.validators {
        let account = if index == 0 { AccountKey::Elsewhere(bank_account) } else { AccountKey::Fresh };
        make(format!("v{}", index.saturating_add(1)), index, Kind::Validator, account)?;
    }
    make("bank".to_owned(), plan.validators, Kind::Bank, AccountKey::Given(bank_key))?;
    Ok((members, homes))
}

fn validator_set(members: &[Member]) -> ValidatorSet {
    let mut validators: Vec<Validator> = members
        .iter()
        .filter_map(|member| {
            let signing_key = member.signing_key?;
            Some(Validator { account: member.account, signing_key, shares: SHARES, url: member.url.clone() })
        })
        .collect();
    validators.sort_by_key(|validator| validator.account);
    ValidatorSet { validators }
}

/// Account numbers follow the order of the members: the first validator is account 1.
fn accounts(members: &[Member]) -> Vec<GenesisAccount> {
    let mut accounts: Vec<GenesisAccount> = Vec::new();
    for member in members {
        if accounts.iter().any(|account| account.key == member.account) {
            continue;
        }
        let amount = balance(members, &member.account);
        accounts.push(GenesisAccount {
            key: member.account,
            balances: vec![(AssetId::FRD, amount), (AssetId::FRB, amount)],
        });
    }
    accounts
}

fn balance(members: &[Member], account: &PublicKey) -> Amount {
    let is_bank = members.iter().any(|member| member.account == *account && member.kind == Kind::Bank);
    if is_bank { BANK_BALANCE } else { VALIDATOR_BALANCE }
}

fn assets(members: &[Member]) -> Vec<Asset> {
    let accounts = accounts(members);
    let supply_of = |id: AssetId| {
        let balances = accounts.iter().flat_map(|account| &account.balances);
        balances.filter(|(asset, _)| *asset == id).map(|(_, amount)| amount).sum()
    };
    let asset = |id, ticker: &str, name: &str| Asset {
        id,
        ticker: ticker.to_owned(),
        name: name.to_owned(),
        decimals: DECIMALS,
        supply: supply_of(id),
    };
    vec![asset(AssetId::FRD, "FRD", "Fair dollar"), asset(AssetId::FRB, "FRB", "Fair bet")]
}

/// The first bank is `@main`, further ones `@bank2`, … Mediation and insurance are free in the presets.
fn banks(members: &[Member]) -> Vec<Bank> {
    let banks = members.iter().filter(|member| member.kind == Kind::Bank);
    banks
        .zip(1_u32..)
        .map(|(member, number)| Bank {
            key: member.account,
            handle: if number == 1 { "main".to_owned() } else { format!("bank{number}") },
            url: member.url.clone(),
            fee_base: 0,
            fee_ppm: 0,
            insurance_price: 0,
        })
        .collect()
}

#[cfg(test)]
mod tests;
