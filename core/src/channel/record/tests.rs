use super::{BadRecord, Record, VERSION, Wish};
use crate::channel::event::{Command, Misbehaviour, Suspension};
use crate::channel::state::LockId;
use crate::codec;
use crate::crypto::{Secret, SecretKey};
use crate::types::{AssetId, Hash, Parties, Side};

/// What a channel without court could have stored, in today's layout.
fn record() -> Record {
    let [a, b] = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]).public());
    let mut record = Record::new(Hash([3; 32]), Parties::new(a, b).unwrap(), Side::Right, 4);
    let lock = LockId { asset: AssetId::FRD, giver: Side::Left, index: 5 };
    let command = Command::SetCredit { asset: AssetId::FRB, limit: 6, insure_above: Some(7) };
    record.highest = 8;
    record.queue.push_back(Wish { command, alive: true });
    record.suspended = Some(Suspension::Refusals);
    record.references.insert(lock, 9);
    record.secrets.insert(lock, (Secret([10; 32]), true));
    record.consented.insert((AssetId::FRD, 11, 12));
    record.misbehaviours.push(Misbehaviour::WrongProposer);
    record
}

/// An earlier version had not the last fields: whether it is frozen, the state in court, prices; all empty.
fn earlier(version: u16, without: &[u8]) -> Vec<u8> {
    let mut bytes = codec::encode(&record());
    assert_eq!(bytes.split_off(bytes.len() - without.len()), without);
    bytes[..2].copy_from_slice(&version.to_le_bytes());
    bytes
}

fn first_version() -> Vec<u8> {
    earlier(1, &[0; 6])
}

#[test]
fn a_record_of_an_earlier_version_is_read_whole_and_written_anew() {
    for bytes in [first_version(), earlier(2, &[0; 4])] {
        let read = Record::decode(&bytes).unwrap();
        assert_eq!(read, record());
        assert_eq!((read.version, read.frozen, &read.in_court), (VERSION, false, &None));
        assert_eq!(Record::decode(&codec::encode(&read)), Ok(read));
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let with = |version: u16, rest: &[u8]| [&version.to_le_bytes(), rest].concat();
    let (first, now) = (first_version(), codec::encode(&record()));
    for got in [0, VERSION + 1] {
        assert_eq!(Record::decode(&with(got, &now[2..])), Err(BadRecord::Version { got }));
    }
    let cases = [
        with(1, &now[2..]),
        with(VERSION, &first[2..]),
        with(1, &first[2..first.len() - 1]),
        [&first[..], &[0]].concat(),
        vec![],
        vec![1],
        vec![1, 0],
    ];
    for bytes in cases {
        assert!(matches!(Record::decode(&bytes), Err(BadRecord::Decode(_))), "{bytes:?}");
    }
}
