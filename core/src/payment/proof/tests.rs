use super::*;
use crate::crypto::SecretKey;
use crate::payment::invoice::{Description, LatePolicy, RefundPolicy, VERSION};
use crate::types::AssetId;

const CHAIN: Hash = Hash([7; 32]);
const PREIMAGE: Secret = Secret([9; 32]);

fn payee() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn proof() -> ProofOfPayment {
    let invoice = Invoice {
        version: VERSION,
        chain_id: CHAIN,
        payee: payee().public(),
        id: InvoiceId([3; 16]),
        asset: AssetId::FRD,
        amount: None,
        lock_hash: crypto::lock_hash(&PREIMAGE),
        payment_secret: Secret([4; 32]),
        created_ms: 1,
        expires_ms: 2,
        description: Description::Hash(Hash([1; 32])),
        banks: vec![],
        origin: None,
        refunds: RefundPolicy::None,
        late: LatePolicy::Accept,
    };
    let receipt = Receipt { invoice: invoice.id, amount: 1_234, paid_ms: 2 };
    ProofOfPayment {
        invoice: invoice.sign_by(&payee()).unwrap().into_signed(),
        preimage: PREIMAGE,
        receipt: Some(Signed::new(receipt, &CHAIN, &payee())),
    }
}

#[test]
fn a_proof_is_verified_from_its_text_alone() {
    let proven = ProofOfPayment::from_text(&proof().to_text()).unwrap().verify(&CHAIN).unwrap();
    assert_eq!(proven.receipt.unwrap().body().amount, 1_234);
    assert_eq!(proven.invoice.signer(), &payee().public());
    assert!(ProofOfPayment { receipt: None, ..proof() }.verify(&CHAIN).unwrap().receipt.is_none());
}

#[test]
fn what_proves_nothing_is_refused() {
    let wrong = Secret([8; 32]);
    let error = ProofOfPayment { preimage: wrong, ..proof() }.verify(&CHAIN).unwrap_err();
    assert_eq!(error, BadProof::Preimage { expected: crypto::lock_hash(&PREIMAGE), got: crypto::lock_hash(&wrong) });
    assert!(matches!(proof().verify(&Hash([8; 32])), Err(BadProof::Invoice(BadInvoice::WrongNetwork { .. }))));
    let mut changed = proof();
    changed.invoice.body.amount = Some(1);
    assert!(matches!(changed.verify(&CHAIN), Err(BadProof::Invoice(BadInvoice::Signature(_)))));
    let mut raised = proof();
    raised.receipt.as_mut().unwrap().body.amount += 1;
    assert!(matches!(raised.verify(&CHAIN), Err(BadProof::ReceiptSignature(_))));
    let other = Receipt { invoice: InvoiceId([5; 16]), amount: 1, paid_ms: 1 };
    let other = ProofOfPayment { receipt: Some(Signed::new(other, &CHAIN, &payee())), ..proof() };
    assert!(matches!(other.verify(&CHAIN), Err(BadProof::ReceiptInvoice { .. })));
    assert!(matches!(ProofOfPayment::from_text("fairproof1"), Err(BadProof::Text(_))));
}
