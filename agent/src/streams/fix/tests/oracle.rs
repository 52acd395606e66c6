//! The tap against a FIX codec written by others (`fix-codec-rs`): it writes the messages, and says
//! what is in them.

use fix_codec_rs::{decoder::Decoder, encoder::Encoder};
use proptest::{collection::vec, prelude::*};

use super::{
    config, feed_all,
    streams::{sizes, split, timestamp},
};

/// Fields without 9 and 10, none of them with a SOH in it: the codec knows no data fields.
fn fields() -> impl Strategy<Value = Vec<u8>> {
    let header = (
        "[A-Za-z0-9]{1,2}",
        0u64..1_000_000_000,
        "[!-~]{1,20}",
        "[!-~]{1,20}",
        timestamp(),
        prop::option::of(timestamp()),
    );
    let begin = prop::sample::select(vec!["FIX.4.0", "FIX.4.2", "FIX.4.4", "FIXT.1.1"]);
    let body = vec(
        (
            prop_oneof![Just(52u16), Just(11), Just(58), Just(44)],
            "[ -~]{1,60}",
        ),
        0..9,
    );
    (begin, header, body).prop_map(|(begin, (kind, seq, sender, target, sent, orig), body)| {
        let mut text = format!("8={begin}\x0135={kind}\x0149={sender}\x0134={seq}\x01");
        if let Some((orig, _)) = orig {
            text += &format!("43=Y\x01122={orig}\x01");
        }
        text += &format!("52={}\x0156={target}\x0155=X\x01", sent.0);
        for (tag, value) in body {
            text += &format!("{tag}={value}\x01");
        }
        text.into_bytes()
    })
}

fn encode(fields: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new();
    let message = decoder.decode(fields).expect("well formed");
    let mut out = Vec::new();
    Encoder::new()
        .encode(&message, &mut out)
        .expect("encodable");
    out
}

/// The resolution of a timestamp as written, and its value read by jiff.
fn by_jiff(value: &[u8]) -> (i64, i64) {
    let text = std::str::from_utf8(value).expect("ASCII");
    let digits = text.split_once('.').map_or(0, |(_, f)| f.len().min(9));
    let cut = &text[..text.len().min(27)];
    let time = jiff::civil::DateTime::strptime("%Y%m%d-%H:%M:%S%.f", cut).expect("a time");
    let at = time.to_zoned(jiff::tz::TimeZone::UTC).expect("in range");
    let ns = i64::try_from(at.timestamp().as_nanosecond()).expect("fits");
    (ns, 10i64.pow(9 - digits as u32))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn reads_what_the_codec_reads(all in vec(fields(), 1..10), sizes in sizes()) {
        let messages: Vec<_> = all.iter().map(|f| encode(f)).collect();
        let stream = messages.concat();
        let (found, counts) = feed_all(split(0, &stream, &sizes));
        prop_assert_eq!(found.len(), messages.len());
        prop_assert_eq!(counts.garbled + counts.skipped_bytes, 0);

        let mut start = 0;
        for (header, bytes) in found.iter().zip(&messages) {
            let mut decoder = Decoder::new();
            let theirs = decoder.decode(bytes).expect("their own");
            prop_assert!(theirs.validate_body_length().is_ok());
            prop_assert!(theirs.validate_checksum().is_ok());
            let value = |tag| theirs.find(tag).map(|f| f.value);
            let time = |t: Option<crate::domain::SentTime>| t.map(|t| (t.utc_ns, t.resolution_ns));

            prop_assert_eq!(header.start, start);
            start += bytes.len() as u64;
            prop_assert_eq!(header.end, start);
            let seq = header.seq.to_string();
            prop_assert_eq!(Some(seq.as_bytes()), value(34));
            prop_assert_eq!(Some(header.msg_type.as_str().as_bytes()), value(35));
            prop_assert_eq!(Some(header.sender.as_str().as_bytes()), value(49));
            prop_assert_eq!(Some(header.target.as_str().as_bytes()), value(56));
            prop_assert_eq!(header.poss_dup, value(43) == Some(b"Y"));
            prop_assert_eq!(time(header.sending_time), value(52).map(by_jiff));
            prop_assert_eq!(time(header.orig_sending_time), value(122).map(by_jiff));
        }
    }

    /// A wrong BodyLength is noticed here when the codec notices it.
    #[test]
    fn doubts_the_body_length_the_codec_doubts(
        fields in fields(),
        off in -30i64..30,
        sizes in sizes(),
    ) {
        let good = encode(&fields);
        let text = String::from_utf8(good.clone()).expect("ASCII");
        let length: i64 = text
            .split('\x01')
            .find_map(|f| f.strip_prefix("9="))
            .and_then(|v| v.parse().ok())
            .expect("a length");
        let from = format!("\x019={length}\x01");
        let to = format!("\x019={}\x01", length + off);
        let bad = text.replacen(&from, &to, 1).into_bytes();
        let mut decoder = Decoder::new();
        let theirs = decoder.decode(&bad).expect("fields").validate_body_length();

        let stream = [&bad[..], &good, &good].concat();
        let (found, counts) = feed_all(split(0, &stream, &sizes));
        prop_assert_eq!(counts.garbled > 0, theirs.is_err());
        // The last one is found again, however wrong the first one was.
        let last = (stream.len() - good.len()) as u64;
        prop_assert!(found.iter().any(|h| (h.start, h.end) == (last, stream.len() as u64)));
    }
}
