//! Money that came for an order and does not belong to it: a second payment, or one that is not what the order costs.
//! It goes back to the wallet that paid, or where that has said no address, to whoever opens a link on the order's page.

/// How a refund stands: what the shop has to do, then as the merchant says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The merchant is asked until it has answered.
    Owed,
    Pending,
    Claimable,
    Paid,
    /// Somebody at the merchant took the link back.
    Cancelled,
    /// Somebody at the merchant gave it back before the shop asked.
    ByHand,
}

impl Stage {
    const ALL: [Self; 6] = [Self::Owed, Self::Pending, Self::Claimable, Self::Paid, Self::Cancelled, Self::ByHand];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Owed => "owed",
            Self::Pending => "pending",
            Self::Claimable => "claimable",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::ByHand => "by_hand",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// What goes back of one invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    /// The invoice that was paid; it is given back once.
    pub(crate) invoice: String,
    /// Unknown where it is not what prices are in.
    pub(crate) amount: Option<u64>,
    /// Part of its name at the merchant.
    pub(crate) attempt: u32,
    pub(crate) stage: Stage,
    /// Where the customer says where it goes.
    pub(crate) link: Option<String>,
}
