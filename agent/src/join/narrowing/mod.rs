//! The phase of the venue's seconds: when, within the second that tag 52 names, a message was sent.
//!
//! With tag 52 in whole seconds a message's age is known to one second only, rigorously. But a
//! venue's sends are ordered, so every change of the stamp pins the instant at which the venue's
//! second began, and what is known of one message says something of its neighbours.
//!
//! # What is assumed
//!
//! A message that waits nowhere arrives `base` after it was sent: the way through the venue and the
//! network, and the difference of the two clocks. It may arrive later than that when the path
//! stalls; then what queued up meanwhile comes after the stall, closer together than the session's
//! messages usually do. Two assumptions carry everything here:
//!
//! 1. Between pins the base stays within what the recent pins leave possible, plus the largest move
//!    that two neighbouring pins prove, plus the most that two clocks may be slewed by.
//! 2. A stall ends in a burst, with less than half of the usual spacing in it; or the stall shows
//!    by a silence of more than 100 ms and twice the usual longest one; or our receive window was
//!    closed.
//!
//! # What follows
//!
//! Message k has the stamp `S` and the resolution `R`, was sent at `v` and arrived at `a`. Let `p`
//! be the last arrival before the run of close arrivals that k belongs to. Whatever k waited for
//! began after `p` did, so k would by itself have arrived after `p`: `v + base >= p`. And no
//! message is faster than the base: `v + base <= a`. With `S <= v < S + R`:
//!
//! - every message bounds the base: `p - S - R < base <= a - S`. The last message of a second has
//!   the best lower bound, the first of the next one the best upper one: together they are a
//!   [`Pin`].
//! - with the base in `lo ..= hi`, a message was sent within `p - hi ..= a - lo`, cut to its
//!   second.
//!
//! At an even rate a pin is as wide as two gaps between messages, and a message's bounds as one gap
//! more than what the pins leave.
//!
//! The base is taken from the pins that are not much wider than the middle one (a wide one says
//! that little was seen there, not that the base moved), widened as far as the others demand. A
//! venue's clock that is ahead or behind is in the base, as it is in the age.
//!
//! # When it is not relied on
//!
//! After a long silence or a closed window `p` stays where it is, whatever the spacing, until the
//! first message of a second arrives within `hi` of that second: then nothing queues any more. If
//! that does not come about within three seconds, or a message comes far too early for the pins,
//! they are outdated and all begins anew. So it does when the venue's stamps go backwards, when our
//! wall clock was stepped, and when the resolution changes. Resends are no evidence of the venue's
//! seconds (tag 122 is old), but they arrive like other messages.

use std::collections::VecDeque;

use crate::domain::{SentBetween, SentTime};

/// Stamps finer than this are exact enough.
const COARSE: i64 = 1_000_000_000;

/// Pins kept, and for how long, ns.
const MOST_PINS: usize = 32;
const PIN_LASTS: i64 = 30_000_000_000;

/// Pins without which nothing is said: fewer tell nothing of how steady the path is.
const FEWEST_PINS: usize = 3;

/// Seconds whose traffic says what is usual.
const MOST_SECONDS: usize = 8;

/// A silence is long when it exceeds the usual longest one so many times, and this, ns: TCP's
/// timeout for a retransmission is 200 ms at the least, after which it starts slowly.
const LONG_SILENCE: (i64, i64) = (2, 100_000_000);

/// Stamp changes without a proof that the path is clear, after which the pins are given up.
const PATIENCE: u8 = 3;

/// The base may drift by one part in so many since the last pin: the kernel slews a clock by at
/// most 500 us in a second. From pin to pin, clocks that are left alone drift by less.
const SLEW: i64 = 2_000;
const DRIFT: i64 = 20_000;

/// A change of UTC minus monotonic time by more than this is a step, ns.
const STEP: i64 = 1_000_000;

/// What is known of the base at one change of the stamp, ns.
#[derive(Clone, Copy, Debug)]
struct Pin {
    /// When it was taken, UTC.
    at: i64,
    lo: i64,
    hi: i64,
}

impl Pin {
    const fn width(&self) -> i64 {
        self.hi - self.lo
    }

    /// By how much the base moved at the least from one pin to another.
    fn apart(&self, other: &Self) -> i64 {
        (self.lo - other.hi).max(other.lo - self.hi).max(0)
    }
}

/// A second of the venue that is in progress.
#[derive(Clone, Copy, Debug)]
struct Second {
    /// When its first message arrived, UTC ns.
    from: i64,
    /// Messages after that one.
    messages: i64,
    /// The longest time between two arrivals, ns.
    silence: i64,
}

/// The traffic of a second that is over, ns.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    /// Time per message.
    spacing: i64,
    /// The longest time between two arrivals.
    silence: i64,
}

