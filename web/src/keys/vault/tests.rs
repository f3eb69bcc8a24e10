use super::*;

fn words() -> Words {
    Words::from_entropy(&[9; 32]).unwrap()
}

#[test]
fn opens_with_the_password_alone() {
    let vault = Vault::seal(&words(), "correct horse", &[3; 40]).unwrap();
    let stored = Vault::decode(&codec::encode(&vault)).unwrap();
    assert_eq!(stored.account(), words().account_key().public());
    assert_eq!(stored.open("correct horse").unwrap(), words());
    assert_eq!(stored.open("correct horsf").unwrap_err().code, "wallet.wrong_password");
}

#[test]
fn nothing_in_the_record_can_be_changed() {
    let bytes = codec::encode(&Vault::seal(&words(), "correct horse", &[3; 40]).unwrap());
    // Memory stays as it is: the test would else take gigabytes for some bits.
    for at in (0..bytes.len()).filter(|at| !(1..13).contains(at)).step_by(7) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        let opened = Vault::decode(&bytes).and_then(|vault| vault.open("correct horse"));
        assert!(opened.is_err(), "byte {at}");
    }
}

#[test]
fn short_passwords_are_refused() {
    assert_eq!(Vault::seal(&words(), "seven77", &[3; 40]).unwrap_err().code, "wallet.weak_password");
    assert!(Vault::seal(&words(), "pässwör8", &[3; 40]).is_ok());
}

#[test]
fn costs_beyond_reason_are_not_tried() {
    let mut vault = Vault::seal(&words(), "correct horse", &[3; 40]).unwrap();
    vault.envelope.memory_kib = u32::MAX;
    assert_eq!(vault.open("correct horse").unwrap_err().code, "wallet.damaged");
}
