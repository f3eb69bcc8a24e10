//! What was told: as JSON, and as a table for people.

use std::fmt::{self, Display, Formatter};

use fair_core::types::{Hash, PublicKey, Side};
use serde::Serialize;

use super::numbers::{Number, Step};

/// On which side of its channel with the bank each user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Orientation {
    /// 2.
    pub two: Side,
    /// 123.
    pub newcomer: Side,
}

impl Display for Orientation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = |side| if side == Side::Left { "left" } else { "right" };
        write!(f, "2 {} and 123 {} of 1", word(self.two), word(self.newcomer))
    }
}

/// Who is who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The bank.
    #[serde(rename = "1")]
    pub one: PublicKey,
    /// The payer.
    #[serde(rename = "2")]
    pub two: PublicKey,
    /// The payee.
    #[serde(rename = "123")]
    pub newcomer: PublicKey,
}

/// The numbers after a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldStep {
    /// Which.
    pub step: Step,
    /// All of them.
    pub numbers: Vec<Number>,
}

/// The story in one orientation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Which.
    #[serde(flatten)]
    pub orientation: Orientation,
    /// Who is who.
    pub keys: Keys,
    /// In order.
    pub steps: Vec<ToldStep>,
}

/// Everything that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The network.
    pub chain_id: Hash,
    /// All amounts but the chain's fees are so many times the protocol's.
    pub scale: u32,
    /// What went before and is not counted.
    pub set_up: &'static str,
    /// One for each orientation.
    pub stories: Vec<Told>,
}

impl Report {
    pub(super) fn new(chain_id: Hash, scale: u32, stories: Vec<Told>) -> Self {
        let set_up = "before each story the bank's faucet registers 2 and gives it its first on-chain money; \
                      that batch is not counted";
        Self { chain_id, scale, set_up, stories }
    }

    /// How many numbers were told, each three times.
    #[must_use]
    pub fn count(&self) -> usize {
        self.stories.iter().flat_map(|told| &told.steps).map(|step| step.numbers.len()).sum()
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deposit => "2 deposits 5000 to 2@1 and pays its fee",
            Self::Direct => "2 pays 10 to 1 directly",
            Self::Back => "1 pays the 10 back",
            Self::Payments => "2 pays 123 through 1 in many payments, 1000 in sum",
            Self::Rebalance => "123 asks for insurance and 1 rebalances",
            Self::Splice => "2 takes 3000 from 2@1 and deposits it to 123@1 in one batch",
        })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "network {}", self.chain_id)?;
        writeln!(f, "scale {}: all amounts but the chain's own fees are so many times those in the words", self.scale)?;
        writeln!(f, "{}", self.set_up)?;
        for told in &self.stories {
            writeln!(f, "\n{}", told.orientation)?;
            for told_step in &told.steps {
                writeln!(f, "\n  {}", told_step.step)?;
                writeln!(f, "    {:<24}{:>14}{:>14}{:>14}  by", "", "proof", "left", "right")?;
                for number in &told_step.numbers {
                    let Number { name, proof, left, right, .. } = number;
                    let (root, _) = proof.root.split_at_checked(12).unwrap_or((&proof.root, ""));
                    let said = [proof.amount, left.amount, right.amount].map(|amount| format!("{amount:>14}"));
                    let by = format!("{} at {} under {root}…, {}", proof.by, proof.height, left.by);
                    writeln!(f, "    {name:<24}{}  {by}", said.concat())?;
                }
            }
        }
        writeln!(f, "\n{} numbers, each told three times, are exactly the protocol's", self.count())
    }
}
