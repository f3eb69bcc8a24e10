use super::*;
use proptest::prelude::*;

const CHAIN: Hash = Hash([7; 32]);
const LOCK: Hash = Hash([5; 32]);
const HOPS: u8 = 4;

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn final_layer() -> Layer {
    Layer::Final(Final {
        asset: AssetId::FRD,
        amount: 1_000,
        total: 1_000,
        least_expiry: 99,
        claim: Claim::Invoice { id: InvoiceId([1; 16]), payment_secret: Secret([2; 32]) },
        refund: Some(RefundAddress { key: secret(9).public(), bank: secret(8).public() }),
    })
}

fn forward_layer(next: u8) -> Layer {
    Layer::Forward { asset: AssetId::FRD, amount: 1_001, expiry: 147, next: secret(next).public() }
}

fn two_banks(first: FirstLayer) -> Vec<u8> {
    let hops = [
        (secret(1).public(), forward_layer(2)),
        (secret(2).public(), forward_layer(3)),
        (secret(3).public(), final_layer()),
    ];
    build(&CHAIN, &LOCK, &hops, first, HOPS, &mut Entropy::from_seed([1; 32])).unwrap()
}

#[test]
fn each_hop_reads_its_layer_and_the_size_never_changes() {
    for first in [FirstLayer::Open, FirstLayer::Sealed] {
        let mut entropy = Entropy::from_seed([2; 32]);
        let mut packet = two_banks(first);
        for (hop, layer) in [(1, forward_layer(2)), (2, forward_layer(3)), (3, final_layer())] {
            assert_eq!(packet.len(), packet_bytes(HOPS));
            assert_eq!(open(&CHAIN, &LOCK, &packet, HOPS, &secret(hop)), Ok(layer));
            packet = forward(&packet, HOPS, &mut entropy).unwrap();
        }
        // Beyond the payee there is nothing that anybody could open.
        for hop in 1..=3 {
            assert_eq!(open(&CHAIN, &LOCK, &packet, HOPS, &secret(hop)), Err(BadOnion::Seal));
        }
    }
}

#[test]
fn a_seal_fits_one_hop_one_payment_one_network() {
    let packet = two_banks(FirstLayer::Sealed);
    assert_eq!(open(&CHAIN, &LOCK, &packet, HOPS, &secret(2)), Err(BadOnion::Seal));
    assert_eq!(open(&CHAIN, &Hash([6; 32]), &packet, HOPS, &secret(1)), Err(BadOnion::Seal));
    assert_eq!(open(&Hash([8; 32]), &LOCK, &packet, HOPS, &secret(1)), Err(BadOnion::Seal));
    for position in [1, 40, SLOT_BYTES] {
        let mut changed = packet.clone();
        changed[position] ^= 1;
        assert_eq!(open(&CHAIN, &LOCK, &changed, HOPS, &secret(1)), Err(BadOnion::Seal), "byte {position}");
    }
}

#[test]
fn a_user_peer_cannot_read_a_layer_behind_it() {
    let packet = two_banks(FirstLayer::Open);
    let behind = forward(&packet, HOPS, &mut Entropy::from_seed([3; 32])).unwrap();
    assert_eq!(open(&CHAIN, &LOCK, &behind, HOPS, &secret(1)), Err(BadOnion::Seal));
}

#[test]
fn impossible_packets_are_refused() {
    let mut entropy = Entropy::from_seed([1; 32]);
    let hop = (secret(1).public(), final_layer());
    let mut build = |hops: &[_]| super::build(&CHAIN, &LOCK, hops, FirstLayer::Sealed, HOPS, &mut entropy);
    assert_eq!(build(&[]), Err(BadOnion::Hops { limit: 4, got: 0 }));
    assert_eq!(build(&vec![hop.clone(); 5]), Err(BadOnion::Hops { limit: 4, got: 5 }));
    let nobody = PublicKey([2; 32]);
    assert!(nobody.x25519().is_none());
    assert_eq!(build(&[(nobody, final_layer())]), Err(BadOnion::Key { key: nobody }));
    let expected = packet_bytes(HOPS);
    for got in [0, 1, expected - 1, expected + 1] {
        let size = BadOnion::Size { expected, got };
        assert_eq!(open(&CHAIN, &LOCK, &vec![1; got], HOPS, &secret(1)), Err(size.clone()));
        assert_eq!(forward(&vec![1; got], HOPS, &mut Entropy::from_seed([1; 32])), Err(size));
    }
    assert_eq!(open(&CHAIN, &LOCK, &vec![2; expected], HOPS, &secret(1)), Err(BadOnion::Layer));
}

#[test]
fn padding_must_be_zero() {
    let mut packet = two_banks(FirstLayer::Open);
    packet[SLOT_BYTES] = 1;
    assert_eq!(open(&CHAIN, &LOCK, &packet, HOPS, &secret(1)), Err(BadOnion::Layer));
}

proptest! {
    #[test]
    fn hostile_packets_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), packet_bytes(HOPS)), first in 0_u8..3) {
        bytes[0] = first;
        let opened = open(&CHAIN, &LOCK, &bytes, HOPS, &secret(1));
        prop_assert!(first == OPEN || opened.is_err());
        prop_assert_eq!(forward(&bytes, HOPS, &mut Entropy::from_seed([1; 32])).unwrap().len(), bytes.len());
    }
}
