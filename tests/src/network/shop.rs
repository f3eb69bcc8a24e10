//! A shop with its merchant, made by the commands of the guide for merchants and nothing else.
//!
//! ```text
//! node init --kind merchant --home FOLDER/merchant …   its merchant.toml names the shop's origin
//! node run --home FOLDER/merchant                      the merchant
//! node key --home FOLDER/merchant create …             FOLDER/shop/server.key
//! shop --data FOLDER/shop …                            the shop
//! ```

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Network, free_port};
use crate::wait;

/// The merchant's process and home.
pub const MERCHANT: &str = "merchant";

/// The shop's process and folder.
pub const SHOP: &str = "shop";

/// How long a merchant may take until a bank can bring it money: a few blocks.
const BANK_DEADLINE: Duration = Duration::from_secs(90);

/// What the shop's key is good for.
const SCOPES: [&str; 5] = ["invoices:read", "invoices:write", "refunds", "events:read", "webhooks"];

/// What the bank may owe the merchant uninsured, and above what it is asked for insurance, in cents.
const CREDIT: &str = "credit_limit = 1000000\ninsure_above = 50000\n";

impl Network {
    /// Where the shop serves from its first start on.
    pub(super) fn shop_address(&self, port: u16) -> Result<String> {
        let folder = self.folder.join(SHOP);
        let file = folder.join("address");
        // Its merchant's settings name it.
        if !self.folder.join(MERCHANT).exists() {
            let port = if port == 0 { free_port()? } else { port };
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&file, SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string())?;
        }
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// Adds the shop of [`super::Plan::shop_port`] and its merchant, or goes on with those that are there, and waits
    /// until it can be paid.
    ///
    /// # Errors
    /// If the network serves no pages or was planned without a shop, or one of both does not become ready.
    pub async fn add_shop(&mut self) -> Result<()> {
        let (folder, home) = (self.folder.join(SHOP), self.folder.join(MERCHANT));
        let key = folder.join("server.key");
        let listen = std::fs::read_to_string(folder.join("address")).context("a network without a shop")?;
        if home.exists() {
            self.run_wallet(MERCHANT).await?;
        } else {
            let settings = format!("origin = \"http://{listen}\"\nprivate_webhooks = true\n{CREDIT}");
            self.add_merchant(MERCHANT, &settings).await?;
        }
        if !key.exists() {
            let mut arguments = vec!["create", "--name", SHOP];
            arguments.extend(SCOPES.iter().flat_map(|scope| ["--scope", scope]));
            let made: Value = serde_json::from_str(&self.node(MERCHANT, "key", &arguments).await?)?;
            write_secret(&key, made["key"].as_str().context("a key")?)?;
        }
        let merchant = self.url_of(MERCHANT)?.to_owned();
        wait::until("a merchant that can be paid", BANK_DEADLINE, async || {
            let status: Value = reqwest::get(format!("{merchant}/v1/status")).await?.json().await?;
            Ok(status["assets"][0]["can_receive"].as_u64().is_some_and(|room| room > 0).then_some(()))
        })
        .await?;
        let member: Value = serde_json::from_slice(&std::fs::read(home.join("member.json"))?)?;
        let payee = member["account"].as_str().context("an account key")?;
        let element = self.pages.as_ref().context("a network without pages")?.join("embed/fair-pay.js");
        let flags: [(&str, OsString); 7] = [
            ("--data", folder.into()),
            ("--listen", listen.into()),
            ("--merchant", merchant.into()),
            ("--key", key.into()),
            ("--payee", payee.into()),
            ("--wallet", self.url()?.into()),
            ("--element", element.into()),
        ];
        let arguments = flags.into_iter().flat_map(|(flag, value)| [flag.into(), value]).collect();
        self.spawn(SHOP, "shop", arguments)?;
        self.wait_until_ready(SHOP).await
    }
}

/// Whole or not at all, and for nobody else.
fn write_secret(file: &PathBuf, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let unfinished = file.with_extension("new");
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?.write_all(text.as_bytes())?;
    Ok(std::fs::rename(unfinished, file)?)
}
