//! Generated messages and streams, with what a tap must read of them.

use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::subsequence};

use super::framed;
use crate::streams::fix::Header;

/// What is expected of a header, taken from what the message was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) seq: u64,
    pub(super) msg_type: String,
    pub(super) poss_dup: bool,
    pub(super) sending_time: Option<(i64, i64)>,
    pub(super) orig_sending_time: Option<(i64, i64)>,
    pub(super) sender: String,
    pub(super) target: String,
}

impl From<&Header> for Expected {
    fn from(h: &Header) -> Self {
        Self {
            seq: h.seq,
            msg_type: h.msg_type.as_str().to_owned(),
            poss_dup: h.poss_dup,
            sending_time: h.sending_time.map(|t| (t.utc_ns, t.resolution_ns)),
            orig_sending_time: h.orig_sending_time.map(|t| (t.utc_ns, t.resolution_ns)),
            sender: h.sender.to_string(),
            target: h.target.to_string(),
        }
    }
}

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    /// So many of its bytes are needed; of the others any may be omitted.
    pub(super) needed: usize,
    pub(super) expected: Expected,
}

/// Messages one after the other.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) bytes: Vec<u8>,
    /// Where the messages start and end.
    pub(super) places: Vec<(usize, usize)>,
}

impl Stream {
    pub(super) fn of(messages: &[Sent]) -> Self {
        let mut bytes = Vec::new();
        let places = messages.iter().map(|m| {
            let start = bytes.len();
            bytes.extend_from_slice(&m.bytes);
            (start, bytes.len())
        });
        let places = places.collect();
        Self { bytes, places }
    }
}

/// What found headers say, as places in a stream that starts at `base` and as values.
pub(super) fn read(base: u64, found: &[Header]) -> Vec<((usize, usize), Expected)> {
    let place = |h: &Header| ((h.start - base) as usize, (h.end - base) as usize);
    found.iter().map(|h| (place(h), h.into())).collect()
}

/// What a tap must find in a stream.
pub(super) fn wanted(stream: &Stream, messages: &[Sent]) -> Vec<((usize, usize), Expected)> {
    let values = messages.iter().map(|m| m.expected.clone());
    stream.places.iter().copied().zip(values).collect()
}

/// Cuts the bytes that are given into chunks of these sizes, in turn.
pub(super) fn chunks<'a>(
    base: u64,
    bytes: &'a [u8],
    given: &[bool],
    sizes: &[usize],
) -> Vec<(u64, &'a [u8])> {
    let mut sizes = sizes.iter().copied().cycle();
    let mut chunks = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !given[at] {
            at += 1;
            continue;
        }
        let size = sizes.next().unwrap_or(1).max(1);
        let run = given[at..].iter().take(size).take_while(|k| **k).count();
        chunks.push((base + at as u64, &bytes[at..at + run]));
        at += run;
    }
    chunks
}

/// Cuts all bytes into chunks of these sizes, in turn.
pub(super) fn split<'a>(base: u64, bytes: &'a [u8], sizes: &[usize]) -> Vec<(u64, &'a [u8])> {
    chunks(base, bytes, &vec![true; bytes.len()], sizes)
}

/// Sizes of chunks, from single bytes to many messages.
pub(super) fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1usize..4, 1usize..40, 1usize..600, 1usize..5000];
    prop_oneof![Just(vec![1]), Just(vec![usize::MAX]), vec(size, 1..20)]
}

/// A UTCTimestamp and its value, the text written by jiff.
pub(super) fn timestamp() -> impl Strategy<Value = (String, (i64, i64))> {
    (0i64..9_214_646_400, 0i32..1_000_000_000, 0usize..5).prop_map(|(s, ns, digits)| {
        let (format, unit) = [
            ("%Y%m%d-%H:%M:%S", 1_000_000_000),
            ("%Y%m%d-%H:%M:%S.%3f", 1_000_000),
            ("%Y%m%d-%H:%M:%S.%6f", 1_000),
            ("%Y%m%d-%H:%M:%S.%9f", 1),
            ("%Y%m%d-%H:%M:%S.%9f456", 1),
        ][digits];
        let ns = i64::from(ns) / unit * unit;
        let at = Timestamp::new(s, ns as i32).expect("in range");
        (
            at.strftime(format).to_string(),
            (s * 1_000_000_000 + ns, unit),
        )
    })
}

fn begin_string() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "FIX.4.0",
        "FIX.4.1",
        "FIX.4.2",
        "FIX.4.3",
        "FIX.4.4",
        "FIX.5.0",
        "FIXT.1.1",
        "FIX.5.0SP2",
        "FIX4.4",
    ])
}

fn text() -> impl Strategy<Value = String> {
    "[ -~]{1,9}"
}

