//! Bad input, a taken port, foreign data: a clear answer each, and everything goes on.

use super::{PATIENCE, client, reaches, start};
use crate::client::Payer;
use anyhow::{Result, ensure};
use fair_core::codec;
use fair_core::types::AssetId;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn node(arguments: &[&str], home: &Path) -> Result<Output> {
    let program = std::env::current_exe()?.ancestors().nth(2).map(|folder| folder.join("node"));
    let program = program.ok_or_else(|| anyhow::anyhow!("no folder of programs"))?;
    Ok(Command::new(program).args(arguments).arg("--home").arg(home).output()?)
}

fn refused(output: &Output, code: i32, words: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code) && said.contains(words), "{:?}: {said}", output.status.code());
    Ok(())
}

#[tokio::test]
async fn refused_batches_say_why() -> Result<()> {
    let network = start().await?;
    let one = client(&network, "v1")?;
    let mut payer = Payer::new(&network)?;
    let post =
        async |bytes: Vec<u8>| one.post_batch(bytes).await.map(|(status, answer)| (status, answer["code"].clone()));

    ensure!(post(b"no batch".to_vec()).await? == (400, "malformed".into()));
    let mut trailing = codec::encode(&payer.batch(0, 50, AssetId::FRD, 500));
    trailing.push(0);
    ensure!(post(trailing).await? == (400, "malformed".into()), "one byte string per value");
    let refusal = async |nonce, until| post(codec::encode(&payer.batch(nonce, until, AssetId::FRD, 500))).await;
    ensure!(refusal(5, 50).await? == (503, "wrong_nonce".into()), "those before it may come");
    ensure!(refusal(0, 0).await? == (422, "expired".into()));
    ensure!(refusal(0, 1 << 40).await? == (422, "valid_too_long".into()));
    let mut forged = payer.batch(0, 50, AssetId::FRD, 500);
    forged.body.entries.clear();
    ensure!(post(codec::encode(&forged)).await? == (422, "batch_signature".into()));
    let (status, body) = one.get("/v1/blocks/999999").await?;
    ensure!(status == 404 && String::from_utf8_lossy(&body).contains("unknown_height"));
    let too_large = one.post_batch(vec![0; 2 << 20]).await;
    ensure!(too_large.is_err() || too_large?.0 >= 400, "the body is bounded");

    let other = codec::encode(&payer.batch(0, 60, AssetId::FRD, 500));
    payer.pay(&one, AssetId::FRD, 500, PATIENCE).await?;
    ensure!(post(other).await? == (422, "wrong_nonce".into()), "that nonce is used up");
    network.shut_down().await
}

#[tokio::test]
async fn strangers_are_not_heard_among_validators() -> Result<()> {
    let network = start().await?;
    let one = client(&network, "v1")?;
    let address = one.url.trim_start_matches("http://").to_owned();
    for junk in [vec![0x82, 0x80, 1, 2, 3, 4], vec![0x82, 0x84, 0, 0, 0, 0, 9, 9, 9, 9], vec![0xFF; 64]] {
        let mut stream = TcpStream::connect(&address)?;
        let upgrade = "GET /v1/consensus HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(upgrade.as_bytes())?;
        stream.write_all(&junk)?;
        // Whoever is no validator is sent away.
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        ensure!(heard.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&heard));
    }
    let height = one.height().await?;
    reaches(&one, height + 2).await?;
    network.shut_down().await
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why_and_spoils_nothing() -> Result<()> {
    let mut network = start().await?;
    let one = client(&network, "v1")?;
    reaches(&one, 2).await?;
    let folder = network.folder().to_owned();
    let (first, second) = (folder.join("v1"), folder.join("v2"));

    refused(&node(&["run"], &first)?, 3, "another process runs with the home")?;
    refused(&node(&["run"], &folder.join("nowhere"))?, 3, "is no home of a node")?;
    refused(&node(&["init"], &first)?, 3, "exists already")?;

    network.kill("v2").await?;
    let config = second.join("config.toml");
    let (right, foreign) = (std::fs::read_to_string(&config)?, std::fs::read_to_string(first.join("config.toml"))?);
    let listen = |text: &str| text.lines().find(|line| line.starts_with("listen")).unwrap_or_default().to_owned();
    std::fs::write(&config, right.replace(&listen(&right), &listen(&foreign)))?;
    refused(&node(&["run"], &second)?, 6, "cannot listen on")?;
    std::fs::write(&config, right)?;

    let key = second.join("keys/signing.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644))?;
    refused(&node(&["run"], &second)?, 3, "can be read by others")?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;

    let genesis = second.join("genesis.bin");
    let ours = std::fs::read(&genesis)?;
    let mut theirs = fair_core::chain::genesis::Genesis::decode(&ours)?;
    theirs.network = "another".to_owned();
    std::fs::write(&genesis, codec::encode(&theirs))?;
    refused(&node(&["run"], &second)?, 4, "belongs to another network")?;
    std::fs::write(&genesis, ours)?;

    let database = second.join("onchain/db.sqlite");
    let aside = second.join("aside");
    std::fs::rename(&database, &aside)?;
    std::fs::write(&database, "not a database, but long enough to be looked at as one. ".repeat(100))?;
    refused(&node(&["run"], &second)?, 5, "not a database")?;
    std::fs::rename(&aside, &database)?;

    network.restart("v2").await?;
    reaches(&client(&network, "v2")?, one.height().await?).await?;
    network.shut_down().await
}

/// A file-size limit stands for a disk that is full: writes fail, nothing else changes.
#[tokio::test]
async fn a_full_disk_stops_one_validator_and_loses_nothing() -> Result<()> {
    let mut network = start().await?;
    let (one, four) = (client(&network, "v1")?, client(&network, "v4")?);
    let mut payer = Payer::new(&network)?;
    payer.pay(&one, AssetId::FRD, 700, PATIENCE).await?;
    network.kill("v4").await?;
    let home = network.folder().join("v4");
    let program = std::env::current_exe()?.ancestors().nth(2).map(|folder| folder.join("node"));
    let mut limited = tokio::process::Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" run --home \"$1\""]);
    limited.arg(program.unwrap_or_default()).arg(&home).kill_on_drop(true);
    let running = tokio::spawn(async move { limited.output().await });
    // Blocks fill the disk of one; the others go on.
    for _ in 0..400 {
        if running.is_finished() {
            break;
        }
        payer.pay(&one, AssetId::FRD, 700, PATIENCE).await?;
    }
    refused(&running.await??, 5, "db.sqlite")?;
    let head = one.height().await?;
    network.restart("v4").await?;
    reaches(&four, head).await?;
    let status = one.status().await?;
    ensure!(status["deciding"]["misbehaved"] == serde_json::json!({}), "{status}");
    ensure!(one.hash(head).await? == four.hash(head).await?);
    network.shut_down().await
}
