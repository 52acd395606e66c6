//! Values of flags, from text.

use std::time::Duration;

use clap::ValueEnum;
#[cfg(feature = "fault-injection")]
use tag52::engine::PanicIn;
use tag52::{
    engine::ClockStep,
    outputs::{OutputFormat, sessions_within},
    recording::replay::PlaybackSpeed,
};

/// What a JSON line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Json {
    /// A message.
    Messages,
    /// A session in an interval.
    Intervals,
}

pub(super) const fn format(json: Option<Json>) -> OutputFormat {
    match json {
        None => OutputFormat::Human,
        Some(Json::Messages) => OutputFormat::JsonMessages,
        Some(Json::Intervals) => OutputFormat::JsonIntervals,
    }
}

/// The shortest interval that still says something, and the longest before a human gives up.
const SHORTEST: Duration = Duration::from_millis(10);

const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// An interval.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let length = time(text)?;
    if (SHORTEST..=LONGEST).contains(&length) {
        Ok(length)
    } else {
        Err(format!("{text} is not between 10ms and 24h"))
    }
}

/// A number and `ms`, `s`, `m` or `h`; seconds without a unit.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is not a time: write 500ms, 1s, 1m"))?;
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("unknown unit {other:?}: write 500ms, 1s, 1m")),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|_| format!("{text} is no length of time"))
}

/// The smallest recording: eight segments that hold a frame each.
const SMALLEST: u64 = 2 << 20;

/// A whole number and `KiB`, `MiB` or `GiB` (or just `K`, `M`, `G`).
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err(format!("{text:?} is not a size: write 64MiB, 2GiB")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is not a size: write 64MiB, 2GiB"))?;
    number
        .checked_mul(unit)
        .filter(|&bytes| bytes >= SMALLEST)
        .ok_or_else(|| format!("{text} is less than 2MiB, or more than can be"))
}

/// `max`, or a factor.
pub(super) fn speed(text: &str) -> Result<PlaybackSpeed, String> {
    if text == "max" {
        return Ok(PlaybackSpeed::Max);
    }
    let times = text.parse::<f64>().ok();
    times
        .filter(|times| (0.001..=1e6).contains(times))
        .map(PlaybackSpeed::Times)
        .ok_or_else(|| format!("{text:?} is not a speed: write 1, 10 or max"))
}

/// A number of series that leaves room for a session.
pub(super) fn series(text: &str) -> Result<u64, String> {
    let series = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number of series: write 20000"))?;
    match sessions_within(series) {
        Ok(_) => Ok(series),
        Err(least) => Err(format!(
            "{series} has no room for a session: write {least} or more"
        )),
    }
}

/// `AFTER:BY`
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

/// Where a panic is simulated: `drawing` or `watching`.
#[cfg(feature = "fault-injection")]
pub(super) fn panic_in(text: &str) -> Result<PanicIn, String> {
    match text {
        "drawing" => Ok(PanicIn::Drawing),
        "watching" => Ok(PanicIn::Watching),
        other => Err(format!("{other:?} is no thread: write drawing or watching")),
    }
}
