//! The steps of the header walk: which bytes of a stream leave the kernel.
//!
//! BodyLength (9) says where the next message begins, so a message's body is never read, let alone
//! copied. Out of step (a late start, wrong BodyLength, garbage) whole bytes are sliced until a
//! message begins; the agent's parser does not depend on how much it is given.

use crate::{
    HeaderWalk, PREFIX_BYTES, PREFIX_ROOM,
    framing::{Limits, Prefix, TRAILER_BYTES},
    walk_mode,
};

/// What to do with the bytes that come next in a message whose end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramedStep {
    /// Slice so many bytes: header.
    Slice(u64),
    /// Skip so many bytes, after which the next message begins: the rest is body.
    NextMessage(u64),
    /// Skip all there is: body.
    SkipAll,
}

/// What the bytes gathered of a message's prefix say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixStep {
    /// The message's end is known.
    Framed,
    /// More bytes are needed.
    Partial,
    /// No message begins here.
    OutOfStep,
}

impl HeaderWalk {
    /// A message begins at `seq`, or may.
    #[inline(always)]
    pub const fn begin_message(&mut self, seq: u32) {
        self.mode = walk_mode::PREFIX;
        self.message_seq = seq;
        self.prefix_len = 0;
    }

    /// The step in mode [`walk_mode::FRAMED`], at `seq`, with `left` bytes at hand, when at most
    /// `limit` bytes of a message are sliced.
    #[inline(always)]
    #[must_use]
    pub const fn framed_step(&self, seq: u32, left: u64, limit: u64) -> FramedStep {
        let to_end = self.end_seq.wrapping_sub(seq) as u64;
        let done = seq.wrapping_sub(self.message_seq) as u64;
        if done < limit && to_end != 0 {
            let more = limit - done;
            return FramedStep::Slice(if to_end < more { to_end } else { more });
        }
        if to_end > left {
            FramedStep::SkipAll
        } else {
            FramedStep::NextMessage(to_end)
        }
    }

    /// The step in mode [`walk_mode::PREFIX`], with `len` bytes of the prefix gathered, at most
    /// [`PREFIX_BYTES`].
    #[inline(always)]
    pub fn prefix_step(&mut self, len: u64) -> PrefixStep {
        // Masked, so that no check is left that could panic.
        let byte = |index: usize| self.prefix[index % PREFIX_ROOM];
        let prefix = if len == PREFIX_BYTES as u64 {
            // The usual case, without a check per byte whether it is there.
            Prefix::read(&Limits::PROBES, PREFIX_BYTES, byte)
        } else {
            Prefix::read(&Limits::PROBES, len as usize, byte)
        };
        match prefix {
            Prefix::Whole { len, body } => {
                self.mode = walk_mode::FRAMED;
                self.end_seq = self.message_seq.wrapping_add(len + body + TRAILER_BYTES);
                PrefixStep::Framed
            }
            Prefix::Partial => {
                self.prefix_len = len as u32;
                PrefixStep::Partial
            }
            Prefix::Broken { .. } => {
                self.mode = walk_mode::SEARCH;
                PrefixStep::OutOfStep
            }
        }
    }
}

