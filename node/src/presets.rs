//! Parameters for `node genesis`: a preset, and another pace if wished.

use crate::error::NodeError;
use fair_core::chain::params::{BadParameters, Parameters};
use serde_json::json;

/// A named parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    /// Short delays, for trying everything out; a test network.
    Demo,
    /// The shortest delays that the rules allow, so that a dispute ends while one watches; a test network.
    Swift,
    /// Delays for real money.
    Main,
}

impl Preset {
    /// The set, at another least time between blocks if one is given. Delays that are counted in blocks
    /// keep their length in time when blocks come faster; times grow with blocks that come slower.
    ///
    /// # Errors
    /// [`BadParameters`] names the rule that the pace breaks.
    pub(crate) fn parameters(self, block_time_ms: Option<u64>) -> Result<Parameters, BadParameters> {
        let mut parameters = match self {
            Self::Demo => Parameters::DEMO,
            Self::Swift => Parameters::SWIFT,
            Self::Main => Parameters::MAIN,
        };
        if let Some(block_time_ms) = block_time_ms {
            set_pace(&mut parameters, block_time_ms);
        }
        parameters.check()?;
        Ok(parameters)
    }
}

fn set_pace(parameters: &mut Parameters, block_time_ms: u64) {
    let usual = parameters.min_block_interval_ms;
    parameters.min_block_interval_ms = block_time_ms;
    if block_time_ms < usual {
        let factor = u32::try_from(usual.div_ceil(block_time_ms.max(1))).unwrap_or(u32::MAX);
        for blocks in [
            &mut parameters.max_batch_life_heights,
            &mut parameters.lock_horizon_blocks,
            &mut parameters.hop_delta_blocks,
            &mut parameters.margin_blocks,
            &mut parameters.max_consent_blocks,
            &mut parameters.proof_window_heights,
            &mut parameters.dispute_delay_blocks,
            &mut parameters.bank_dispute_delay_blocks,
            &mut parameters.hashlock_keepalive_blocks,
            &mut parameters.voting_period_blocks,
            &mut parameters.validator_delay_blocks,
        ] {
            *blocks = blocks.saturating_mul(factor);
        }
    } else {
        for ms in [&mut parameters.max_idle_ms, &mut parameters.max_lead_ms, &mut parameters.stale_head_ms] {
            *ms = ms.saturating_mul(block_time_ms) / usual;
        }
    }
}

fn refused(reason: impl Into<String>) -> NodeError {
    NodeError::Refused { reason: reason.into() }
}

/// `name=value` pairs.
pub(crate) fn pairs(texts: &[String]) -> impl Iterator<Item = Result<(&str, u64), NodeError>> {
    texts.iter().map(|text| {
        let (name, number) = text.split_once('=').ok_or_else(|| refused(format!("{text:?} is not NAME=NUMBER")))?;
        let number = number.parse().map_err(|_| refused(format!("{number:?} is not a number")))?;
        Ok((name, number))
    })
}

/// A parameter set with some numbers changed, not checked.
pub(crate) fn changed(now: &Parameters, changes: &[String]) -> Result<Parameters, NodeError> {
    let mut fields = serde_json::to_value(now).map_err(|error| refused(error.to_string()))?;
    for change in pairs(changes) {
        let (name, number) = change?;
        let field = fields.get_mut(name).ok_or_else(|| refused(format!("there is no parameter {name:?}")))?;
        *field = json!(number);
    }
    serde_json::from_value(fields).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_paces_keep_the_rules_or_are_refused_by_name() {
        for ms in [50, 100, 200, 250, 333, 500, 999, 1_000, 1_001, 2_000, 10_000, 60_000] {
            let demo = Preset::Demo.parameters(Some(ms)).unwrap_or_else(|error| panic!("{ms}: {error}"));
            assert_eq!(demo.min_block_interval_ms, ms);
            Preset::Swift.parameters(Some(ms.max(100))).unwrap_or_else(|error| panic!("swift {ms}: {error}"));
            Preset::Main.parameters(Some(ms.max(100))).unwrap_or_else(|error| panic!("main {ms}: {error}"));
        }
        assert_eq!(Preset::Demo.parameters(None).unwrap(), Parameters::DEMO);
        assert_eq!(Preset::Swift.parameters(None).unwrap(), Parameters::SWIFT);
        assert_eq!(Preset::Demo.parameters(Some(0)).unwrap_err().rule, "min_block_interval > 0");
    }
}
