//! A tower on the fixture's chain, through restarts.

mod court;
mod desk;
mod keeping;

use super::wire::{FromTower, Receipt};
use super::{Config, Tower};
use crate::ledger::fixture::{bare_dispute, key};
use crate::types::Hash;
use desk::{Desk, TOWER};
use std::collections::BTreeMap;

/// Power is lost at every write, send and submission in turn, before it and after it. In the end the newest
/// state is in court, and no two receipts share a number.
#[test]
fn a_restart_at_any_point_loses_nothing() {
    let (user, bank) = (key(5), key(1));
    let mut points = 0;
    for point in 0.. {
        let mut desk = Desk::funded();
        desk.crash = Some(point);
        let mut numbers: BTreeMap<u64, Receipt> = BTreeMap::new();
        for frame in [3, 7] {
            let deliver = desk.signed(&user, &bank, frame);
            // The client repeats it until it has a receipt.
            loop {
                if desk.crashed {
                    desk.restart();
                }
                desk.connect(&user);
                match desk.hand_over(&user, &deliver) {
                    Some(FromTower::Receipt(receipt)) => {
                        let same = numbers.insert(receipt.body.number, receipt.body.clone());
                        assert!(same.is_none_or(|same| same == receipt.body), "one number, one receipt");
                        break;
                    }
                    None => assert!(desk.crashed),
                    Some(FromTower::Declined(declined)) => panic!("{declined:?}"),
                }
            }
        }
        let batch = desk.world.batch(&bank, bare_dispute(&bank, &user));
        desk.quiet_block(&[batch]);
        for _ in 0..4 {
            if desk.crashed {
                desk.restart();
            }
            desk.block(&[]);
        }
        assert_eq!(desk.in_court(&user, &bank), Some(7), "power lost at point {point}");
        if desk.crash.is_some() {
            points = point;
            break;
        }
    }
    println!("{points} points at which power was lost");
    assert!(points >= 10, "{points} points");
}

#[test]
fn records_of_others_are_refused() {
    for bad in [&b"x"[..], b"c123", b"e"] {
        let rows = [(bad, &b"?"[..])];
        assert!(Tower::restore(Config::default(), key(TOWER), Hash::ZERO, rows).is_err());
    }
}
