//! What holds for any stream.

use proptest::{collection::vec, prelude::*};

use super::{
    config, feed_all, message,
    streams::{Stream, chunks, hostile, messages, plain_messages, read, sizes, split, wanted},
};
use crate::streams::fix::{Header, Tap};

const BASE: std::ops::Range<u64> = 0..1 << 62;

/// Garbage in which no message starts, and after which one can.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let some = hostile().prop_map(|mut bytes| {
        bytes.push(1);
        bytes
    });
    // Read as the stream would be: after a SOH.
    let harmless = |bytes: &Vec<u8>| {
        let whole = [b"\x01", &bytes[..]].concat();
        !memchr::memmem::find_iter(&whole, b"\x018=FIX")
            .any(|at| looks_like_a_message(&whole[at + 1..]))
    };
    prop_oneof![
        1 => Just(Vec::new()),
        3 => some.prop_filter("a message in it", harmless),
    ]
}

/// Whether the first two fields are 8 and 9, decided in another way than the tap's.
fn looks_like_a_message(bytes: &[u8]) -> bool {
    let mut fields = bytes.split(|&b| b == 1);
    let version = fields.next().is_some_and(|f| f.len() <= 2 + 16);
    let length = fields.next().and_then(|f| f.strip_prefix(b"9="));
    version
        && fields.next().is_some()
        && length.is_some_and(|d| (1..=10).contains(&d.len()) && d.iter().all(u8::is_ascii_digit))
}

/// A stream of messages with things in it changed, removed and inserted.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        0usize..4,
        0usize..40,
        hostile(),
    );
    (messages(), vec(edit, 0..6)).prop_map(|(sent, edits)| {
        let mut bytes = Stream::of(&sent).bytes;
        for (at, kind, len, piece) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + len).min(bytes.len());
            match kind {
                0 => drop(bytes.drain(at..end)),
                1 => drop(bytes.splice(at..end, piece)),
                2 => drop(bytes.splice(at..at, piece)),
                _ => {
                    if let Some(b) = bytes.get_mut(at) {
                        *b = b'0' + (len % 10) as u8;
                    }
                }
            }
        }
        bytes
    })
}

/// A message whose header does not fit into 256 bytes.
fn long_header() -> impl Strategy<Value = Vec<u8>> {
    (150usize..260, any::<bool>()).prop_map(|(len, data)| {
        let value = "x".repeat(len);
        let other = if data {
            format!("90={len}|91={value}|")
        } else {
            format!("50={value}|")
        };
        message(
            "FIX.4.4",
            &format!(
                "35=8|34=7|49=A|56=B|{other}52=20240229-13:05:59.123|122=20240229-13:05:59|58=x|"
            ),
        )
    })
}

