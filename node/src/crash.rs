//! Points at which a test ends this process, as a power cut would: before and after every durable write and
//! every send to a peer; and a clock that it puts ahead. Without the feature `crash-points` a point is nothing, the
//! clock shows the time of day, and the routes are not there.
//!
//! ```text
//! POST /v1/crash-points   JSON {left} → {passed}, to this machine alone, with the operator's header:
//!                         the process ends at the left-th point from now, never if 0; `passed` are the
//!                         points since the request before
//! POST /v1/clock          JSON {ahead_ms} → {now_ms}, likewise: the clock goes so far ahead of the time of day, or,
//!                         with 0, shows it again
//! ```

#[cfg(all(feature = "crash-points", not(debug_assertions)))]
compile_error!("`crash-points` is for tests of development builds; no released program may have it");

#[cfg(feature = "crash-points")]
pub(crate) use armed::{pass, routes};

/// Goes past a point.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn pass() {}

/// The way to say at which point.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn routes() -> axum::Router {
    axum::Router::new()
}

#[cfg(feature = "crash-points")]
mod armed {
    use crate::clock;
    use crate::local::{self, Refusal};
    use axum::extract::ConnectInfo;
    use axum::http::HeaderMap;
    use axum::response::Json;
    use axum::routing::post;
    use rustix::process::{Signal, getpid, kill_process};
    use serde::{Deserialize, Serialize};
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    /// Points left until the end; 0: none is wanted.
    static LEFT: AtomicU64 = AtomicU64::new(0);

    #[derive(Deserialize)]
    struct Arm {
        left: u64,
    }

    #[derive(Serialize)]
    struct Armed {
        passed: u64,
    }

    pub(crate) fn pass() {
        PASSED.fetch_add(1, Ordering::SeqCst);
        let left = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left == Ok(1) {
            let killed = kill_process(getpid(), Signal::KILL);
            unreachable!("a process does not outlive SIGKILL: {killed:?}");
        }
    }

    pub(crate) fn routes() -> axum::Router {
        axum::Router::new().route("/v1/crash-points", post(arm)).route("/v1/clock", post(put_clock))
    }

    #[derive(Deserialize)]
    struct Ahead {
        ahead_ms: u64,
    }

    async fn put_clock(
        ConnectInfo(from): ConnectInfo<SocketAddr>,
        headers: HeaderMap,
        Json(Ahead { ahead_ms }): Json<Ahead>,
    ) -> Result<Json<serde_json::Value>, Refusal> {
        local::only(from, &headers)?;
        Ok(Json(serde_json::json!({ "now_ms": clock::put(ahead_ms) })))
    }

    async fn arm(
        ConnectInfo(from): ConnectInfo<SocketAddr>,
        headers: HeaderMap,
        Json(Arm { left }): Json<Arm>,
    ) -> Result<Json<Armed>, Refusal> {
        local::only(from, &headers)?;
        LEFT.store(left, Ordering::SeqCst);
        Ok(Json(Armed { passed: PASSED.swap(0, Ordering::SeqCst) }))
    }
}
