//! Narrowing of whole-second stamps: when, within the second that tag 52 names, a message was sent.
//!
//! With tag 52 in whole seconds the age of a message is certain to one second only. But a venue's
//! sends are ordered, so every change of the stamp pins the instant at which the venue's second
//! began, and the bounds of one message bound its neighbours.
//!
//! # Assumptions
//!
//! A message that waits nowhere arrives `base` after it was sent: the way through the venue and the
//! network, and the difference of the two clocks. It may arrive later than that when the path
//! stalls; then what queued up meanwhile comes after the stall, closer together than the session's
//! messages usually do. Two assumptions carry everything here:
//!
//! 1. Between pins the base stays within what the recent pins allow, plus the largest move that two
//!    neighbouring pins prove, plus the most that two clocks may be slewed by.
//! 2. A stall ends in a burst, with less than half of the usual spacing in it; or the stall shows
//!    as a silence of more than 100 ms and twice the usual longest one; or our receive window was
//!    closed.
//!
//! # Bounds
//!
//! Message k has the stamp `S` and the resolution `R`, was sent at `v` and arrived at `a`. Let `p`
//! be the last arrival before the run of close arrivals that k belongs to. Whatever k waited for
//! began after `p` did, so k would by itself have arrived after `p`: `v + base >= p`. And no
//! message is faster than the base: `v + base <= a`. With `S <= v < S + R`:
//!
//! - every message bounds the base: `p - S - R < base <= a - S`. The last message of a second has
//!   the best lower bound, the first of the next one the best upper one: together they are a
//!   [`Pin`](pins::Pin).
//! - with the base in `lo ..= hi`, a message was sent within `p - hi ..= a - lo`, cut to its
//!   second.
//!
//! At an even rate a pin is as wide as two gaps between messages, and a message's bounds are one
//! gap wider than what the pins allow.
//!
//! The base is taken from the pins that are not much wider than the median one (a wide pin says
//! that there was little traffic, not that the base moved), widened as far as the others demand. A
//! venue's clock that is ahead or behind is in the base, as it is in the age.
//!
//! # When the bounds are given up
//!
//! After a long silence or a closed window `p` stays where it is, whatever the spacing, until the
//! first message of a second arrives within `hi` of that second: then nothing queues any more. If
//! that does not happen within three seconds, or a message comes far too early for the pins, they
//! are outdated and everything starts over. So it does when the venue's stamps go backwards, when
//! our wall clock was stepped, and when the resolution changes. Resends are no evidence of the
//! venue's seconds (tag 122 is old), but they arrive like other messages.

mod pins;
#[cfg(test)]
mod tests;
mod traffic;

use self::{
    pins::{Pin, Pins},
    traffic::Traffic,
};
use crate::domain::{SentBetween, SentTime};

/// Stamps finer than this are exact enough.
const MIN_RESOLUTION_NS: i64 = 1_000_000_000;

/// Stamp changes without a proof that the path is clear, after which the pins are dropped.
const MAX_UNPROVEN_CHANGES: u8 = 3;

/// The base may drift by one part in so many since the last pin: the kernel slews a clock by at
/// most 500 us in a second (adjtimex(2)).
const MAX_SLEW_PARTS: i64 = 2_000;

/// A change of UTC minus monotonic time by more than this is a step, ns.
const MIN_STEP_NS: i64 = 1_000_000;

/// The message before.
#[derive(Clone, Copy, Debug)]
struct LatestMessage {
    /// UTC ns.
    arrived_ns: i64,
    /// UTC minus monotonic time at its arrival, ns.
    utc_offset_ns: i64,
    /// It did not arrive close to the one before it.
    starts_run: bool,
}

/// The fresh message before.
#[derive(Clone, Copy, Debug)]
struct LatestStamp {
    stamp: SentTime,
    /// `p` of the module's description, UTC ns.
    before_run_ns: Option<i64>,
}

