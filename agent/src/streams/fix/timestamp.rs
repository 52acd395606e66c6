//! UTCTimestamp.

use crate::domain::SentTime;

const NS_PER_S: i64 = 1_000_000_000;

/// Reads a UTCTimestamp: `YYYYMMDD-HH:MM:SS`, or that with a point and 3, 6, 9 or 12 digits of the
/// second; `None` for everything else.
///
/// FIX data types, UTCTimestamp: years 0000 to 9999, of which 1970 to 2261 are taken here, so that
/// nanoseconds fit an `i64`; seconds 00 to 60, 60 only in a UTC leap second, that is at 23:59. A
/// leap second has no number of its own in Unix time: 23:59:60 is read as 00:00:00 of the next day,
/// with its fraction.
///
/// The resolution is that of the digits written, in nanoseconds; of 12 digits the last three are
/// cut off and the resolution is 1 ns.
pub(super) fn parse_utc_timestamp(text: &[u8]) -> Option<SentTime> {
    let (whole, fraction) = text.split_at_checked(17)?;
    if (whole[8], whole[11], whole[14]) != (b'-', b':', b':') {
        return None;
    }
    let year = digits(&whole[..4])?;
    let month = digits(&whole[4..6])?;
    let day = digits(&whole[6..8])?;
    let hour = digits(&whole[9..11])?;
    let minute = digits(&whole[12..14])?;
    let second = digits(&whole[15..17])?;
    let in_range = (1970..=2261).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour <= 23
        && minute <= 59
        && (second <= 59 || (hour, minute, second) == (23, 59, 60));
    if !in_range {
        return None;
    }
    let (ns, resolution_ns) = match fraction {
        [] => (0, NS_PER_S),
        [b'.', decimals @ ..] => match decimals.len() {
            3 => (digits(decimals)? * 1_000_000, 1_000_000),
            6 => (digits(decimals)? * 1_000, 1_000),
            9 => (digits(decimals)?, 1),
            12 => (digits(decimals)? / 1_000, 1),
            _ => return None,
        },
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(SentTime {
        utc_ns: seconds * NS_PER_S + ns,
        resolution_ns,
    })
}

/// Reads at most 18 decimal digits.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |n, &b| {
        let digit = b.wrapping_sub(b'0');
        (digit <= 9).then(|| n * 10 + i64::from(digit))
    })
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, for years from 1970.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last one of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{civil, tz::TimeZone};
    use proptest::prelude::*;

    fn parse(text: &str) -> Option<(i64, i64)> {
        parse_utc_timestamp(text.as_bytes()).map(|t| (t.utc_ns, t.resolution_ns))
    }

    fn unix_ns(dt: civil::DateTime) -> i64 {
        let ts = dt.to_zoned(TimeZone::UTC).expect("in range").timestamp();
        i64::try_from(ts.as_nanosecond()).expect("fits")
    }

    #[test]
    fn every_resolution() {
        let s = unix_ns(civil::date(2024, 2, 29).at(13, 5, 59, 0));
        for (fraction, ns, resolution) in [
            ("", 0, NS_PER_S),
            (".123", 123_000_000, 1_000_000),
            (".123456", 123_456_000, 1_000),
            (".123456789", 123_456_789, 1),
            (".123456789999", 123_456_789, 1),
            (".000000000999", 0, 1),
            (".999999999999", 999_999_999, 1),
        ] {
            let text = format!("20240229-13:05:59{fraction}");
            assert_eq!(parse(&text), Some((s + ns, resolution)), "{text}");
        }
    }

    #[test]
    fn every_day_from_1970_to_2261() {
        let mut day = civil::date(1970, 1, 1);
        while day.year() <= 2261 {
            let text = format!("{}-00:00:00", day.strftime("%Y%m%d"));
            assert_eq!(parse(&text), Some((unix_ns(day.at(0, 0, 0, 0)), NS_PER_S)));
            day = day.tomorrow().expect("in range");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(parse("19700101-00:00:00"), Some((0, NS_PER_S)));
        let last = unix_ns(civil::date(2262, 1, 1).at(0, 0, 0, 999_999_999));
        assert_eq!(parse("22611231-23:59:60.999999999"), Some((last, 1)));
        assert_eq!(parse("19691231-23:59:59"), None);
        assert_eq!(parse("22620101-00:00:00"), None);
    }

    #[test]
    fn a_leap_second_is_the_start_of_the_next_day() {
        let next = unix_ns(civil::date(2017, 1, 1).at(0, 0, 0, 0));
        assert_eq!(parse("20161231-23:59:60"), Some((next, NS_PER_S)));
        let half = Some((next + 500_000_000, 1_000_000));
        assert_eq!(parse("20161231-23:59:60.500"), half);
        assert_eq!(parse("20161231-23:59:61"), None);
        assert_eq!(parse("20161231-23:58:60"), None);
        assert_eq!(parse("20161231-12:59:60"), None);
    }

    #[test]
    fn nothing_else() {
        for text in [
            "",
            "20240229",
            "20240229-13:05",
            "20240229-13:05:5",
            "20240229-13:05:59.",
            "20240229-13:05:59.1",
            "20240229-13:05:59.12",
            "20240229-13:05:59.1234",
            "20240229-13:05:59.12345",
            "20240229-13:05:59.1234567",
            "20240229-13:05:59.1234567890",
            "20240229-13:05:59.1234567890123",
            "20240229-13:05:59,123",
            "20240229-13:05:59Z",
            "20240229-13:05:59.12x",
            "20240229-13:05:59.+12",
            "20240229 13:05:59",
            "2024022x-13:05:59",
            "+0240229-13:05:59",
            "20240229-13-05:59",
            "20240229-13:05-59",
            "20240229-24:00:00",
            "20240229-13:60:00",
            "20240229-13:05:60",
            "20230229-00:00:00",
            "21000229-00:00:00",
            "20240230-00:00:00",
            "20240431-00:00:00",
            "20240132-00:00:00",
            "20240100-00:00:00",
            "20240001-00:00:00",
            "20241301-00:00:00",
            "20240229-13:05:59\u{661}23",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(super::super::tests::config())]

        /// Any instant, written by jiff at any resolution, comes back.
        #[test]
        fn agrees_with_jiff(s in 0i64..9_214_646_400, ns in 0i64..NS_PER_S, digits in 0usize..5) {
            let ts = jiff::Timestamp::new(s, ns as i32).expect("in range");
            let text = ts.strftime("%Y%m%d-%H:%M:%S").to_string();
            let (fraction, resolution) = match digits {
                0 => (String::new(), NS_PER_S),
                1 => (format!(".{:03}", ns / 1_000_000), 1_000_000),
                2 => (format!(".{:06}", ns / 1_000), 1_000),
                3 => (format!(".{ns:09}"), 1),
                _ => (format!(".{ns:09}987"), 1),
            };
            let cut = s * NS_PER_S + ns / resolution * resolution;
            prop_assert_eq!(parse(&(text + &fraction)), Some((cut, resolution)));
        }

        /// What jiff takes for no civil time is none here either; leap seconds apart.
        #[test]
        fn refuses_what_jiff_refuses(y in 1960i16..2270, mo in 0i8..14, d in 0i8..33, h in 0i8..26, mi in 0i8..62, s in 0i8..60) {
            let text = format!("{y:04}{mo:02}{d:02}-{h:02}:{mi:02}:{s:02}");
            let theirs = civil::DateTime::new(y, mo, d, h, mi, s, 0)
                .ok()
                .filter(|dt| (1970..=2261).contains(&dt.year()))
                .map(|dt| (unix_ns(dt), NS_PER_S));
            prop_assert_eq!(parse(&text), theirs);
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse_utc_timestamp(&bytes);
        }
    }
}
