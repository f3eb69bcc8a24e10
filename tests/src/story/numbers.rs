//! The numbers of the worked example (docs/protocol.md, section 8), step by step, and how a witness says each.
//!
//! They are written in whole FRD as the protocol has them. The first part of an [`Frd`] is scaled; the second
//! is not: what the chain leaves with a new account, 5, is the same whatever the amounts.

use std::fmt::{self, Display, Formatter};

use anyhow::{Result, bail};
use fair_core::types::{AssetId, Height, Side};
use serde::{Serialize, Serializer};

use super::witness::{Witness, Witnesses};

/// Cents of an FRD.
const CENTS: i128 = 100;

/// A moment of the story at which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// 2 has deposited 5000 to 2@1.
    Deposit,
    /// 2 has paid 10 to 1 directly.
    Direct,
    /// 1 has paid the 10 back.
    Back,
    /// 2 has paid 123 through 1 in many payments, 1000 in sum.
    Payments,
    /// 1 has rebalanced.
    Rebalance,
    /// 2 has taken 3000 from 2@1 and deposited it to 123@1 in one batch.
    Splice,
}

/// Which channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// 2@1: user 2.
    Two,
    /// 1@123: user 123.
    Newcomer,
}

/// Which number of a channel, of its user or of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Insurance,
    Ondelta,
    Offdelta,
    Delta,
    UserInsured,
    UserUninsured,
    BankInsured,
    BankUninsured,
    /// Uninsured balance that the user accepts.
    CreditLimit,
    /// What of it is left.
    CanReceive,
    UserOnChain,
    UserRegistered,
    Batches,
}

/// Whole FRD: a part that is scaled and one that is not.
type Frd = (i128, i128);

/// A channel's numbers.
struct Line {
    insurance: Frd,
    ondelta: Frd,
    offdelta: Frd,
    delta: Frd,
    user_insured: Frd,
    user_uninsured: Frd,
    bank_insured: Frd,
}

const ZERO: Frd = (0, 0);

impl Line {
    /// Insurance, ondelta, offdelta and delta; what the user owns, insured and not; what the bank owns insured.
    const fn new(line: [Frd; 4], owned: [Frd; 3]) -> Self {
        let [insurance, ondelta, offdelta, delta] = line;
        let [user_insured, user_uninsured, bank_insured] = owned;
        Self { insurance, ondelta, offdelta, delta, user_insured, user_uninsured, bank_insured }
    }
}

/// 2@1.
const fn two(step: Step, side: Side) -> Line {
    let owned = match step {
        Step::Deposit | Step::Back => [(5_000, 0), ZERO, ZERO],
        Step::Direct => [(4_990, 0), ZERO, (10, 0)],
        Step::Payments => [(4_000, 0), ZERO, (1_000, 0)],
        Step::Rebalance => [(4_000, 0), ZERO, ZERO],
        Step::Splice => [(1_000, 0), ZERO, ZERO],
    };
    let line = match (side, step) {
        (Side::Left, Step::Deposit | Step::Back) => [(5_000, 0), (5_000, 0), ZERO, (5_000, 0)],
        (Side::Left, Step::Direct) => [(5_000, 0), (5_000, 0), (-10, 0), (4_990, 0)],
        (Side::Left, Step::Payments) => [(5_000, 0), (5_000, 0), (-1_000, 0), (4_000, 0)],
        (Side::Left, Step::Rebalance) => [(4_000, 0), (5_000, 0), (-1_000, 0), (4_000, 0)],
        (Side::Left, Step::Splice) => [(1_000, 0), (2_000, 0), (-1_000, 0), (1_000, 0)],
        (Side::Right, Step::Deposit | Step::Back) => [(5_000, 0), ZERO, ZERO, ZERO],
        (Side::Right, Step::Direct) => [(5_000, 0), ZERO, (10, 0), (10, 0)],
        (Side::Right, Step::Payments) => [(5_000, 0), ZERO, (1_000, 0), (1_000, 0)],
        (Side::Right, Step::Rebalance) => [(4_000, 0), (-1_000, 0), (1_000, 0), ZERO],
        (Side::Right, Step::Splice) => [(1_000, 0), (-1_000, 0), (1_000, 0), ZERO],
    };
    Line::new(line, owned)
}

