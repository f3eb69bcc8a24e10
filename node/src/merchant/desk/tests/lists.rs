//! Parts of lists: whole, in order, and never at the cost of all that there is.

use super::*;
use crate::merchant::outgoing::{Purpose, Stage};

/// Invoices 1 to `count`, each in the state and with the name that are said for its number.
fn filled(count: u64, what: impl Fn(u64) -> (State, &'static str)) -> Desk {
    let mut desk = desk();
    for number in 1..=count {
        let (state, reference) = what(number);
        let id = InvoiceId(u128::from(number).to_le_bytes());
        desk.put(Entry { number, state, reference: reference.to_owned(), ..entry(id) });
    }
    desk
}

/// All parts of a list, `limit` lines each: numbers, and how many parts.
fn all(desk: &Desk, wanted: &Wanted, limit: usize) -> (Vec<u64>, usize) {
    let (mut found, mut after, mut parts) = (Vec::new(), 0, 0);
    loop {
        let part = desk.invoices(wanted, (after, limit));
        assert!(part.lines.len() <= limit && (part.cursor > after || !part.more), "it goes on");
        found.extend(part.lines.iter().map(|entry| entry.number));
        (after, parts) = (part.cursor, parts + 1);
        if !part.more {
            return (found, parts);
        }
    }
}

#[test]
fn a_list_is_whole_and_in_order_whatever_is_wanted_and_follows_what_changes() {
    let kinds = [(State::Paid, "a"), (State::Open, ""), (State::Expired, "a"), (State::Paid, "b")];
    let mut desk = filled(40, |number| kinds[usize::try_from(number % 4).unwrap()]);
    let of = |desk: &Desk, state, reference: Option<&str>| {
        let wanted = Wanted { state, reference: reference.map(str::to_owned) };
        let (found, _) = all(desk, &wanted, 7);
        assert_eq!(all(desk, &wanted, 1).0, found);
        found
    };
    let every = |which: fn(u64) -> bool| (1..=40).filter(|number| which(*number)).collect::<Vec<_>>();
    assert_eq!(of(&desk, None, None), every(|_| true));
    assert_eq!(of(&desk, Some(State::Paid), None), every(|number| matches!(number % 4, 0 | 3)));
    assert_eq!(of(&desk, None, Some("a")), every(|number| number % 2 == 0));
    assert_eq!(of(&desk, Some(State::Expired), Some("a")), every(|number| number % 4 == 2));
    assert!(of(&desk, Some(State::Pending), None).is_empty());
    assert!(of(&desk, None, Some("c")).is_empty());

    let paid = desk.entries.values().find(|entry| entry.number == 6).unwrap().clone();
    let id = paid.id;
    desk.put(Entry { state: State::Paid, ..paid });
    assert!(
        of(&desk, Some(State::Paid), Some("a")).contains(&6) && !of(&desk, Some(State::Expired), None).contains(&6)
    );
    desk.remove(&id);
    assert!(
        [of(&desk, None, None), of(&desk, Some(State::Paid), None), of(&desk, None, Some("a"))]
            .iter()
            .all(|found| !found.contains(&6))
    );
    assert!(desk.references.iter().all(|(_, number)| *number != 6), "nothing is left of it");
}

#[test]
fn a_part_looks_at_so_much_and_no_more() {
    let most = u64::try_from(limits::MERCHANT_LOOKED_AT).unwrap();
    let desk = filled(3 * most, |number| (if number == 3 * most { State::Paid } else { State::Expired }, "same"));
    let wanted = Wanted { state: Some(State::Paid), reference: Some("same".to_owned()) };
    let first = desk.invoices(&wanted, (0, 1));
    assert_eq!((first.lines.len(), first.cursor, first.more), (0, most, true));
    assert_eq!(all(&desk, &wanted, 1), (vec![3 * most], 3));
    // Who asks for the state alone finds it at once.
    let alone = Wanted { reference: None, ..wanted };
    assert_eq!(all(&desk, &alone, 1), (vec![3 * most], 1));
}

#[test]
fn refunds_and_payouts_are_listed_apart_and_by_how_they_stand_now() {
    let mut desk = desk();
    let invoice = InvoiceId([1; 16]);
    let one = |number: u64, purpose, stage| {
        let id = u128::from(number).to_le_bytes();
        let (digest, asset, amount, created_ms) = (Hash::ZERO, AssetId::FRD, 1, NOW_MS);
        Outgoing { id, digest, purpose, asset, amount, stage, made_as: stage, created_ms, number }
    };
    let refund = || Purpose::Refund { invoice };
    assert_eq!(desk.next_outgoing(), 1);
    for made in [
        one(1, refund(), Stage::Claimable),
        one(2, Purpose::Payout, Stage::Pending),
        one(3, Purpose::Sweep, Stage::Paid),
        one(4, refund(), Stage::Claimable),
        one(5, Purpose::Refund { invoice: ID }, Stage::Failed),
    ] {
        desk.put_outgoing(made);
    }
    assert_eq!(desk.next_outgoing(), 6);
    let numbers = |part: Part<'_, Outgoing>| part.lines.iter().map(|one| one.number).collect::<Vec<_>>();
    let refunds = |desk: &Desk, state| numbers(desk.refunds(None, state, (0, 9)));
    assert_eq!(refunds(&desk, None), [1, 4, 5]);
    assert_eq!(numbers(desk.payouts(None, (0, 9))), [2, 3]);
    assert_eq!(numbers(desk.payouts(Some(Stage::Paid), (0, 9))), [3]);
    let first = desk.refunds(None, None, (0, 2));
    assert_eq!((first.cursor, first.more), (4, true));
    let last = desk.refunds(None, None, (first.cursor, 2));
    assert_eq!((last.lines.len(), last.cursor, last.more), (1, 5, false));

    desk.put_outgoing(one(4, refund(), Stage::Paid));
    assert_eq!((refunds(&desk, Some(Stage::Claimable)), refunds(&desk, Some(Stage::Paid))), (vec![1], vec![4]));
    assert_eq!(desk.claimable_refunds().map(|one| one.number).collect::<Vec<_>>(), [1]);
    let of_one = Entry { refunds: [1_u128, 4].map(u128::to_le_bytes).to_vec(), ..entry(invoice) };
    assert_eq!(numbers(desk.refunds(Some(&of_one), None, (0, 9))), [1, 4]);
    assert_eq!(numbers(desk.refunds(Some(&of_one), None, (1, 9))), [4]);
    assert_eq!(numbers(desk.refunds(Some(&of_one), Some(Stage::Paid), (0, 9))), [4]);
}
