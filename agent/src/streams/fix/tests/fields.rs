//! What is read of a header, and where it ends.

use super::{HEAD, feed_all, message, one, whole};
use crate::streams::fix::{Header, Tap};

/// 2024-02-29 13:05:59 UTC.
const SENT_S: i64 = 1_709_211_959;

/// What is found when a message has these fields from 35 on.
fn header_of(fields: &str) -> Option<Header> {
    whole(&message("FIX.4.4", fields)).0.first().copied()
}

#[test]
fn a_header_is_read() {
    let bytes = one("43=Y|122=20240229-13:05:58|150=0|58=x|");
    let (found, counts) = whole(&bytes);
    let [h] = found[..] else { panic!("{found:?}") };
    assert_eq!((h.start, h.end), (0, bytes.len() as u64));
    assert_eq!((h.seq, h.msg_type.as_str(), h.poss_dup), (17, "8", true));
    assert_eq!((h.sender.as_str(), h.target.as_str()), ("VENUE", "DROP"));
    let (sent, orig) = (h.sending_time, h.orig_sending_time);
    let sent = sent.map(|t| (t.utc_ns, t.resolution_ns));
    let orig = orig.map(|t| (t.utc_ns, t.resolution_ns));
    assert_eq!(
        sent,
        Some((SENT_S * 1_000_000_000 + 123_000_000, 1_000_000))
    );
    assert_eq!(orig, Some(((SENT_S - 1) * 1_000_000_000, 1_000_000_000)));
    assert_eq!(counts.messages, 1);
    assert_eq!(counts.message_bytes, bytes.len() as u64);
    assert_eq!(
        counts.incomplete_headers + counts.garbled + counts.skipped_bytes,
        0
    );
}

#[test]
fn only_y_is_a_possible_duplicate() {
    for (field, is) in [
        ("", false),
        ("43=N|", false),
        ("43=y|", false),
        ("43=Y|", true),
    ] {
        let h = header_of(&format!("{HEAD}{field}")).expect("a header");
        assert_eq!(h.poss_dup, is, "{field}");
    }
}

#[test]
fn every_standard_header_tag_is_walked_over() {
    let plain = [
        50, 57, 97, 115, 116, 128, 129, 142, 143, 144, 145, 347, 369, 370, 627, 628, 629, 630,
        1128, 1129, 1156,
    ];
    for tag in plain {
        let h = header_of(&format!(
            "35=8|34=1|49=A|56=B|{tag}=1|52=20240229-13:05:59|"
        ));
        assert!(h.is_some_and(|h| h.sending_time.is_some()), "{tag}");
    }
    for (len, data) in [(90, 91), (212, 213)] {
        let h = header_of(&format!(
            "35=8|34=1|49=A|56=B|{len}=3|{data}=a|b|52=20240229-13:05:59|"
        ));
        assert!(h.is_some_and(|h| h.sending_time.is_some()), "{data}");
    }
}

#[test]
fn no_other_tag_is() {
    let header = [
        8, 9, 34, 35, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129, 142, 143, 144,
        145, 212, 213, 347, 369, 370, 627, 628, 629, 630, 1128, 1129, 1156,
    ];
    for tag in (1..10_000).filter(|t| !header.contains(t)) {
        let h = header_of(&format!(
            "35=8|34=1|49=A|56=B|{tag}=1|52=20240229-13:05:59|"
        ));
        assert!(h.is_some_and(|h| h.sending_time.is_none()), "{tag}");
    }
    for tag in [
        "",
        "x",
        "052",
        "5 2",
        "-52",
        "10052",
        "115292150460684697652",
        "\u{665}2",
    ] {
        let text = format!("35=8|34=1|49=A|56=B|{tag}=1|52=20240229-13:05:59|");
        assert!(
            header_of(&text).is_some_and(|h| h.sending_time.is_none()),
            "{tag}"
        );
    }
}

#[test]
fn a_field_in_the_body_is_not_taken() {
    let (found, counts) = whole(&message(
        "FIX.4.4",
        "35=8|34=1|49=A|56=B|11=x|52=20240229-13:05:59|43=Y|",
    ));
    assert_eq!(found.len(), 1);
    assert!(found[0].sending_time.is_none() && !found[0].poss_dup);
    assert_eq!(
        (counts.missing.sending_time, counts.incomplete_headers),
        (1, 1)
    );
}

#[test]
fn of_a_repeated_tag_the_first_counts() {
    let h = header_of(&format!("{HEAD}34=18|49=|56=X|")).expect("a header");
    assert_eq!(
        (h.seq, h.sender.as_str(), h.target.as_str()),
        (17, "VENUE", "DROP")
    );
    assert_eq!(header_of("35=8|34=x|34=1|49=A|56=B|"), None);
}

