//! Parsers of the values of flags.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use clap::ValueEnum;
#[cfg(feature = "fault-injection")]
use tag52::engine::PanicIn;
use tag52::{
    engine::ClockStep,
    outputs::{OutputFormat, sessions_within},
    recording::replay::PlaybackSpeed,
};

/// What has a line of JSON each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Json {
    /// A line per message.
    Messages,
    /// A line per session and interval.
    Intervals,
}

/// What ends a run before its processes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExitEvent {
    /// A session is stalled: something waits, and for longer than half a second nothing was handed
    /// off.
    Stalled,
}

/// The format that `--json` asks for; lines for people without it.
pub(super) const fn format(json: Option<Json>) -> OutputFormat {
    match json {
        None => OutputFormat::Human,
        Some(Json::Messages) => OutputFormat::JsonMessages,
        Some(Json::Intervals) => OutputFormat::JsonIntervals,
    }
}

/// The shortest interval that has messages to show.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The longest interval that makes sense.
const MAX_INTERVAL: Duration = Duration::from_hours(24);

/// Parses an interval, from 10 ms to 24 hours.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let length = time(text)?;
    if (MIN_INTERVAL..=MAX_INTERVAL).contains(&length) {
        Ok(length)
    } else {
        Err("write a time between 10ms and 24h".to_owned())
    }
}

/// Parses the number of a process.
pub(super) fn pid(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .map_err(|_| "write the number of a process, such as 4711".to_owned())
}

/// Parses an address to listen on.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write ADDRESS:PORT, such as 127.0.0.1:9752".to_owned())
}

/// Parses a number and `ms`, `s`, `m` or `h`; without a unit it is seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits
        .parse()
        .map_err(|_| "write a number and a unit: 500ms, 1s, 1m".to_owned())?;
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("unknown unit {other:?}: write ms, s, m or h")),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|_| "it is out of range".to_owned())
}

/// The smallest recording, bytes: eight segments that hold a frame each.
const MIN_RECORDING_BYTES: u64 = 2 << 20;

/// Parses the size of a recording, bytes: a whole number and `KiB`, `MiB` or `GiB` (or just `K`,
/// `M`, `G`), at least [`MIN_RECORDING_BYTES`].
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err("write a whole number and a unit: 64MiB, 2GiB".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "write a whole number and a unit: 64MiB, 2GiB".to_owned())?;
    number
        .checked_mul(unit)
        .filter(|&bytes| bytes >= MIN_RECORDING_BYTES)
        .ok_or_else(|| "it is out of range: write 2MiB or more".to_owned())
}

/// Parses a speed: `max`, or a factor from 0.001 to a million.
pub(super) fn speed(text: &str) -> Result<PlaybackSpeed, String> {
    if text == "max" {
        return Ok(PlaybackSpeed::Max);
    }
    text.parse::<f64>()
        .ok()
        .filter(|times| (0.001..=1e6).contains(times))
        .map(PlaybackSpeed::Times)
        .ok_or_else(|| "write a factor such as 1 or 10, or max".to_owned())
}

/// Parses a number of series that leaves room for a session.
pub(super) fn series(text: &str) -> Result<u64, String> {
    let series = text
        .parse()
        .map_err(|_| "write a number of series, such as 20000".to_owned())?;
    match sessions_within(series) {
        Ok(_) => Ok(series),
        Err(least) => Err(format!("too few for one session: write {least} or more")),
    }
}

/// Parses a simulated step of the wall clock: `AFTER:BY`, such as `3s:-2s`.
pub(super) fn clock_step(text: &str) -> Result<ClockStep, String> {
    let (after, by) = text
        .split_once(':')
        .ok_or("write AFTER:BY, such as 3s:-2s")?;
    let magnitude = |text| duration(text).map(|d| d.as_nanos() as i64);
    let by_ns = match by.strip_prefix('-') {
        Some(back) => -magnitude(back)?,
        None => magnitude(by)?,
    };
    Ok(ClockStep {
        after: duration(after)?,
        by_ns,
    })
}

/// Parses the thread in which a panic is simulated: `drawing` or `watching`.
#[cfg(feature = "fault-injection")]
pub(super) fn panic_in(text: &str) -> Result<PanicIn, String> {
    match text {
        "drawing" => Ok(PanicIn::Drawing),
        "watching" => Ok(PanicIn::Watching),
        other => Err(format!("{other:?} is no thread: write drawing or watching")),
    }
}
