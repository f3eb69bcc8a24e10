//! The vectors of proofs of payment (`docs/receipts/`), for verifiers in other languages.

use fair_core::codec::{DecodeError, decode, encode};
use fair_core::crypto::{Secret, SecretKey, lock_hash};
use fair_core::message::{Message as _, Signed};
use fair_core::payment::invoice::{BadInvoice, Description, Invoice, InvoiceId, LatePolicy, RefundPolicy, VERSION};
use fair_core::payment::proof::{BadProof, KIND, ProofOfPayment, Proven, Receipt};
use fair_core::payment::text::BadText;
use fair_core::types::{AssetId, Hash, PublicKey, Signature};
use serde_json::{Value, json};
use std::path::PathBuf;

use bech32::{Bech32m, Checksum, Hrp};

const CHAIN: Hash = Hash([0x0f; 32]);
const PREIMAGE: Secret = Secret([9; 32]);

fn payee() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn invoice() -> Invoice {
    Invoice {
        version: VERSION,
        chain_id: CHAIN,
        payee: payee().public(),
        id: InvoiceId([3; 16]),
        asset: AssetId::FRD,
        amount: Some(1_200),
        lock_hash: lock_hash(&PREIMAGE),
        payment_secret: Secret([4; 32]),
        created_ms: 1_700_000_000_000,
        expires_ms: 1_700_000_600_000,
        description: Description::Text("Two coffees — „für hier“ ☕".into()),
        banks: vec![SecretKey::from_seed(&[2; 32]).public()],
        origin: Some("https://shop.example".into()),
        refunds: RefundPolicy::OnRequest,
        late: LatePolicy::Fail,
    }
}

fn receipt() -> Receipt {
    Receipt { invoice: InvoiceId([3; 16]), amount: 1_200, paid_ms: 1_700_000_012_345 }
}

fn proof_of(invoice: Invoice) -> ProofOfPayment {
    let receipt = Receipt { invoice: invoice.id, ..receipt() };
    ProofOfPayment {
        invoice: Signed::new(invoice, &CHAIN, &payee()),
        preimage: PREIMAGE,
        receipt: Some(Signed::new(receipt, &CHAIN, &payee())),
    }
}

fn proof() -> ProofOfPayment {
    proof_of(invoice())
}

/// Whatever bytes as text with a good checksum.
fn text_of(kind: &str, bytes: &[u8]) -> String {
    enum Long {}
    impl Checksum for Long {
        type MidstateRepr = <Bech32m as Checksum>::MidstateRepr;
        const CODE_LENGTH: usize = usize::MAX;
        const CHECKSUM_LENGTH: usize = Bech32m::CHECKSUM_LENGTH;
        const GENERATOR_SH: [u32; 5] = Bech32m::GENERATOR_SH;
        const TARGET_RESIDUE: u32 = Bech32m::TARGET_RESIDUE;
    }
    bech32::encode_lower::<Long>(Hrp::parse(kind).unwrap(), bytes).unwrap()
}

/// The proof's bytes with one of them changed.
fn with_byte(at: usize, value: u8) -> String {
    let mut bytes = encode(&proof());
    bytes[at] = value;
    text_of(KIND, &bytes)
}

fn with_last(text: &str, characters: &str) -> String {
    format!("{}{characters}", &text[..text.len() - characters.len()])
}

fn good() -> Vec<(&'static str, String)> {
    let text = proof().to_text();
    let bare = ProofOfPayment { receipt: None, ..proof() };
    let open = Invoice { amount: None, description: Description::Hash(Hash([8; 32])), origin: None, ..invoice() };
    let wide = Invoice {
        asset: AssetId(u32::MAX),
        amount: Some(1 << 62),
        created_ms: u64::MAX,
        expires_ms: u64::MAX,
        description: Description::Text("ä".repeat(320)),
        banks: (10..18).map(|seed| SecretKey::from_seed(&[seed; 32]).public()).collect(),
        origin: Some("o".repeat(256)),
        refunds: RefundPolicy::None,
        late: LatePolicy::Accept,
        ..invoice()
    };
    let empty = Invoice {
        description: Description::Text("\u{feff}".into()),
        banks: vec![],
        origin: Some(String::new()),
        expires_ms: invoice().created_ms,
        amount: Some(1),
        ..invoice()
    };
    vec![
        ("with a receipt", text.clone()),
        ("in upper case", text.to_uppercase()),
        ("white space around it", format!("\n {text}\t")),
        ("without a receipt", bare.to_text()),
        ("an open amount, a hashed description, no origin", proof_of(open).to_text()),
        ("everything as large as it may be", proof_of(wide).to_text()),
        ("everything as small as it may be; the description is a byte order mark", proof_of(empty).to_text()),
    ]
}