/// What is usual on the session, ns.
#[derive(Clone, Copy, Debug)]
struct Usual {
    /// Arrivals closer together than this may have been queued behind each other.
    near: i64,
    /// Longer silences may be stalls.
    long: i64,
}

/// The message before.
#[derive(Clone, Copy, Debug)]
struct Latest {
    /// UTC ns.
    arrived: i64,
    /// UTC minus monotonic time at its arrival, ns.
    utc_offset: i64,
    /// It did not arrive close to the one before it.
    alone: bool,
}

/// The fresh message before.
#[derive(Clone, Copy, Debug)]
struct Stamped {
    stamp: SentTime,
    /// `p` of the module's description, UTC ns.
    before: Option<i64>,
}

/// Why runs do not end at a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// They do.
    Clear,
    /// Something may queue; so many stamp changes since did not prove the contrary.
    Pressed(u8),
}

/// What one session's stamps and arrivals tell.
#[derive(Debug)]
pub struct Phase {
    latest: Option<Latest>,
    stamped: Option<Stamped>,
    /// `p` of the module's description, UTC ns.
    before: Option<i64>,
    path: Path,
    /// An arrival was not seen: the gap before the next one is not known.
    unseen: bool,
    /// The second in progress, if its beginning was seen.
    second: Option<Second>,
    seconds: VecDeque<Traffic>,
    usual: Option<Usual>,
    pins: VecDeque<Pin>,
    base: Option<Pin>,
}

impl Default for Phase {
    fn default() -> Self {
        Self {
            latest: None,
            stamped: None,
            before: None,
            path: Path::Clear,
            unseen: false,
            second: None,
            seconds: VecDeque::new(),
            usual: None,
            pins: VecDeque::new(),
            base: None,
        }
    }
}

/// The arrival of a message.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// `CLOCK_MONOTONIC`, ns.
    pub at: u64,
    /// UTC minus monotonic time at that instant, ns.
    pub utc_offset: i64,
    /// Our receive window was closed at some time since the message before it arrived.
    pub held_back: bool,
}

impl Phase {
    /// When the message before arrived, `CLOCK_MONOTONIC` ns.
    #[must_use]
    pub fn latest_arrival(&self) -> Option<u64> {
        self.latest
            .map(|latest| (latest.arrived - latest.utc_offset).cast_unsigned())
    }

    /// A message arrived at an instant that was not seen.
    pub const fn unseen(&mut self) {
        self.unseen = true;
    }

    /// A message arrived whose stamp says nothing of the venue's time at its sending: a resend.
    pub fn passed(&mut self, arrived: Arrived) {
        if self.stamped.is_some() {
            self.arrive(arrived);
        }
    }

    /// A fresh message arrived. Returns between which instants it was sent when that is narrower
    /// than what its stamp says.
    pub fn fresh(&mut self, stamp: SentTime, arrived: Arrived) -> Option<SentBetween> {
        if stamp.resolution_ns < COARSE {
            if self.stamped.is_some() {
                *self = Self::default();
            }
            return None;
        }
        let backwards = |before: Stamped| {
            before.stamp.resolution_ns != stamp.resolution_ns || stamp.utc_ns < before.stamp.utc_ns
        };
        if self.stamped.is_some_and(backwards) {
            *self = Self::default();
        }
        let now = self.arrive(arrived);
        if let Some(before) = self.stamped
            && before.stamp.utc_ns < stamp.utc_ns
        {
            self.changed(before, stamp, now);
        }
        let between = self.between(stamp, now);
        self.stamped = Some(Stamped {
            stamp,
            before: self.before,
        });
        between
    }

    /// Decides which run the message belongs to. Returns when it arrived, UTC ns.
    fn arrive(&mut self, arrived: Arrived) -> i64 {
        let now = arrived.at.cast_signed() + arrived.utc_offset;
        let stepped = |latest: Latest| (latest.utc_offset - arrived.utc_offset).abs() > STEP;
        if self.latest.is_some_and(stepped) {
            *self = Self::default();
        }
        let unseen = std::mem::take(&mut self.unseen);
        let mut alone = false;
        if let Some(latest) = self.latest {
            let gap = (now - latest.arrived).max(0);
            let long = self.usual.is_some_and(|usual| gap > usual.long);
            if let Some(second) = &mut self.second {
                second.messages += 1;
                second.silence = second.silence.max(gap);
            }
            if arrived.held_back || long {
                // Whatever queued behind the message before may still do so.
                if latest.alone && !unseen {
                    self.before = Some(latest.arrived);
                }
                if arrived.held_back || self.path == Path::Clear {
                    self.path = Path::Pressed(0);
                }
            } else if self.path == Path::Clear && !unseen {
                alone = self.usual.is_none_or(|usual| gap >= usual.near);
                if alone {
                    self.before = Some(latest.arrived);
                }
            }
        }
        self.latest = Some(Latest {
            arrived: now,
            utc_offset: arrived.utc_offset,
            alone,
        });
        now
    }