proptest! {
    #![proptest_config(config())]

    /// The same headers however the stream is split, and whatever of the bodies is omitted.
    #[test]
    fn neither_splits_nor_omitted_bodies_matter(
        sent in messages(),
        sizes in sizes(),
        base in BASE,
        holes in vec((0usize..900, 0usize..900), 0..12),
    ) {
        let stream = Stream::of(&sent);
        let mut given = vec![true; stream.bytes.len()];
        for (i, hole) in holes.iter().enumerate() {
            let n = i % sent.len();
            let (start, end) = stream.places[n];
            let from = (start + sent[n].needed + hole.0).min(end);
            let to = (from + hole.1).min(end);
            given[from..to].fill(false);
        }
        let (found, counts) = feed_all(chunks(base, &stream.bytes, &given, &sizes));
        prop_assert_eq!(read(base, &found), wanted(&stream, &sent));

        let last = given.iter().rposition(|k| *k).unwrap_or(0);
        let omitted = given[..last].iter().filter(|k| !**k).count();
        prop_assert_eq!(counts.omitted_bytes, omitted as u64);
        prop_assert_eq!(counts.lost_bytes + counts.garbled + counts.skipped_bytes, 0);
        prop_assert_eq!(counts.dropped_messages + counts.rejected_headers, 0);
    }

    /// The same headers from what the kernel probe hands over: 256 bytes of each message, or what
    /// there is of it and the beginning of the next.
    #[test]
    fn the_first_256_bytes_are_enough(
        sent in messages(),
        long in vec(long_header(), 0..4),
        base in BASE,
    ) {
        let mut bytes = Stream::of(&sent).bytes;
        let mut starts: Vec<_> = Stream::of(&sent).places.iter().map(|p| p.0).collect();
        for message in &long {
            starts.push(bytes.len());
            bytes.extend_from_slice(message);
        }
        let slices = starts.iter().map(|&s| {
            (base + s as u64, &bytes[s..(s + 256).min(bytes.len())])
        });
        let (sparse, counts) = feed_all(slices);
        prop_assert_eq!(sparse, feed_all([(base, &bytes[..])]).0);
        prop_assert_eq!(counts.lost_bytes + counts.garbled + counts.skipped_bytes, 0);
        prop_assert_eq!(counts.messages, starts.len() as u64);
    }

    /// Any bytes at all: the same headers and the same counts however they are split.
    #[test]
    fn splits_do_not_matter_for_any_bytes(
        bytes in prop_oneof![
            mutated(),
            hostile(),
            vec(any::<u8>(), 0..2000),
            (mutated(), vec(long_header(), 1..3)).prop_map(|(a, b)| [a, b.concat()].concat()),
        ],
        sizes in sizes(),
        base in BASE,
    ) {
        let whole = feed_all([(base, &bytes[..])]);
        let parts = feed_all(split(base, &bytes, &sizes));
        prop_assert_eq!(&whole.0, &parts.0);
        prop_assert_eq!(whole.1, parts.1);
    }

    /// Garbage between messages is counted to the byte, and no message is lost to it.
    #[test]
    fn garbage_is_counted_and_costs_no_message(
        sent in messages(),
        garbage in vec(garbage(), 8),
        sizes in sizes(),
        base in BASE,
    ) {
        let mut bytes = Vec::new();
        let mut all = Vec::new();
        let mut skipped = 0;
        let mut breaks = 0;
        for (i, (message, garbage)) in sent.iter().zip(&garbage).enumerate() {
            bytes.extend_from_slice(garbage);
            skipped += garbage.len();
            breaks += u64::from(i > 0 && !garbage.is_empty());
            let start = bytes.len();
            bytes.extend_from_slice(&message.bytes);
            all.push(((start, bytes.len()), message.expected.clone()));
        }
        let (found, counts) = feed_all(split(base, &bytes, &sizes));
        prop_assert_eq!(read(base, &found), all);
        prop_assert_eq!(counts.skipped_bytes, skipped as u64);
        prop_assert_eq!(counts.message_bytes, (bytes.len() - skipped) as u64);
        prop_assert_eq!(counts.lost_bytes + counts.dropped_messages, 0);
        prop_assert!(counts.garbled >= breaks);
    }

    /// A late attach costs the message it falls into, and nothing else.
    #[test]
    fn a_late_attach_finds_the_next_message(
        sent in plain_messages(),
        late in any::<prop::sample::Index>(),
        sizes in sizes(),
        base in BASE,
    ) {
        let stream = Stream::of(&sent);
        let late = late.index(stream.bytes.len());
        let (found, counts) =
            feed_all(split(base + late as u64, &stream.bytes[late..], &sizes));
        let mut all = wanted(&stream, &sent);
        all.retain(|(place, _)| place.0 >= late);
        let first = all.first().map_or(stream.bytes.len(), |(place, _)| place.0);
        prop_assert_eq!(read(base, &found), all);
        prop_assert_eq!(counts.skipped_bytes + counts.pending_bytes, (first - late) as u64);
        prop_assert_eq!(counts.garbled + counts.lost_bytes + counts.dropped_messages, 0);
    }

    /// Bytes lost anywhere cost the messages they fall into, and nothing else.
    #[test]
    fn a_loss_costs_only_the_messages_it_hits(
        sent in plain_messages(),
        from in any::<prop::sample::Index>(),
        len in 1usize..1500,
        sizes in sizes(),
        base in BASE,
    ) {
        let stream = Stream::of(&sent);
        let from = 1 + from.index(stream.bytes.len() - 1);
        let to = (from + len).min(stream.bytes.len());
        let mut given = vec![true; stream.bytes.len()];
        given[from..to].fill(false);
        let (found, counts) = feed_all(chunks(base, &stream.bytes, &given, &sizes));

        let found = read(base, &found);
        let all = wanted(&stream, &sent);
        for (i, entry) in all.iter().enumerate() {
            let (start, end) = entry.0;
            let whole = start >= to || start + sent[i].needed <= from;
            prop_assert_eq!(found.contains(entry), whole, "{} {}", start, end);
        }
        prop_assert!(found.iter().all(|entry| all.contains(entry)));

        // At the end of the stream a gap is not noticed.
        let holes = if to == stream.bytes.len() { 0 } else { to - from };
        prop_assert_eq!(counts.lost_bytes + counts.omitted_bytes, holes as u64);
        // Less than `8=FIX` is no message yet where none was expected.
        let torn = stream.places.iter().zip(&sent).any(|(&(start, _), m)| {
            let shown = if start == 0 { 5 } else { 1 };
            start + shown <= from && from < start + m.needed
        });
        if holes > 0 {
            prop_assert_eq!(counts.dropped_messages, u64::from(torn));
        }
    }

    /// Bytes that come again change nothing.
    #[test]
    fn repeated_bytes_are_not_read_again(
        sent in messages(),
        sizes in sizes(),
        back in vec((0usize..800, any::<bool>()), 1..20),
        base in BASE,
    ) {
        let stream = Stream::of(&sent);
        let mut repeated = 0;
        let mut all = Vec::new();
        let mut back = back.iter().cycle();
        for (offset, bytes) in split(base, &stream.bytes, &sizes) {
            let at = (offset - base) as usize;
            let &(back, apart) = back.next().unwrap_or(&(0, false));
            let from = at.saturating_sub(back);
            repeated += at - from;
            if apart {
                all.push((base + from as u64, &stream.bytes[from..at]));
                all.push((offset, bytes));
            } else {
                all.push((base + from as u64, &stream.bytes[from..at + bytes.len()]));
            }
        }
        let (found, counts) = feed_all(all);
        prop_assert_eq!(read(base, &found), wanted(&stream, &sent));
        prop_assert_eq!(counts.overlap_bytes, repeated as u64);
        prop_assert_eq!(counts.restarts + counts.lost_bytes, 0);
    }

    /// Any bytes at any offsets: no panic, every byte accounted for (by `feed_all`), and no message
    /// handed out twice.
    #[test]
    fn any_chunks_are_survived(
        all in vec(
            (
                prop_oneof![
                    Just(None),
                    (0u64..3000).prop_map(Some),
                    (0u64..1 << 23).prop_map(Some),
                    any::<u64>().prop_map(Some),
                    (0u64..3000).prop_map(|back| Some(u64::MAX - back)),
                ],
                prop_oneof![hostile(), mutated(), vec(any::<u8>(), 0..50)],
            ),
            0..12,
        ),
    ) {
        let mut next = 0u64;
        let mut placed = Vec::new();
        for (offset, bytes) in &all {
            let offset = offset.unwrap_or(next);
            next = offset.saturating_add(bytes.len() as u64);
            placed.push((offset, &bytes[..]));
        }
        let (found, counts) = feed_all(placed);
        for h in &found {
            prop_assert!(h.start + 7 < h.end);
        }
        if counts.restarts == 0 {
            prop_assert!(found.windows(2).all(|pair| pair[0].start < pair[1].start));
        }
    }
}

/// No heap behind a tap or a header, so what they take is their size, whatever they are fed.
#[test]
fn memory_is_bounded() {
    const {
        assert!(!std::mem::needs_drop::<Tap>() && !std::mem::needs_drop::<Header>());
        assert!(size_of::<Tap>() <= 640 && size_of::<Header>() <= 192);
    }
}
