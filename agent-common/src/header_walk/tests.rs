extern crate std;

use std::{collections::BTreeMap, format, vec, vec::Vec};

use proptest::prelude::*;

use super::{host::HostWalk, *};
use crate::framing::SOH;

/// A walk, and what it has sliced.
struct Walker {
    host: HostWalk,
    /// Offset of each byte that was sliced, and the byte.
    sliced: BTreeMap<u32, u8>,
}

impl Walker {
    fn new(seq: u32, limit: u64) -> Self {
        Self {
            host: HostWalk::new(seq, limit),
            sliced: BTreeMap::new(),
        }
    }

    fn mode(&self) -> u32 {
        self.host.walk.mode
    }

    fn receive(&mut self, seq: u32, bytes: &[u8]) {
        let sliced = &mut self.sliced;
        self.host.receive(seq, bytes, &mut |seq, bytes| {
            assert!(!bytes.is_empty());
            for (at, &byte) in bytes.iter().enumerate() {
                let before = sliced.insert(seq.wrapping_add(at as u32), byte);
                assert_eq!(before, None, "byte {at} from {seq} is sliced twice");
            }
        });
    }

    /// The stream in pieces of these sizes, then the rest.
    fn feed(&mut self, from: u32, stream: &[u8], sizes: &[usize]) {
        let (mut at, mut sizes) = (0, sizes.iter());
        while at < stream.len() {
            let size = sizes.next().map_or(stream.len(), |&size| size.max(1));
            let end = (at + size).min(stream.len());
            self.receive(from.wrapping_add(at as u32), &stream[at..end]);
            at = end;
        }
    }
}

fn message(body: usize) -> Vec<u8> {
    let mut bytes = format!("8=FIX.4.4\x019={body}\x01").into_bytes();
    bytes.extend(vec![b'x'; body]);
    bytes.extend(b"10=000\x01");
    bytes
}

#[test]
fn a_message_with_a_body_is_sliced_up_to_the_limit() {
    let stream = [message(1_000), message(10)].concat();
    let mut walker = Walker::new(0, 128);
    walker.feed(0, &stream, &[]);
    let second = message(1_000).len() as u32;
    let sliced: Vec<_> = walker.sliced.keys().copied().collect();
    let expected: Vec<_> = (0..128).chain(second..stream.len() as u32).collect();
    assert_eq!(sliced, expected);
}

#[test]
fn out_of_step_everything_is_sliced_until_a_message_begins() {
    let stream = [&b"garbage\x01"[..], &message(1_000)].concat();
    let mut walker = Walker::new(0, 128);
    walker.host.walk.lose_step();
    walker.feed(0, &stream, &[]);
    assert_eq!(walker.sliced.len(), 8 + 128);
    assert_eq!(walker.mode(), walk_mode::PREFIX);
    assert_eq!(walker.host.walk.message_seq as usize, stream.len());
}

#[test]
fn a_refused_beginning_is_passed() {
    let good = message(1_000);
    for bad in [
        "8=FIX.4.4\x019=0K2\x0135=0\x0110=000\x01",
        "8=FIX",
        "8=FIX\x018=FIX\x018=FIX",
        "8=FIX.4.4\x019=99999999\x01",
        "GET / HTTP",
    ] {
        let stream = [bad.as_bytes(), b"\x01", &good, &good].concat();
        let mut walker = Walker::new(0, 128);
        walker.feed(0, &stream, &[]);
        assert_eq!(walker.mode(), walk_mode::PREFIX, "{bad:?}");
        assert_eq!(walker.host.walk.message_seq as usize, stream.len());
        assert_eq!(walker.sliced.len(), bad.len() + 1 + 2 * 128, "{bad:?}");
        assert!(walker.host.steps < 20, "{} steps", walker.host.steps);
    }
}

#[test]
fn a_beginning_is_found_wherever_reads_cut_it() {
    let good = message(1_000);
    for junk in 1..600 {
        let junk = [&vec![b'j'; junk][..], b"\x01"].concat();
        let stream = [&junk[..], &good].concat();
        for cut in [0, 1, 3, 4, 5, 20] {
            let mut walker = Walker::new(0, 128);
            walker.feed(0, &stream, &[(junk.len() + cut).max(1)]);
            assert_eq!(walker.host.walk.message_seq as usize, stream.len());
            assert_eq!(walker.sliced.len(), junk.len() + 128, "cut at {cut}");
        }
    }
}

#[test]
fn without_a_delimiter_a_message_begins_with_a_receive_call_only() {
    let stream = [&b"garbage"[..], &message(1_000)].concat();
    let mut walker = Walker::new(0, 128);
    walker.feed(0, &stream, &[7]);
    assert_eq!(walker.sliced.len(), 7 + 128);
    let mut walker = Walker::new(0, 128);
    walker.feed(0, &stream, &[]);
    assert_eq!(walker.sliced.len(), stream.len());
}

/// Bytes that look like beginnings of messages.
fn nearly_fix() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "\x01",
        "8=FIX",
        "8=FI",
        "8",
        "8=FIX.4.4\x019=0K2\x01",
        "8=FIX.4.4\x019=30\x01",
        "8=FIXT.1.1\x01",
        "9=5\x01",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
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
        let mut walker = Walker::new(start, limit);
        walker.feed(start, &stream, &sizes);
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
        prop_assert_ne!(walker.mode(), walk_mode::SEARCH);
        prop_assert_eq!(walker.sliced, expected);
    }

    /// Whatever arrives, the walk comes to its end, and in garbage every byte is sliced.
    #[test]
    fn garbage_is_sliced_whole(
        bytes in prop::collection::vec(prop_oneof![Just(SOH), Just(b'8'), Just(b'='), any::<u8>()], 0..600),
        sizes in prop::collection::vec(1usize..100, 0..20),
    ) {
        let mut walker = Walker::new(0, 256);
        walker.feed(0, &bytes, &sizes);
        prop_assert_eq!(walker.sliced.len(), bytes.len());
    }

    /// The steps are bounded by the bytes received, whatever they are.
    #[test]
    fn every_few_steps_go_on(
        bytes in nearly_fix(),
        sizes in prop::collection::vec(1usize..100, 0..40),
    ) {
        let mut walker = Walker::new(0, 256);
        walker.feed(0, &bytes, &sizes);
        prop_assert!(walker.host.steps <= 4 * bytes.len() as u64 + 4);
    }
}
