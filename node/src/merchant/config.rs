//! `merchant.toml` in a merchant's home: what its operator decides. Every line may be left out.

use super::address::Reach;
use super::desk::Keeping;
use super::outgoing::Sweep;
use crate::error::NodeError;
use crate::home::Home;
use crate::limits;
use crate::wallet;
use fair_core::payment::address::Address;
use fair_core::types::{Amount, Hash, PublicKey};
use reqwest::Certificate;
use serde::Deserialize;
use std::path::PathBuf;

const FILE: &str = "merchant.toml";

/// The file's lines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lines {
    banks: Vec<PublicKey>,
    credit_limit: Amount,
    insure_above: Option<Amount>,
    funds_itself: bool,
    origin: Option<String>,
    min_insured: u8,
    sweep_to: Option<String>,
    sweep_above: Amount,
    sweep_keep: Amount,
    private_webhooks: bool,
    webhook_authorities: Option<PathBuf>,
    open_invoices: usize,
    open_invoices_per_key: usize,
    late_invoices: usize,
    late_invoices_per_key: usize,
    keep_unpaid_s: u64,
    keep_events_s: u64,
}

impl Default for Lines {
    fn default() -> Self {
        let wallet::Settings { credit_limit, .. } = wallet::Settings::default();
        Self {
            banks: Vec::new(),
            credit_limit,
            insure_above: None,
            funds_itself: false,
            origin: None,
            min_insured: 0,
            sweep_to: None,
            sweep_above: 0,
            sweep_keep: 0,
            private_webhooks: false,
            webhook_authorities: None,
            open_invoices: limits::MERCHANT_OPEN_INVOICES,
            open_invoices_per_key: limits::MERCHANT_OPEN_PER_KEY,
            late_invoices: limits::MERCHANT_LATE_INVOICES,
            late_invoices_per_key: limits::MERCHANT_LATE_PER_KEY,
            keep_unpaid_s: limits::MERCHANT_KEEP_UNPAID_S,
            keep_events_s: limits::MERCHANT_KEEP_EVENTS_S,
        }
    }
}

/// What a merchant runs with.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Most liked first; empty: the network's first.
    pub(super) banks: Vec<PublicKey>,
    /// Web origin of the shop, which invoices carry.
    pub(super) origin: Option<String>,
    /// How much in a hundred of a payment must be insured before the shop is told that it is; an invoice may say
    /// otherwise.
    pub(super) min_insured: u8,
    /// Where money goes by itself.
    pub(super) sweep: Option<Sweep>,
    pub(super) keeping: Keeping,
    /// PEM file with certificates of authorities that receivers of webhooks may have theirs from, beside the system's.
    webhook_authorities: Option<PathBuf>,
    wallet: wallet::Settings,
    private_webhooks: bool,
}

impl Settings {
    /// Reads the file, if there is one.
    pub(super) fn read(home: &Home, chain_id: Hash) -> Result<Self, NodeError> {
        let path = home.path().join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(NodeError::File { path, error }),
        };
        Self::parse(&text, chain_id).map_err(|reason| NodeError::Content { path, reason })
    }

    fn parse(text: &str, chain_id: Hash) -> Result<Self, String> {
        let lines: Lines = toml::from_str(text).map_err(|error| error.to_string())?;
        if lines.min_insured > 100 {
            return Err(format!("min_insured is {} in a hundred", lines.min_insured));
        }
        if lines.sweep_keep > lines.sweep_above {
            return Err(format!("sweep_keep ({}) is above sweep_above ({})", lines.sweep_keep, lines.sweep_above));
        }
        let sweep = match lines.sweep_to {
            None => None,
            Some(text) => {
                let to = Address::from_text(&text, &chain_id).map_err(|error| format!("sweep_to: {error}"))?;
                Some(Sweep { to, above: lines.sweep_above, keep: lines.sweep_keep })
            }
        };
        if let Some(origin) = &lines.origin {
            check_origin(origin)?;
        }
        let keeping = Keeping {
            open: lines.open_invoices,
            open_per_key: lines.open_invoices_per_key,
            late: lines.late_invoices,
            late_per_key: lines.late_invoices_per_key,
            unpaid_ms: lines.keep_unpaid_s.saturating_mul(1_000),
            events_ms: lines.keep_events_s.saturating_mul(1_000),
            ..Keeping::default()
        };
        let Lines {
            banks, credit_limit, funds_itself, origin, min_insured, private_webhooks, webhook_authorities, ..
        } = lines;
        // Half of the room is there for the next payments while the bank insures what came.
        let insure_above = Some(lines.insure_above.unwrap_or(credit_limit / 2));
        let wallet = wallet::Settings { bank: None, funds_itself, credit_limit, insure_above };
        Ok(Self { banks, origin, min_insured, sweep, keeping, webhook_authorities, wallet, private_webhooks })
    }

    pub(super) const fn wallet(&self) -> wallet::Settings {
        self.wallet
    }

    /// Whom receivers of webhooks may have their certificates from, beside those that the system trusts.
    pub(super) fn authorities(&self, home: &Home) -> Result<Vec<Certificate>, NodeError> {
        let Some(path) = self.webhook_authorities.as_ref().map(|path| home.path().join(path)) else {
            return Ok(Vec::new());
        };
        let pem = std::fs::read(&path).map_err(|error| NodeError::File { path: path.clone(), error })?;
        let read = Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string());
        let read = read.and_then(|found| if found.is_empty() { Err("no certificate".to_owned()) } else { Ok(found) });
        read.map_err(|reason| NodeError::Content { path, reason })
    }

    /// Where webhooks may go.
    pub(super) const fn reach(&self) -> Reach {
        if self.private_webhooks { Reach::Anywhere } else { Reach::Public }
    }
}

