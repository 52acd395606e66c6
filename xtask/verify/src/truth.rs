//! The truth about one thread: its state at every instant, from its marks.
//!
//! Between two marks it is known for how long the thread ran, waited for a CPU and slept. Where in
//! between each of them lies follows from what it did: a call that sleeps sleeps first, then waits
//! for a CPU, then returns.

use std::ops::{AddAssign, Sub};

use lab::victim::{Mark, MarkKind};

/// Time per state, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeByState {
    /// On a CPU.
    pub(super) on_cpu: i64,
    /// Runnable, without one.
    pub(super) run_queue: i64,
    /// Runnable, while its cgroup was throttled.
    pub(super) throttle: i64,
    /// Asleep around a lock.
    pub(super) lock: i64,
    /// Asleep in any other call, receive calls included.
    pub(super) asleep: i64,
    /// Neither asleep nor runnable, and yet no CPU time of the thread: interrupts, the hypervisor.
    pub(super) stolen: i64,
}

impl TimeByState {
    /// Nanoseconds per state, in the order in which they are passed through: a call that sleeps
    /// sleeps first, then waits for a CPU, then returns; a quota is waited for before the CPU.
    fn states(&mut self) -> [&mut i64; 6] {
        let Self {
            on_cpu,
            run_queue,
            throttle,
            lock,
            asleep,
            stolen,
        } = self;
        [lock, asleep, throttle, run_queue, on_cpu, stolen]
    }

    /// Returns the first `ns` of it.
    fn first(mut self, ns: i64) -> Self {
        let mut left = ns;
        for state in self.states() {
            *state = left.min(*state);
            left -= *state;
        }
        self
    }
}

impl AddAssign for TimeByState {
    fn add_assign(&mut self, mut other: Self) {
        for (state, more) in self.states().into_iter().zip(other.states()) {
            *state += *more;
        }
    }
}

impl Sub for TimeByState {
    type Output = Self;

    fn sub(mut self, mut other: Self) -> Self {
        for (state, less) in self.states().into_iter().zip(other.states()) {
            *state -= *less;
        }
        self
    }
}

/// A stretch between two marks.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: i64,
    spent: TimeByState,
    /// Everything before it.
    before: TimeByState,
}

/// The states of a thread, from its first mark to its last.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    stretches: Vec<Stretch>,
}

impl Timeline {
    pub(super) fn of(marks: &[Mark]) -> Self {
        let mut before = TimeByState::default();
        let stretches = marks.windows(2).map(|pair| {
            let spent = spent(&pair[0], &pair[1]);
            let stretch = Stretch {
                from: pair[0].at_ns,
                spent,
                before,
            };
            before += spent;
            stretch
        });
        Self {
            stretches: stretches.collect(),
        }
    }

    /// Returns the time by state between two monotonic instants.
    pub(super) fn between(&self, from: i64, to: i64) -> TimeByState {
        self.until(to.max(from)) - self.until(from)
    }

    fn until(&self, at: i64) -> TimeByState {
        let index = self.stretches.partition_point(|s| s.from <= at);
        let Some(stretch) = index.checked_sub(1).and_then(|i| self.stretches.get(i)) else {
            return TimeByState::default();
        };
        let mut spent = stretch.before;
        spent += stretch.spent.first(at - stretch.from);
        spent
    }
}

/// Returns the time by state between two marks.
fn spent(from: &Mark, to: &Mark) -> TimeByState {
    let length = to.at_ns - from.at_ns;
    let delay = (to.delay_ns - from.delay_ns).clamp(0, length);
    let throttle = (to.throttled_ns - from.throttled_ns).clamp(0, delay);
    let on_cpu = (to.cpu_ns - from.cpu_ns).clamp(0, length - delay);
    let mut spent = TimeByState {
        on_cpu,
        run_queue: delay - throttle,
        throttle,
        ..TimeByState::default()
    };
    let rest = length - delay - on_cpu;
    match to.kind {
        MarkKind::Work | MarkKind::Gap => spent.stolen = rest,
        MarkKind::Lock => spent.lock = rest,
        MarkKind::Receive | MarkKind::Block => spent.asleep = rest,
    }
    spent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(kind: MarkKind, at_ns: i64, cpu_ns: i64, delay_ns: i64, throttled_ns: i64) -> Mark {
        Mark {
            kind,
            at_ns,
            cpu_ns,
            delay_ns,
            throttled_ns,
        }
    }

    #[test]
    fn a_stretch_sleeps_first_and_sums_to_its_length() {
        let line = Timeline::of(&[
            mark(MarkKind::Work, 100, 0, 0, 0),
            mark(MarkKind::Lock, 200, 10, 20, 0),
            mark(MarkKind::Work, 250, 55, 20, 0),
            mark(MarkKind::Gap, 300, 55, 70, 30),
            mark(MarkKind::Receive, 400, 65, 70, 30),
        ]);
        let all = line.between(100, 400);
        let expected = TimeByState {
            on_cpu: 10 + 45 + 10,
            run_queue: 20 + 20,
            throttle: 30,
            lock: 70,
            asleep: 90,
            stolen: 5,
        };
        assert_eq!(all, expected);
        let end_of_lock = TimeByState {
            on_cpu: 10,
            run_queue: 20,
            lock: 10,
            ..TimeByState::default()
        };
        assert_eq!(line.between(160, 200), end_of_lock);
        let gap = line.between(270, 300);
        assert_eq!((gap.throttle, gap.run_queue), (10, 20));
        assert_eq!(line.between(275, 275), TimeByState::default());
        assert_eq!(line.between(0, 100), TimeByState::default());
    }
}