/// 1@123.
const fn newcomer(step: Step, side: Side) -> Line {
    let owned = match step {
        Step::Deposit | Step::Direct | Step::Back => [ZERO; 3],
        Step::Payments => [ZERO, (1_000, 0), ZERO],
        Step::Rebalance => [(1_000, -5), ZERO, ZERO],
        Step::Splice => [(4_000, -5), ZERO, ZERO],
    };
    let line = match (side, step) {
        (_, Step::Deposit | Step::Direct | Step::Back) => [ZERO; 4],
        (Side::Right, Step::Payments) => [ZERO, ZERO, (-1_000, 0), (-1_000, 0)],
        (Side::Right, Step::Rebalance) => [(1_000, -5), (1_000, 0), (-1_000, 0), ZERO],
        (Side::Right, Step::Splice) => [(4_000, -5), (1_000, 0), (-1_000, 0), ZERO],
        (Side::Left, Step::Payments) => [ZERO, ZERO, (1_000, 0), (1_000, 0)],
        (Side::Left, Step::Rebalance) => [(1_000, -5), (0, -5), (1_000, 0), (1_000, -5)],
        (Side::Left, Step::Splice) => [(4_000, -5), (3_000, -5), (1_000, 0), (4_000, -5)],
    };
    Line::new(line, owned)
}

/// What depends on more than the step: the scale, the sides, and what 2 has on-chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) scale: i128,
    pub(super) two: Side,
    pub(super) newcomer: Side,
    /// In cents: what 2 had before, less its deposits and fees.
    pub(super) two_on_chain: i128,
}

/// The numbers of one channel after a step, in the order in which they are told.
pub(super) fn expected(step: Step, place: Where, setting: &Setting) -> Vec<(What, Quantity)> {
    let money = |(scaled, fixed): Frd| Quantity::Frd((scaled * setting.scale + fixed) * CENTS);
    let line = match place {
        Where::Two => two(step, setting.two),
        Where::Newcomer => newcomer(step, setting.newcomer),
    };
    let mut numbers = vec![
        (What::Insurance, money(line.insurance)),
        (What::Ondelta, money(line.ondelta)),
        (What::Offdelta, money(line.offdelta)),
        (What::Delta, money(line.delta)),
        (What::UserInsured, money(line.user_insured)),
        (What::UserUninsured, money(line.user_uninsured)),
        (What::BankInsured, money(line.bank_insured)),
        (What::BankUninsured, money(ZERO)),
    ];
    let is_insured = step >= Step::Rebalance;
    match place {
        Where::Two => {
            let batches = match step {
                Step::Deposit | Step::Direct | Step::Back | Step::Payments => 1,
                Step::Rebalance => 2,
                Step::Splice => 3,
            };
            numbers.push((What::UserOnChain, Quantity::Frd(setting.two_on_chain)));
            numbers.push((What::Batches, Quantity::Count(batches)));
        }
        Where::Newcomer => {
            let left = if step == Step::Payments { ZERO } else { (1_000, 0) };
            numbers.push((What::CreditLimit, money((1_000, 0))));
            numbers.push((What::CanReceive, money(left)));
            numbers.push((What::UserOnChain, money(if is_insured { (0, 5) } else { ZERO })));
            numbers.push((What::UserRegistered, Quantity::Count(is_insured.into())));
        }
    }
    numbers
}

/// An amount of FRD in cents, or a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Cents; written with two decimals.
    Frd(i128),
    /// A plain number.
    Count(i128),
}

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frd(cents) => {
                let (sign, cents) = (if *cents < 0 { "-" } else { "" }, cents.unsigned_abs());
                f.pad(&format!("{sign}{}.{:02}", cents / 100, cents % 100))
            }
            Self::Count(count) => f.pad(&count.to_string()),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What one witness says, and what that stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The number.
    pub amount: Quantity,
    /// Of the block after which it was so.
    pub height: Height,
    /// State root in that block's header.
    pub root: String,
    /// What it was read from.
    pub by: &'static str,
}

/// A number of the worked example, three times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Number {
    /// What it is.
    pub name: String,
    /// What the protocol says.
    pub expected: Quantity,
    /// By Merkle proof under a certified root; what is off-chain, by both signatures.
    pub proof: Reading,
    /// From left's databases.
    pub left: Reading,
    /// From right's databases.
    pub right: Reading,
}

