//! BIP-39: entropy and a checksum as words, eleven bits each.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The English words, ascending.
const LIST: &str = include_str!(concat!(env!("OUT_DIR"), "/words.txt"));

const WORD_BITS: usize = 11;

/// A word's place in the list.
pub(super) fn place(word: &str) -> Option<usize> {
    LIST.split(' ').position(|known| known == word)
}

/// The words of 16 or 32 bytes.
pub(super) fn words(entropy: &[u8]) -> Vec<String> {
    let bits = Zeroizing::new([entropy, &[checksum(entropy)]].concat());
    let word = |number: usize| {
        let place =
            (0..WORD_BITS).fold(0, |place, bit| place << 1 | usize::from(bit_at(&bits, number * WORD_BITS + bit)));
        LIST.split(' ').nth(place).unwrap_or_default().to_owned()
    };
    (0..count(entropy)).map(word).collect()
}

/// The entropy behind the places of 12 or 24 words; `None` if the checksum is another.
pub(super) fn entropy(places: &[usize]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; (places.len() * WORD_BITS).div_ceil(8)]);
    for (number, place) in places.iter().enumerate() {
        for bit in (0..WORD_BITS).filter(|bit| place >> (WORD_BITS - 1 - bit) & 1 == 1) {
            let at = number * WORD_BITS + bit;
            bytes[at / 8] |= 0x80 >> (at % 8);
        }
    }
    let stated = bytes.pop()?;
    (stated == checksum(&bytes)).then_some(bytes)
}

fn count(entropy: &[u8]) -> usize {
    entropy.len() * 8 / WORD_BITS + 1
}

fn bit_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte & 0x80 >> (at % 8) != 0)
}

/// The first bits of the hash, one for every four bytes of entropy; the other bits of the byte are zero.
fn checksum(entropy: &[u8]) -> u8 {
    Sha256::digest(entropy)[0] & (0xff00_u16 >> (entropy.len() / 4)) as u8
}
