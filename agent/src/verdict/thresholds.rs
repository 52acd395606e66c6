//! The numbers that the rules compare with.

use std::time::Duration;

/// The 99th percentile of healthy ages is below this, nanoseconds. It is two turns of 4 ms, the
/// scheduler's usual length: below it, any cause named would be a cause of noise.
pub const HEALTHY_NS: i64 = 10_000_000;

/// The smallest growth of the age that counts as growth, seconds per second. Less is what a few
/// messages more or less at the end of an interval make of a steady age.
pub(super) const MIN_GROWTH: f64 = 0.02;

/// The smallest share of the summed age that makes a cause. Below it the rest is more than three
/// times as much, and removing the cause would hardly be felt.
pub(super) const DOMINANT_SHARE: f64 = 0.25;

/// Causes within this share of the largest one are named beside it: parts that differ by less change
/// places from interval to interval.
pub(super) const TIE_SHARE: f64 = 0.1;

/// The default of MaxLatency: at 120 s many FIX engines reject a message and log the session out.
pub(crate) const DEFAULT_MAX_LATENCY: Duration = Duration::from_mins(2);
