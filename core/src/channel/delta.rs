//! The number line: who owns what of one asset in a channel (docs/protocol.md, section 1).
//!
//! ```text
//! D < 0        |---.======      right owns all I, left owes −D more (right's uninsured)
//! 0 ≤ D ≤ I    .====|====       left owns D, right owns I − D
//! D > I        .======---|      left owns all I, right owes D − I more (left's uninsured)
//! ```
//!
//! Everything is computed in i128, in which no sum of the values that occur can overflow.

use crate::types::{Amount, Side};

/// Insurance and delimiter of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberLine {
    insurance: i128,
    delta: i128,
}

impl NumberLine {
    /// D = ondelta + offdelta over an insurance.
    pub fn new(insurance: Amount, ondelta: i64, offdelta: i64) -> Self {
        let line =
            Self { insurance: i128::from(insurance), delta: i128::from(ondelta).saturating_add(i128::from(offdelta)) };
        line.assert_conservation();
        line
    }

    /// The delimiter.
    pub const fn delta(&self) -> i128 {
        self.delta
    }

    /// What a side owns; negative when it owes.
    pub fn balance(&self, side: Side) -> i128 {
        match side {
            Side::Left => self.delta,
            Side::Right => self.insurance.saturating_sub(self.delta),
        }
    }

    /// The part of a side's balance that insurance covers.
    pub fn insured(&self, side: Side) -> Amount {
        amount(self.balance(side).min(self.insurance))
    }

    /// The part of a side's balance that is only promised.
    pub fn uninsured(&self, side: Side) -> Amount {
        amount(self.balance(side).saturating_sub(self.insurance))
    }

    /// What a side owes: the other side's uninsured part.
    pub fn owed_by(&self, side: Side) -> Amount {
        amount(self.balance(side).saturating_neg())
    }

    /// Left + right = insurance; and every part adds up. Kept in release: a break is our mistake.
    fn assert_conservation(&self) {
        let [left, right] = [Side::Left, Side::Right].map(|side| self.balance(side));
        assert_eq!(left.saturating_add(right), self.insurance, "left + right = insurance");
        let insured = u128::from(self.insured(Side::Left)).saturating_add(u128::from(self.insured(Side::Right)));
        assert_eq!(i128::try_from(insured), Ok(self.insurance), "the insured parts are the insurance");
    }
}

/// Zero when negative. Balances are sums of two 64-bit values, so clamping never bites for real ones.
fn amount(value: i128) -> Amount {
    Amount::try_from(value.max(0)).unwrap_or(Amount::MAX)
}

#[cfg(test)]
mod tests;