fn bad_texts() -> Vec<(&'static str, String)> {
    let text = proof().to_text();
    let bytes = encode(&proof());
    let changed = if text.as_bytes()[20] == b'q' { "p" } else { "q" };
    let mut swapped: Vec<char> = text.chars().collect();
    let at = (30..swapped.len()).find(|at| swapped[*at] != swapped[at + 1]).unwrap();
    swapped.swap(at, at + 1);
    vec![
        ("nothing", String::new()),
        ("not a payment text", "hello".into()),
        ("a character that bech32 lacks", text.replacen('1', "1b", 1)),
        ("a letter of another script", text.replacen("fairproof1", "fаirproof1", 1)),
        ("mixed case", text.replacen("fair", "Fair", 1)),
        ("no separator", text.replacen('1', "", 1)),
        ("a character changed", format!("{}{changed}{}", &text[..20], &text[21..])),
        ("two characters swapped", swapped.into_iter().collect()),
        ("cut off", text[..text.len() - 1].into()),
        ("the checksum of bech32, not bech32m", {
            let short = bech32::encode_lower::<bech32::Bech32>(Hrp::parse(KIND).unwrap(), &[1; 8]);
            short.unwrap()
        }),
        ("an invoice, not a proof", text_of("fairpay", &encode(&proof().invoice))),
        ("longer than any text", text_of(KIND, &[0; 2_600])),
        ("more bytes than any proof", text_of(KIND, &[0; 2_400])),
        ("no bytes", text_of(KIND, &[])),
        ("the last byte is missing", text_of(KIND, &bytes[..bytes.len() - 1])),
        ("a byte follows", text_of(KIND, &[bytes.as_slice(), &[0]].concat())),
        ("bits beyond the last byte", with_spare_bits(&encode(&ProofOfPayment { receipt: None, ..proof() }))),
        ("the amount is neither there nor not", with_byte(1 + 32 + 32 + 16 + 4, 2)),
        ("a description of an unknown kind", with_byte(174, 2)),
        ("a description that is not UTF-8", with_byte(179, 0xff)),
        ("more banks than bytes", {
            let at = bytes.windows(4).rposition(|window| window == [1, 0, 0, 0]).unwrap();
            with_byte(at + 3, 0xff)
        }),
        ("a last character instead of the checksum", with_last(&text, "qqqqqq")),
    ]
}

/// The same bytes, with a one in the bits of the last character that belong to no byte.
fn with_spare_bits(bytes: &[u8]) -> String {
    use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};
    let hrp = Hrp::parse(KIND).unwrap();
    let mut characters: Vec<_> = bytes.iter().copied().bytes_to_fes().collect();
    assert_ne!(bytes.len() * 8 % 5, 0, "some bits are spare");
    let last = characters.pop().unwrap();
    characters.push(bech32::Fe32::try_from(last.to_u8() | 1).unwrap());
    characters.into_iter().with_checksum::<Bech32m>(&hrp).chars().collect()
}

fn bad_values() -> Vec<(&'static str, String)> {
    let with = |change: fn(&mut Invoice)| {
        let mut invoice = invoice();
        change(&mut invoice);
        proof_of(invoice).to_text()
    };
    let bank = |seed: u8| SecretKey::from_seed(&[seed; 32]).public();
    vec![
        ("of a newer version", with(|invoice| invoice.version = 2)),
        ("of another network", with(|invoice| invoice.chain_id = Hash([0x10; 32]))),
        ("nine banks", {
            let banks = (20..29).map(bank).collect();
            proof_of(Invoice { banks, ..invoice() }).to_text()
        }),
        ("a bank twice", with(|invoice| invoice.banks.push(invoice.banks[0]))),
        ("the amount is zero", with(|invoice| invoice.amount = Some(0))),
        ("the amount is beyond any supply", with(|invoice| invoice.amount = Some((1 << 62) + 1))),
        ("it expires before it was made", with(|invoice| invoice.expires_ms = invoice.created_ms - 1)),
        ("the description is too long", with(|invoice| invoice.description = Description::Text("d".repeat(641)))),
        ("the origin is too long", with(|invoice| invoice.origin = Some("o".repeat(257)))),
    ]
}

