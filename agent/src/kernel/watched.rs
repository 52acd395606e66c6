//! The processes that the probes observe.

use std::num::NonZeroU32;

use agent_common::ID_WORDS;
use aya::maps::{Array, Map, MapData, MapError};

/// Bits of one word of the map.
const WORD: u32 = u64::BITS;

/// The map of the probes with one bit per process. Only this type writes to it.
pub(super) struct WatchedProcesses {
    bits: Array<MapData, u64>,
}

impl WatchedProcesses {
    /// Sets the bits of these processes. The probes observe the processes whose bit is set; loaded
    /// with `WATCH_ALL`, those whose bit is not set.
    pub(super) fn new(map: Map, pids: &[NonZeroU32]) -> Result<Self, MapError> {
        let mut watched = Self {
            bits: Array::try_from(map)?,
        };
        for &pid in pids {
            watched.set(pid)?;
        }
        Ok(watched)
    }

    /// Sets the bit of a process.
    pub(super) fn set(&mut self, pid: NonZeroU32) -> Result<(), MapError> {
        self.change(pid, |word, bit| word | bit)
    }

    /// Clears the bit of a process.
    pub(super) fn clear(&mut self, pid: NonZeroU32) -> Result<(), MapError> {
        self.change(pid, |word, bit| word & !bit)
    }

    fn change(
        &mut self,
        pid: NonZeroU32,
        to: impl FnOnce(u64, u64) -> u64,
    ) -> Result<(), MapError> {
        let (index, bit) = bit_of(pid);
        let word = self.bits.get(&index, 0)?;
        self.bits.set(index, to(word, bit), 0)
    }
}

/// The word and the bit in it; the kernel gives no higher pid than the map has room for.
fn bit_of(pid: NonZeroU32) -> (u32, u64) {
    let pid = pid.get() % (ID_WORDS * WORD);
    (pid / WORD, 1 << (pid % WORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_a_bit_of_its_own() {
        let at = |pid| bit_of(NonZeroU32::new(pid).expect("not zero"));
        assert_eq!(at(1), (0, 2));
        assert_eq!(at(63), (0, 1 << 63));
        assert_eq!(at(64), (1, 1));
        assert_eq!(at(4_194_303), (ID_WORDS - 1, 1 << 63));
    }
}
