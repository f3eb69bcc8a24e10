use super::*;
use crate::crypto::SecretKey;
use crate::payment::text;

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

const CHAIN: Hash = Hash([7; 32]);

#[test]
fn text_and_back_in_both_cases() {
    let address = Address::new(&CHAIN, key(1), &[key(2), key(3)]);
    for case in [Case::Lower, Case::Upper] {
        let text = address.to_text(case);
        assert_eq!(Address::from_text(&format!(" {text}\n"), &CHAIN), Ok(address.clone()));
    }
    assert!(address.to_text(Case::Lower).starts_with("fairto1"));
    assert_eq!(text::kind_of(&address.to_text(Case::Upper)).as_deref(), Some(KIND));
}

#[test]
fn each_kind_of_bad_text_has_its_error() {
    let text = Address::new(&CHAIN, key(1), &[key(2)]).to_text(Case::Lower);
    let mistyped = text.replacen('q', "p", 1);
    let mixed = format!("FAIRTO{}", &text[6..]);
    assert_eq!(Address::from_text(&mistyped, &CHAIN), Err(BadAddress::Text(BadText::Checksum)));
    assert_eq!(Address::from_text(&mixed, &CHAIN), Err(BadAddress::Text(BadText::NotText)));
    assert_eq!(Address::from_text("", &CHAIN), Err(BadAddress::Text(BadText::NotText)));
    assert_eq!(
        Address::from_text(&"a".repeat(5000), &CHAIN),
        Err(BadAddress::Text(BadText::TooLong { limit: limits::MAX_TEXT_CHARS, got: 5000 }))
    );
    assert_eq!(Address::from_text(&text, &Hash([8; 32])), Err(BadAddress::WrongNetwork));
}

#[test]
fn impossible_contents_are_refused() {
    let check = |change: fn(&mut Address), expected: BadAddress| {
        let mut address = Address::new(&CHAIN, key(1), &[key(2)]);
        change(&mut address);
        assert_eq!(Address::from_text(&address.to_text(Case::Lower), &CHAIN), Err(expected));
    };
    check(|a| a.version = 2, BadAddress::Version { got: 2 });
    check(|a| a.banks.push(a.banks[0]), BadAddress::Banks { got: 2 });
    // The neutral element: weak.
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = PublicKey(weak);
    let mut address = Address::new(&CHAIN, key(1), &[]);
    address.key = weak;
    assert_eq!(Address::from_text(&address.to_text(Case::Lower), &CHAIN), Err(BadAddress::Key { key: weak }));
}
