//! What threads that may hold a lock were seen doing, until it is known who did hold it.

use std::collections::HashMap;

use crate::domain::{CulpritId, HolderSample, ThreadActivity, Wait};

/// Looks kept of a wait: with more, the wait is long enough to be judged by these.
const MOST: usize = 1024;

/// One look at a thread that may hold the lock a watched thread waits for.
#[derive(Clone, Debug)]
pub struct CandidateSample {
    /// When, `CLOCK_MONOTONIC` ns.
    pub at_ns: u64,
    /// Who waits.
    pub waiter: u32,
    /// Who was looked at.
    pub holder: u32,
    /// What it was doing.
    pub activity: ThreadActivity,
}

/// Looks during waits that are not over, by waiter.
#[derive(Debug, Default)]
pub(super) struct Seen {
    looks: HashMap<u32, Vec<CandidateSample>>,
    /// Looks there was no room for.
    pub(super) dropped: u64,
}

impl Seen {
    pub(super) fn add(&mut self, look: CandidateSample) {
        let looks = self.looks.entry(look.waiter).or_default();
        if looks.len() < MOST {
            looks.push(look);
        } else {
            self.dropped += 1;
        }
    }

    /// A lock wait is over, `holder` released the lock: the looks at it are samples. Other looks
    /// until then were at those who might have held it, or in a wait that was not told.
    pub(super) fn settle(&mut self, wait: &Wait, holder: u32, tell: &mut dyn FnMut(HolderSample)) {
        let Some(looks) = self.looks.get_mut(&wait.tid) else {
            return;
        };
        // Waits are told some time after their end: later looks are of later waits.
        let until = looks.partition_point(|look| look.at_ns <= wait.to_ns);
        for look in looks.drain(..until) {
            let within = look.at_ns >= wait.from_ns;
            if look.holder == holder && within && wait.culprit != CulpritId::OTHER {
                tell(HolderSample {
                    at_ns: look.at_ns,
                    waiter: look.waiter,
                    culprit: wait.culprit,
                    activity: look.activity,
                });
            }
        }
    }

    /// The thread has ended.
    pub(super) fn forget(&mut self, tid: u32) {
        self.looks.remove(&tid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Part;

    fn look(at_ns: u64, holder: u32) -> CandidateSample {
        let activity = ThreadActivity {
            state: Part::OnCpu,
            call: None,
            function: None,
        };
        CandidateSample {
            at_ns,
            waiter: 7,
            holder,
            activity,
        }
    }

    fn settled(seen: &mut Seen, from_ns: u64, to_ns: u64, holder: u32) -> Vec<u64> {
        let wait = Wait {
            tid: 7,
            part: Part::LockWait,
            culprit: CulpritId(3),
            from_ns,
            to_ns,
            ns: to_ns - from_ns,
            timeouts: 0,
        };
        let mut told = Vec::new();
        seen.settle(&wait, holder, &mut |sample| told.push(sample.at_ns));
        told
    }

    #[test]
    fn only_looks_at_the_holder_within_its_wait_are_samples() {
        let mut seen = Seen::default();
        for (at, holder) in [(90, 5), (100, 5), (120, 6), (150, 5), (210, 5)] {
            seen.add(look(at, holder));
        }
        assert_eq!(settled(&mut seen, 100, 200, 5), [100, 150]);
        // Those before are done with, the later one is not.
        assert!(settled(&mut seen, 0, 200, 5).is_empty());
        assert_eq!(settled(&mut seen, 205, 900, 5), [210]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut seen = Seen::default();
        for at in 0..2 * MOST as u64 {
            seen.add(look(at, 5));
        }
        assert_eq!(seen.dropped, MOST as u64);
        assert_eq!(settled(&mut seen, 0, u64::MAX, 5).len(), MOST);
        seen.add(look(5, 5));
        seen.forget(7);
        assert!(settled(&mut seen, 0, 10, 5).is_empty());
    }
}
