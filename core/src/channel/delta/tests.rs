use super::*;

fn parts(insurance: Amount, ondelta: i64, offdelta: i64) -> [(i128, Amount, Amount, Amount); 2] {
    let line = NumberLine::new(insurance, ondelta, offdelta);
    [Side::Left, Side::Right]
        .map(|side| (line.balance(side), line.insured(side), line.uninsured(side), line.owed_by(side)))
}

#[test]
fn the_three_regions() {
    assert_eq!(parts(6, 0, -4), [(-4, 0, 0, 4), (10, 6, 4, 0)], "left owes");
    assert_eq!(parts(9, 4, 0), [(4, 4, 0, 0), (5, 5, 0, 0)], "all insured");
    assert_eq!(parts(6, 6, 4), [(10, 6, 4, 0), (-4, 0, 0, 4)], "right owes");
}

#[test]
fn the_worked_example() {
    // 1@123 after the rebalance, 123 right and left.
    assert_eq!(parts(99_500, 100_000, -100_000)[1], (99_500, 99_500, 0, 0));
    assert_eq!(parts(99_500, -500, 100_000)[0], (99_500, 99_500, 0, 0));
    // 2@1 with 2 right: insurance 4000, ondelta −1000, offdelta +1000, delta 0.
    assert_eq!(parts(400_000, -100_000, 100_000)[1], (400_000, 400_000, 0, 0));
}

#[test]
fn extremes_do_not_overflow() {
    let most = 1 << 62;
    for (ondelta, offdelta) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (i64::MAX, i64::MIN)] {
        parts(most, ondelta, offdelta);
    }
}