#[test]
fn data_is_skipped_by_its_length() {
    let fields =
        |len: &str| format!("35=8|34=1|49=A|56=B|90={len}|91=|49=EVIL|52=20200101-00:00:00|");
    let data_len = "|49=EVIL|52=20200101-00:00:00".len();
    let ok = format!("{}52=20240229-13:05:59|", fields(&data_len.to_string()));
    let sent = |fields: &str| {
        let h = header_of(fields).expect("a header");
        assert_eq!(h.sender.as_str(), "A");
        h.sending_time.map(|t| t.utc_ns / 1_000_000_000)
    };
    assert_eq!(sent(&ok), Some(SENT_S));
    // A length that leads into the data: nothing that follows is believed.
    assert_eq!(sent(&format!("{}52=20240229-13:05:59|", fields("5"))), None);
    // One that leads past the end.
    assert_eq!(
        sent(&format!("{}52=20240229-13:05:59|", fields("500"))),
        None
    );
    assert_eq!(
        sent(&format!(
            "{}52=20240229-13:05:59|",
            fields("18446744073709551615")
        )),
        None
    );
    // Zero bytes of data.
    let empty = "35=8|34=1|49=A|56=B|212=0|213=|52=20240229-13:05:59|";
    assert_eq!(sent(empty), Some(SENT_S));
    // A length that measures nothing does not reach the next data field.
    let stray = "35=8|34=1|49=A|56=B|212=9|50=x|213=ab|52=20240229-13:05:59|";
    assert_eq!(sent(stray), Some(SENT_S));
}

#[test]
fn a_header_without_34_35_49_or_56_is_rejected() {
    let all = ["35=8|", "34=1|", "49=A|", "56=B|", "52=20240229-13:05:59|"];
    let miss = |missing: usize, instead: &str| {
        let mut fields = all;
        fields[missing] = instead;
        let (found, c) = whole(&message("FIX.4.4", &(fields.concat() + "58=x|")));
        assert_eq!(c.incomplete_headers, 1);
        assert_eq!(c.rejected_headers, u64::from(found.is_empty()));
        let m = c.missing;
        (
            found.len(),
            [m.msg_type, m.seq, m.sender, m.target, m.sending_time],
        )
    };
    assert_eq!(miss(0, ""), (0, [1, 0, 0, 0, 0]));
    assert_eq!(miss(0, "35=|"), (0, [1, 0, 0, 0, 0]));
    assert_eq!(miss(0, "35=ABCDE|"), (0, [1, 0, 0, 0, 0]));
    assert_eq!(miss(1, ""), (0, [0, 1, 0, 0, 0]));
    assert_eq!(miss(1, "34=|"), (0, [0, 1, 0, 0, 0]));
    assert_eq!(miss(1, "34=-1|"), (0, [0, 1, 0, 0, 0]));
    assert_eq!(miss(1, "34=18446744073709551616|"), (0, [0, 1, 0, 0, 0]));
    assert_eq!(miss(2, ""), (0, [0, 0, 1, 0, 0]));
    assert_eq!(miss(2, "49=|"), (0, [0, 0, 1, 0, 0]));
    assert_eq!(miss(3, ""), (0, [0, 0, 0, 1, 0]));
    assert_eq!(miss(4, ""), (1, [0, 0, 0, 0, 1]));
    assert_eq!(miss(4, "52=noon|"), (1, [0, 0, 0, 0, 1]));
    assert_eq!(
        header_of("35=8|34=18446744073709551615|49=A|56=B|").map(|h| h.seq),
        Some(u64::MAX)
    );
    assert_eq!(header_of("35=8|34=007|49=A|56=B|").map(|h| h.seq), Some(7));
}

#[test]
fn a_header_is_complete_at_the_first_other_tag() {
    let bytes = one("58=text|");
    let at = bytes.windows(3).position(|w| w == b"58=").expect("58") + 3;
    let mut tap = Tap::new();
    let mut found = Vec::new();
    tap.feed(0, &bytes[..at - 1], &mut |h| found.push(h));
    assert_eq!(found, []);
    tap.feed(at as u64 - 1, &bytes[at - 1..at], &mut |h| found.push(h));
    assert_eq!(found.len(), 1);
    tap.feed(at as u64, &bytes[at..], &mut |h| found.push(h));
    assert_eq!(found.len(), 1);
}

#[test]
fn a_header_is_complete_where_the_trailer_starts() {
    let bytes = one("");
    let end = bytes.len() - 7;
    assert_eq!(feed_all([(0, &bytes[..end - 1])]).0, []);
    assert_eq!(feed_all([(0, &bytes[..end])]).0.len(), 1);
}

#[test]
fn a_header_is_complete_at_256_bytes() {
    let rest = format!("50={}|43=Y|58=x|", "y".repeat(300));
    let bytes = one(&rest);
    assert_eq!(feed_all([(0, &bytes[..255])]).0, []);
    let (found, _) = feed_all([(0, &bytes[..256])]);
    assert_eq!(found.len(), 1);
    assert!(!found[0].poss_dup);

    // The last field that ends at 256 counts, one that ends at 257 does not.
    for (pad, dup) in [(0, true), (1, false)] {
        let fixed = one("50=|43=Y|").len() - 7 + 1; // three digits of length
        let bytes = one(&format!(
            "50={}|43=Y|11={}|",
            "y".repeat(256 - fixed + pad),
            "z".repeat(90)
        ));
        let place = bytes.windows(5).position(|w| w == b"43=Y\x01").expect("43");
        assert_eq!(place + 5, 256 + pad);
        assert_eq!(whole(&bytes).0[0].poss_dup, dup);
    }
}

#[test]
fn debug_shows_no_bytes() {
    let m = one("58=secret|");
    let mut tap = Tap::new();
    tap.feed(0, &m[..60], &mut |_| {});
    let text = format!("{tap:?}");
    assert!(text.contains("expected: Some(60)"), "{text}");
    assert!(!text.contains("bytes: [") && !text.contains("VENUE") && !text.contains("56, 61"));
}
