use super::*;
use std::collections::BTreeSet;

#[derive(Clone, BorshSerialize, BorshDeserialize)]
struct Note(u64);
impl Message for Note {
    const TAG: Tag = tags::HELLO;
}

#[derive(Clone, BorshSerialize, BorshDeserialize)]
struct Other(u64);
impl Message for Other {
    const TAG: Tag = tags::FRAME;
}

#[test]
fn tags_differ() {
    assert_eq!(tags::ALL.iter().collect::<BTreeSet<_>>().len(), tags::ALL.len());
}

#[test]
fn a_signature_holds_for_one_value_kind_chain_and_key() {
    let key = SecretKey::from_seed(&[1; 32]);
    let stranger = SecretKey::from_seed(&[2; 32]);
    let (here, elsewhere) = (Hash([7; 32]), Hash([8; 32]));
    let signed = Signed::new(Note(5), &here, &key);
    assert!(signed.clone().verify(&here, &key.public()).is_ok());
    assert!(signed.clone().verify(&elsewhere, &key.public()).is_err());
    assert!(signed.clone().verify(&here, &stranger.public()).is_err());
    assert!(!Note(6).is_signed_by(&here, &key.public(), &signed.signature));
    assert!(!Other(5).is_signed_by(&here, &key.public(), &signed.signature));
}
