use super::*;

const ABANDON: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

#[test]
fn slip_0010_vector_1() {
    // github.com/satoshilabs/slips, slip-0010, test vector 1 for ed25519.
    let seed = hex::decode("000102030405060708090a0b0c0d0e0f").unwrap();
    let check = |path: &[u32], expected: &str| assert_eq!(hex::encode(*derive(&seed, path)), expected);
    check(&[], "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7");
    check(&[0], "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3");
}

#[test]
fn words_are_read_as_people_write_them() {
    let plain = Words::parse(ABANDON).unwrap();
    assert_eq!(plain.entropy(), [0; 16]);
    for text in [
        format!("  {}\n", ABANDON.to_uppercase()),
        ABANDON.replace(' ', "\n\t "),
        ABANDON.replace(' ', ", "),
        ABANDON.split(' ').enumerate().map(|(i, word)| format!("{}. {word} ", i + 1)).collect::<String>(),
    ] {
        assert_eq!(Words::parse(&text).unwrap(), plain, "{text:?}");
    }
}

#[test]
fn wrong_words_are_named() {
    let index = |text: &str| Words::parse(text).unwrap_err().data.unwrap()["index"].clone();
    assert_eq!(index(&ABANDON.replacen("about", "abut", 1)), Datum::Number(11));
    assert_eq!(index(&ABANDON.replacen("about", "abandon", 1)), Datum::Null);
    assert_eq!(index("abandon about"), Datum::Null);
    assert_eq!(index(""), Datum::Null);
}

#[test]
fn the_standards_own_examples_hold() {
    // github.com/trezor/python-mnemonic, vectors.json
    let letter = "letter advice cage absurd amount doctor acoustic avoid ".repeat(2);
    for (entropy, text) in [
        (vec![0x7f; 16], "legal winner thank year wave sausage worth useful legal winner thank yellow".to_owned()),
        (vec![0x80; 32], format!("{letter}letter advice cage absurd amount doctor acoustic bless")),
        (vec![0xff; 32], format!("{}vote", "zoo ".repeat(23))),
    ] {
        assert_eq!(Words::from_entropy(&entropy).unwrap().list().join(" "), text);
        assert_eq!(Words::parse(&text).unwrap().entropy(), entropy);
    }
}

#[test]
fn words_and_entropy_are_the_same_thing() {
    for entropy in [vec![0x7f; 16], vec![0x80; 32], (0..32).collect()] {
        let words = Words::from_entropy(&entropy).unwrap();
        assert_eq!(words.list().len(), entropy.len() * 3 / 4);
        assert_eq!(Words::parse(&words.list().join(" ")).unwrap(), words);
    }
    assert!(Words::from_entropy(&[0; 20]).is_err());
}

#[test]
fn the_account_key_is_pinned() {
    let key = Words::parse(ABANDON).unwrap().account_key().public();
    assert_eq!(key.to_string(), PINNED, "changing the derivation loses every wallet");
}

const PINNED: &str = "3be854c7192f695e932d5c9ebd7f1c3c27aac9804fb0c74aba853310a1e98950";

#[test]
fn a_copy_of_the_words_is_checked_by_position() {
    let words = Words::parse(ABANDON).unwrap();
    let answers = [(0, " Abandon ".to_owned()), (11, "abandon".to_owned()), (12, "about".to_owned())];
    assert_eq!(words.wrong_answers(&answers), [11, 12]);
}
