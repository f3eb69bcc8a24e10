//! Who gives out fewer headers than were asked for, or other ones, is left for the next source, and named; who is only
//! slow gives way.

use super::*;
use crate::held::{NotHeld, hold};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing;
use fair_core::types::PublicKey;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

/// More than are asked for at once.
const HEADERS: usize = HEADERS_AT_ONCE as usize + 88;

struct Source {
    headers: Vec<Header>,
    /// How many it gives out at most.
    most: usize,
    asked: AtomicUsize,
}

#[derive(Deserialize)]
struct Range {
    from: Height,
    count: usize,
}

async fn headers(State(source): State<Arc<Source>>, Query(range): Query<Range>) -> Vec<u8> {
    source.asked.fetch_add(1, Ordering::SeqCst);
    let found = source.headers.iter().filter(|header| header.height >= range.from);
    let certified = found.take(range.count.min(source.most)).map(|header| {
        let (height, block_hash) = (header.height, header.hash());
        (header, Certificate { height, round: 0, block_hash, signatures: Vec::new() })
    });
    codec::encode(&certified.collect::<Vec<_>>())
}

async fn start(headers_there: Vec<Header>, most: usize) -> (String, Arc<Source>) {
    let source = Arc::new(Source { headers: headers_there, most, asked: AtomicUsize::new(0) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/headers", routing::get(headers)).with_state(source.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, source)
}

/// Headers that name each other; `time_ms` makes them others.
fn chain(time_ms: u64) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for height in 1..=HEADERS as u64 {
        headers.push(Header {
            version: 1,
            chain_id: Hash::ZERO,
            height,
            time_ms,
            proposer: PublicKey([1; 32]),
            previous: headers.last().map_or(Hash::ZERO, Header::hash),
            usable_height: 0,
            batches_root: Hash::ZERO,
            state_root: Hash::ZERO,
            validators_hash: Hash::ZERO,
            next_validators_hash: Hash::ZERO,
            parameters_hash: Hash::ZERO,
        });
    }
    headers
}

#[tokio::test]
async fn who_withholds_headers_is_left_and_named() {
    let (headers, start_at) = (chain(1), (0, Hash::ZERO));
    let head = headers.last().unwrap();
    let to = Confirmed { height: head.height, hash: head.hash() };
    let (stingy, one_each) = start(headers.clone(), 1).await;
    let (short, without_the_last) = start(headers[..HEADERS - 1].to_vec(), HEADERS).await;
    let (other, of_another_chain) = start(chain(2), HEADERS).await;
    let (honest, all) = start(headers, HEADERS).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let urls = [stingy.clone(), short.clone(), other.clone(), honest];
    let found = lead(&client, &urls, start_at, to).await.unwrap();
    assert_eq!(found.next(HEADERS_AT_ONCE), None, "it leads there");
    let asked = [&one_each, &without_the_last, &of_another_chain, &all].map(|one| one.asked.load(Ordering::SeqCst));
    assert_eq!(asked, [1, 2, 2, 2], "who withholds is asked no more");

    let error = lead(&client, &urls[..3], start_at, to).await.unwrap_err().to_string();
    for said in [
        format!("{stingy}: 1 of 512 headers from 1 on are given out"),
        format!("{short}: 87 of 88 headers from 513 on are given out"),
        format!("{other}: the header 600 that is served does not lead to the confirmed checkpoint"),
    ] {
        assert!(error.contains(&said), "{error}");
    }
}

/// A source of which nothing can be said but that it takes its time.
#[tokio::test]
async fn who_is_slow_gives_way_and_goes_on_later() {
    let headers = chain(1);
    let head = headers.last().unwrap();
    let to = Confirmed { height: head.height, hash: head.hash() };
    let (first, slow) = start(headers.clone(), HEADERS).await;
    let (second, other) = start(headers, HEADERS).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let found = by_turns(&client, &[first, second], (0, Hash::ZERO), to, Duration::ZERO).await.unwrap();
    assert_eq!(found.next(HEADERS_AT_ONCE), None, "it leads there");
    let asked = [slow, other].map(|one| one.asked.load(Ordering::SeqCst));
    assert_eq!(asked, [2, 1], "nobody is asked twice for the same");
}

/// Whichever of the two is the newer one.
#[tokio::test]
async fn a_snapshot_is_of_the_chain_of_the_checkpoint() {
    let (headers, others) = (chain(1), chain(2));
    let place = |header: &Header| Confirmed { height: header.height, hash: header.hash() };
    let (early, late) = (place(&headers[299]), place(headers.last().unwrap()));
    let (other_early, other_late) = (place(&others[299]), place(others.last().unwrap()));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (first, _) = start(headers, HEADERS).await;
    let (second, _) = start(others, HEADERS).await;
    let urls = [first, second];
    for (snapshot, checkpoint) in [(early, late), (late, early), (late, late), (other_early, other_late)] {
        hold(&client, &urls, snapshot, checkpoint).await.unwrap();
    }
    let error = hold(&client, &[], late, other_late).await.unwrap_err();
    assert!(matches!(error, NotHeld::Contradiction { .. }), "{error}");
    for (snapshot, checkpoint) in [(early, other_late), (other_late, early)] {
        let error = hold(&client, &urls, snapshot, checkpoint).await.unwrap_err();
        assert!(matches!(error, NotHeld::Apart { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(&snapshot.to_string()) && said.contains(&checkpoint.to_string()), "{said}");
    }
}
