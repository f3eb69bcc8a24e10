//! The operator's page, shown to the own machine alone.

use super::view::{Balance, View};
use crate::page::{decimal, escaped, start};
use fair_core::bank::PartnerExposure;
use std::fmt::Write as _;

const REFRESH_S: u32 = 5;

/// The page.
pub(super) fn html(view: &View) -> String {
    let mut page = start(&format!("Bank @{}", view.handle), REFRESH_S);
    let rebalance = match (view.exposure.rebalancing, view.next_rebalance_at) {
        (true, _) => "under way: waiting for consents".to_owned(),
        (false, Some(at)) => format!("when somebody is to be insured, from block {at} on"),
        (false, None) => "only when asked (node rebalance)".to_owned(),
    };
    let stale = if view.stale { " <span class=risk>old: nothing is promised now</span>" } else { "" };
    if !view.registered {
        page.push_str("<p class=risk>Not on the register of banks: it begins no channels (node register-bank).</p>");
    }
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<dl><dt>Account</dt><dd>{account}</dd><dt>Verified up to block</dt><dd>{head}{stale}</dd>\
         <dt>Next rebalance</dt><dd>{rebalance}</dd><dt>Payments under way</dt><dd>{forwards}</dd></dl>\
         <h2>On-chain</h2><dl>",
        account = view.account,
        head = view.head,
        forwards = view.exposure.forwards,
    );
    for balance in &view.balances {
        let amount = decimal(balance.amount, balance.decimals);
        let _ = write!(page, "<dt>{}</dt><dd>{amount}</dd>", escaped(&balance.ticker));
    }
    page.push_str("</dl><h2>Partners</h2>");
    if view.exposure.partners.is_empty() {
        page.push_str("<p>Nobody has a channel yet.</p>");
        return page;
    }
    page.push_str(
        "<div class=wide><table><thead><tr><th>Partner<th><th>Asset<th>Collateral<th>Theirs, insured\
         <th>Theirs, uninsured<th>Ours, insured<th>Ours, uninsured<th>Under way<th>To be insured</thead><tbody>",
    );
    for partner in &view.exposure.partners {
        row(&mut page, partner, view.balances.iter().find(|balance| balance.asset == partner.asset));
    }
    page.push_str("</tbody></table></div>");
    page
}

fn row(page: &mut String, partner: &PartnerExposure, shown: Option<&Balance>) {
    let decimals = shown.map_or(0, |balance| balance.decimals);
    let ticker = shown.map_or_else(|| format!("asset {}", partner.asset), |balance| escaped(&balance.ticker));
    let amount = |amount| decimal(amount, decimals);
    let key = partner.partner.to_string();
    let short: String = key.chars().take(12).collect();
    let risk = if partner.partner_uninsured > 0 { " class=risk" } else { "" };
    let _ = write!(
        page,
        "<tr><td title='{key}'>{short}…<td>{online}<td>{ticker}<td>{}<td>{}<td{risk}>{}<td>{}<td>{}<td>{}<td>{}",
        amount(partner.insurance),
        amount(partner.partner_insured),
        amount(partner.partner_uninsured),
        amount(partner.own_insured),
        amount(partner.own_uninsured),
        amount(partner.locked_by_partner.saturating_add(partner.locked_by_bank)),
        amount(partner.wants_insurance),
        online = if partner.connected { "online" } else { "away" },
    );
}
