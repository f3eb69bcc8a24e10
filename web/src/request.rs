//! Names that callers choose, so that asking again does nothing twice: text on the page's side, 16 bytes
//! in the core.

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

#[cfg(test)]
mod tests {
    use super::{id, text};

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
