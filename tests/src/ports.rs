//! Ports that no other test uses.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Ports in one block; the first is the reservation itself.
const BLOCK_PORTS: u16 = 32;

/// Below the range from which the system gives ports to outgoing connections.
const FIRST_BLOCK: u16 = 20_000;
const BLOCK_COUNT: u16 = 384;

/// A range of ports on 127.0.0.1 that belongs to the holder while this value lives: whoever wants
/// the same block, in whatever process, cannot bind its first port.
#[derive(Debug)]
pub struct PortBlock {
    _reservation: TcpListener,
    base: u16,
}

impl PortBlock {
    /// Finds a block with no port in use.
    ///
    /// # Errors
    /// If every block is taken.
    pub fn reserve() -> Result<Self> {
        let start = (std::process::id() % u32::from(BLOCK_COUNT)) as u16;
        for step in 0..BLOCK_COUNT {
            let base = FIRST_BLOCK + (start + step) % BLOCK_COUNT * BLOCK_PORTS;
            if let Some(block) = Self::try_block(base) {
                return Ok(block);
            }
        }
        bail!("no {BLOCK_PORTS} free ports in a row on 127.0.0.1");
    }

    fn try_block(base: u16) -> Option<Self> {
        let reservation = TcpListener::bind((Ipv4Addr::LOCALHOST, base)).ok()?;
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        (base + 1..base + BLOCK_PORTS).all(is_free).then_some(PortBlock { _reservation: reservation, base })
    }

    /// The first port for use; the following ones, up to [`PortBlock::count`], are free too.
    #[must_use]
    pub fn first(&self) -> u16 {
        self.base + 1
    }

    /// How many ports there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        BLOCK_PORTS - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_never_overlap() {
        let one = PortBlock::reserve().expect("ports");
        let two = PortBlock::reserve().expect("ports");
        assert!(one.first().abs_diff(two.first()) >= BLOCK_PORTS);
    }
}
