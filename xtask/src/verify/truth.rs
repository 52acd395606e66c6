//! The truth about one thread: what it did at every instant, from its own marks.
//!
//! Between two marks it is known for how long the thread ran, waited for a CPU and slept. Where in between each
//! of them lies follows from what it did: a call that sleeps sleeps first, then waits for a CPU, then returns.

use std::ops::{AddAssign, Sub};

use crate::lab::victim::{Did, Mark};

/// Time per state, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// On a CPU.
    pub(super) on_cpu: i64,
    /// Runnable, without one: run queue and throttling together, as the kernel's run_delay has it.
    pub(super) runnable: i64,
    /// Asleep around a lock.
    pub(super) lock: i64,
    /// Asleep around anything else, a receive call included.
    pub(super) asleep: i64,
}

impl Spent {
    fn of(did: Did, asleep: i64, runnable: i64, on_cpu: i64) -> Self {
        let (lock, asleep) = match did {
            Did::Lock => (asleep, 0),
            _ => (0, asleep),
        };
        Self {
            on_cpu,
            runnable,
            lock,
            asleep,
        }
    }

    /// A part of it: the first `ns` of a stretch laid out as asleep, runnable, on-cpu.
    fn first(self, ns: i64) -> Self {
        let mut left = ns;
        let mut take = |of: i64| {
            let taken = of.min(left);
            left -= taken;
            taken
        };
        let (lock, asleep, runnable) = (take(self.lock), take(self.asleep), take(self.runnable));
        Self {
            on_cpu: take(self.on_cpu),
            runnable,
            lock,
            asleep,
        }
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.on_cpu += other.on_cpu;
        self.runnable += other.runnable;
        self.lock += other.lock;
        self.asleep += other.asleep;
    }
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            on_cpu: self.on_cpu - other.on_cpu,
            runnable: self.runnable - other.runnable,
            lock: self.lock - other.lock,
            asleep: self.asleep - other.asleep,
        }
    }
}

/// A stretch between two marks.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: i64,
    spent: Spent,
    /// Everything before it.
    before: Spent,
}

/// What a thread did, from its first mark to its last.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    stretches: Vec<Stretch>,
}

impl Timeline {
    pub(super) fn of(marks: &[Mark]) -> Self {
        let mut before = Spent::default();
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

    /// What it did between two monotonic instants.
    pub(super) fn between(&self, from: i64, to: i64) -> Spent {
        self.until(to.max(from)) - self.until(from)
    }

    fn until(&self, at: i64) -> Spent {
        let index = self.stretches.partition_point(|s| s.from <= at);
        let Some(stretch) = index.checked_sub(1).and_then(|i| self.stretches.get(i)) else {
            return Spent::default();
        };
        let mut spent = stretch.before;
        spent += stretch.spent.first(at - stretch.from);
        spent
    }
}

/// What the thread did between two marks.
fn spent(from: &Mark, to: &Mark) -> Spent {
    let length = to.at_ns - from.at_ns;
    let delay = (to.delay_ns - from.delay_ns).clamp(0, length);
    match to.did {
        // It did not sleep: what was no delay was work. (Time the hypervisor took counts as on-cpu here, as it
        // does for anyone who looks at switches.)
        Did::Work | Did::Gap => Spent::of(to.did, 0, delay, length - delay),
        Did::Receive | Did::Lock | Did::Block => {
            let cpu = (to.cpu_ns - from.cpu_ns).clamp(0, length - delay);
            Spent::of(to.did, length - delay - cpu, delay, cpu)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(did: Did, at_ns: i64, cpu_ns: i64, delay_ns: i64) -> Mark {
        Mark {
            did,
            at_ns,
            cpu_ns,
            delay_ns,
        }
    }

    #[test]
    fn a_stretch_sleeps_first_and_sums_to_its_length() {
        let line = Timeline::of(&[
            mark(Did::Work, 100, 0, 0),
            mark(Did::Lock, 200, 10, 20),
            mark(Did::Work, 250, 60, 20),
            mark(Did::Gap, 300, 60, 70),
            mark(Did::Receive, 400, 70, 70),
        ]);
        let all = line.between(100, 400);
        assert_eq!(
            all,
            Spent {
                on_cpu: 10 + 50 + 10,
                runnable: 20 + 50,
                lock: 70,
                asleep: 90
            }
        );
        assert_eq!(
            line.between(160, 200),
            Spent {
                on_cpu: 10,
                runnable: 20,
                lock: 10,
                asleep: 0
            }
        );
        assert_eq!(line.between(250, 300).runnable, 50);
        assert_eq!(line.between(275, 275), Spent::default());
        assert_eq!(line.between(0, 100), Spent::default());
    }
}
