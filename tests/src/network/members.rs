//! A network that is put together out of homes, each made by itself, as operators do who do not know each other.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::process::Command;

use super::plan::NAME;
use super::{BANK, Plan, SECOND_BANK, run_to_end};
use crate::ports::PortBlock;

/// Makes the homes of the validators and of two banks, and the genesis of all of them.
pub(super) async fn make_genesis(plan: &Plan, folder: &Path, ports: &PortBlock) -> Result<()> {
    let mut homes: Vec<(String, &str)> = plan.validator_names().into_iter().map(|name| (name, "validator")).collect();
    homes.extend([BANK, SECOND_BANK].map(|name| (name.to_owned(), "bank")));
    anyhow::ensure!(
        homes.len() <= usize::from(ports.count()),
        "{} homes need more ports than are reserved",
        homes.len()
    );
    let mut members: Vec<PathBuf> = Vec::new();
    for ((name, kind), port) in homes.iter().zip(ports.first()..) {
        let mut command = Command::new(plan.programs.join("node"));
        command.args(["init", "--kind", kind, "--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--home").arg(folder.join(name));
        run_to_end(command).await?;
        members.push(folder.join(name));
    }
    let mut command = Command::new(plan.programs.join("node"));
    command.args(["genesis", "--preset", plan.preset, "--name", NAME]).arg("--out").arg(folder);
    for member in &members {
        command.arg("--member").arg(member.join("member.json"));
    }
    if let Some(block_time_ms) = plan.block_time_ms {
        command.args(["--blocktime", &block_time_ms.to_string()]);
    }
    for change in &plan.parameters {
        command.args(["--set", change]);
    }
    run_to_end(command).await?;
    for member in members {
        std::fs::copy(folder.join("genesis.bin"), member.join("genesis.bin"))?;
    }
    Ok(())
}
