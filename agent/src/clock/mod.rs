//! Monotonic time to UTC, tracked all the time, surviving a step of the wall clock.

use std::collections::VecDeque;

use crate::domain::Moment;

/// Readings kept: at four a second more than an hour, so that a message that arrived long ago still
/// finds the offset of its time.
const MOST: usize = 16_384;

/// Readings no closer than this, ns.
const APART: u64 = 250_000_000;

/// A change of the offset by more than this between two readings is a step, not a slew: the kernel
/// slews by at most 500 us in a second (adjtimex(2)).
const STEP: i64 = 1_000_000;

/// Where time is read from.
pub trait TimeSource {
    /// `CLOCK_MONOTONIC`, ns.
    fn monotonic(&mut self) -> u64;
    /// `CLOCK_REALTIME`, ns since 1970 UTC.
    fn realtime(&mut self) -> i64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTime;

fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a valid pointer to a timespec; these two clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

impl TimeSource for SystemTime {
    fn monotonic(&mut self) -> u64 {
        read(libc::CLOCK_MONOTONIC) as u64
    }

    fn realtime(&mut self) -> i64 {
        read(libc::CLOCK_REALTIME)
    }
}

/// The machine's clocks, with a step of the wall clock that only this process sees: how the
/// accuracy lab shows that a step is survived without touching the machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SteppedTime {
    /// When the wall clock steps, `CLOCK_MONOTONIC` ns.
    pub at: u64,
    /// By how much, ns.
    pub by: i64,
}

impl TimeSource for SteppedTime {
    fn monotonic(&mut self) -> u64 {
        SystemTime.monotonic()
    }

    fn realtime(&mut self) -> i64 {
        let stepped = SystemTime.monotonic() >= self.at;
        SystemTime.realtime() + if stepped { self.by } else { 0 }
    }
}

/// What a run reads time from.
#[derive(Clone, Copy, Debug)]
pub enum RunTime {
    /// The machine's clocks.
    System(SystemTime),
    /// The same with a simulated step.
    Stepped(SteppedTime),
}

impl TimeSource for RunTime {
    fn monotonic(&mut self) -> u64 {
        match self {
            Self::System(source) => source.monotonic(),
            Self::Stepped(source) => source.monotonic(),
        }
    }

    fn realtime(&mut self) -> i64 {
        match self {
            Self::System(source) => source.realtime(),
            Self::Stepped(source) => source.realtime(),
        }
    }
}

/// UTC minus monotonic time, over time.
#[derive(Debug)]
pub struct UtcClock<T = SystemTime> {
    source: T,
    /// (monotonic, offset), oldest first; never empty.
    readings: VecDeque<(u64, i64)>,
    steps: u64,
}

impl<T: TimeSource> UtcClock<T> {
    /// Takes a first reading.
    pub fn new(source: T) -> Self {
        let mut clock = Self {
            source,
            readings: VecDeque::new(),
            steps: 0,
        };
        let reading = clock.read();
        clock.readings.push_back(reading);
        clock
    }

    /// The tightest of three readings of one clock between two of the other.
    fn read(&mut self) -> (u64, i64) {
        let mut best = (u64::MAX, (0, 0));
        for _ in 0..3 {
            let before = self.source.monotonic();
            let utc = self.source.realtime();
            let after = self.source.monotonic();
            let width = after.saturating_sub(before);
            if width < best.0 {
                let middle = before + width / 2;
                best = (width, (middle, utc - middle as i64));
            }
        }
        best.1
    }

    /// The present instant, its UTC by the latest reading.
    pub fn moment(&mut self) -> Moment {
        let monotonic_ns = self.source.monotonic();
        Moment {
            monotonic_ns,
            utc_ns: monotonic_ns as i64 + self.latest().1,
        }
    }

    /// Takes another reading when the last is old enough, or when the clock was stepped. To be
    /// called often: a step is placed no more exactly than the distance of two calls.
    pub fn track(&mut self) {
        let (at, offset) = self.read();
        let (last_at, last) = self.latest();
        let stepped = (offset - last).abs() > STEP;
        if stepped {
            self.steps += 1;
        } else if at.saturating_sub(last_at) < APART {
            return;
        }
        if self.readings.len() >= MOST {
            self.readings.pop_front();
        }
        self.readings.push_back((at, offset));
    }

    fn latest(&self) -> (u64, i64) {
        self.readings.back().copied().unwrap_or((0, 0))
    }

    /// UTC minus monotonic time as it was at `at`: that of the reading before (or the first).
    #[must_use]
    pub fn offset_at(&self, at: u64) -> i64 {
        let index = self.readings.partition_point(|r| r.0 <= at);
        self.readings
            .get(index.saturating_sub(1))
            .map_or(0, |r| r.1)
    }

    /// How often the wall clock was stepped.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// `CLOCK_MONOTONIC` now, ns.
    pub fn monotonic(&mut self) -> u64 {
        self.source.monotonic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake {
        now: u64,
        offset: i64,
    }

    impl TimeSource for Fake {
        fn monotonic(&mut self) -> u64 {
            self.now += 20;
            self.now
        }

        fn realtime(&mut self) -> i64 {
            self.now += 20;
            self.now as i64 + self.offset
        }
    }

    #[test]
    fn a_step_changes_later_times_only() {
        let mut clock = UtcClock::new(Fake {
            now: 1_000,
            offset: 5_000_000_000,
        });
        for _ in 0..10 {
            clock.source.now += 100_000_000;
            clock.track();
        }
        let before = clock.source.now;
        clock.source.offset += 3_000_000_000;
        clock.source.now += 10_000_000;
        clock.track();
        assert_eq!(clock.steps(), 1);
        assert_eq!(clock.offset_at(before), 5_000_000_000);
        assert_eq!(clock.offset_at(clock.source.now), 8_000_000_000);
    }

    #[test]
    fn a_slew_is_followed_and_is_no_step() {
        let mut clock = UtcClock::new(Fake {
            now: 1_000,
            offset: 0,
        });
        for _ in 0..100 {
            clock.source.now += 300_000_000;
            clock.source.offset += 150_000;
            clock.track();
        }
        assert_eq!(clock.steps(), 0);
        let (at, offset) = clock.latest();
        assert_eq!(offset, 15_000_000);
        assert_eq!(clock.offset_at(at), offset);
        assert!(clock.offset_at(at - 400_000_000) < offset);
    }

    #[test]
    fn a_simulated_step_is_seen_as_one() {
        let at = SystemTime.monotonic() + 100_000_000;
        let mut clock = UtcClock::new(RunTime::Stepped(SteppedTime {
            at,
            by: -2_000_000_000,
        }));
        let before = clock.latest().1;
        while clock.monotonic() <= at {
            clock.track();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        clock.track();
        assert_eq!(clock.steps(), 1);
        let by = clock.latest().1 - before;
        assert!((by + 2_000_000_000).abs() < STEP, "{by}");
        assert_eq!(clock.offset_at(at - 1), before);
    }

    #[test]
    fn the_machine_has_clocks() {
        let mut clock = UtcClock::new(SystemTime);
        let now = clock.monotonic();
        let utc = now as i64 + clock.offset_at(now);
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        assert!((utc - wall.as_nanos() as i64).abs() < 1_000_000_000);
    }
}
