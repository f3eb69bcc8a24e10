//! The pages. Nothing in them was written by a stranger: articles are the shop's, numbers are numbers.

use crate::goods::{self, Article, MOST, amount};
use crate::order::{Order, State};
use crate::refund::{Refund, Stage};
use std::fmt::Write as _;

const NAME: &str = "Leaf and Kiln";

/// How often a page without a script is loaded anew, in seconds.
const RELOAD_S: u32 = 5;

/// What stands on an order's page in each state: title, what it means, what to do.
const fn says(state: State) -> (&'static str, &'static str) {
    match state {
        State::Open => {
            ("Waiting for your payment", "Your order is kept for you. Pay it below; this page follows by itself.")
        }
        State::Pending => (
            "Your payment is under way",
            "It can no longer be lost. As soon as it is final this page says so; you may close it and come back.",
        ),
        State::Paid => ("Paid. Thank you!", "Your payment is final, and we are packing."),
        State::Expired => (
            "The time to pay is over",
            "Nothing was charged. If you still want it, press the button below for a new invoice.",
        ),
        State::Cancelled => ("Cancelled", "Nothing was charged, and this order can no longer be paid."),
    }
}

fn page(title: &str, head: &str, main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · {NAME}</title>\n\
         <link rel=\"icon\" href=\"/pictures/icon.svg\">\n<link rel=\"stylesheet\" href=\"/shop.css\">\n{head}</head>\n\
         <body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n\
         <header><a class=\"name\" href=\"/\"><img src=\"/pictures/icon.svg\" alt=\"\" width=\"36\" height=\"36\">{NAME}</a>\
         <p>Tea and what belongs to it</p></header>\n<main id=\"main\" tabindex=\"-1\">\n{main}</main>\n\
         <footer><p>A shop of a test network: it takes play money, and nothing is sent.</p>\
         <p>Paid with Fair, from your wallet to ours. We never see a card or a name.</p></footer>\n</body>\n</html>\n"
    )
}

pub(crate) fn problem(title: &str, says: &str) -> String {
    page(title, "", &format!("<h1>{title}</h1>\n<p>{says}</p>\n<p><a href=\"/\">To the shop</a></p>\n"))
}

pub(crate) fn index(articles: &[Article]) -> String {
    let mut goods = String::new();
    for Article { id, name, says, picture, price } in articles {
        let numbers: String = (1..=MOST).map(|number| format!("<option>{number}</option>")).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            goods,
            "<li class=\"article\">\n<img src=\"/pictures/{id}.svg\" alt=\"{picture}\" width=\"240\" height=\"180\">\n\
             <h2 id=\"{id}\">{name}</h2>\n<p>{says}</p>\n<form method=\"post\" action=\"/orders\" aria-labelledby=\"{id}\">\n\
             <p class=\"price\">{}</p>\n<input type=\"hidden\" name=\"article\" value=\"{id}\">\n\
             <label for=\"{id}-quantity\">Pieces<span class=\"unseen\"> of {name}</span></label>\
             <select id=\"{id}-quantity\" name=\"quantity\">{numbers}</select>\n\
             <button>Buy {name}</button>\n</form>\n</li>",
            amount(*price)
        );
    }
    let main = format!("<h1>What there is today</h1>\n<ul class=\"goods\">\n{goods}</ul>\n");
    page("Tea and what belongs to it", "", &main)
}

/// What was ordered, as a table with its sum.
fn bill(order: &Order) -> String {
    let article = goods::article(&order.article);
    let name = article.map_or("An article that is no longer sold", |article| article.name);
    let picture = article
        .map(|article| format!("<img src=\"/pictures/{}.svg\" alt=\"\" width=\"96\" height=\"72\">", article.id));
    format!(
        "<section class=\"bill\" aria-label=\"What you order\">{}<p><strong>{} × {name}</strong></p>\
         <p class=\"price\">{}</p></section>\n",
        picture.unwrap_or_default(),
        order.quantity,
        amount(order.total)
    )
}

/// What of a payment goes back, and what the customer does for it.
fn back(order: &Order, refund: &Refund) -> String {
    let why = match order.state {
        State::Paid => "This order was paid twice.",
        _ => "What came is not what this order costs.",
    };
    let amount = refund.amount.map_or("The payment".to_owned(), amount);
    let link = refund.link.iter().filter(|_| refund.stage == Stage::Claimable);
    let link: String =
        link.map(|link| format!("<p><a class=\"button\" href=\"{link}\">Take it back</a></p>")).collect();
    let what = match refund.stage {
        Stage::Owed | Stage::Pending => "goes back to the wallet that paid. This page says when it is there.",
        Stage::Claimable => {
            "is yours again. The wallet that paid has named no address, so say where it goes; the link works once."
        }
        Stage::Paid => "was sent back.",
        Stage::ByHand => "was given back by hand.",
        Stage::Cancelled => "was to go back by a link, which we have taken away. Ask us, by the number of your order.",
    };
    format!(
        "<section class=\"back\" aria-label=\"Refund\"><p><strong>{why}</strong> {amount} {what}</p>{link}</section>\n"
    )
}

