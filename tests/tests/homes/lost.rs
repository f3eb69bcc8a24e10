//! Homes whose `offchain/` is gone.

use super::{PAYEE, PAYER, money, pay, quiet, rests};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{BANK, Network, NewWallet, Plan};
use std::fs;
use std::path::{Path, PathBuf};

fn offchain(network: &Network, name: &str) -> PathBuf {
    network.folder().join(name).join("offchain")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Number of the newest frame of a wallet's channel.
async fn frame(network: &Network, name: &str) -> Result<u64> {
    quiet(network, name, |_| true).await?["channel"]["frame"].as_u64().context("a frame")
}

/// A wallet loses its records, once with an honest bank, once with one that has put its own back to a time before the
/// channel: nothing is signed below what was signed before. Then the bank loses its own.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_lower_is_signed_by_a_home_that_lost_its_records() -> Result<()> {
    let mut network = Network::start(&Plan { validators: 1, ..Plan::new()? }).await?;
    network.stop(BANK).await?;
    let old = network.folder().join("old");
    copy(&offchain(&network, BANK), &old)?;
    network.restart(BANK).await?;
    for name in [PAYER, PAYEE] {
        network.add_wallet(&NewWallet { name, settings: None, side: None }).await?;
    }
    for name in [PAYER, PAYEE] {
        rests(&network, name, |_| true).await?;
    }
    pay(&network).await?;

    let before = rests(&network, PAYEE, |_| true).await?;
    network.stop(PAYEE).await?;
    fs::remove_dir_all(offchain(&network, PAYEE))?;
    network.restart(PAYEE).await?;
    let after = rests(&network, PAYEE, |status| status["channel"]["frame"].as_u64() >= Some(1 << 32)).await?;
    ensure!(money(&after) == money(&before), "{before:#}\n{after:#}");
    pay(&network).await?;

    let newest = frame(&network, PAYEE).await?;
    network.stop(PAYEE).await?;
    network.stop(BANK).await?;
    fs::remove_dir_all(offchain(&network, PAYEE))?;
    fs::remove_dir_all(offchain(&network, BANK))?;
    copy(&old, &offchain(&network, BANK))?;
    network.restart(BANK).await?;
    network.restart(PAYEE).await?;
    let signed = frame(&network, PAYEE).await?;
    ensure!(signed > newest, "frame {signed} was signed after frame {newest}");
    bank_loses(&mut network).await?;
    network.shut_down().await
}

/// It does not start by itself. Told so, it goes on with what its partners show.
async fn bank_loses(network: &mut Network) -> Result<()> {
    let before = [frame(network, PAYER).await?, frame(network, PAYEE).await?];
    let had = [money(&quiet(network, PAYER, |_| true).await?), money(&quiet(network, PAYEE, |_| true).await?)];
    network.stop(BANK).await?;
    fs::remove_dir_all(offchain(network, BANK))?;
    let refused = format!("{:#}", network.restart(BANK).await.expect_err("it knows nothing of what it signed"));
    ensure!(refused.contains("exit status: 5") && refused.contains("--data-lost"), "{refused}");
    ensure!(!offchain(network, BANK).join("db.sqlite").exists(), "nothing was changed");
    network.process(BANK)?.add_argument("--data-lost".into());
    network.restart(BANK).await?;
    for (place, name) in [PAYER, PAYEE].into_iter().enumerate() {
        let later = |status: &serde_json::Value| status["channel"]["frame"].as_u64() > Some(before[place]);
        let after = quiet(network, name, later).await?;
        ensure!(money(&after) == had[place], "{name} had {}: {after:#}", had[place]);
    }
    // The flag may stay where it is, and then does nothing. When the partners' money no longer rests (protocol 4, rule
    // 8) is for `scenarios::lost_bank` to see.
    let restored = [frame(network, PAYER).await?, frame(network, PAYEE).await?];
    network.restart(BANK).await?;
    for (place, name) in [PAYER, PAYEE].into_iter().enumerate() {
        let after = quiet(network, name, |_| true).await?;
        ensure!(money(&after) == had[place], "{name} had {}: {after:#}", had[place]);
        ensure!(after["channel"]["frame"].as_u64() >= Some(restored[place]), "{after:#}");
    }
    Ok(())
}
