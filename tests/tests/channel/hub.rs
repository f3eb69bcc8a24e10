//! Users and banks under faults, and beside liars.

use fair_tests::world::hub::byzantine::{self, Liar};
use fair_tests::world::hub::simulation::{self, Report};

fn sum(reports: &[Report], field: fn(&Report) -> usize) -> usize {
    reports.iter().map(field).sum()
}

#[test]
fn honest_users_and_banks_come_to_rest_after_any_faults() {
    let reports: Vec<_> = (0..200).map(|seed| simulation::run(seed, 300)).collect();
    let [paid, failed] = [sum(&reports, |r| r.paid), sum(&reports, |r| r.failed)];
    let [crashes, on_chain] = [sum(&reports, |r| r.crashes), sum(&reports, |r| r.on_chain)];
    println!("{} seeds: {paid} paid, {failed} failed, {crashes} crashes, {on_chain} on-chain", reports.len());
    assert!(paid > 200 && failed > 100 && crashes > 1_000 && on_chain > 1_000, "faults bite, payments go on");
}

#[test]
fn a_seed_derives_everything() {
    assert_eq!(simulation::run(7, 200), simulation::run(7, 200));
    assert_eq!(byzantine::run(Liar::User, 7, 200), byzantine::run(Liar::User, 7, 200));
}

#[test]
fn a_lying_user_takes_nothing_and_keeps_nobody_from_paying() {
    let reports: Vec<_> = (0..100).map(|seed| byzantine::run(Liar::User, seed, 300)).collect();
    let [paid, failed] = [sum(&reports, |r| r.paid), sum(&reports, |r| r.failed)];
    println!("{} seeds: {paid} paid, {failed} failed", reports.len());
    assert!(paid > 20, "others pay beside the lies");
}

#[test]
fn a_lying_bank_takes_no_more_than_the_credit_granted_to_it() {
    let reports: Vec<_> = (0..100).map(|seed| byzantine::run(Liar::Bank, seed, 300)).collect();
    let [paid, failed] = [sum(&reports, |r| r.paid), sum(&reports, |r| r.failed)];
    println!("{} seeds: {paid} paid, {failed} failed", reports.len());
    assert!(paid > 0 && paid + failed > 50, "it mediates beside the lies");
}
