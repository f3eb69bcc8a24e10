//! A whole local network as real processes, started by the commands that an operator uses.
//!
//! ```text
//! node genesis --preset demo --out FOLDER …   FOLDER/genesis.bin; homes v1 … vN and bank
//! node run --home FOLDER/v1 …                 the validators
//! node run --home FOLDER/bank                 the bank `@main`
//! relay run --genesis FOLDER/genesis.bin …    serves the pages and the chain
//! node run --home FOLDER/counterpart …        if wished: somebody to pay and to be paid by
//! ```
//!
//! [`Network::start`] waits until all of them are ready. Processes go by the names `v1` … `vN`,
//! `bank`, `relay` and `counterpart`. [`Network::add_shop`] adds `merchant` and `shop`. [`Network::shut_down`] ends them and removes a temporary folder. A network that
//! is dropped instead, as by a test that fails, kills them, shows what they last said and keeps the folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fair_core::chain::genesis::Genesis;
use fair_core::types::{Parties, PublicKey, Side};
use tempfile::TempDir;
use tokio::process::Command;

use crate::ports::PortBlock;
use crate::process::{Process, Spec};
use plan::{make_genesis, read_genesis};

mod members;
mod plan;
mod shop;

pub use plan::{BankKey, Members, Plan};
pub use shop::{MERCHANT, SHOP};

/// The process that serves the pages.
pub const RELAY: &str = "relay";

/// The bank `@main`.
pub const BANK: &str = "bank";

/// The bank `@bank2` of a network with two.
pub const SECOND_BANK: &str = "bank2";

/// The wallet without a person.
pub const COUNTERPART: &str = "counterpart";

/// Keys made to find one on a side. Each fits with a chance of at least one in four.
const KEYS_TRIED: usize = 200;

/// A wallet without a person, to be added to a network that runs.
#[derive(Clone, Copy, Debug)]
pub struct NewWallet<'a> {
    /// Name of its process and its home.
    pub name: &'a str,
    /// Its `wallet.toml`, if it has one.
    pub settings: Option<&'a str>,
    /// Which side of its channel with the bank it is, if that matters.
    pub side: Option<Side>,
}

/// A running network.
#[derive(Debug)]
pub struct Network {
    processes: BTreeMap<String, Process>,
    urls: BTreeMap<String, String>,
    folder: PathBuf,
    programs: PathBuf,
    pages: Option<PathBuf>,
    temporary: Option<TempDir>,
    /// Between a start that succeeded and a shut-down that did.
    runs: bool,
    _ports: Option<PortBlock>,
}

