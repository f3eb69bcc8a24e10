//! Orders, and what an event changes about one.

use crate::goods::ASSET;
use crate::refund::Refund;
use serde::Deserialize;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Pending,
    Paid,
    Expired,
    Cancelled,
}

impl State {
    pub(crate) const ALL: [Self; 5] = [Self::Open, Self::Pending, Self::Paid, Self::Expired, Self::Cancelled];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Something that somebody buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Known to the customer alone.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) number: i64,
    pub(crate) article: String,
    pub(crate) quantity: u32,
    pub(crate) total: u64,
    pub(crate) state: State,
    /// Part of the name of its invoice at the merchant.
    pub(crate) attempt: u32,
    /// Its invoice: the merchant's id, and the text that wallets read.
    pub(crate) invoice: Option<(String, String)>,
    /// An earlier invoice that is to be cancelled before there is another one.
    pub(crate) previous: Option<(String, String)>,
    pub(crate) created_ms: u64,
    /// When it was paid.
    pub(crate) paid_ms: Option<u64>,
    /// It was paid after the time of its invoice.
    pub(crate) late: bool,
    /// How much of it is insured.
    pub(crate) insured: u64,
    /// What came for it and goes back.
    pub(crate) refunds: Vec<Refund>,
}

/// What the merchant tells.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) sequence: u64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) created_ms: u64,
    /// An invoice or a refund; of payouts nothing is read.
    pub(crate) data: serde_json::Value,
}

/// An invoice as the merchant shows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) reference: String,
    pub(crate) asset: u32,
    pub(crate) received: u64,
    pub(crate) invoice: String,
    pub(crate) late: bool,
    pub(crate) assurance: Assurance,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Assurance {
    pub(crate) insured: u64,
    pub(crate) enough: bool,
}

/// What somebody who looks after the shop should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The order stands so.
    Changed(State),
    /// It stands as before.
    Same,
    /// It is paid once more, through another invoice, which is given back.
    PaidTwice,
    /// What came is not what the order costs, and is given back.
    NotEnough,
}

impl Order {
    /// Whether its page offers to pay it.
    pub(crate) const fn can_be_paid(&self) -> bool {
        matches!(self.state, State::Open | State::Pending | State::Expired)
    }

    /// Everything about it that its page follows, such as `paid.pending`: paid, and something is on its way back.
    pub(crate) fn stands(&self) -> String {
        let refunds = self.refunds.iter().map(|refund| refund.stage.name());
        std::iter::once(self.state.name()).chain(refunds).collect::<Vec<_>>().join(".")
    }

    /// Changes what an event of one of its invoices changes.
    pub(crate) fn hear(&mut self, event: &Event, invoice: &Invoice) -> Told {
        let is_current = self.invoice.as_ref().is_some_and(|(id, _)| *id == invoice.id);
        let is_paid = match event.kind.as_str() {
            "invoice.paid" => invoice.assurance.enough,
            "invoice.assured" => true,
            _ => false,
        };
        if is_paid {
            if invoice.asset != ASSET || invoice.received < self.total {
                return Told::NotEnough;
            }
            if self.state == State::Paid {
                return if is_current { Told::Same } else { Told::PaidTwice };
            }
            self.invoice = Some((invoice.id.clone(), invoice.invoice.clone()));
            self.previous = None;
            self.paid_ms = Some(event.created_ms);
            self.late = invoice.late;
            self.insured = invoice.assurance.insured;
            return self.become_state(State::Paid);
        }
        if !is_current || self.state == State::Paid {
            return Told::Same;
        }
        match event.kind.as_str() {
            "invoice.pending" | "invoice.paid" => self.become_state(State::Pending),
            "invoice.expired" => self.become_state(State::Expired),
            "invoice.cancelled" => self.become_state(State::Cancelled),
            _ => Told::Same,
        }
    }

    /// The merchant has forgotten one of its invoices, as it does some time after the end of one that nobody paid.
    pub(crate) fn forget(&mut self, invoice: &str) -> Told {
        let is_current = self.invoice.as_ref().is_some_and(|(id, _)| id == invoice);
        if is_current && self.can_be_paid() { self.become_state(State::Expired) } else { Told::Same }
    }

    fn become_state(&mut self, state: State) -> Told {
        self.state = state;
        Told::Changed(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn order() -> Order {
        Order {
            id: "a".into(),
            number: 1,
            article: "tea".into(),
            quantity: 1,
            total: 1_200,
            state: State::Open,
            attempt: 1,
            invoice: Some(("one".into(), "fairpay1one".into())),
            previous: None,
            created_ms: 0,
            paid_ms: None,
            late: false,
            insured: 0,
            refunds: Vec::new(),
        }
    }

    fn hear(order: &mut Order, kind: &str, change: impl FnOnce(&mut Invoice)) -> Told {
        let mut invoice = Invoice {
            id: "one".into(),
            state: "open".into(),
            reference: "a".into(),
            asset: ASSET,
            received: 1_200,
            invoice: "fairpay1one".into(),
            late: false,
            assurance: Assurance { insured: 1_200, enough: true },
        };
        change(&mut invoice);
        let event = Event { id: "e".into(), sequence: 1, kind: kind.into(), created_ms: 5, data: json!(null) };
        order.hear(&event, &invoice)
    }

    #[test]
    fn an_order_is_paid_once_enough_of_it_is_there() {
        let mut one = order();
        assert_eq!(hear(&mut one, "invoice.pending", |_| {}), Told::Changed(State::Pending));
        assert_eq!(hear(&mut one, "invoice.paid", |invoice| invoice.received = 1_199), Told::NotEnough);
        assert_eq!(hear(&mut one, "invoice.paid", |invoice| invoice.asset = 2), Told::NotEnough);
        assert_eq!(
            hear(&mut one, "invoice.paid", |invoice| invoice.assurance.enough = false),
            Told::Changed(State::Pending)
        );
        assert_eq!(hear(&mut one, "invoice.assured", |invoice| invoice.late = true), Told::Changed(State::Paid));
        assert_eq!((one.paid_ms, one.late, one.insured), (Some(5), true, 1_200));
        for kind in ["invoice.paid", "invoice.expired", "invoice.cancelled", "invoice.pending"] {
            assert_eq!(hear(&mut one, kind, |_| {}), Told::Same, "{kind}");
        }
        assert_eq!(hear(&mut one, "invoice.paid", |invoice| invoice.id = "two".into()), Told::PaidTwice);
    }

    #[test]
    fn only_its_newest_invoice_ends_an_order_unpaid() {
        for (kind, state) in [("invoice.expired", State::Expired), ("invoice.cancelled", State::Cancelled)] {
            let mut one = order();
            assert_eq!(hear(&mut one, kind, |invoice| invoice.id = "old".into()), Told::Same);
            assert_eq!(hear(&mut one, kind, |_| {}), Told::Changed(state));
            // The customer paid nevertheless, or an earlier invoice.
            assert_eq!(hear(&mut one, "invoice.paid", |invoice| invoice.id = "old".into()), Told::Changed(State::Paid));
            assert_eq!(one.invoice.unwrap().0, "old");
        }
    }
}
