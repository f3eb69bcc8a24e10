//! `wallet.toml` in a wallet's home: what its operator decides. Every line may be left out.

use crate::error::NodeError;
use crate::home::Home;
use fair_core::types::{Amount, PublicKey};
use serde::Deserialize;

const FILE: &str = "wallet.toml";

/// What a wallet runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The bank that it uses; none: the one that it has used, or the network's first.
    pub(crate) bank: Option<PublicKey>,
    /// On a test network: get play money from the faucet and deposit some whenever the channel has none.
    pub(crate) funds_itself: bool,
    /// Uninsured balance that it accepts from its bank at first, in each asset; later the operator's command
    /// changes it (`node credit`).
    pub(crate) credit_limit: Amount,
    /// Uninsured balance above which it wants insurance at first, in each asset; none: only when asked.
    pub(crate) insure_above: Option<Amount>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bank: None, funds_itself: true, credit_limit: 100_000, insure_above: None }
    }
}

impl Settings {
    /// Reads the file, if there is one.
    pub(super) fn read(home: &Home) -> Result<Self, NodeError> {
        home.settings(FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_be_left_out_but_not_misspelt() {
        let of = |text: &str| toml::from_str::<Settings>(text);
        assert_eq!(of("").unwrap(), Settings::default());
        let exact = Settings { bank: None, funds_itself: false, credit_limit: 7, insure_above: Some(3) };
        assert_eq!(of("funds_itself = false\ncredit_limit = 7\ninsure_above = 3").unwrap(), exact);
        for bad in ["fund_itself = false", "credit_limit = -1", "credit_limit = 1.5", "funds_itself = 0"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
