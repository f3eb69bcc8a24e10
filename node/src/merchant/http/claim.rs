//! Refunds to whoever has the link: the shop hands it to its customer, who says on a page without scripts where the
//! money goes. The link proves itself, so that nothing secret is stored.

use super::Shop;
use crate::local::Refusal;
use crate::merchant::outgoing::{Outgoing, Purpose, Stage};
use crate::page::{POLICY, decimal, escaped, start};
use crate::wallet::http::{bad, read_id};
use crate::wallet::operator::payable;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, FromRequest as _, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use fair_core::crypto::SecretKey;
use fair_core::types::TimeMs;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use std::fmt::Write as _;
use std::net::SocketAddr;

const CLAIM: &[u8] = b"fair/shop-claim1";

/// What a link proves itself by: HMAC-SHA256 of the refund's id and the time when it was made, under the account's key.
/// Of two refunds that got one id, because records were lost between them, each has its own link.
fn proof(secret: &SecretKey, id: &[u8; 16], created_ms: TimeMs) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.seed().as_slice()).ok()?;
    mac.update(CLAIM);
    mac.update(id);
    mac.update(&created_ms.to_be_bytes());
    Some(mac)
}

/// The time when a refund was made and the proof, as they stand in its link.
fn token(secret: &SecretKey, id: &[u8; 16], created_ms: TimeMs) -> Option<String> {
    let proof = proof(secret, id, created_ms)?.finalize().into_bytes();
    Some(format!("{}{}", hex::encode(created_ms.to_be_bytes()), hex::encode(proof)))
}

/// The link to a refund that waits for somebody to say where it goes.
pub(super) fn link(shop: &Shop, outgoing: &Outgoing) -> Option<String> {
    let waits = matches!(outgoing.purpose, Purpose::Refund { .. }) && outgoing.stage == Stage::Claimable;
    let token = token(&shop.secret, &outgoing.id, outgoing.created_ms).filter(|_| waits)?;
    Some(format!("{}/claim/{}/{token}", shop.url, hex::encode(outgoing.id)))
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "refund.unknown", "This link leads to no refund.")
}

/// The refund that a link names, and when that was made, if it proves itself.
fn proven(secret: &SecretKey, id: &str, shown: &str) -> Option<([u8; 16], TimeMs)> {
    let id = read_id(id).ok()?;
    let shown = hex::decode(shown).ok()?;
    let (created_ms, shown) = shown.split_first_chunk()?;
    let created_ms = TimeMs::from_be_bytes(*created_ms);
    proof(secret, &id, created_ms)?.verify_slice(shown).ok().map(|()| (id, created_ms))
}

/// Whether a link of this time was made for this refund, and not for one of before that had its id.
const fn is_for(refund: &Outgoing, created_ms: TimeMs) -> bool {
    refund.created_ms == created_ms
}

/// The refund to which a link leads.
async fn find(shop: &Shop, from: SocketAddr, id: &str, shown: &str) -> Result<Outgoing, Refusal> {
    let Some((id, created_ms)) = proven(&shop.secret, id, shown) else {
        shop.waiting.rates.stranger(from.ip())?;
        return Err(unknown());
    };
    shop.waiting.rates.link(&id)?;
    let found = shop.at_desk(move |desk, _, _, _| (Vec::new(), Ok(desk.outgoing(&id).cloned())));
    found.await?.filter(|refund| is_for(refund, created_ms)).ok_or_else(unknown)
}

pub(super) async fn page(
    State(shop): State<Shop>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path((id, shown)): Path<(String, String)>,
) -> Response {
    let found = find(&shop, from, &id, &shown).await;
    dressed(found.map(|refund| look(&shop, &refund)))
}

fn look(shop: &Shop, refund: &Outgoing) -> String {
    let asset = shop.wallet.genesis.assets.iter().find(|asset| asset.id == refund.asset);
    let (decimals, ticker) = asset.map_or((0, ""), |asset| (asset.decimals, asset.ticker.as_str()));
    let amount = format!("{} {}", decimal(refund.amount, decimals), escaped(ticker));
    let mut html = start("Your refund", 0);
    // Writing to a String cannot fail.
    let _ = match refund.stage {
        Stage::Claimable => write!(
            html,
            "<p>{amount} are yours. Where shall they go?</p><form method=post>\
             <label>Your address or an invoice (your wallet shows one under Receive)\
             <textarea name=to required maxlength=4096></textarea></label>\
             <button>Send it there</button></form>"
        ),
        Stage::Pending => write!(html, "<p>{amount} are on their way.</p>"),
        Stage::Paid => write!(html, "<p>{amount} were sent.</p>"),
        Stage::Failed => write!(html, "<p>It did not arrive. Ask the shop for another link.</p>"),
        Stage::Cancelled => write!(html, "<p>The shop took this refund back. Ask the shop.</p>"),
    };
    html
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claimed {
    to: String,
}

pub(super) async fn claim(
    State(shop): State<Shop>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path((id, shown)): Path<(String, String)>,
    request: Request,
) -> Response {
    let claimed = async {
        let refund = find(&shop, from, &id, &shown).await?;
        // Nobody else has a body read.
        let form: Result<Form<Claimed>, FormRejection> = Form::from_request(request, &()).await;
        let Form(Claimed { to }) = form.map_err(|error| bad("input.form", error.body_text()))?;
        let (to, _, _) = payable(&shop.wallet, to.trim())?;
        let id = refund.id;
        let made = shop.at_desk(move |desk, wallet, chain, now_ms| desk.claim(id, to, wallet, chain, now_ms));
        Ok(look(&shop, &made.await?))
    };
    dressed(claimed.await)
}

fn dressed(page: Result<String, Refusal>) -> Response {
    let security = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    match page {
        Ok(html) => (security, Html(html)).into_response(),
        Err(refusal) => {
            let mut html = start("It did not work", 0);
            let _ = write!(html, "<p>{}</p>", escaped(refusal.message()));
            (refusal.status(), security, Html(html)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fair_core::payment::invoice::InvoiceId;
    use fair_core::types::{AssetId, Hash};

    /// After its records were lost a shop's next customer gets a refund under the id of an earlier one.
    #[test]
    fn a_link_is_good_for_the_refund_that_it_was_made_for() {
        let (secret, id) = (SecretKey::from_seed(&[1; 32]), [2; 16]);
        let made_at = |created_ms| Outgoing {
            id,
            digest: Hash::ZERO,
            purpose: Purpose::Refund { invoice: InvoiceId([3; 16]) },
            asset: AssetId::FRD,
            amount: 5,
            stage: Stage::Claimable,
            made_as: Stage::Claimable,
            created_ms,
            number: 1,
        };
        let shown = |created_ms| token(&secret, &id, created_ms).unwrap();
        let name = hex::encode(id);
        let (proven_id, created_ms) = proven(&secret, &name, &shown(7)).unwrap();
        assert_eq!((proven_id, created_ms), (id, 7));
        assert!(is_for(&made_at(7), created_ms) && !is_for(&made_at(8), created_ms));
        // Nobody says another time with the proof of this one, nor another id.
        let turned = format!("{}{}", hex::encode(8_u64.to_be_bytes()), shown(7).split_off(16));
        let elsewhere = token(&secret, &[4; 16], 7).unwrap();
        let of_another = token(&SecretKey::from_seed(&[5; 32]), &id, 7).unwrap();
        for wrong in ["", "00", &turned, &elsewhere, &of_another, &shown(7).split_off(16)] {
            assert_eq!(proven(&secret, &name, wrong), None, "{wrong}");
        }
    }
}