impl Network {
    /// Makes a genesis (or continues the kept one), starts every process and waits until all are
    /// ready.
    ///
    /// # Errors
    /// What went wrong, with the last lines of the process concerned.
    pub async fn start(plan: &Plan) -> Result<Self> {
        let (folder, temporary) = match &plan.folder {
            Some(folder) => (folder.clone(), None),
            None => {
                let temporary = tempfile::Builder::new().prefix("fair-network-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let is_new = !folder.join("genesis.bin").exists();
        let ports = if is_new { Some(PortBlock::reserve()?) } else { None };
        if let Some(ports) = &ports {
            if plan.second_bank {
                members::make_genesis(plan, &folder, ports).await?;
            } else {
                make_genesis(plan, &folder, ports).await?;
            }
            if let Some(settings) = &plan.bank_settings {
                std::fs::write(folder.join(BANK).join("bank.toml"), settings)?;
            }
            if let Some(censors) = &plan.censors {
                for name in plan.validator_names() {
                    censors.stand_before(&name, &folder.join(&name)).await?;
                }
            }
        }
        std::fs::create_dir_all(folder.join("logs"))?;
        let mut network = Network {
            processes: BTreeMap::new(),
            urls: BTreeMap::new(),
            folder,
            programs: plan.programs.clone(),
            pages: plan.pages.clone(),
            temporary,
            runs: false,
            _ports: ports,
        };
        let validators = network.start_nodes(plan, is_new).await?;
        if plan.members != Members::Validators {
            let port = plan.relay_port.map_or_else(free_port, Ok)?;
            let counterpart = match plan.members {
                Members::AllAndCounterpart => {
                    if !network.folder.join(COUNTERPART).exists() {
                        network.init_wallet(COUNTERPART, &format!("http://127.0.0.1:{port}")).await?;
                    }
                    Some(network.wallet_url(COUNTERPART)?)
                }
                Members::All | Members::Validators => None,
            };
            network.start_relay(plan, port, &validators, counterpart.as_deref()).await?;
        }
        if plan.members == Members::AllAndCounterpart {
            network.run_wallet(COUNTERPART).await?;
        }
        network.runs = true;
        Ok(network)
    }

    /// Makes the home of a wallet, with keys as often as it takes to be on the side wished for, starts it, and
    /// returns its account key.
    ///
    /// # Errors
    /// If no key is found, or it does not become ready.
    pub async fn add_wallet(&mut self, wallet: &NewWallet<'_>) -> Result<PublicKey> {
        let bank = self.genesis()?.banks.first().context("no bank")?.key;
        let home = self.folder.join(wallet.name);
        for _ in 0..KEYS_TRIED {
            let key = self.init_wallet(wallet.name, self.url()?).await?;
            let side = Parties::new(key, bank).and_then(|parties| parties.side_of(&key));
            if wallet.side.is_none_or(|wished| side == Some(wished)) {
                if let Some(settings) = wallet.settings {
                    std::fs::write(home.join("wallet.toml"), settings)?;
                }
                self.run_wallet(wallet.name).await?;
                return Ok(key);
            }
            std::fs::remove_dir_all(&home)?;
        }
        bail!("none of {KEYS_TRIED} keys is {:?} of {bank}", wallet.side)
    }

    /// Makes the home of a merchant with its `merchant.toml`, starts it, and returns its account key.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn add_merchant(&mut self, name: &str, settings: &str) -> Result<PublicKey> {
        let relay = self.url()?.to_owned();
        let key = self.init_home("merchant", name, &["--relay", &relay]).await?;
        std::fs::write(self.folder.join(name).join("merchant.toml"), settings)?;
        self.run_wallet(name).await?;
        Ok(key)
    }

    /// Makes the home of a watchtower, starts it, and returns its account key. Clients reach it at its URL.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn add_tower(&mut self, name: &str) -> Result<PublicKey> {
        self.add_home("tower", name).await
    }

    /// The same of a bank, which is not on the register.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn add_bank(&mut self, name: &str) -> Result<PublicKey> {
        self.add_home("bank", name).await
    }

    async fn add_home(&mut self, kind: &str, name: &str) -> Result<PublicKey> {
        let key = self.init_home(kind, name, &[]).await?;
        self.spawn(name, "node", vec!["run".into(), "--home".into(), self.folder.join(name).into()])?;
        self.wait_until_ready(name).await?;
        Ok(key)
    }

    /// Starts the relay again, which from then on announces a watchtower and pipes to it.
    ///
    /// # Errors
    /// If there is no such tower, or the relay does not become ready.
    pub async fn announce_tower(&mut self, name: &str, key: &PublicKey) -> Result<()> {
        let flag = format!("--tower={key}={}", self.url_of(name)?);
        self.process(RELAY)?.add_argument(flag.into());
        self.restart(RELAY).await
    }

