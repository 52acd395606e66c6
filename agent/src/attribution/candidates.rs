//! Samples of threads that may hold a lock, until the release shows which one did.

use std::collections::HashMap;

use crate::domain::{CulpritId, HolderSample, ThreadActivity, Wait};

/// Samples retained per waiter: a wait with more is long enough to be judged by these.
const MAX_SAMPLES: usize = 1024;

/// A sample of a thread that may hold the lock which a tracked thread waits for.
#[derive(Clone, Debug)]
pub(crate) struct CandidateSample {
    /// The instant, `CLOCK_MONOTONIC` nanoseconds.
    pub at_ns: u64,
    /// Thread id of the waiter.
    pub waiter: u32,
    /// Thread id of the candidate.
    pub candidate: u32,
    /// What the candidate was doing.
    pub activity: ThreadActivity,
}

/// The samples during waits that are not over, by waiter.
#[derive(Debug, Default)]
pub(super) struct CandidateSamples {
    by_waiter: HashMap<u32, Vec<CandidateSample>>,
    /// Number of samples dropped for lack of room.
    pub(super) dropped: u64,
}

impl CandidateSamples {
    pub(super) fn add(&mut self, sample: CandidateSample) {
        let samples = self.by_waiter.entry(sample.waiter).or_default();
        if samples.len() < MAX_SAMPLES {
            samples.push(sample);
        } else {
            self.dropped += 1;
        }
    }

    /// A lock wait is over and `holder` released the lock: emits the samples of it as holder
    /// samples. The others until then are of candidates that did not hold the lock, or of a wait
    /// that was not recorded; they are dropped.
    pub(super) fn settle(&mut self, wait: &Wait, holder: u32, emit: &mut dyn FnMut(HolderSample)) {
        let Some(samples) = self.by_waiter.get_mut(&wait.tid) else {
            return;
        };
        // The record of a wait comes some time after its end: later samples are of later waits.
        let until = samples.partition_point(|sample| sample.at_ns <= wait.to_ns);
        for sample in samples.drain(..until) {
            let within = sample.at_ns >= wait.from_ns;
            if sample.candidate == holder && within && wait.culprit != CulpritId::OTHER {
                emit(HolderSample {
                    at_ns: sample.at_ns,
                    waiter: sample.waiter,
                    culprit: wait.culprit,
                    activity: sample.activity,
                });
            }
        }
    }

    /// The waiter has ended.
    pub(super) fn thread_ended(&mut self, tid: u32) {
        self.by_waiter.remove(&tid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Part;

    fn sample(at_ns: u64, candidate: u32) -> CandidateSample {
        let activity = ThreadActivity {
            state: Part::OnCpu,
            call: None,
            function: None,
        };
        CandidateSample {
            at_ns,
            waiter: 7,
            candidate,
            activity,
        }
    }

    fn settled(samples: &mut CandidateSamples, from_ns: u64, to_ns: u64, holder: u32) -> Vec<u64> {
        let wait = Wait {
            tid: 7,
            part: Part::LockWait,
            culprit: CulpritId(3),
            from_ns,
            to_ns,
            ns: to_ns - from_ns,
            timeouts: 0,
        };
        let mut emitted = Vec::new();
        samples.settle(&wait, holder, &mut |sample| emitted.push(sample.at_ns));
        emitted
    }

    #[test]
    fn only_samples_of_the_holder_within_the_wait_are_emitted() {
        let mut samples = CandidateSamples::default();
        for (at, holder) in [(90, 5), (100, 5), (120, 6), (150, 5), (210, 5)] {
            samples.add(sample(at, holder));
        }
        assert_eq!(settled(&mut samples, 100, 200, 5), [100, 150]);
        // The earlier ones are settled, the later one is not.
        assert!(settled(&mut samples, 0, 200, 5).is_empty());
        assert_eq!(settled(&mut samples, 205, 900, 5), [210]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut samples = CandidateSamples::default();
        for at in 0..2 * MAX_SAMPLES as u64 {
            samples.add(sample(at, 5));
        }
        assert_eq!(samples.dropped, MAX_SAMPLES as u64);
        assert_eq!(settled(&mut samples, 0, u64::MAX, 5).len(), MAX_SAMPLES);
        samples.add(sample(5, 5));
        samples.thread_ended(7);
        assert!(settled(&mut samples, 0, 10, 5).is_empty());
    }
}
