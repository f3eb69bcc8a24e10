//! Whole numbers as JSON has them: to JSON, and to some who write it, `5.0` is one too.

use fair_core::types::AssetId;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Up to here every whole number is a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number within its bounds")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        if number.fract() == 0.0 && (0.0..=EXACT).contains(&number) {
            return self.visit_u64(number as u64);
        }
        Err(E::invalid_value(Unexpected::Float(number), &self))
    }
}

/// A number that is there.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_u64(Whole(PhantomData))
}

/// A number that may be `null`.
pub(super) fn optional<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Maybe<T>(PhantomData<T>);
    impl<'de, T: TryFrom<u64>> Visitor<'de> for Maybe<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number within its bounds, or null")
        }

        fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
            whole(deserializer).map(Some)
        }
    }
    deserializer.deserialize_option(Maybe(PhantomData))
}

/// The number of an asset.
pub(super) fn asset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AssetId, D::Error> {
    whole(deserializer).map(AssetId)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Some {
        #[serde(deserialize_with = "super::whole")]
        one: u32,
        #[serde(default, deserialize_with = "super::optional")]
        other: Option<u64>,
    }

    #[test]
    fn whole_numbers_are_read_in_each_of_their_forms_and_nothing_else_is() {
        let of = |text: &str| serde_json::from_str::<Some>(text).ok().map(|some| (some.one, some.other));
        assert_eq!(of(r#"{"one":5}"#), Some((5, None)));
        assert_eq!(of(r#"{"one":5.0,"other":null}"#), Some((5, None)));
        assert_eq!(of(r#"{"one":5e2,"other":9007199254740992.0}"#), Some((500, Some(1 << 53))));
        assert_eq!(of(r#"{"one":0,"other":18446744073709551615}"#), Some((0, Some(u64::MAX))));
        for bad in ["-1", "-1.0", "1.5", "4294967296", "4294967296.0", "1e300", "\"5\"", "true", "null", "[5]", "{}"] {
            assert_eq!(of(&format!("{{\"one\":{bad}}}")), None, "{bad}");
        }
        // Not the number that was written.
        assert_eq!(of(r#"{"one":1,"other":9007199254740994.0}"#), None);
    }
}