    /// Makes the home of another validator of the network, starts it, and returns its account key. Nobody has
    /// voted it in: it follows.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn add_validator(&mut self, name: &str) -> Result<PublicKey> {
        self.add_node(name, Vec::new()).await
    }

    /// The same of one that begins with the newest snapshot of a relay or validator. Returns the line of its log that
    /// says with which.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn add_validator_from(&mut self, name: &str, snapshots: &str) -> Result<String> {
        self.add_node(name, vec!["--snapshot".into(), snapshots.into()]).await?;
        self.process(name)?.wait_for_line("snapshot: begins at height", COMMAND_DEADLINE).await
    }

    async fn add_node(&mut self, name: &str, more: Vec<OsString>) -> Result<PublicKey> {
        let home = self.folder.join(name);
        let mut command = Command::new(self.programs.join("node"));
        command.args(["init", "--kind", "validator", "--listen", &format!("127.0.0.1:{}", free_port()?)]);
        command.arg("--home").arg(&home).arg("--genesis").arg(self.folder.join("genesis.bin"));
        let member: serde_json::Value = serde_json::from_str(&run_to_end(command).await?)?;
        self.spawn(name, "node", [vec!["run".into(), "--home".into(), home.into()], more].concat())?;
        self.wait_until_ready(name).await?;
        Ok(member["account"].as_str().context("an account key")?.parse()?)
    }

    /// Starts another relay with pages, which begins with the newest snapshot of one node and follows that one alone.
    ///
    /// # Errors
    /// If there is no such node, or the relay does not become ready.
    pub async fn add_relay(&mut self, name: &str, pages: &Path, node: &str) -> Result<()> {
        let node = self.url_of(node)?.to_owned();
        let mut arguments = self.relay_arguments(name, free_port()?, &node, Some(pages));
        arguments.extend(["--snapshot".into(), node.into()]);
        self.spawn(name, "relay", arguments)?;
        self.wait_until_ready(name).await
    }

    async fn init_wallet(&self, name: &str, relay: &str) -> Result<PublicKey> {
        self.init_home("wallet", name, &["--relay", relay]).await
    }

    async fn init_home(&self, kind: &str, name: &str, arguments: &[&str]) -> Result<PublicKey> {
        let mut command = Command::new(self.programs.join("node"));
        command.args(["init", "--kind", kind]).args(arguments);
        command.args(["--listen", &format!("127.0.0.1:{}", free_port()?)]);
        command.arg("--home").arg(self.folder.join(name)).arg("--genesis").arg(self.folder.join("genesis.bin"));
        let member: serde_json::Value = serde_json::from_str(&run_to_end(command).await?)?;
        Ok(member["account"].as_str().context("an account key")?.parse()?)
    }

    /// The URL that a wallet serves when it runs.
    fn wallet_url(&self, name: &str) -> Result<String> {
        let config = std::fs::read_to_string(self.folder.join(name).join("config.toml"))?;
        let listen = config.lines().find_map(|line| line.strip_prefix("listen = "));
        let listen = listen.with_context(|| format!("{name}'s config.toml has no line `listen`"))?;
        Ok(format!("http://{}", listen.trim_matches('"')))
    }

    /// A network that is continued may have its relay at another port.
    async fn run_wallet(&mut self, name: &str) -> Result<()> {
        let (home, relay) = (self.folder.join(name), self.url()?.to_owned());
        let arguments = vec!["run".into(), "--home".into(), home.into(), "--relay".into(), relay.into()];
        self.spawn(name, "node", arguments)?;
        self.wait_until_ready(name).await
    }

    /// The network's document.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn genesis(&self) -> Result<Genesis> {
        read_genesis(&self.folder)
    }

    /// Starts all, then waits for all: none is ready before the others answer.
    async fn start_nodes(&mut self, plan: &Plan, is_new: bool) -> Result<Vec<String>> {
        let mut names = plan.validator_names();
        if plan.members != Members::Validators {
            names.push(BANK.to_owned());
        }
        if plan.second_bank {
            names.push(SECOND_BANK.to_owned());
        }
        for name in &names {
            let mut arguments = vec!["run".into(), "--home".into(), self.folder.join(name).into()];
            // One that begins late, after the first block, is needed by tests at once.
            if is_new && name != BANK && name != SECOND_BANK {
                arguments.push("--never-signed".into());
            }
            self.spawn(name, "node", arguments)?;
        }
        for name in &names {
            self.wait_until_ready(name).await?;
        }
        // As the chain names them.
        Ok(self.genesis()?.validators.validators.into_iter().map(|validator| validator.url).collect())
    }

    async fn start_relay(
        &mut self,
        plan: &Plan,
        port: u16,
        validators: &[String],
        counterpart: Option<&str>,
    ) -> Result<()> {
        let mut arguments = self.relay_arguments(RELAY, port, &validators.join(","), plan.pages.as_deref());
        if let Some(shop) = plan.shop_port.map(|port| self.shop_address(port)).transpose()? {
            arguments.extend(["--shop".into(), format!("http://{shop}").into()]);
        }
        if let Some(counterpart) = counterpart {
            arguments.extend(["--counterpart".into(), counterpart.into()]);
        }
        self.spawn(RELAY, "relay", arguments)?;
        self.wait_until_ready(RELAY).await
    }

    fn relay_arguments(&self, name: &str, port: u16, validators: &str, pages: Option<&Path>) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            "run".into(),
            "--genesis".into(),
            self.folder.join("genesis.bin").into(),
            "--listen".into(),
            format!("127.0.0.1:{port}").into(),
            "--validators".into(),
            validators.into(),
            "--data".into(),
            self.folder.join(name).into(),
        ];
        if let Some(pages) = pages {
            arguments.extend(["--pages".into(), pages.into()]);
        }
        arguments
    }

    fn spawn(&mut self, name: &str, program: &str, arguments: Vec<OsString>) -> Result<()> {
        let spec = Spec {
            name: name.to_owned(),
            program: self.programs.join(program),
            arguments,
            environment: Vec::new(),
            log_file: self.folder.join("logs").join(format!("{name}.log")),
        };
        self.processes.insert(name.to_owned(), Process::start(spec)?);
        Ok(())
    }

    async fn wait_until_ready(&mut self, name: &str) -> Result<()> {
        let url = self.process(name)?.ready().await?;
        self.urls.insert(name.to_owned(), url);
        Ok(())
    }

    /// Where a person opens the wallet: the relay's URL, without a slash at the end.
    ///
    /// # Errors
    /// If the relay never became ready.
    pub fn url(&self) -> Result<&str> {
        self.url_of(RELAY)
    }

    /// The URL that a process said it serves, without a slash at the end.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn url_of(&self, name: &str) -> Result<&str> {
        let url = self.urls.get(name).with_context(|| format!("no process {name}"))?;
        Ok(url.trim_end_matches('/'))
    }

    /// What orders to a process must show to be its operator's.
    ///
    /// # Errors
    /// If it has none.
    pub fn operator_token(&self, name: &str) -> Result<String> {
        let file = self.folder.join(name).join("keys/operator.token");
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// The names of all processes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.processes.keys().map(String::as_str)
    }

    /// Where everything is: `genesis.bin`, `v1` …, `relay`, `logs`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One process, to look at its log or to stop it.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn process(&mut self, name: &str) -> Result<&mut Process> {
        self.processes.get_mut(name).with_context(|| format!("no process {name}"))
    }

    /// Ends a process at once (SIGKILL).
    ///
    /// # Errors
    /// If there is no such process.
    pub async fn kill(&mut self, name: &str) -> Result<()> {
        self.process(name)?.kill().await
    }

    /// Asks a process to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// If there is no such process or it does not end in time.
    pub async fn stop(&mut self, name: &str) -> Result<()> {
        self.process(name)?.stop().await
    }

    /// Starts a process again with the same arguments (killing it if it runs) and waits until it
    /// is ready.
    ///
    /// # Errors
    /// If there is no such process or it does not become ready.
    pub async fn restart(&mut self, name: &str) -> Result<()> {
        self.process(name)?.restart().await?;
        Ok(())
    }

    /// Runs an operator's command, `node SUBCOMMAND --home FOLDER/NAME ARGUMENTS`, and returns what
    /// it printed.
    ///
    /// # Errors
    /// If it fails, with what it said.
    pub async fn node(&self, name: &str, subcommand: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(self.programs.join("node"));
        command.arg(subcommand).arg("--home").arg(self.folder.join(name)).args(arguments);
        run_to_end(command).await
    }

    /// Asks every process to end, the relay first, and waits for all.
    ///
    /// # Errors
    /// The first process that did not end in time; the others are stopped too.
    pub async fn shut_down(mut self) -> Result<()> {
        let mut result = Ok(());
        if self.processes.contains_key(RELAY) {
            result = self.stop(RELAY).await;
        }
        let names: Vec<String> = self.processes.keys().cloned().collect();
        for name in names {
            result = result.and(self.stop(&name).await);
        }
        self.runs = result.is_err();
        result
    }

    /// The processes that have ended by themselves, with how.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn ended(&mut self) -> Result<Vec<(String, std::process::ExitStatus)>> {
        let mut ended = Vec::new();
        for (name, process) in &mut self.processes {
            if let Some(status) = process.ended()? {
                ended.push((name.clone(), status));
            }
        }
        Ok(ended)
    }
}

impl Drop for Network {
    /// What a failed test leaves behind is kept to be looked at.
    fn drop(&mut self) {
        let panics = std::thread::panicking();
        // In a panic each process shows its own.
        for process in self.processes.values().filter(|_| self.runs && !panics) {
            eprintln!("the last lines of {}:\n{}", process.name(), process.log_end());
        }
        if (self.runs || panics)
            && let Some(folder) = self.temporary.take()
        {
            eprintln!("the network's folder is kept: {}", folder.keep().display());
        }
    }
}

/// How long a command that is no daemon may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

async fn run_to_end(mut command: Command) -> Result<String> {
    let shown = format!("{:?}", command.as_std());
    let running = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(COMMAND_DEADLINE, running)
        .await
        .with_context(|| format!("{shown} takes longer than {} s", COMMAND_DEADLINE.as_secs()))?
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} ended with {}:\n{}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A port that nobody uses at this moment. Known beforehand, so that the relay keeps it over a
/// restart.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
