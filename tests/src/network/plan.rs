//! What kind of network to start, and its genesis.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fair_core::chain::genesis::Genesis;
use tokio::process::Command;

use super::{BANK, KEYS_TRIED, run_to_end};
use crate::censor::Censors;
use crate::ports::PortBlock;

/// First bytes of the keys in the middle half.
const MIDDLE: std::ops::Range<u8> = 0x40..0xC0;

/// The network's name in its genesis.
pub(super) const NAME: &str = "local";

/// Which processes a network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// Validators, the bank and the relay.
    All,
    /// Validators alone: the chain without anybody who uses it.
    Validators,
    /// All of these, and a wallet without a person, which sells and pays.
    AllAndCounterpart,
}

/// Which key the bank gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BankKey {
    /// The first that is made.
    Any,
    /// One in the middle half of all keys, so that keys on either side of it are soon found.
    Middle,
}

/// What kind of network to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which processes.
    pub members: Members,
    /// How many validators.
    pub validators: u16,
    /// Time between blocks in milliseconds; `None` takes the preset's.
    pub block_time_ms: Option<u64>,
    /// Whose delays: `demo`, or `swift` where a dispute has to end.
    pub preset: &'static str,
    /// Other parameters, each as `NAME=NUMBER`.
    pub parameters: Vec<String>,
    /// The relay's port; `None` takes a free one.
    pub relay_port: Option<u16>,
    /// The port of a shop ([`Network::add_shop`]), which the relay names from its start on; 0 takes a free one.
    pub shop_port: Option<u16>,
    /// Where everything is kept; `None` takes a temporary folder. A folder that holds a network
    /// already is continued.
    pub folder: Option<PathBuf>,
    /// The bundled pages; `None` serves none.
    pub pages: Option<PathBuf>,
    /// Which key the bank gets.
    pub bank_key: BankKey,
    /// The bank's `bank.toml`, if it has one.
    pub bank_settings: Option<String>,
    /// Whether there is a second bank.
    pub second_bank: bool,
    /// Whether fronts that drop batches stand before the validators.
    pub censors: Option<Censors>,
    /// The folder with the programs `node` and `relay`.
    pub programs: PathBuf,
}

impl Plan {
    /// Four validators with the demo's values, in a temporary folder, with the programs of this
    /// build and without pages.
    ///
    /// # Errors
    /// If the programs are not built.
    pub fn new() -> Result<Self> {
        let programs = built_programs()?;
        Ok(Plan {
            members: Members::All,
            validators: 4,
            block_time_ms: None,
            preset: "demo",
            parameters: Vec::new(),
            relay_port: None,
            shop_port: None,
            folder: None,
            pages: None,
            bank_key: BankKey::Any,
            bank_settings: None,
            second_bank: false,
            censors: None,
            programs,
        })
    }

    pub(super) fn validator_names(&self) -> Vec<String> {
        (1..=self.validators).map(|index| format!("v{index}")).collect()
    }

    /// [`Plan::new`] with the pages that `cargo xtask bundle` wrote.
    ///
    /// # Errors
    /// If the programs are not built.
    pub fn with_pages() -> Result<Self> {
        let plan = Self::new()?;
        let target = plan.programs.parent().context("the programs are in no target folder")?;
        Ok(Plan { pages: Some(target.join("www")), ..plan })
    }
}

/// The folder where cargo put `node` and `relay`, seen from the running program.
fn built_programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    for folder in folders {
        if folder.join("node").is_file() {
            return Ok(folder.to_owned());
        }
    }
    bail!(
        "the program `node` is not built beside {}: run `cargo build --package fair-node --package fair-relay`",
        own.display()
    );
}

pub(super) async fn make_genesis(plan: &Plan, folder: &Path, ports: &PortBlock) -> Result<()> {
    if plan.validators > ports.count() / 2 {
        bail!("{} validators need more ports than are reserved", plan.validators);
    }
    for _ in 0..KEYS_TRIED {
        let mut command = Command::new(plan.programs.join("node"));
        command.args(["genesis", "--preset", plan.preset, "--name", NAME]);
        command.arg("--out").arg(folder);
        command.args(["--validators", &plan.validators.to_string()]);
        command.args(["--base-port", &ports.first().to_string()]);
        if let Some(block_time_ms) = plan.block_time_ms {
            command.args(["--blocktime", &block_time_ms.to_string()]);
        }
        for change in &plan.parameters {
            command.args(["--set", change]);
        }
        run_to_end(command).await?;
        let bank = read_genesis(folder)?.banks.first().context("no bank")?.key;
        let [highest, ..] = bank.0;
        if plan.bank_key == BankKey::Any || MIDDLE.contains(&highest) {
            return Ok(());
        }
        // What was made, and nothing else that may be in the folder.
        let mut homes = (1..=plan.validators).map(|index| format!("v{index}")).chain([BANK.to_owned()]);
        homes.try_for_each(|home| std::fs::remove_dir_all(folder.join(home)))?;
        std::fs::remove_file(folder.join("genesis.bin"))?;
    }
    bail!("none of {KEYS_TRIED} keys of a bank is in the middle");
}

pub(super) fn read_genesis(folder: &Path) -> Result<Genesis> {
    Ok(Genesis::decode(&std::fs::read(folder.join("genesis.bin"))?)?)
}