impl Number {
    /// Compares the three with each other and with the protocol.
    ///
    /// # Errors
    /// Names the number and what each says.
    pub fn check(&self) -> Result<()> {
        let said = [self.proof.amount, self.left.amount, self.right.amount];
        if said == [self.expected; 3] {
            return Ok(());
        }
        let (expected, [proof, left, right]) = (self.expected, said);
        let wrong = if proof == left && left == right { "is not the protocol's" } else { "is told in different ways" };
        bail!("{} {wrong}: {expected} expected; proof {proof}, left {left}, right {right}", self.name)
    }
}

/// A channel's numbers as all three witnesses say them.
pub(super) fn numbers(step: Step, place: Where, setting: &Setting, heard: &Witnesses) -> Vec<Number> {
    let side = match place {
        Where::Two => setting.two,
        Where::Newcomer => setting.newcomer,
    };
    let tell = |(what, expected): (What, Quantity)| {
        let reading = |witness: &Witness, by| {
            let amount = match expected {
                Quantity::Frd(_) => Quantity::Frd(what.read(witness, side)),
                Quantity::Count(_) => Quantity::Count(what.read(witness, side)),
            };
            Reading { amount, height: witness.height, root: witness.root.to_string(), by }
        };
        let (proof, database) = what.sources();
        Number {
            name: what.name(place),
            expected,
            proof: reading(&heard.proof, proof),
            left: reading(&heard.left, database),
            right: reading(&heard.right, database),
        }
    };
    expected(step, place, setting).into_iter().map(tell).collect()
}

impl What {
    fn name(self, place: Where) -> String {
        let (channel, user) = match place {
            Where::Two => ("2@1", "2"),
            Where::Newcomer => ("1@123", "123"),
        };
        match self {
            Self::Insurance => format!("{channel} insurance"),
            Self::Ondelta => format!("{channel} ondelta"),
            Self::Offdelta => format!("{channel} offdelta"),
            Self::Delta => format!("{channel} delta"),
            Self::UserInsured => format!("{channel} insured of {user}"),
            Self::UserUninsured => format!("{channel} uninsured of {user}"),
            Self::BankInsured => format!("{channel} insured of 1"),
            Self::BankUninsured => format!("{channel} uninsured of 1"),
            Self::CreditLimit => format!("{user} credit limit"),
            Self::CanReceive => format!("{user} can receive"),
            Self::UserOnChain => format!("{user} on-chain"),
            Self::UserRegistered => format!("{user} registered"),
            Self::Batches => "batches".to_owned(),
        }
    }

    /// What the proof stands on, and which of a party's databases say it.
    const fn sources(self) -> (&'static str, &'static str) {
        match self {
            Self::Insurance | Self::Ondelta | Self::UserOnChain | Self::UserRegistered | Self::Batches => {
                ("merkle", "onchain")
            }
            Self::Offdelta | Self::CreditLimit => ("signatures", "offchain"),
            Self::Delta
            | Self::UserInsured
            | Self::UserUninsured
            | Self::BankInsured
            | Self::BankUninsured
            | Self::CanReceive => ("merkle and signatures", "onchain and offchain"),
        }
    }

    /// What a witness says; money in cents. Insurance and ondelta are always the chain's.
    fn read(self, witness: &Witness, user: Side) -> i128 {
        let Witness { insurance, ondelta, agreement, .. } = witness;
        let offdelta = agreement.state.offdelta(AssetId::FRD);
        let line = fair_core::channel::delta::NumberLine::new(*insurance, *ondelta, offdelta);
        let terms = agreement.shared.terms(AssetId::FRD, user);
        match self {
            Self::Insurance => i128::from(*insurance),
            Self::Ondelta => i128::from(*ondelta),
            Self::Offdelta => i128::from(offdelta),
            Self::Delta => line.delta(),
            Self::UserInsured => i128::from(line.insured(user)),
            Self::UserUninsured => i128::from(line.uninsured(user)),
            Self::BankInsured => i128::from(line.insured(user.other())),
            Self::BankUninsured => i128::from(line.uninsured(user.other())),
            Self::CreditLimit => terms.map_or(0, |terms| i128::from(terms.credit_limit)),
            Self::CanReceive => i128::from(agreement.available(AssetId::FRD, user.other())),
            Self::UserOnChain => i128::from(witness.balance),
            Self::UserRegistered => i128::from(witness.is_registered),
            Self::Batches => i128::from(witness.batches),
        }
    }
}

#[cfg(test)]
mod tests;
