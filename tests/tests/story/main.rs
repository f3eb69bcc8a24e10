//! The worked example and the orders of wallets' and banks' operators, with real processes.

mod orders;

use anyhow::{Context, Result, ensure};
use fair_tests::story::{Number, ORIENTATIONS, Report, Step, Story};
use serde_json::Value;

/// Both sides for each of 2 and 123. `cargo xtask story` tells all four orientations.
#[tokio::test]
async fn the_worked_example_comes_out_exactly_at_seven_times_its_size() -> Result<()> {
    let mut story = Story::begin(7).await?;
    for orientation in [ORIENTATIONS[0], ORIENTATIONS[3]] {
        story.tell(orientation).await?;
    }
    let report = story.end().await?;
    // Written out once more: the table of the story is not its own judge.
    for (place, step, name, expected) in [
        (0, Step::Deposit, "2@1 insurance", "35000.00"),
        (0, Step::Deposit, "2@1 ondelta", "35000.00"),
        (0, Step::Direct, "2@1 delta", "34930.00"),
        (0, Step::Back, "2@1 delta", "35000.00"),
        (0, Step::Payments, "2@1 insured of 1", "7000.00"),
        (0, Step::Payments, "1@123 uninsured of 123", "7000.00"),
        (0, Step::Payments, "123 credit limit", "7000.00"),
        (0, Step::Payments, "123 registered", "0"),
        (0, Step::Rebalance, "2@1 insurance", "28000.00"),
        (0, Step::Rebalance, "2@1 delta", "28000.00"),
        (0, Step::Rebalance, "1@123 insurance", "6995.00"),
        (0, Step::Rebalance, "1@123 ondelta", "7000.00"),
        (0, Step::Rebalance, "1@123 offdelta", "-7000.00"),
        (0, Step::Rebalance, "1@123 uninsured of 123", "0.00"),
        (0, Step::Rebalance, "123 on-chain", "5.00"),
        (0, Step::Rebalance, "batches", "2"),
        (0, Step::Splice, "1@123 insured of 123", "27995.00"),
        (1, Step::Rebalance, "2@1 ondelta", "-7000.00"),
        (1, Step::Rebalance, "2@1 offdelta", "7000.00"),
        (1, Step::Rebalance, "2@1 delta", "0.00"),
        (1, Step::Rebalance, "1@123 insurance", "6995.00"),
        (1, Step::Rebalance, "1@123 ondelta", "-5.00"),
        (1, Step::Rebalance, "1@123 offdelta", "7000.00"),
        (1, Step::Splice, "1@123 insured of 123", "27995.00"),
    ] {
        let number = number(&report, place, step, name)?;
        ensure!(number.proof.amount.to_string() == expected, "{name} after {step}: {number:?}");
    }
    check_shape(&serde_json::to_value(&report)?)
}

fn number<'a>(report: &'a Report, place: usize, step: Step, name: &str) -> Result<&'a Number> {
    let told = report.stories.get(place).context("a story")?;
    let told = told.steps.iter().find(|told| told.step == step).context("a step")?;
    told.numbers.iter().find(|number| number.name == name).with_context(|| format!("{name} after {step}"))
}

/// What reads the JSON can rely on: every number three times, as text, each with height and root.
fn check_shape(report: &Value) -> Result<()> {
    ensure!(report["scale"] == 7 && report["chain_id"].as_str().is_some_and(|id| id.len() == 64), "{report}");
    let stories = report["stories"].as_array().context("stories")?;
    ensure!(stories.len() == 2 && stories[0]["two"] == "left" && stories[0]["newcomer"] == "right");
    for story in stories {
        ensure!(["1", "2", "123"].iter().all(|who| story["keys"][who].as_str().is_some_and(|key| key.len() == 64)));
        let steps = story["steps"].as_array().context("steps")?;
        let names: Vec<_> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
        ensure!(names == ["deposit", "direct", "back", "payments", "rebalance", "splice"], "{names:?}");
        for number in steps.iter().flat_map(|step| step["numbers"].as_array()).flatten() {
            for source in ["proof", "left", "right"] {
                let reading = &number[source];
                ensure!(reading["amount"].is_string() && reading["amount"] == number["expected"], "{number}");
                ensure!(reading["height"].as_u64().is_some_and(|height| height > 0), "{number}");
                ensure!(reading["root"].as_str().is_some_and(|root| root.len() == 64), "{number}");
                ensure!(reading["by"].as_str().is_some_and(|by| !by.is_empty()), "{number}");
            }
        }
    }
    Ok(())
}