/// Wallets compare an origin letter by letter with that of the page, and take no other form.
fn check_origin(text: &str) -> Result<(), String> {
    let form = "origin is scheme, host and port of the shop's pages, such as \"https://shop.example\": no path, no \
                slash at the end, no port that goes without saying";
    let url = reqwest::Url::parse(text).map_err(|error| format!("origin: {error}; {form}"))?;
    let exact = url.origin().ascii_serialization();
    if exact != text {
        return Err(format!("origin is {text:?}, not {exact:?}; {form}"));
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) | ("http", Some("127.0.0.1" | "localhost" | "[::1]")) => Ok(()),
        _ => Err(format!("origin is {text:?}: https, or http on the own machine; {form}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_be_left_out_but_not_contradict_each_other() {
        let of = |text: &str| Settings::parse(text, Hash([7; 32]));
        let usual = of("").unwrap();
        assert!(usual.banks.is_empty() && usual.sweep.is_none() && !usual.wallet.funds_itself);
        assert_eq!(usual.reach(), Reach::Public);
        assert_eq!(of("private_webhooks = true\nmin_insured = 100").unwrap().reach(), Reach::Anywhere);
        for bad in [
            "min_insured = 101",
            "sweep_to = \"fairto1x\"",
            "sweep_keep = 5",
            "bank = []",
            "banks = [\"00\"]",
            "credit_limit = -1",
            "keep_unpaid_s = -1",
            "origin = \"shop.example\"",
            "origin = \"https://shop.example/\"",
            "origin = \"https://shop.example/tea\"",
            "origin = \"https://shop.example:443\"",
            "origin = \"https://SHOP.example\"",
            "origin = \"https://u:p@shop.example\"",
            "origin = \"https://täa.example\"",
            "origin = \"http://shop.example\"",
            "origin = \"http://127.0.0.1.shop.example\"",
            "origin = \"file:///shop\"",
            "origin = \"null\"",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        for good in ["https://shop.example", "https://shop.example:8443", "http://127.0.0.1:3000", "http://localhost"] {
            assert!(of(&format!("origin = {good:?}")).is_ok(), "{good}");
        }
        assert_eq!(of("credit_limit = 900").unwrap().wallet.insure_above, Some(450));
        assert_eq!(of("insure_above = 7").unwrap().wallet.insure_above, Some(7));
        let to = Address::new(&Hash([7; 32]), fair_core::crypto::SecretKey::from_seed(&[1; 32]).public(), &[]);
        let text = to.to_text(fair_core::payment::text::Case::Lower);
        let swept = of(&format!("sweep_to = \"{text}\"\nsweep_above = 9\nsweep_keep = 2")).unwrap();
        assert_eq!(swept.sweep, Some(Sweep { to, above: 9, keep: 2 }));
        assert!(Settings::parse(&format!("sweep_to = \"{text}\""), Hash([8; 32])).is_err(), "another network");
    }
}