/// Whether a gap ends a run of close arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Path {
    /// It does: nothing queues.
    #[default]
    Clear,
    /// It does not: messages may queue somewhere. So many stamp changes since then did not prove
    /// the contrary.
    MayQueue(u8),
}

/// Narrows the whole-second stamps of one session.
#[derive(Debug, Default)]
pub(super) struct StampNarrower {
    latest: Option<LatestMessage>,
    latest_stamp: Option<LatestStamp>,
    /// `p` of the module's description, UTC ns.
    before_run_ns: Option<i64>,
    path: Path,
    /// An arrival was not observed: the gap before the next one is unknown.
    arrival_unobserved: bool,
    traffic: Traffic,
    pins: Pins,
}

/// The arrival of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObservedArrival {
    /// `CLOCK_MONOTONIC`, ns.
    pub(super) at_ns: u64,
    /// UTC minus monotonic time at that instant, ns.
    pub(super) utc_offset_ns: i64,
    /// Our receive window was closed at some time since the message before it arrived.
    pub(super) held_back: bool,
}

impl StampNarrower {
    /// When the message before arrived, `CLOCK_MONOTONIC` ns.
    pub(super) fn latest_arrival_ns(&self) -> Option<u64> {
        self.latest
            .map(|latest| (latest.arrived_ns - latest.utc_offset_ns).cast_unsigned())
    }

    /// A message arrived at an instant that was not observed.
    pub(super) const fn arrival_unobserved(&mut self) {
        self.arrival_unobserved = true;
    }

    /// A resend arrived: its stamp is no evidence of the venue's time at its sending.
    pub(super) fn resend_arrived(&mut self, arrival: ObservedArrival) {
        if self.latest_stamp.is_some() {
            self.extend_run(arrival);
        }
    }

    /// A fresh message arrived. Returns between which instants it was sent when that is narrower
    /// than its stamp.
    pub(super) fn narrow(
        &mut self,
        stamp: SentTime,
        arrival: ObservedArrival,
    ) -> Option<SentBetween> {
        if stamp.resolution_ns < MIN_RESOLUTION_NS {
            if self.latest_stamp.is_some() {
                *self = Self::default();
            }
            return None;
        }
        let starts_over = |before: LatestStamp| {
            before.stamp.resolution_ns != stamp.resolution_ns || stamp.utc_ns < before.stamp.utc_ns
        };
        if self.latest_stamp.is_some_and(starts_over) {
            *self = Self::default();
        }
        let now_ns = self.extend_run(arrival);
        if let Some(before) = self.latest_stamp
            && before.stamp.utc_ns < stamp.utc_ns
        {
            self.stamp_changed(before, stamp, now_ns);
        }
        let between = self.between(stamp, now_ns);
        self.latest_stamp = Some(LatestStamp {
            stamp,
            before_run_ns: self.before_run_ns,
        });
        between
    }

    /// Decides to which run of close arrivals the message belongs. Returns when it arrived, UTC ns.
    fn extend_run(&mut self, arrival: ObservedArrival) -> i64 {
        let now_ns = arrival.at_ns.cast_signed() + arrival.utc_offset_ns;
        let clock_stepped = |latest: LatestMessage| {
            (latest.utc_offset_ns - arrival.utc_offset_ns).abs() > MIN_STEP_NS
        };
        if self.latest.is_some_and(clock_stepped) {
            *self = Self::default();
        }
        let unobserved = std::mem::take(&mut self.arrival_unobserved);
        let mut starts_run = false;
        if let Some(latest) = self.latest {
            let gap_ns = (now_ns - latest.arrived_ns).max(0);
            let long_silence = self.traffic.is_long_silence(gap_ns);
            self.traffic.message_after(gap_ns);
            if arrival.held_back || long_silence {
                // Whatever queued behind the message before may still do so.
                if latest.starts_run && !unobserved {
                    self.before_run_ns = Some(latest.arrived_ns);
                }
                if arrival.held_back || self.path == Path::Clear {
                    self.path = Path::MayQueue(0);
                }
            } else if self.path == Path::Clear && !unobserved {
                starts_run = self.traffic.ends_run(gap_ns);
                if starts_run {
                    self.before_run_ns = Some(latest.arrived_ns);
                }
            }
        }
        self.latest = Some(LatestMessage {
            arrived_ns: now_ns,
            utc_offset_ns: arrival.utc_offset_ns,
            starts_run,
        });
        now_ns
    }

