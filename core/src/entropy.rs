//! Randomness as an argument: the host draws a seed, everything else follows from it.
//!
//! The core draws no randomness itself. A host seeds one [`Entropy`] with 32 fresh bytes from its operating
//! system at every start (never stored, never reused); tests and the simulator seed it with a number and get
//! the same run again.

use crate::crypto::Secret;
use chacha20::ChaCha20Rng;
use hpke::rand_core::{Rng as _, SeedableRng as _};

/// A stream of unpredictable bytes, stretched from a seed with ChaCha20. Wiped from memory when dropped.
pub struct Entropy(ChaCha20Rng);

impl Entropy {
    /// Starts a stream. Equal seeds give equal streams.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        self.0.fill_bytes(buffer);
    }

    /// A fresh payment secret.
    pub fn secret(&mut self) -> Secret {
        Secret(self.bytes())
    }

    /// An independent stream, for a machine of its own.
    pub fn fork(&mut self) -> Self {
        Self::from_seed(self.bytes())
    }

    /// For libraries that take a generator.
    pub(crate) fn generator(&mut self) -> &mut ChaCha20Rng {
        &mut self.0
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(…)")
    }
}
