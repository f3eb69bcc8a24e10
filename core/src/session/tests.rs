use super::*;

const CHAIN: Hash = Hash([7; 32]);

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn entropy(seed: u8) -> Entropy {
    Entropy::from_seed([seed; 32])
}

fn start(client: &SecretKey, bank: &SecretKey) -> (Session, Session, Vec<u8>) {
    let (initiator, first) = Session::initiator(&CHAIN, client, bank.public(), Features(1), &mut entropy(1)).unwrap();
    let responder = Session::responder(&CHAIN, bank, Features(2), &mut entropy(2)).unwrap();
    (initiator, responder, first)
}

fn sent(out: &[Out]) -> Vec<u8> {
    match out.first() {
        Some(Out::Send(bytes)) => bytes.clone(),
        other => panic!("expected something to send, got {other:?}"),
    }
}

fn opened() -> (Session, Session) {
    let (mut initiator, mut responder, first) = start(&secret(1), &secret(2));
    let second = sent(&responder.handle(&first).unwrap());
    let out = initiator.handle(&second).unwrap();
    assert_eq!(out[1], Out::Established { peer: secret(2).public(), features: Features(2) });
    let out = responder.handle(&sent(&out)).unwrap();
    assert_eq!(out, [Out::Established { peer: secret(1).public(), features: Features(1) }]);
    (initiator, responder)
}

#[test]
fn both_learn_who_the_other_is_and_talk() {
    let (mut initiator, mut responder) = opened();
    assert_eq!(responder.peer(), Some(secret(1).public()));
    for payload in [vec![], vec![1], vec![2; CHUNK_BYTES], vec![3; CHUNK_BYTES + 1], vec![4; 1 << 20]] {
        let sealed = initiator.seal(&payload).unwrap();
        assert!(sealed.len() <= limits::MAX_SESSION_MESSAGE_BYTES);
        assert_eq!(responder.handle(&sealed), Ok(vec![Out::Payload(payload.clone())]));
        let sealed = responder.seal(&payload).unwrap();
        assert_eq!(initiator.handle(&sealed), Ok(vec![Out::Payload(payload)]));
    }
}

#[test]
fn keys_change_and_the_session_goes_on() {
    let (mut initiator, mut responder) = opened();
    for number in 0..=limits::SESSION_REKEY_RECORDS + 1 {
        let payload = number.to_le_bytes().to_vec();
        let sealed = initiator.seal(&payload).unwrap();
        assert_eq!(responder.handle(&sealed), Ok(vec![Out::Payload(payload)]));
    }
}

#[test]
fn lost_copied_changed_and_cut_messages_close_it() {
    let copied = |sealed: &[u8], responder: &mut Session| {
        responder.handle(sealed).unwrap();
        responder.handle(sealed)
    };
    let (mut initiator, mut responder) = opened();
    let sealed = initiator.seal(b"pay").unwrap();
    assert_eq!(copied(&sealed, &mut responder), Err(SessionError::Seal { bytes: sealed.len() }));
    assert_eq!(responder.handle(&sealed), Err(SessionError::NotOpen));
    assert_eq!(responder.seal(b"x"), Err(SessionError::NotOpen));

    let (mut initiator, mut responder) = opened();
    initiator.seal(b"lost").unwrap();
    let sealed = initiator.seal(b"next").unwrap();
    assert!(matches!(responder.handle(&sealed), Err(SessionError::Seal { .. })));

    // Cut between two records: what remains is sealed well, but is not the whole payload.
    let (mut initiator, mut responder) = opened();
    let sealed = initiator.seal(&vec![1; CHUNK_BYTES * 2]).unwrap();
    assert_eq!(responder.handle(&sealed[..RECORD_BYTES]), Err(SessionError::Malformed));

    let (_, mut responder) = opened();
    assert_eq!(responder.handle(&[]), Err(SessionError::Malformed));
    let (mut initiator, mut responder) = opened();
    let long = vec![0; limits::MAX_SESSION_PAYLOAD_BYTES + 1];
    assert!(matches!(initiator.seal(&long), Err(SessionError::TooLong { .. })));
    let long = vec![0; limits::MAX_SESSION_MESSAGE_BYTES + 1];
    assert!(matches!(responder.handle(&long), Err(SessionError::TooLong { .. })));
}

#[test]
fn another_network_or_key_fails_in_the_handshake() {
    let (_, _, first) = start(&secret(1), &secret(2));
    let mut elsewhere = Session::responder(&Hash([8; 32]), &secret(2), Features(0), &mut entropy(2)).unwrap();
    assert!(matches!(elsewhere.handle(&first), Err(SessionError::Seal { .. })));
    let mut another = Session::responder(&CHAIN, &secret(3), Features(0), &mut entropy(2)).unwrap();
    assert!(matches!(another.handle(&first), Err(SessionError::Seal { .. })));
    let nobody = PublicKey([2; 32]);
    assert!(matches!(
        Session::initiator(&CHAIN, &secret(1), nobody, Features(0), &mut entropy(1)),
        Err(SessionError::Key { .. })
    ));
}

#[test]
fn nobody_can_claim_somebody_elses_account() {
    let (mut thief, mut bank, first) = start(&secret(1), &secret(2));
    let victim = secret(5).public();
    thief.own.key = victim;
    let second = sent(&bank.handle(&first).unwrap());
    let third = sent(&thief.handle(&second).unwrap());
    assert_eq!(bank.handle(&third), Err(SessionError::Impostor { claimed: victim }));
    assert_eq!(bank.peer(), None);
}

#[test]
fn hostile_handshakes_never_panic() {
    let mut noise = entropy(9);
    for length in (0..200).chain([1_024, 1_025, 70_000]) {
        let mut bytes = vec![0; length];
        noise.fill(&mut bytes);
        let (mut initiator, mut responder, _) = start(&secret(1), &secret(2));
        assert!(initiator.handle(&bytes).is_err());
        // A first message of the right size but nonsense fails at its tag.
        assert!(responder.handle(&bytes).is_err());
    }
}

/// What is on the line is a function of keys and entropy, whichever library computes it.
#[test]
fn a_session_of_fixed_seeds_is_the_same_on_the_line() {
    let (mut initiator, mut responder, first) = start(&secret(1), &secret(2));
    let second = sent(&responder.handle(&first).unwrap());
    let third = sent(&initiator.handle(&second).unwrap());
    responder.handle(&third).unwrap();
    let there = initiator.seal(b"there").unwrap();
    let back = responder.seal(&[9; CHUNK_BYTES + 1]).unwrap();
    let line = [first, second, third, there, back].concat();
    let digest = crate::crypto::hash(tags::SESSION, &[&line]);
    assert_eq!(digest.to_string(), "68d1315ddd7699a9584aa6ce420fe76c5ab6e6ddf4d78eacec4aae2f8e2114b6");
}
