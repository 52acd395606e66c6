//! The probes' header walk and the tap accept the same messages: what the tap reads from the walk's
//! slices is what it reads from all bytes.

use agent_common::header_walk::host::HostWalk;
use proptest::{collection::vec, prelude::*};

use super::{
    config, one, soh, starts,
    streams::{plain_messages, sizes},
};
use crate::streams::fix::{Header, Tap};

/// The receive calls, each with its offset.
fn calls<'a>(stream: &'a [u8], sizes: &[usize]) -> Vec<(u64, &'a [u8])> {
    super::streams::split(0, stream, sizes)
}

/// What the tap finds when it is given all bytes.
fn directly(calls: &[(u64, &[u8])]) -> Vec<Header> {
    let mut tap = Tap::new();
    let mut found = Vec::new();
    for (offset, bytes) in calls {
        tap.receive_begins(*offset);
        tap.feed(*offset, bytes, &mut |header| found.push(header));
    }
    found
}

/// What it finds in the slices of a walk, as `join` feeds them.
fn through_the_walk(calls: &[(u64, &[u8])]) -> Vec<Header> {
    let mut walk = HostWalk::new(0, 256);
    let mut tap = Tap::new();
    let mut found = Vec::new();
    for (offset, bytes) in calls {
        let mut first = true;
        walk.receive(*offset as u32, bytes, &mut |seq, slice| {
            if std::mem::take(&mut first) {
                tap.receive_begins(u64::from(seq));
            }
            tap.feed(u64::from(seq), slice, &mut |header| found.push(header));
        });
    }
    found
}

/// Beginnings of messages, and what is none.
const BEGINNINGS: [(&str, bool); 24] = [
    ("8=FIX.4.0|9=LEN|", true),
    ("8=FIX.4.4|9=LEN|", true),
    ("8=FIX.5.0|9=LEN|", true),
    ("8=FIX.5.0SP2|9=LEN|", true),
    ("8=FIXT.1.1|9=LEN|", true),
    ("8=FIX4.4|9=LEN|", true),
    ("8=FIX|9=LEN|", true),
    ("8=FIX4567890123456|9=LEN|", true),
    ("8=FIX.4.4|9=0LEN|", true),
    ("8=FIX.4.4|9=00000LEN|", true),
    ("8=FIX.4.4|9=0000000LEN|", true),
    ("8=FIX.4.4|9=00000000LEN|", false),
    ("8=FIX45678901234567|9=LEN|", false),
    ("8=FIX.4 4|9=LEN|", false),
    ("8=FIX=4.4|9=LEN|", false),
    ("8=FIX|4.4|9=LEN|", false),
    ("8=FIX.4.4|9=0K2|", false),
    ("8=FIX.4.4|9=|", false),
    ("8=FIX.4.4|9=-LEN|", false),
    ("8=FIX.4.4|9=16777217|", false),
    ("8=FIX.4.4|9=9999999999|", false),
    ("8=FIX.4.4|35=8|", false),
    ("8=fix.4.4|9=LEN|", false),
    ("9=LEN|", false),
];

#[test]
fn both_accept_the_same_beginnings() {
    let good = one(&format!("58={}|", "x".repeat(400)));
    let text = good.escape_ascii().to_string().replace("\\x01", "|");
    let (_, body) = text.split_once("|35=").expect("MsgType");
    let len = good.len() - "8=FIX.4.4|9=LEN|".len() - 7;
    for (beginning, accepted) in BEGINNINGS {
        let beginning = beginning.replace("LEN", &len.to_string());
        let tried = soh(&format!("{beginning}35={body}"));
        let stream = [&good[..], &tried, &good, &good].concat();
        let mut wanted = vec![0, good.len(), good.len() + tried.len()];
        wanted.push(wanted[2] + good.len());
        if !accepted {
            wanted.remove(1);
        }
        for size in [1, 7, 100, good.len(), usize::MAX] {
            let calls = calls(&stream, &[size]);
            let found = directly(&calls);
            let found_starts: Vec<_> = starts(&found).iter().map(|&at| at as usize).collect();
            assert_eq!(found_starts, wanted, "{beginning} by {size}");
            assert_eq!(through_the_walk(&calls), found, "{beginning} by {size}");
        }
    }
}

/// Bytes between messages. A claimed length is short enough for the trailer to be sliced: of a longer
/// message the walk does not show it.
fn junk() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-z]{1,40}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "|",
            "\r\n",
            "8",
            "8=FI",
            "8=FIX",
            "|8=FIX|8=FIX",
            "8=FIX.4.4|",
            "8=FIX.4.4|9=0K2|35=0|10=000|",
            "|8=FIX.4.4|9=40|35=0|",
            "|8=FIX.4.2|9=7|",
            "8=FIX.4.4|9=99999999|",
            "10=000|",
        ])
        .prop_map(soh),
    ];
    prop_oneof![
        3 => Just(Vec::new()),
        2 => vec(piece, 1..5).prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_find_the_same_messages(
        sent in plain_messages(),
        junk in vec(junk(), 8),
        lost in vec(any::<prop::sample::Index>(), 0..2),
        sizes in sizes(),
    ) {
        let mut stream = Vec::new();
        for (message, junk) in sent.iter().zip(&junk) {
            stream.extend_from_slice(junk);
            stream.extend_from_slice(&message.bytes);
        }
        // The trailer of a longer message is not sliced: where one byte is missing, the tap would
        // find the next message in it.
        if sent.iter().all(|message| message.bytes.len() <= 256) {
            for at in lost {
                stream.remove(at.index(stream.len()));
            }
        }
        let calls = calls(&stream, &sizes);
        prop_assert_eq!(through_the_walk(&calls), directly(&calls));
    }
}