const _: () = assert!(Limits::PROBES.max_prefix() <= PREFIX_BYTES);

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{collections::BTreeMap, format, vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::{framing::SOH, socket::tests::socket};

    /// The probe's loop (`agent-ebpf/src/receive/walk.rs`) over bytes in memory.
    struct Walker {
        walk: HeaderWalk,
        /// Offset of each byte that was sliced, and the byte.
        sliced: BTreeMap<u32, u8>,
        limit: u64,
    }

    impl Walker {
        fn new(limit: u64) -> Self {
            let mut walk = socket().walk;
            walk.begin_message(0);
            Self {
                walk,
                sliced: BTreeMap::new(),
                limit,
            }
        }

        fn slice(&mut self, seq: u32, bytes: &[u8]) {
            for (at, &byte) in bytes.iter().enumerate() {
                let before = self.sliced.insert(seq.wrapping_add(at as u32), byte);
                assert_eq!(before, None, "byte {at} from {seq} is sliced twice");
            }
        }

        fn receive(&mut self, mut seq: u32, mut bytes: &[u8]) {
            let mut first = true;
            while !bytes.is_empty() {
                let left = bytes.len() as u64;
                let done = match self.walk.mode {
                    walk_mode::FRAMED => match self.walk.framed_step(seq, left, self.limit) {
                        FramedStep::Slice(len) => {
                            let len = len.min(left) as usize;
                            self.slice(seq, &bytes[..len]);
                            len
                        }
                        FramedStep::NextMessage(skip) => {
                            let end = self.walk.end_seq;
                            self.walk.begin_message(end);
                            skip as usize
                        }
                        FramedStep::SkipAll => bytes.len(),
                    },
                    walk_mode::PREFIX => {
                        let have = self.walk.prefix_len as usize;
                        let take = bytes.len().min(PREFIX_BYTES - have);
                        self.walk.prefix[have..have + take].copy_from_slice(&bytes[..take]);
                        match self.walk.prefix_step((have + take) as u64) {
                            PrefixStep::Partial => {
                                self.slice(seq, &bytes[..take]);
                                take
                            }
                            PrefixStep::Framed | PrefixStep::OutOfStep => 0,
                        }
                    }
                    _ => {
                        let at = (0..bytes.len()).find(|&at| {
                            bytes[at..].starts_with(b"8=FIX")
                                && if at == 0 { first } else { bytes[at - 1] == SOH }
                        });
                        if let Some(at) = at {
                            self.slice(seq, &bytes[..at]);
                            self.walk.begin_message(seq.wrapping_add(at as u32));
                            at
                        } else {
                            self.slice(seq, bytes);
                            bytes.len()
                        }
                    }
                };
                first &= done == 0;
                seq = seq.wrapping_add(done as u32);
                bytes = &bytes[done..];
            }
        }
    }

    fn message(body: usize) -> Vec<u8> {
        let mut bytes = format!("8=FIX.4.4\x019={body}\x01").into_bytes();
        bytes.extend(vec![b'x'; body]);
        bytes.extend(b"10=000\x01");
        bytes
    }

    /// The stream in pieces of these sizes, then the rest.
    fn feed(walker: &mut Walker, from: u32, stream: &[u8], sizes: &[usize]) {
        let (mut at, mut sizes) = (0, sizes.iter());
        while at < stream.len() {
            let size = sizes.next().map_or(stream.len(), |&size| size.max(1));
            let end = (at + size).min(stream.len());
            walker.receive(from.wrapping_add(at as u32), &stream[at..end]);
            at = end;
        }
    }

    #[test]
    fn a_message_with_a_body_is_sliced_up_to_the_limit() {
        let stream = [message(1_000), message(10)].concat();
        let mut walker = Walker::new(128);
        feed(&mut walker, 0, &stream, &[]);
        let second = message(1_000).len() as u32;
        let sliced: Vec<_> = walker.sliced.keys().copied().collect();
        let expected: Vec<_> = (0..128).chain(second..stream.len() as u32).collect();
        assert_eq!(sliced, expected);
    }

    #[test]
    fn out_of_step_everything_is_sliced_until_a_message_begins() {
        let stream = [&b"garbage\x01"[..], &message(1_000)].concat();
        let mut walker = Walker::new(128);
        walker.walk.mode = walk_mode::SEARCH;
        feed(&mut walker, 0, &stream, &[]);
        assert_eq!(walker.sliced.len(), 8 + 128);
        assert_eq!(walker.walk.mode, walk_mode::PREFIX);
        assert_eq!(walker.walk.message_seq as usize, stream.len());
    }

    proptest! {
        /// However the stream is cut into receive calls, and wherever it lies in the sequence space:
        /// of each message the first bytes are sliced up to the limit, and no others.
        #[test]
        fn slices_do_not_depend_on_receive_calls(
            bodies in prop::collection::vec(0usize..600, 1..8),
            sizes in prop::collection::vec(1usize..300, 0..40),
            limit in 32u64..=256,
            start: u32,
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|&body| message(body)).collect();
            let mut walker = Walker::new(limit);
            walker.walk.begin_message(start);
            feed(&mut walker, start, &stream, &sizes);
            let mut expected = BTreeMap::new();
            let mut at = 0;
            for body in bodies {
                let len = message(body).len();
                let head = &stream[at..at + len.min(limit as usize)];
                for (offset, &byte) in (at as u32..).zip(head) {
                    expected.insert(start.wrapping_add(offset), byte);
                }
                at += len;
            }
            prop_assert_eq!(walker.sliced, expected);
            prop_assert_ne!(walker.walk.mode, walk_mode::SEARCH);
        }

        /// Whatever arrives, the walk comes to its end, and in garbage no byte is withheld.
        #[test]
        fn garbage_is_sliced_whole(
            bytes in prop::collection::vec(prop_oneof![Just(SOH), Just(b'8'), Just(b'='), any::<u8>()], 0..600),
            sizes in prop::collection::vec(1usize..100, 0..20),
        ) {
            let mut walker = Walker::new(256);
            feed(&mut walker, 0, &bytes, &sizes);
            prop_assert_eq!(walker.sliced.len(), bytes.len());
        }
    }
}