    /// The stamp has changed with the message that arrived `now`.
    fn changed(&mut self, before: Stamped, stamp: SentTime, now: i64) {
        let late = now - stamp.utc_ns;
        if self.base.is_some_and(|base| late < base.lo - base.width()) {
            // The base is far below what it was.
            self.forget();
        }
        match self.path {
            Path::Pressed(changes) => {
                if self.base.is_some_and(|base| late <= base.hi) {
                    // It came as fast as any: nothing queues.
                    self.path = Path::Clear;
                    self.before = Some(now);
                    if let Some(latest) = &mut self.latest {
                        latest.alone = true;
                    }
                } else if changes + 1 >= PATIENCE {
                    self.forget();
                } else {
                    self.path = Path::Pressed(changes + 1);
                }
                // Its traffic is not the usual one.
                self.second = None;
            }
            Path::Clear => {
                // What `p` is was decided with what is usual known, or not at all.
                if let (Some(p), Some(_)) = (before.before, self.usual) {
                    let lo = p - before.stamp.utc_ns - before.stamp.resolution_ns;
                    self.pin(Pin {
                        at: now,
                        lo: lo.min(late),
                        hi: late,
                    });
                }
                if let Some(second) = self.second.take() {
                    self.tally(second, now);
                }
            }
        }
        self.second = Some(Second {
            from: now,
            messages: 0,
            silence: 0,
        });
    }

    fn forget(&mut self) {
        *self = Self {
            latest: self.latest,
            stamped: self.stamped,
            ..Self::default()
        };
    }

    /// A second of the venue is over with the arrival of the first message of the next.
    fn tally(&mut self, second: Second, now: i64) {
        if self.seconds.len() >= MOST_SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Traffic {
            spacing: (now - second.from) / second.messages.max(1),
            silence: second.silence,
        });
        let spacing = median(self.seconds.iter().map(|s| s.spacing));
        // Of seconds in which nothing stalled, even when some did.
        let silence = low(self.seconds.iter().map(|s| s.silence), 4);
        self.usual = Some(Usual {
            near: spacing / 2,
            long: (silence * LONG_SILENCE.0).max(LONG_SILENCE.1),
        });
    }

    /// Takes a pin in and finds what the pins leave of the base.
    fn pin(&mut self, pin: Pin) {
        if self.pins.len() >= MOST_PINS {
            self.pins.pop_front();
        }
        self.pins.push_back(pin);
        self.pins.retain(|p| pin.at - p.at <= PIN_LASTS);
        if self.pins.len() < FEWEST_PINS {
            self.base = None;
            return;
        }
        let usual = median(self.pins.iter().map(Pin::width));
        let (mut lo, mut hi) = (i64::MAX, i64::MIN);
        let narrow = usual + usual / 4;
        for p in self.pins.iter().filter(|p| p.width() <= narrow) {
            let drift = (pin.at - p.at) / DRIFT;
            lo = lo.min(p.lo - drift);
            hi = hi.max(p.hi + drift);
        }
        let mut moved = 0;
        for (index, p) in self.pins.iter().enumerate() {
            lo = lo.min(p.hi);
            hi = hi.max(p.lo);
            if let Some(next) = self.pins.get(index + 1) {
                moved = moved.max(p.apart(next));
            }
        }
        self.base = Some(Pin {
            at: pin.at,
            lo: lo - moved,
            hi: hi + moved,
        });
    }

    /// The bounds of the message that arrived `now`.
    fn between(&mut self, stamp: SentTime, now: i64) -> Option<SentBetween> {
        let base = self.base?;
        let end = stamp.utc_ns + stamp.resolution_ns;
        let drift = (now - base.at).max(0) / SLEW;
        let latest = now - base.lo + drift;
        let mut earliest = stamp.utc_ns;
        if let Some(before) = self.before {
            earliest = earliest.max(before - base.hi - drift);
        }
        if earliest >= end {
            // Slower than what was seen, without a stall: something queues, or the base has
            // changed.
            self.before = None;
            if self.path == Path::Clear {
                self.path = Path::Pressed(0);
            }
            return None;
        }
        let latest = latest.min(end);
        (earliest <= latest && latest - earliest < stamp.resolution_ns).then_some(SentBetween {
            earliest_ns: earliest,
            latest_ns: latest,
        })
    }
}

/// The lower one of the middle; 0 of none.
fn median(values: impl Iterator<Item = i64>) -> i64 {
    low(values, 2)
}

/// The one that at most one in `part` of the others are below; 0 of none.
fn low(values: impl Iterator<Item = i64>, part: usize) -> i64 {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    let index = values.len().saturating_sub(1) / part;
    values.get(index).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
