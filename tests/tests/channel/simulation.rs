//! Honest pairs under faults.

use fair_tests::world::simulation;

#[test]
fn an_honest_pair_agrees_after_any_faults() {
    let mut reports = Vec::new();
    for seed in 0..150 {
        reports.push(simulation::run(seed, 250));
    }
    let sum = |field: fn(&simulation::Report) -> usize| reports.iter().map(field).sum::<usize>();
    let (paid, failed, crashes) = (sum(|r| r.paid), sum(|r| r.failed), sum(|r| r.crashes));
    println!("{} seeds: {paid} paid, {failed} failed, {crashes} crashes", reports.len());
    assert!(paid > 1000 && failed > 100 && crashes > 1000, "the faults bite and payments go on");
}

#[test]
fn a_seed_derives_everything() {
    assert_eq!(simulation::run(7, 300), simulation::run(7, 300));
}

#[test]
fn an_honest_party_loses_no_more_than_it_granted() {
    let frames: u64 = (0..150).map(|seed| fair_tests::world::byzantine::run(seed, 250)).sum();
    println!("{frames} frame numbers");
    assert!(frames > 1000, "the channel goes on beside the lies");
}
