//! The walk over bytes in memory, for tests: the loop of the probes
//! (`agent-ebpf/src/receive/walk_loop.rs`) without a kernel.

use super::{FramedStep, HeaderWalk, PREFIX_BYTES, PREFIX_ROOM, PrefixStep, walk_mode};
use crate::{
    MAX_SLICE_BYTES,
    framing::{SearchedSlice, find_start},
};

/// A header walk, and how much of a message it slices.
#[derive(Debug)]
pub struct HostWalk {
    /// Where the walk is.
    pub walk: HeaderWalk,
    /// Steps taken so far.
    pub steps: u64,
    limit: u64,
}

impl HostWalk {
    /// A walk that slices `limit` bytes of a message, 1 to [`MAX_SLICE_BYTES`]. A message begins at
    /// `seq`, or may.
    #[must_use]
    pub const fn new(seq: u32, limit: u64) -> Self {
        let mut walk = HeaderWalk {
            mode: walk_mode::SEARCH,
            message_seq: 0,
            end_seq: 0,
            prefix_len: 0,
            next_seq: 0,
            refused: 0,
            prefix: [0; PREFIX_ROOM],
        };
        walk.begin_message(seq);
        Self {
            walk,
            steps: 0,
            limit,
        }
    }

    /// A receive call returned `bytes`, the first of which is number `seq` of the stream. Hands what
    /// it slices to `slice`.
    pub fn receive(&mut self, seq: u32, bytes: &[u8], slice: &mut impl FnMut(u32, &[u8])) {
        let mut at = 0;
        while at < bytes.len() {
            self.steps += 1;
            let next_seq = seq.wrapping_add(at as u32);
            at += self.step(next_seq, &bytes[at..], at == 0, slice);
        }
    }

    /// Takes one step; returns by how many bytes it goes on.
    fn step(
        &mut self,
        seq: u32,
        bytes: &[u8],
        first: bool,
        slice: &mut impl FnMut(u32, &[u8]),
    ) -> usize {
        match self.walk.mode {
            walk_mode::FRAMED => match self.walk.framed_step(seq, bytes.len() as u64, self.limit) {
                FramedStep::Slice(len) => {
                    let len = bytes.len().min(len as usize);
                    slice(seq, &bytes[..len]);
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
                        slice(seq, &bytes[..take]);
                        take
                    }
                    PrefixStep::Framed | PrefixStep::OutOfStep => 0,
                }
            }
            _ => {
                let len = bytes.len().min(MAX_SLICE_BYTES);
                let first = self.walk.may_begin_here(u64::from(first)) != 0;
                let searched = Searched::new(&bytes[..len]);
                let Some(index) = find_start::<MAX_SLICE_BYTES, _>(&searched, len as u64, first)
                else {
                    slice(seq, &bytes[..len]);
                    return len;
                };
                if index > 0 {
                    slice(seq, &bytes[..index as usize]);
                }
                self.walk.begin_message(seq.wrapping_add(index as u32));
                index as usize
            }
        }
    }
}

/// Bytes before the slice, for [`SearchedSlice::last_five`].
const BEFORE: usize = 5;

struct Searched {
    bytes: [u8; BEFORE + MAX_SLICE_BYTES],
}

impl Searched {
    /// What lies behind the end is left from an earlier slice in the probes: here, what would be
    /// found if it were taken for part of this one.
    fn new(slice: &[u8]) -> Self {
        let mut bytes = [0; BEFORE + MAX_SLICE_BYTES];
        for (index, byte) in bytes[BEFORE + slice.len()..].iter_mut().enumerate() {
            *byte = b"\x018=FIX"[index % 6];
        }
        bytes[BEFORE..BEFORE + slice.len()].copy_from_slice(slice);
        Self { bytes }
    }
}

impl SearchedSlice for Searched {
    fn five_at(&self, index: usize) -> (u32, u8) {
        let five = &self.bytes[BEFORE + index..];
        let word = u32::from_ne_bytes([five[0], five[1], five[2], five[3]]);
        (word, five[4])
    }

    fn byte_at(&self, index: usize) -> u8 {
        self.bytes[BEFORE + index]
    }

    fn last_five(&self, len: u64) -> u64 {
        let (word, last) = {
            let five = &self.bytes[len as usize..];
            (
                u32::from_le_bytes([five[0], five[1], five[2], five[3]]),
                five[4],
            )
        };
        u64::from(word) | u64::from(last) << 32
    }

    fn opaque(n: u64) -> u64 {
        n
    }
}
