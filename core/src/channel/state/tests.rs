use super::*;
use crate::chain::params::Parameters;
use crate::codec;
use crate::types::PublicKey;

fn lock(index: u64) -> Lock {
    Lock { index, amount: 5, hash: Hash([9; 32]), expiry: 7 }
}

fn state(assets: u32, locks_per_side: u64) -> ChannelState {
    let parties = Parties::new(PublicKey([1; 32]), PublicKey([2; 32])).unwrap();
    let mut state = ChannelState::default_of(Hash([3; 32]), parties, 4, Hash([5; 32]));
    for asset in 1..=assets {
        state.subs.push(Sub { asset: AssetId(asset), offdelta: -6, left_locks: Vec::new(), right_locks: Vec::new() });
    }
    if let Some(sub) = state.subs.first_mut() {
        sub.left_locks = (0..locks_per_side).map(lock).collect();
        sub.right_locks = (0..locks_per_side).map(lock).collect();
    }
    state
}

#[test]
fn the_layout_is_the_one_drawn() {
    for (assets, locks) in [(0, 0), (1, 0), (3, 2), (8, 60)] {
        let state = state(assets, locks);
        assert_eq!(codec::encode(&state).len() as u64, state.encoded_bytes());
        assert!(state.is_well_formed());
    }
}

#[test]
fn the_largest_state_fits_into_the_parameters() {
    for parameters in [Parameters::DEMO, Parameters::MAIN] {
        let largest = state(parameters.max_channel_assets.into(), parameters.max_locks.into());
        assert!(largest.encoded_bytes() <= u64::from(parameters.max_state_bytes));
    }
}

#[test]
fn order_is_by_frame_then_right_below_left() {
    let order = |frame, proposer| StateOrder { frame, proposer };
    assert!(StateOrder::DEFAULT < order(1, Side::Right));
    assert!(order(1, Side::Right) < order(1, Side::Left));
    assert!(order(1, Side::Left) < order(2, Side::Right));
}

#[test]
fn disorder_is_seen() {
    let mut unsorted = state(2, 0);
    unsorted.subs.reverse();
    assert!(!unsorted.is_well_formed());
    let mut repeated = state(1, 2);
    repeated.subs[0].left_locks[1].index = 0;
    assert!(!repeated.is_well_formed());
    let mut zero = state(1, 0);
    zero.subs[0].offdelta = 0;
    assert!(!zero.is_well_formed());
    let mut large = state(1, 0);
    large.subs[0].offdelta = i64::MIN;
    assert!(!large.is_well_formed());
}
