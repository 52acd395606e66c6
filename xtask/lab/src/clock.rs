//! Clocks in integer nanoseconds, and tag 52 as text.

use std::fmt::Write as _;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

fn read(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("the clocks used here always exist");
    time.tv_sec() * SECOND + time.tv_nsec()
}

/// Returns UTC now, nanoseconds since 1970.
pub fn utc_ns() -> i64 {
    read(ClockId::CLOCK_REALTIME)
}

/// Returns `CLOCK_MONOTONIC` now, nanoseconds: the clock of the probes.
pub fn monotonic_ns() -> i64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Returns the CPU time of the calling thread, nanoseconds.
pub(crate) fn thread_cpu_ns() -> i64 {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Returns the nanoseconds to add to a monotonic instant to get UTC: the best of 50 readings.
pub fn utc_offset_ns() -> i64 {
    (0..50)
        .map(|_| {
            let before = monotonic_ns();
            let utc = utc_ns();
            let after = monotonic_ns();
            (after - before, utc - before - (after - before) / 2)
        })
        .min()
        .map_or(0, |(_, offset)| offset)
}

/// The resolution of tag 52.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Resolution {
    /// `HH:MM:SS`
    Seconds,
    /// three digits
    Millis,
    /// six digits
    Micros,
    /// nine digits
    Nanos,
    /// twelve digits, the last three of them zero
    Picos,
}

impl Resolution {
    /// Returns one step of the written time, nanoseconds; 1 for picoseconds.
    pub(crate) fn step_ns(self) -> i64 {
        match self {
            Self::Seconds => SECOND,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos | Self::Picos => 1,
        }
    }

    /// Rounds `utc` down to this resolution.
    pub fn truncate(self, utc: i64) -> i64 {
        utc - utc.rem_euclid(self.step_ns())
    }

    /// Appends `utc` as a FIX UTCTimestamp: `20260102-03:04:05.678901`.
    pub fn write(self, utc: i64, text: &mut String) {
        let (seconds, nanos) = (utc.div_euclid(SECOND), utc.rem_euclid(SECOND));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let _ = write!(
            text,
            "{year:04}{month:02}{day:02}-{hour:02}:{minute:02}:{:02}",
            second % 60
        );
        let _ = match self {
            Self::Seconds => Ok(()),
            Self::Millis => write!(text, ".{:03}", nanos / 1_000_000),
            Self::Micros => write!(text, ".{:06}", nanos / 1_000),
            Self::Nanos => write!(text, ".{nanos:09}"),
            Self::Picos => write!(text, ".{nanos:09}000"),
        };
    }
}

/// Parses a FIX UTCTimestamp; digits beyond nanoseconds are ignored.
pub fn parse_utc(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let days = days(number(0..4)?, number(4..6)?, number(6..8)?);
    let seconds = number(9..11)? * 3600 + number(12..14)? * 60 + number(15..17)?;
    let nanos = match text.get(17..) {
        None | Some("") => 0,
        Some(fraction) => {
            let digits = fraction.strip_prefix('.')?;
            format!("{digits:0<9}").get(..9)?.parse().ok()?
        }
    };
    Some((days * 86_400 + seconds) * SECOND + nanos)
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_every_resolution() {
        let utc = 1_772_341_199_123_456_789; // 2026-03-01 04:59:59
        for (resolution, written) in [
            (Resolution::Seconds, "20260301-04:59:59"),
            (Resolution::Millis, "20260301-04:59:59.123"),
            (Resolution::Micros, "20260301-04:59:59.123456"),
            (Resolution::Nanos, "20260301-04:59:59.123456789"),
            (Resolution::Picos, "20260301-04:59:59.123456789000"),
        ] {
            let mut text = String::new();
            resolution.write(utc, &mut text);
            assert_eq!(text, written);
            assert_eq!(parse_utc(&text), Some(resolution.truncate(utc)));
        }
    }

    #[test]
    fn every_day_of_two_centuries_goes_there_and_back() {
        for day in -36_500..36_500 {
            let (y, m, d) = civil(day);
            assert_eq!(days(y, m, d), day);
        }
    }
}
