//! What a monitor is told of a merchant that starts, loses its bank and its relay.

use crate::shop::{PATIENCE, Shop};
use anyhow::{Result, ensure};
use fair_tests::network::{BANK, MERCHANT, Network, Plan};
use fair_tests::wait;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_is_told_what_is_wrong_and_nothing_secret() -> Result<()> {
    let mut network = Network::start(&Plan { validators: 1, ..Plan::new()? }).await?;
    network.stop(BANK).await?;
    network.add_merchant(MERCHANT, "").await?;
    // Nobody's key.
    let monitor = Shop::new(&network, "")?;
    let until = async |code: &str| {
        wait::until(format!("a merchant that is {code}"), PATIENCE, async || {
            assert_eq!(monitor.get("/healthz").await?.expect(200)["text"], "ok\n");
            let answer = monitor.get("/readyz").await?;
            let is_ready = answer.status.as_u16() == 200;
            // Refused ones ("limited") are asked again.
            let (told, state) = if is_ready {
                ("ready", answer.body.clone())
            } else {
                (answer.body["code"].as_str().unwrap_or_default(), answer.body["data"].clone())
            };
            Ok((told == code).then_some(state))
        })
        .await
    };
    let state = until("merchant.disconnected").await?;
    assert_eq!((&state["connected"], &state["credit"], &state["stale"]), (&json!(false), &json!(false), &json!(false)));
    network.restart(BANK).await?;
    let state = until("ready").await?;
    ensure!(state["height"].as_u64() > Some(0), "{state}");
    let fields: Vec<_> = state.as_object().into_iter().flat_map(|state| state.keys()).collect();
    assert_eq!(fields, ["height", "stale", "connected", "credit"]);
    network.stop(BANK).await?;
    let state = until("merchant.disconnected").await?;
    assert_eq!((&state["credit"], &state["stale"]), (&json!(true), &json!(false)), "the channel is still there");
    network.restart(BANK).await?;
    until("ready").await?;
    network.stop("v1").await?;
    let state = until("merchant.stale").await?;
    assert_eq!(state["stale"], true);

    // So often from one address.
    let limited = wait::until("a limit", PATIENCE, async || {
        let answer = monitor.get("/readyz").await?;
        Ok((answer.status.as_u16() == 429).then_some(answer))
    })
    .await?;
    ensure!(limited.retry_after >= Some(1), "{limited:?}");
    monitor.get("/healthz").await?.expect(200);
    network.shut_down().await
}