pub(crate) fn order(order: &Order, wallet: &str) -> String {
    let Order { id, number, state, late, total, .. } = order;
    let mut words = String::new();
    for one in State::ALL {
        let (title, means) = says(one);
        let _ = writeln!(
            words,
            "<div data-for=\"{}\" data-title=\"{title}\"{}><p>{means}</p></div>",
            one.name(),
            hidden(one != *state)
        );
    }
    let pay = format!(
        "<section class=\"pay\" data-pay aria-label=\"Payment\"{}>\n\
         <fair-pay invoice-src=\"/orders/{id}/invoice\" status-src=\"/orders/{id}/status\" wallet=\"{wallet}\">\
         <a class=\"button\" href=\"/orders/{id}/pay\">Pay {}</a></fair-pay>\n\
         <div data-cancel{}><p class=\"small\">No wallet yet? The button makes you one in a minute.</p>\n\
         <form method=\"post\" action=\"/orders/{id}/cancel\"><button class=\"quiet\">Cancel the order</button></form></div>\n\
         </section>\n",
        hidden(!order.can_be_paid()),
        amount(*total),
        hidden(*state == State::Pending)
    );
    let back: String = order.refunds.iter().map(|refund| back(order, refund)).collect();
    let main = format!(
        "<article data-order=\"/orders/{id}/status\" data-state=\"{0}\" data-stands=\"{5}\">\n<h1>Order {number}</h1>\n{1}\
         <section class=\"state\" aria-labelledby=\"state\">\n<div role=\"status\"><h2 id=\"state\">{2}</h2></div>\n{words}\
         <p data-late{3}>It came after the time of its invoice. We take it all the same.</p>\n\
         <p data-receipt{4}><a href=\"/orders/{id}/receipt\">Receipt</a></p>\n</section>\n{back}{pay}\
         <p class=\"small\">Keep the address of this page: it is the key to your order.</p>\n\
         <p data-alone class=\"small\" role=\"status\" hidden>The shop does not answer at the moment. This page asks again by itself.</p>\n\
         </article>\n",
        state.name(),
        bill(order),
        says(*state).0,
        hidden(!late),
        hidden(*state != State::Paid),
        order.stands(),
    );
    let head = format!(
        "<script type=\"module\" src=\"/fair-pay.js\"></script>\n<script type=\"module\" src=\"/order.js\"></script>\n\
         <noscript><meta http-equiv=\"refresh\" content=\"{RELOAD_S}\"></noscript>\n"
    );
    page(&format!("Order {number}"), &head, &main)
}

fn hidden(is_hidden: bool) -> &'static str {
    if is_hidden { " hidden" } else { "" }
}

/// None before it is paid.
pub(crate) fn receipt(order: &Order, wallet: &str, payee: &str) -> Option<String> {
    let paid_ms = order.paid_ms?;
    let (invoice, text) = order.invoice.as_ref()?;
    let rows = [
        ("Order", order.number.to_string()),
        ("Paid", time(paid_ms)),
        ("Amount", amount(order.total)),
        ("Insured when it came", amount(order.insured)),
        ("Paid to", format!("{NAME}, account <code>{payee}</code>")),
        ("Invoice", format!("<code>{invoice}</code>")),
        ("Signed text of the invoice", format!("<code>{text}</code>")),
    ];
    let rows: String = rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n")).collect();
    let main = format!(
        "<h1>Receipt</h1>\n{}<dl class=\"receipt\">\n{rows}</dl>\n\
         <p>Your wallet has the proof that you paid, which anybody can check: \
         <a href=\"{wallet}/#/activity\">open your wallet</a>, choose this payment, <i>Proof of payment</i>.</p>\n\
         <p class=\"unprinted\"><a href=\"/orders/{}\">Back to the order</a></p>\n",
        bill(order),
        order.id
    );
    Some(page(&format!("Receipt {}", order.number), "", &main))
}

/// `2026-01-31 09:05 UTC`: days since 1970 as a date of the Gregorian calendar.
fn time(ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    let minutes = ms % DAY_MS / 60_000;
    // Years that begin in March have their odd day at the end; eras have 400 of them.
    let days = ms / DAY_MS + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    format!("{}-{month:02}-{date:02} {:02}:{:02} UTC", year + era * 400, minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(time(0), "1970-01-01 00:00 UTC");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00 UTC");
        assert_eq!(time(1_709_251_199_000), "2024-02-29 23:59 UTC");
        assert_eq!(time(1_798_761_540_000), "2026-12-31 23:59 UTC");
        assert_eq!(time(1_798_761_600_000), "2027-01-01 00:00 UTC");
    }

    #[test]
    fn every_article_has_a_picture_and_a_form() {
        let page = index(&goods::ARTICLES);
        for article in goods::ARTICLES {
            let file = format!("{}/site/pictures/{}.svg", env!("CARGO_MANIFEST_DIR"), article.id);
            assert!(std::path::Path::new(&file).is_file(), "{file}");
            assert!(page.contains(&format!("value=\"{}\"", article.id)));
        }
        assert!(!page.contains(" style=") && !page.contains("<style"), "the policy lets no style in");
    }
}
