use super::*;

#[test]
fn a_range_ends_behind_every_key_with_its_prefix() {
    for prefix in [vec![1], vec![1, 0xff], vec![0x15; 33], vec![0xff]] {
        let end = end_of(&prefix);
        assert!(end > prefix);
        let longer = [prefix.clone(), vec![0xff; 8]].concat();
        assert!(prefix == [0xff] || longer < end, "{prefix:?}");
        assert!(end_of(&[1, 2]) <= vec![1, 3]);
    }
}

#[test]
fn mentions_are_in_order_of_height() {
    let account = PublicKey([7; 32]);
    let keys =
        [mention(&account, 1, 5), mention(&account, 255, 0), mention(&account, 256, 0), mention(&account, 256, 1)];
    assert!(keys.is_sorted());
    assert_eq!(mention_place(&keys[3]), Some((256, 1)));
    assert_eq!(mention_place(&keys[0][..40]), None);
}
