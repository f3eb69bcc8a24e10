use super::*;
use crate::payment::address::Address;
use proptest::prelude::*;

const CHAIN: Hash = Hash([7; 32]);

fn payee() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn sample() -> Invoice {
    Invoice {
        version: VERSION,
        chain_id: CHAIN,
        payee: payee().public(),
        id: InvoiceId([3; 16]),
        asset: AssetId::FRD,
        amount: Some(1_250),
        lock_hash: crate::crypto::lock_hash(&Secret([9; 32])),
        payment_secret: Secret([4; 32]),
        created_ms: 1_000,
        expires_ms: 601_000,
        description: Description::Text("Coffee – zwei Tassen".into()),
        banks: vec![SecretKey::from_seed(&[2; 32]).public()],
        origin: Some("https://shop.example".into()),
        refunds: RefundPolicy::OnRequest,
        late: LatePolicy::Fail,
    }
}

#[test]
fn text_and_back_in_both_cases() {
    let invoice = sample().sign_by(&payee()).unwrap();
    for case in [Case::Lower, Case::Upper] {
        assert_eq!(from_text(&to_text(&invoice, case), &CHAIN), Ok(invoice.clone()));
    }
    assert!(to_text(&invoice, Case::Lower).starts_with("fairpay1"));
    let expires = invoice.body().expires_ms;
    assert!(!invoice.body().is_expired(expires) && invoice.body().is_expired(expires + 1));
}

#[test]
fn the_largest_invoice_fits_its_text() {
    let mut invoice = sample();
    invoice.description = Description::Text("d".repeat(limits::MAX_DESCRIPTION_BYTES));
    invoice.origin = Some("o".repeat(limits::MAX_URL_BYTES));
    invoice.banks = (0..limits::MAX_PAYEE_BANKS).map(|n| SecretKey::from_seed(&[n as u8 + 10; 32]).public()).collect();
    let invoice = invoice.sign_by(&payee()).unwrap();
    assert_eq!(from_text(&to_text(&invoice, Case::Upper), &CHAIN), Ok(invoice));
}

#[test]
fn impossible_contents_are_refused_when_signing_and_reading() {
    let check = |change: &dyn Fn(&mut Invoice), expected: BadInvoice| {
        let mut invoice = sample();
        change(&mut invoice);
        let signed = Signed::new(invoice.clone(), &CHAIN, &payee());
        let text = text::write(KIND, &signed, Case::Lower);
        assert_eq!(from_text(&text, &CHAIN), Err(expected.clone()));
        if invoice.chain_id == CHAIN {
            assert_eq!(invoice.sign_by(&payee()).unwrap_err(), expected);
        }
    };
    check(&|i| i.version = 9, BadInvoice::Version { got: 9 });
    check(&|i| i.chain_id = Hash([8; 32]), BadInvoice::WrongNetwork { expected: CHAIN, got: Hash([8; 32]) });
    check(&|i| i.amount = Some(0), BadInvoice::Content { rule: "the amount is zero" });
    check(&|i| i.amount = Some(u64::MAX), BadInvoice::Content { rule: "the amount is beyond any supply" });
    check(&|i| i.created_ms = i.expires_ms + 1, BadInvoice::Content { rule: "it expires before it was made" });
    check(
        &|i| i.description = Description::Text("d".repeat(limits::MAX_DESCRIPTION_BYTES + 1)),
        BadInvoice::Content { rule: "the description is too long" },
    );
    check(
        &|i| i.origin = Some("o".repeat(limits::MAX_URL_BYTES + 1)),
        BadInvoice::Content { rule: "the origin is too long" },
    );
    check(&|i| i.banks.push(i.banks[0]), BadInvoice::Banks { got: 2 });
}

#[test]
fn somebody_elses_signature_and_other_kinds_are_refused() {
    let thief = SecretKey::from_seed(&[5; 32]);
    let text = text::write(KIND, &Signed::new(sample(), &CHAIN, &thief), Case::Lower);
    let signer = payee().public();
    assert_eq!(from_text(&text, &CHAIN), Err(BadInvoice::Signature(BadSignature { signer })));
    assert_eq!(sample().sign_by(&thief).unwrap_err(), BadInvoice::Signature(BadSignature { signer }));
    let address = Address::new(&CHAIN, signer, &[]).to_text(Case::Lower);
    let kind = BadText::Kind { expected: "fairpay", got: "fairto".into() };
    assert_eq!(from_text(&address, &CHAIN), Err(BadInvoice::Text(kind)));
}

#[test]
fn every_changed_character_is_noticed() {
    let text = to_text(&sample().sign_by(&payee()).unwrap(), Case::Lower);
    for position in 8..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[position] = if bytes[position] == b'q' { b'p' } else { b'q' };
        assert_eq!(
            from_text(&String::from_utf8(bytes).unwrap(), &CHAIN),
            Err(BadInvoice::Text(BadText::Checksum)),
            "character {position}"
        );
    }
}

proptest! {
    #[test]
    fn hostile_text_never_panics(text in ".{0,300}") {
        prop_assert!(from_text(&text, &CHAIN).is_err());
        let _ = crate::payment::text::kind_of(&text);
    }

    #[test]
    fn hostile_bytes_in_valid_text_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        // Valid checksum, arbitrary content.
        let hrp = bech32::Hrp::parse(KIND).unwrap();
        if let Ok(text) = bech32::encode::<bech32::Bech32m>(hrp, &bytes) {
            prop_assert!(from_text(&text, &CHAIN).is_err());
        }
    }

    #[test]
    fn any_invoice_survives_its_text(amount in proptest::option::of(1..=limits::MAX_SUPPLY), text in ".{0,100}", id: [u8; 16]) {
        let invoice = Invoice { amount, description: Description::Text(text), id: InvoiceId(id), ..sample() };
        let invoice = invoice.sign_by(&payee()).unwrap();
        prop_assert_eq!(from_text(&to_text(&invoice, Case::Upper), &CHAIN), Ok(invoice));
    }
}
