//! What there is to buy.

use serde::Deserialize;

/// Most pieces of one order.
pub(crate) const MOST: u32 = 9;

/// Number and name of what prices are in; two decimals.
pub(crate) const ASSET: u32 = 1;
pub(crate) const TICKER: &str = "FRD";

/// A thing to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Article {
    /// In addresses and in the database.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    /// What its picture shows, for those who do not see it.
    pub(crate) picture: &'static str,
    /// In the asset's smallest unit.
    pub(crate) price: u64,
}

pub(crate) const ARTICLES: [Article; 4] = [
    Article {
        id: "tea",
        name: "Assam tea",
        says: "Spring harvest, 250 g in a tin. Malty, takes milk well.",
        picture: "A green tin of tea with a leaf on its label",
        price: 1_200,
    },
    Article {
        id: "cup",
        name: "Stoneware cup",
        says: "Thrown by hand, 250 ml. No two are quite alike.",
        picture: "A blue cup without a saucer, steam above it",
        price: 1_850,
    },
    Article {
        id: "honey",
        name: "Lime honey",
        says: "From one hive, 500 g in a jar. Clear and fresh.",
        picture: "A jar of golden honey with a cloth over its lid",
        price: 750,
    },
    Article {
        id: "pot",
        name: "Iron teapot",
        says: "Enamelled inside, 0.8 l, with a strainer of steel.",
        picture: "A dark teapot with a round handle",
        price: 4_200,
    },
];

/// What the form of an article says.
#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    pub(crate) article: String,
    pub(crate) quantity: u32,
}

impl Wish {
    /// None where there is no such article, or not so many.
    pub(crate) fn read(&self) -> Option<(Article, u32)> {
        let article = article(&self.article)?;
        (1..=MOST).contains(&self.quantity).then_some((article, self.quantity))
    }
}

pub(crate) fn article(id: &str) -> Option<Article> {
    ARTICLES.into_iter().find(|article| article.id == id)
}

/// 1200 → `12.00 FRD`.
pub(crate) fn amount(cents: u64) -> String {
    format!("{}.{:02} {TICKER}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_for_what_there_is() {
        let of = |article: &str, quantity| Wish { article: article.to_owned(), quantity }.read();
        assert_eq!(of("tea", 1), Some((ARTICLES[0], 1)));
        assert!(of("tea", MOST).is_some());
        assert_eq!((of("tea", 0), of("tea", MOST + 1), of("gold", 1)), (None, None, None));
        assert_eq!((amount(1_205), amount(7)), ("12.05 FRD".to_owned(), "0.07 FRD".to_owned()));
    }
}
