//! Texts of strangers: what a shop may write into an invoice, and names under which it may ask twice.

use fair_core::crypto::{self, Tag};
use fair_core::types::{Hash, PublicKey};

const NAMED: Tag = Tag(b"fair/shop-name/1");
const BODY: Tag = Tag(b"fair/shop-body/1");

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadText {
    #[error("it has {got} characters, at most {most} are allowed")]
    TooLong { got: usize, most: usize },
    #[error("it has the character U+{0:04X}, which shows nothing or turns text around")]
    Character(u32),
}

/// A text of at most `most` characters for people to read: no controls, and nothing that shows other characters in
/// another order.
pub(super) fn check(text: &str, most: usize) -> Result<(), BadText> {
    let got = text.chars().count();
    if got > most {
        return Err(BadText::TooLong { got, most });
    }
    let misleads = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    text.chars().find(misleads).map_or(Ok(()), |c| Err(BadText::Character(u32::from(c))))
}

/// The id of what somebody asks for under a name of its own: the same name is the same thing. `who` is the name of
/// the key that was shown, so that shops do not meet in theirs. No part has a NUL inside.
pub(super) fn id_of(own: &PublicKey, who: &str, what: &str, name: &str) -> [u8; 16] {
    let parts = [who.as_bytes(), b"\0", what.as_bytes(), b"\0", name.as_bytes()];
    let digest = crypto::hash(NAMED, &[&own.0, parts.concat().as_slice()]).0;
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = from;
    }
    id
}

/// What was asked for, so that another thing under the same name is seen.
pub(super) fn digest_of<T: serde::Serialize>(body: &T) -> Result<Hash, serde_json::Error> {
    Ok(crypto::hash(BODY, &[&serde_json::to_vec(body)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_a_reader_is_refused() {
        for good in ["", "Tea & <b>cake</b>", "Käse 🧀 – 茶", "' OR 1=1; --", "{{7*7}}"] {
            assert_eq!(check(good, 40), Ok(()), "{good}");
        }
        for (bad, character) in
            [("a\0b", 0), ("a\nb", 10), ("a\u{202E}b", 0x202E), ("\u{FEFF}", 0xFEFF), ("\u{7F}", 127)]
        {
            assert_eq!(check(bad, 40), Err(BadText::Character(character)));
        }
        assert_eq!(check("äää", 2), Err(BadText::TooLong { got: 3, most: 2 }));
    }

    #[test]
    fn names_are_apart_by_kind_and_owner() {
        let (a, b) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let ids = [
            id_of(&a, "tea", "invoice", "x"),
            id_of(&a, "tea", "refund", "x"),
            id_of(&a, "cake", "invoice", "x"),
            id_of(&b, "tea", "invoice", "x"),
            id_of(&a, "tea", "invoice", "y"),
        ];
        assert_eq!(std::collections::BTreeSet::from(ids).len(), 5);
        assert_eq!(ids[0], id_of(&a, "tea", "invoice", "x"));
    }
}
