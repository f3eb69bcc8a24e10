//! Names that callers choose, so that asking again does nothing twice: text on the page's side, 16 bytes
//! in the core.

use fair_core::payment::invoice::Invoice;
use fair_core::wallet::NewInvoice;
use sha2::{Digest as _, Sha256};

/// A name as the core knows it.
pub type RequestId = [u8; 16];

/// A UUID or 32 hexadecimal digits are taken as they are; any other text by its hash.
pub fn id(key: &str) -> RequestId {
    let mut bytes = [0; 16];
    let digits: String = key.chars().filter(|c| *c != '-').collect();
    if hex::decode_to_slice(&digits, &mut bytes).is_err() {
        bytes.copy_from_slice(&Sha256::digest(key)[..16]);
    }
    bytes
}

/// A name as the page knows it: as UUID.
pub fn text(id: &RequestId) -> String {
    let digits = hex::encode(id);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// Whether an invoice under a name is what is asked for under it now.
pub fn is_same(known: &Invoice, new: &NewInvoice) -> bool {
    let NewInvoice { request, asset, amount, description, lifetime_ms, origin, refunds, late } = new;
    known.id.0 == *request
        && (known.asset, known.amount) == (*asset, *amount)
        && known.description == *description
        && known.expires_ms.checked_sub(known.created_ms) == Some(*lifetime_ms)
        && known.origin == *origin
        && (known.refunds, known.late) == (*refunds, *late)
}

#[cfg(test)]
mod tests {
    use super::{id, is_same, text};
    use fair_core::crypto::Secret;
    use fair_core::payment::invoice::{Description, Invoice, InvoiceId, LatePolicy, RefundPolicy, VERSION};
    use fair_core::types::{AssetId, Hash, PublicKey};
    use fair_core::wallet::NewInvoice;

    #[test]
    fn another_invoice_under_a_used_name_is_seen() {
        let new = |amount, asset, text: &str| NewInvoice {
            request: [1; 16],
            asset: AssetId(asset),
            amount,
            description: Description::Text(text.to_owned()),
            lifetime_ms: 900,
            origin: None,
            refunds: RefundPolicy::None,
            late: LatePolicy::Fail,
        };
        let known = Invoice {
            version: VERSION,
            chain_id: Hash([0; 32]),
            payee: PublicKey([0; 32]),
            id: InvoiceId([1; 16]),
            asset: AssetId(1),
            amount: Some(5),
            lock_hash: Hash([0; 32]),
            payment_secret: Secret([0; 32]),
            created_ms: 100,
            expires_ms: 1_000,
            description: Description::Text("Tea".to_owned()),
            banks: Vec::new(),
            origin: None,
            refunds: RefundPolicy::None,
            late: LatePolicy::Fail,
        };
        assert!(is_same(&known, &new(Some(5), 1, "Tea")));
        for other in [new(Some(50), 1, "Tea"), new(None, 1, "Tea"), new(Some(5), 2, "Tea"), new(Some(5), 1, "Cake")] {
            assert!(!is_same(&known, &other), "{other:?}");
        }
        assert!(!is_same(&known, &NewInvoice { lifetime_ms: 901, ..new(Some(5), 1, "Tea") }));
    }

    #[test]
    fn a_uuid_comes_back_as_it_went() {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(text(&id(uuid)), uuid);
        assert_eq!(id(&uuid.replace('-', "")), id(uuid));
    }

    #[test]
    fn other_keys_have_ids_of_their_own() {
        assert_ne!(id("order 42"), id("order 43"));
        assert_eq!(id("order 42"), id("order 42"));
        assert_eq!(id(&text(&id("order 42"))), id("order 42"));
    }
}
