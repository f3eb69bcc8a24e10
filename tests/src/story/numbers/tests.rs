use super::*;

const STEPS: [Step; 6] = [Step::Deposit, Step::Direct, Step::Back, Step::Payments, Step::Rebalance, Step::Splice];

fn cents(quantity: Quantity) -> i128 {
    match quantity {
        Quantity::Frd(cents) => cents,
        Quantity::Count(count) => panic!("{count} is no money"),
    }
}

/// The table itself keeps the number line's rules, in all orientations and at any scale.
#[test]
fn the_numbers_add_up() {
    for (step, scale) in STEPS.into_iter().flat_map(|step| [(step, 1), (step, 7)]) {
        for (place, side) in [Where::Two, Where::Newcomer].into_iter().flat_map(|p| [(p, Side::Left), (p, Side::Right)])
        {
            let setting = Setting { scale, two: side, newcomer: side, two_on_chain: 0 };
            let all = expected(step, place, &setting);
            let of = |what| cents(all.iter().find(|(other, _)| *other == what).unwrap().1);
            assert_eq!(of(What::Delta), of(What::Ondelta) + of(What::Offdelta), "{step:?} {place:?} {side:?}");
            let [insured, uninsured] =
                [of(What::UserInsured) + of(What::BankInsured), of(What::UserUninsured) - of(What::BankUninsured)];
            assert_eq!(insured, of(What::Insurance), "{step:?} {place:?} {side:?}");
            let user = of(What::UserInsured) + uninsured;
            let balance = if side == Side::Left { of(What::Delta) } else { of(What::Insurance) - of(What::Delta) };
            assert_eq!(user, balance, "{step:?} {place:?} {side:?}");
        }
    }
}

#[test]
fn amounts_are_decimal_text() {
    for (quantity, text) in [
        (Quantity::Frd(500_000), "5000.00"),
        (Quantity::Frd(-500), "-5.00"),
        (Quantity::Frd(-7), "-0.07"),
        (Quantity::Frd(0), "0.00"),
        (Quantity::Count(2), "2"),
    ] {
        assert_eq!(serde_json::to_value(quantity).unwrap(), text);
    }
}

#[test]
fn a_number_that_is_wrong_or_told_differently_is_named() {
    let reading = |cents| Reading { amount: Quantity::Frd(cents), height: 1, root: String::new(), by: "merkle" };
    let number = |said: [i128; 3]| Number {
        name: "2@1 delta".to_owned(),
        expected: Quantity::Frd(499_000),
        proof: reading(said[0]),
        left: reading(said[1]),
        right: reading(said[2]),
    };
    assert!(number([499_000; 3]).check().is_ok());
    let wrong = number([498_999; 3]).check().unwrap_err().to_string();
    assert!(wrong.starts_with("2@1 delta is not the protocol's: 4990.00 expected; proof 4989.99"), "{wrong}");
    for place in 0..3 {
        let mut said = [499_000; 3];
        said[place] = 499_001;
        let different = number(said).check().unwrap_err().to_string();
        assert!(different.starts_with("2@1 delta is told in different ways"), "{different}");
    }
}
