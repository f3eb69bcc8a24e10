//! How fast the protocol is natively: every figure stands beside the time of the signatures that it
//! contains, measured in the same run, since machines differ and ratios do not.
//!
//! Prints one Markdown table, and fails when a ratio that docs/benchmarks.md promises does not hold;
//! `cargo xtask bench` runs it with the release profile. With the argument `merchant` it measures the process of a
//! merchant instead, which needs the programs built beside it.

mod chain;
mod court;
mod growth;
mod measure;
mod merchant;
mod payments;

use measure::Table;

fn main() -> anyhow::Result<()> {
    let mut table = Table::default();
    if std::env::args().any(|argument| argument == "merchant") {
        merchant::figures(&mut table)?;
        return table.finish();
    }
    let signatures = measure::signatures(&mut table);
    chain::blocks(&mut table, &signatures);
    chain::certificates(&mut table, &signatures);
    payments::frames(&mut table, &signatures);
    payments::mediated(&mut table, &signatures);
    court::resolutions(&mut table, &signatures);
    court::largest(&mut table, &signatures);
    growth::updates(&mut table)?;
    table.finish()
}