/// A key of small order, under which the identity is a signature of everything.
fn weak_payee(key: [u8; 32]) -> String {
    let mut identity = [0; 64];
    identity[0] = 1;
    let body = Invoice { payee: PublicKey(key), ..invoice() };
    let invoice = Signed { body, signature: Signature(identity) };
    ProofOfPayment { invoice, preimage: PREIMAGE, receipt: None }.to_text()
}

fn bad_signatures() -> Vec<(&'static str, String)> {
    let changed = |change: fn(&mut ProofOfPayment)| {
        let mut proof = proof();
        change(&mut proof);
        proof.to_text()
    };
    let other = SecretKey::from_seed(&[5; 32]);
    let mut identity = [0; 32];
    identity[0] = 1;
    // No y of a point of the curve.
    let mut no_point = [0; 32];
    no_point[0] = 2;
    vec![
        ("the amount was changed afterwards", changed(|proof| proof.invoice.body.amount = Some(1))),
        (
            "the origin was changed afterwards",
            changed(|proof| proof.invoice.body.origin = Some("https://sh0p.example".into())),
        ),
        ("somebody else signed the invoice", {
            let invoice = Signed::new(invoice(), &CHAIN, &other);
            ProofOfPayment { invoice, ..proof() }.to_text()
        }),
        ("the invoice was signed for another network", {
            let signature = invoice().sign(&Hash([0x10; 32]), &payee());
            ProofOfPayment { invoice: Signed { body: invoice(), signature }, ..proof() }.to_text()
        }),
        (
            "the signature's number is not below the group's order",
            changed(|proof| {
                proof.invoice.signature = with_order_added(proof.invoice.signature);
            }),
        ),
        ("the payee's key is the identity", weak_payee(identity)),
        ("the payee's key is of order four", weak_payee([0; 32])),
        ("the payee's key is of order four, with the sign bit", {
            let mut key = [0; 32];
            key[31] = 0x80;
            weak_payee(key)
        }),
        ("the payee's key is no point of the curve", weak_payee(no_point)),
        ("another preimage", changed(|proof| proof.preimage = Secret([8; 32]))),
        ("the received amount was raised", changed(|proof| proof.receipt.as_mut().unwrap().body.amount += 1)),
        ("somebody else signed the receipt", {
            ProofOfPayment { receipt: Some(Signed::new(receipt(), &CHAIN, &other)), ..proof() }.to_text()
        }),
        (
            "the invoice's signature under the receipt",
            changed(|proof| {
                proof.receipt.as_mut().unwrap().signature = proof.invoice.signature;
            }),
        ),
        ("the receipt of another invoice", {
            let receipt = Receipt { invoice: InvoiceId([6; 16]), ..receipt() };
            ProofOfPayment { receipt: Some(Signed::new(receipt, &CHAIN, &payee())), ..proof() }.to_text()
        }),
    ]
}

/// The same signature with the order of the group added to its number: RFC 8032 refuses it.
fn with_order_added(Signature(mut bytes): Signature) -> Signature {
    const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order = hex::decode(ORDER).unwrap();
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    Signature(bytes)
}