/// Bytes that look like framing and fields, among others.
pub(super) fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..20),
        prop::sample::select(vec![
            "\x01",
            "8=FIX",
            "\x018=FIX.4.4\x01",
            "\x018=FIX.4.4\x019=",
            "\x018=FIX.4.2\x019=40\x0135=0\x01",
            "\x0152=20200101-00:00:00\x01",
            "\x0149=EVIL\x0156=EVIL\x0134=666\x01",
            "\x0110=000\x01",
            "10=128\x01",
            "=",
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Header fields that are none of those read: each a field, or fields that belong together.
fn others() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let tags = vec![
        50u16, 57, 97, 115, 116, 128, 129, 142, 143, 144, 145, 347, 369, 370, 1128, 1129, 1156,
    ];
    let plain = (subsequence(tags, 0..=3), text())
        .prop_map(|(tags, v)| tags.iter().map(|t| field(*t, &v)).collect::<Vec<_>>());
    let hops = option::of(Just(
        b"627=1\x01628=H\x01629=20200101-00:00:00\x01630=1\x01".to_vec(),
    ));
    let data = |tag: u16| {
        let value = prop_oneof![vec(any::<u8>(), 0..30), hostile()];
        option::weighted(
            0.3,
            value.prop_map(move |v| {
                let mut both = field(tag, &v.len().to_string());
                both.extend_from_slice(format!("{}=", tag + 1).as_bytes());
                both.extend_from_slice(&v);
                both.push(1);
                both
            }),
        )
    };
    (plain, hops, data(90), data(212)).prop_map(|(mut all, hops, secure, xml)| {
        all.extend(hops.into_iter().chain(secure).chain(xml));
        all
    })
}

fn field(tag: u16, value: &str) -> Vec<u8> {
    format!("{tag}={value}\x01").into_bytes()
}

/// The fields that are read, as they are written and as they are expected.
fn fields() -> impl Strategy<Value = (Vec<Vec<u8>>, Expected)> {
    (
        prop_oneof![0u64..1000, any::<u64>()],
        "[A-Za-z0-9]{1,2}",
        option::of(any::<bool>()),
        option::weighted(0.9, timestamp()),
        option::weighted(0.3, timestamp()),
        text(),
        text(),
    )
        .prop_map(|(seq, msg_type, dup, sent, orig, sender, target)| {
            let mut all = vec![
                field(34, &seq.to_string()),
                field(49, &sender),
                field(56, &target),
            ];
            all.extend(dup.map(|dup| field(43, if dup { "Y" } else { "N" })));
            all.extend(sent.as_ref().map(|(text, _)| field(52, text)));
            all.extend(orig.as_ref().map(|(text, _)| field(122, text)));
            let expected = Expected {
                seq,
                msg_type,
                poss_dup: dup == Some(true),
                sending_time: sent.map(|(_, ns)| ns),
                orig_sending_time: orig.map(|(_, ns)| ns),
                sender,
                target,
            };
            (all, expected)
        })
}

/// A body: none, or one that starts with a tag which is of no header and goes on with `rest`.
fn body(rest: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = (usize, Vec<u8>)> {
    let tags = vec!["11", "58", "1", "5", "1137", "453", "98", "12345"];
    let some = (prop::sample::select(tags), rest).prop_map(|(tag, rest)| {
        let mut bytes = format!("{tag}=").into_bytes();
        // No tag of a header has five digits: the fifth decides as well as the `=`.
        let needed = bytes.len().min(5);
        bytes.extend_from_slice(&rest);
        bytes.push(1);
        (needed, bytes)
    });
    prop_oneof![1 => Just((0, Vec::new())), 4 => some]
}

/// A well-formed message whose header fits into 256 bytes.
fn sent(rest: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Sent> {
    let parts = (begin_string(), fields(), others(), body(rest));
    parts.prop_flat_map(|(begin, (fields, expected), others, (needed, body))| {
        let mut all = fields;
        let mut len: usize = 32 + all.iter().map(Vec::len).sum::<usize>();
        for other in others {
            if len + other.len() <= 256 {
                len += other.len();
                all.push(other);
            }
        }
        Just(all).prop_shuffle().prop_map(move |all| {
            let mut inner = field(35, &expected.msg_type);
            inner.extend(all.concat());
            let tail = body.len() - needed + super::super::framing::TRAILER_LEN;
            inner.extend_from_slice(&body);
            let bytes = framed(begin, &inner);
            Sent {
                needed: bytes.len() - tail,
                bytes,
                expected: expected.clone(),
            }
        })
    })
}

/// Messages whose bodies are full of things that look like framing.
pub(super) fn messages() -> impl Strategy<Value = Vec<Sent>> {
    let rest = prop_oneof![hostile(), vec(any::<u8>(), 0..700)];
    vec(sent(rest), 1..8)
}

/// Messages in which there is no `8=FIX` but where they start.
pub(super) fn plain_messages() -> impl Strategy<Value = Vec<Sent>> {
    let rest = "([a-z0-9.=]{0,20}\x01?){0,12}".prop_map(String::into_bytes);
    let plain = sent(rest).prop_filter("a start inside", |m| {
        memchr::memmem::find(&m.bytes[1..], b"8=FIX").is_none()
    });
    vec(plain, 1..8)
}