    /// The stamp has changed with the message that arrived at `now_ns`.
    fn stamp_changed(&mut self, before: LatestStamp, stamp: SentTime, now_ns: i64) {
        let after_stamp_ns = now_ns - stamp.utc_ns;
        let base = self.pins.base();
        if base.is_some_and(|base| after_stamp_ns < base.lo_ns - base.width_ns()) {
            // The base is far below what it was.
            self.start_over();
        }
        match self.path {
            Path::MayQueue(changes) => {
                let base = self.pins.base();
                if base.is_some_and(|base| after_stamp_ns <= base.hi_ns) {
                    // It came as fast as any: nothing queues.
                    self.path = Path::Clear;
                    self.before_run_ns = Some(now_ns);
                    if let Some(latest) = &mut self.latest {
                        latest.starts_run = true;
                    }
                } else if changes + 1 >= MAX_UNPROVEN_CHANGES {
                    self.start_over();
                } else {
                    self.path = Path::MayQueue(changes + 1);
                }
                // The traffic of this second is not the usual one.
                self.traffic.discard_second();
            }
            Path::Clear => {
                // `p` is reliable only if the usual traffic was known when it was set.
                if let (Some(p), true) = (before.before_run_ns, self.traffic.is_known()) {
                    let lo_ns = p - before.stamp.utc_ns - before.stamp.resolution_ns;
                    self.pins.add(Pin {
                        at_ns: now_ns,
                        lo_ns: lo_ns.min(after_stamp_ns),
                        hi_ns: after_stamp_ns,
                    });
                }
                self.traffic.end_second(now_ns);
            }
        }
        self.traffic.begin_second(now_ns);
    }

    /// Drops everything but the latest message.
    fn start_over(&mut self) {
        *self = Self {
            latest: self.latest,
            latest_stamp: self.latest_stamp,
            ..Self::default()
        };
    }

    /// The bounds of the message that arrived at `now_ns`.
    fn between(&mut self, stamp: SentTime, now_ns: i64) -> Option<SentBetween> {
        let base = self.pins.base()?;
        let end_ns = stamp.utc_ns + stamp.resolution_ns;
        let slew_ns = (now_ns - base.at_ns).max(0) / MAX_SLEW_PARTS;
        let latest_ns = now_ns - base.lo_ns + slew_ns;
        let mut earliest_ns = stamp.utc_ns;
        if let Some(before_run_ns) = self.before_run_ns {
            earliest_ns = earliest_ns.max(before_run_ns - base.hi_ns - slew_ns);
        }
        if earliest_ns >= end_ns {
            // Slower than any before, without a stall: something queues, or the base has changed.
            self.before_run_ns = None;
            if self.path == Path::Clear {
                self.path = Path::MayQueue(0);
            }
            return None;
        }
        let latest_ns = latest_ns.min(end_ns);
        let is_narrower = earliest_ns <= latest_ns && latest_ns - earliest_ns < stamp.resolution_ns;
        is_narrower.then_some(SentBetween {
            earliest_ns,
            latest_ns,
        })
    }
}

/// The lower median; 0 of no values.
fn median(values: impl Iterator<Item = i64>) -> i64 {
    low_quantile(values, 2)
}

/// The value that at most one in `parts` of the others are below; 0 of no values.
fn low_quantile(values: impl Iterator<Item = i64>, parts: usize) -> i64 {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    let index = values.len().saturating_sub(1) / parts;
    values.get(index).copied().unwrap_or(0)
}
