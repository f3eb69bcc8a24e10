//! `merchant.toml` in a merchant's home: what its operator decides. Every line may be left out.

use super::address::Reach;
use super::outgoing::Sweep;
use crate::error::NodeError;
use crate::home::Home;
use crate::wallet;
use fair_core::payment::address::Address;
use fair_core::types::{Amount, Hash, PublicKey};
use serde::Deserialize;

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
}

impl Default for Lines {
    fn default() -> Self {
        let wallet::Settings { credit_limit, insure_above, .. } = wallet::Settings::default();
        Self {
            banks: Vec::new(),
            credit_limit,
            insure_above,
            funds_itself: false,
            origin: None,
            min_insured: 0,
            sweep_to: None,
            sweep_above: 0,
            sweep_keep: 0,
            private_webhooks: false,
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
        let Lines { banks, credit_limit, insure_above, funds_itself, origin, min_insured, private_webhooks, .. } =
            lines;
        let wallet = wallet::Settings { funds_itself, credit_limit, insure_above };
        Ok(Self { banks, origin, min_insured, sweep, wallet, private_webhooks })
    }

    pub(super) const fn wallet(&self) -> wallet::Settings {
        self.wallet
    }

    /// Where webhooks may go.
    pub(super) const fn reach(&self) -> Reach {
        if self.private_webhooks { Reach::Anywhere } else { Reach::Public }
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
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let to = Address::new(&Hash([7; 32]), fair_core::crypto::SecretKey::from_seed(&[1; 32]).public(), &[]);
        let text = to.to_text(fair_core::payment::text::Case::Lower);
        let swept = of(&format!("sweep_to = \"{text}\"\nsweep_above = 9\nsweep_keep = 2")).unwrap();
        assert_eq!(swept.sweep, Some(Sweep { to, above: 9, keep: 2 }));
        assert!(Settings::parse(&format!("sweep_to = \"{text}\""), Hash([8; 32])).is_err(), "another network");
    }
}