/// The code of `docs/receipts/README.md`. A payee's unusable key is told as its signature: some libraries
/// see it only there.
fn code(error: &BadProof) -> &'static str {
    match error {
        BadProof::Text(BadText::TooLong { .. }) => "too_long",
        BadProof::Text(BadText::Checksum) => "checksum",
        BadProof::Text(BadText::Kind { .. }) => "kind",
        BadProof::Text(BadText::Decode(DecodeError::TooLong { .. } | DecodeError::Malformed(_))) => "encoding",
        BadProof::Text(BadText::NotText) | BadProof::Invoice(BadInvoice::Text(_)) => "not_text",
        BadProof::Invoice(BadInvoice::Version { .. }) => "version",
        BadProof::Invoice(BadInvoice::WrongNetwork { .. }) => "network",
        BadProof::Invoice(BadInvoice::Banks { .. }) => "banks",
        BadProof::Invoice(BadInvoice::Content { .. }) => "content",
        BadProof::Invoice(BadInvoice::Signature(_) | BadInvoice::Payee { .. }) => "signature",
        BadProof::Preimage { .. } => "preimage",
        BadProof::ReceiptSignature(_) => "receipt_signature",
        BadProof::ReceiptInvoice { .. } => "receipt_invoice",
    }
}

/// As the verifiers print it: 64-bit numbers as text, which JSON's numbers cannot hold exactly everywhere.
fn shown(proven: &Proven) -> Value {
    let invoice = proven.invoice.body();
    json!({
        "version": invoice.version,
        "chain_id": hex::encode(invoice.chain_id.0),
        "payee": hex::encode(invoice.payee.0),
        "id": hex::encode(invoice.id.0),
        "asset": invoice.asset.0,
        "amount": invoice.amount.map(|amount| amount.to_string()),
        "lock_hash": hex::encode(invoice.lock_hash.0),
        "payment_secret": hex::encode(invoice.payment_secret.0),
        "created_ms": invoice.created_ms.to_string(),
        "expires_ms": invoice.expires_ms.to_string(),
        "description": match &invoice.description {
            Description::Text(text) => json!({ "text": text }),
            Description::Hash(hash) => json!({ "hash": hex::encode(hash.0) }),
        },
        "banks": invoice.banks.iter().map(|bank| hex::encode(bank.0)).collect::<Vec<_>>(),
        "origin": invoice.origin,
        "refunds": match invoice.refunds { RefundPolicy::None => "none", RefundPolicy::OnRequest => "on_request" },
        "late": match invoice.late { LatePolicy::Fail => "fail", LatePolicy::Accept => "accept" },
        "receipt": proven.receipt.as_ref().map(|receipt| json!({
            "amount": receipt.body().amount.to_string(), "paid_ms": receipt.body().paid_ms.to_string(),
        })),
    })
}

fn vector(why: &str, text: &str) -> Value {
    match ProofOfPayment::from_text(text).and_then(|proof| proof.verify(&CHAIN)) {
        Ok(proven) => json!({ "why": why, "text": text, "good": shown(&proven) }),
        Err(error) => json!({ "why": why, "text": text, "error": code(&error) }),
    }
}

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/receipts/vectors.json"))
}

#[test]
fn the_vectors_of_receipts_hold() {
    let bad = [bad_texts(), bad_values(), bad_signatures()].concat();
    let made: Vec<Value> = good().into_iter().chain(bad.clone()).map(|(why, text)| vector(why, &text)).collect();
    for (index, vector) in made.iter().enumerate() {
        assert_eq!(vector.get("good").is_some(), index < good().len(), "{}: {vector}", vector["why"]);
    }
    let known = [
        "too_long",
        "not_text",
        "checksum",
        "kind",
        "encoding",
        "version",
        "network",
        "banks",
        "content",
        "signature",
        "preimage",
        "receipt_signature",
        "receipt_invoice",
    ];
    for code in known {
        assert!(made.iter().any(|vector| vector["error"] == code), "no vector ends as {code}");
    }
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let lines: Vec<_> = made.iter().map(|vector| serde_json::to_string(vector).unwrap()).collect();
        let chain = hex::encode(CHAIN.0);
        let text = format!("{{\"chain_id\":\"{chain}\",\"vectors\":[\n{}\n]}}\n", lines.join(",\n"));
        std::fs::write(file(), text).unwrap();
        return;
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    assert_eq!(stored["chain_id"], hex::encode(CHAIN.0));
    let stored = stored["vectors"].as_array().unwrap();
    for (made, stored) in made.iter().zip(stored) {
        assert_eq!(made, stored);
    }
    assert_eq!(made.len(), stored.len());
    // The proof's bytes are read back as they were written.
    let bytes = encode(&proof());
    assert_eq!(decode::<ProofOfPayment>(&bytes, bytes.len()).unwrap(), proof());
}
