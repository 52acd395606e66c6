//! Sets of process and thread ids: a bit for each, and the ids of sockets.

/// Process and thread ids go up to 4,194,304 (`PID_MAX_LIMIT`, include/linux/threads.h): words of
/// 64 that hold one bit for each.
pub const ID_WORDS: u32 = 4_194_304 / 64;

/// The word of a process or thread id in a set, and its bit in the word.
#[inline(always)]
#[must_use]
pub const fn word_and_bit(id: u32) -> (u32, u64) {
    (id / 64, 1 << (id % 64))
}

/// A number that no other socket gets: the instant, and the CPU. A count of the CPU would not do
/// where a thread can lose its CPU within a tracepoint.
#[inline(always)]
#[must_use]
pub const fn socket_id(now_ns: u64, cpu: u32) -> u64 {
    const CPU_BITS: u32 = 10;
    (now_ns << CPU_BITS) | (cpu & ((1 << CPU_BITS) - 1)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_has_a_bit_of_its_own(a in 0u32..4_194_304, b in 0u32..4_194_304) {
            let (word, bit) = word_and_bit(a);
            prop_assert!(word < ID_WORDS);
            prop_assert_eq!(bit.count_ones(), 1);
            prop_assert_eq!(word * 64 + bit.trailing_zeros(), a);
            prop_assert_eq!(word_and_bit(a) == word_and_bit(b), a == b);
        }

        #[test]
        fn sockets_of_one_instant_differ_by_cpu(now in 0u64..1 << 54, cpu in 0u32..1024, other in 0u32..1024) {
            prop_assert_eq!(socket_id(now, cpu) == socket_id(now, other), cpu == other);
            prop_assert!(socket_id(now, cpu) < socket_id(now + 1, other));
        }
    }
}
