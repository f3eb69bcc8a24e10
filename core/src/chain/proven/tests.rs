use super::*;
use crate::codec;
use crate::ledger::fixture::{World, certify, deposit, key, parties};
use crate::ledger::operation::Operation;
use crate::types::AssetId;

/// What a relay would answer after one block in which 5 deposited into its channel with 1.
struct Answered {
    world: World,
    header: Header,
}

impl Answered {
    fn new() -> Self {
        let mut world = World::new();
        world.run(&key(5), vec![Operation::Deposit(deposit(1_000, &key(5), Some(&key(1))))]);
        let header = world.client.head().unwrap().clone();
        Self { world, header }
    }

    fn proven(&self, asked: &Key, signers: &[u8]) -> Proven {
        let (value, proof) = self.world.state().prove_at(self.header.height, asked).unwrap();
        let (value, header) = (value.cloned(), self.header.clone());
        Proven { certificate: certify(&header, signers), header, value, proof }
    }

    fn verify(&self, proven: &Proven, asked: &Key) -> Result<Option<Value>, NotProven> {
        let state = self.world.state();
        proven.verify(asked, state.chain_id(), state.validators()).map(|value| value.cloned())
    }
}

#[test]
fn presence_and_absence_are_proven() {
    let answered = Answered::new();
    let present = Key::Channel(parties(&key(5), &key(1)));
    let proven = answered.proven(&present, &[101, 102, 103]);
    let bytes = codec::encode(&proven);
    assert_eq!(codec::decode::<Proven>(&bytes, MAX_PROVEN_BYTES).unwrap(), proven);
    let Some(Value::Channel(channel)) = answered.verify(&proven, &present).unwrap() else { panic!("a channel") };
    assert_eq!(channel.asset_or_zero(AssetId::FRD).insurance, 1_000);
    let absent = Key::Account(key(200).public());
    assert_eq!(answered.verify(&answered.proven(&absent, &[101, 102, 103, 104]), &absent), Ok(None));
}

#[test]
fn whatever_is_changed_is_refused_by_name() {
    let answered = Answered::new();
    let asked = Key::Channel(parties(&key(5), &key(1)));
    let good = answered.proven(&asked, &[101, 102, 103, 104]);
    assert!(answered.verify(&good, &asked).is_ok());
    let check = |change: &dyn Fn(&mut Proven), is_right: &dyn Fn(&NotProven) -> bool| {
        let mut other = good.clone();
        change(&mut other);
        let refused = answered.verify(&other, &asked).unwrap_err();
        assert!(is_right(&refused), "{refused:?}");
    };
    let header = |refused: &NotProven| matches!(refused, NotProven::Header(BadBlock::CertificateForOtherBlock { .. }));
    check(&|other| other.header.state_root.0[0] ^= 1, &header);
    check(&|other| other.header.height += 1, &header);
    check(&|other| other.header.version += 1, &|it| matches!(it, NotProven::Header(BadBlock::UnknownVersion { .. })));
    check(&|other| other.header.chain_id.0[0] ^= 1, &|it| matches!(it, NotProven::Header(BadBlock::WrongChain { .. })));
    check(&|other| other.header.validators_hash.0[0] ^= 1, &|it| {
        matches!(it, NotProven::Header(BadBlock::WrongValidators { .. }))
    });
    check(&|other| other.certificate.signatures[..2].fill(None), &|it| {
        matches!(it, NotProven::Header(BadBlock::NoQuorum { .. }))
    });
    check(&|other| other.certificate.signatures[0] = other.certificate.signatures[1], &|it| {
        matches!(it, NotProven::Header(BadBlock::CertificateSignature { .. }))
    });
    check(&|other| other.value = None, &|it| matches!(it, NotProven::Value(BadProof::OtherKind)));
    check(&|other| other.proof.siblings.truncate(1), &|it| matches!(it, NotProven::Value(_)));
    check(
        &|other| {
            let Some(Value::Channel(channel)) = &mut other.value else { panic!("a channel") };
            channel.epoch += 1;
        },
        &|it| matches!(it, NotProven::Value(BadProof::WrongRoot { .. })),
    );
    let elsewhere = Key::Channel(parties(&key(6), &key(1)));
    assert!(matches!(answered.verify(&good, &elsewhere), Err(NotProven::Value(_))));
}
