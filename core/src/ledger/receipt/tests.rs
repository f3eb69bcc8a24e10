use super::{Receipt, SkipReason};
use crate::codec;

#[test]
fn reasons_survive_storage_and_do_not_nest() {
    let limit = 1 << 20;
    let group = SkipReason::Group { failed: 3, because: Box::new(SkipReason::TooManyAssets { limit: 8 }) };
    let receipt = Receipt::Skipped { reason: group.clone() };
    assert_eq!(codec::decode(&codec::encode(&receipt), limit), Ok(receipt));
    let nested = SkipReason::Group { failed: 4, because: Box::new(group) };
    assert!(codec::decode::<SkipReason>(&codec::encode(&nested), limit).is_err());
    // A million groups, each inside the one before, as only bytes can have them.
    assert!(codec::decode::<SkipReason>(&vec![0; limit], limit).is_err());
}
