//! What the holder of a lock does, sampled while a tracked thread waits for it.
//!
//! No thread is stopped for it: a thread's state is read from the probes' map, its function from
//! its memory while it runs. Samples are assigned to the thread that releases the lock, as charges
//! are: [`Attribution`] does so when the wait is over. Until then the thread that usually releases
//! this lock is sampled, or those that released it last. The owner that some locks name themselves
//! is read apart from this, for what waits now (`attribution/current_wait.rs`).
//!
//! The probes report a lock wait when it is over, so a wait under way is found by reading the
//! waiter's counters. That is done often only while somebody waits: a thread that has waited is
//! *warm* for a second.

use std::collections::HashMap;

use agent_common::{ThreadState, TrackedThread};

use crate::{
    attribution::{Attribution, CandidateSample},
    domain::{Part, ThreadActivity},
    host::Host,
    kernel::Probes,
};

/// The shortest wait that is sampled, ns: a shorter one is over before anything could be read.
const LONG_WAIT_NS: u64 = 500_000;

/// How long a thread stays warm after its last wait, ns.
const WARM_NS: u64 = 1_000_000_000;

/// Warm threads at the most.
const MAX_WARM_THREADS: usize = 64;

/// Likely holders that are sampled at a time, at most.
const MAX_CANDIDATES: usize = 16;

/// Readers whose counters are read at a time to find waits, at the most.
const MAX_SWEPT_THREADS: usize = 64;

/// Samples that were not taken, or were dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MissedHolderSamples {
    /// No release of the lock has been observed.
    pub(super) unknown: u64,
    /// The wait was over before the holder was sampled.
    pub(super) late: u64,
    /// More likely holders than are sampled at a time.
    pub(super) dropped: u64,
}

/// Finds waits under way and samples who may hold the locks.
#[derive(Debug, Default)]
pub(super) struct HolderSampler {
    /// Threads that have waited for a lock lately, and until when they are warm.
    warm: HashMap<u32, u64>,
    /// Where the next sweep begins.
    next_reader: usize,
    pub(super) missed: MissedHolderSamples,
}

/// Whether the thread is in a lock wait long enough to be sampled.
fn is_long_wait(thread: &TrackedThread, now: u64) -> bool {
    thread.is_holder == 0
        && thread.state == ThreadState::LockWait as u32
        && thread.lock_wait_open != 0
        && now.saturating_sub(thread.lock_wait_from_ns) >= LONG_WAIT_NS
}

impl HolderSampler {
    /// A sleep of a thread in futex(2) has ended.
    pub(super) fn sleep_ended(&mut self, tid: u32, from: u64, to: u64) {
        if to.saturating_sub(from) >= LONG_WAIT_NS {
            self.warm_up(tid, to);
        }
    }

    fn warm_up(&mut self, tid: u32, now: u64) {
        if self.warm.len() < MAX_WARM_THREADS || self.warm.contains_key(&tid) {
            self.warm.insert(tid, now + WARM_NS);
        }
    }

    /// Whether somebody has waited lately: then samples are taken often.
    pub(super) fn has_warm_threads(&self) -> bool {
        !self.warm.is_empty()
    }

    /// Finds threads in long waits that the probes have not reported yet.
    pub(super) fn sweep(&mut self, readers: &[u32], probes: &Probes, now: u64) {
        let begin = if self.next_reader < readers.len() {
            self.next_reader
        } else {
            0
        };
        let batch = &readers[begin..readers.len().min(begin + MAX_SWEPT_THREADS)];
        self.next_reader = begin + batch.len();
        for &tid in batch {
            if !self.warm.contains_key(&tid)
                && probes.thread(tid).is_some_and(|t| is_long_wait(&t, now))
            {
                self.warm_up(tid, now);
            }
        }
    }

    /// Samples those who may hold what the warm threads wait for.
    pub(super) fn sample(
        &mut self,
        probes: &Probes,
        attribution: &mut Attribution,
        host: &mut Host,
        now: u64,
    ) {
        self.warm.retain(|_, until| *until > now);
        let mut sampled: Vec<(u32, ThreadActivity)> = Vec::new();
        let mut waiting = Vec::new();
        for &tid in self.warm.keys() {
            let Some(thread) = probes.thread(tid).filter(|t| is_long_wait(t, now)) else {
                continue;
            };
            let (pid, address) = (thread.tgid, thread.lock_address);
            let holders: Vec<_> = attribution.likely_holders(pid, address, tid).collect();
            self.missed.unknown += u64::from(holders.is_empty());
            for (holder, holder_pid) in holders {
                if !sampled.iter().any(|(candidate, _)| *candidate == holder) {
                    if sampled.len() >= MAX_CANDIDATES {
                        self.missed.dropped += 1;
                        continue;
                    }
                    if let Some(activity) = activity(probes, host, holder, holder_pid) {
                        sampled.push((holder, activity));
                    }
                }
                if let Some((_, activity)) =
                    sampled.iter().find(|(candidate, _)| *candidate == holder)
                {
                    // It counts only if the wait went on until the sample was taken.
                    let after = probes.thread(tid);
                    if after.is_some_and(|t| still_waits(&t, &thread)) {
                        attribution.candidate_sampled(CandidateSample {
                            at_ns: now,
                            waiter: tid,
                            candidate: holder,
                            activity: activity.clone(),
                        });
                    } else {
                        self.missed.late += 1;
                    }
                }
            }
            waiting.push(tid);
        }
        for tid in waiting {
            self.warm_up(tid, now);
        }
    }

    /// The thread has ended.
    pub(super) fn thread_ended(&mut self, tid: u32) {
        self.warm.remove(&tid);
    }
}

/// Whether it is the same wait: by its timer's wake-ups it goes on.
fn still_waits(after: &TrackedThread, before: &TrackedThread) -> bool {
    after.lock_wait_open != 0
        && (after.lock_wait_from_ns, after.lock_address)
            == (before.lock_wait_from_ns, before.lock_address)
}

/// What a thread does; `None` when it has ended.
fn activity(probes: &Probes, host: &mut Host, tid: u32, pid: u32) -> Option<ThreadActivity> {
    let Some(thread) = probes.thread(tid).filter(|t| t.tgid == pid) else {
        // It is not tracked: it has released nothing yet, or there was no room for it.
        return host.activity(pid, tid);
    };
    let state = state(&thread, std::process::id());
    let asleep = matches!(state, Part::LockWait | Part::Blocked);
    Some(ThreadActivity {
        state,
        call: asleep.then(|| Host::call_name(thread.syscall)),
        function: host.function(pid, tid),
    })
}

/// `own_pid` is the agent's: sampling takes a CPU, on a small machine often the holder's.
fn state(thread: &TrackedThread, own_pid: u32) -> Part {
    match thread.state {
        s if s == ThreadState::OnCpu as u32 => Part::OnCpu,
        // It would run if it were not sampled.
        s if s == ThreadState::RunQueue as u32 && thread.preempted_by == own_pid => Part::OnCpu,
        s if s == ThreadState::RunQueue as u32 => Part::RunQueue,
        s if s == ThreadState::LockWait as u32 => Part::LockWait,
        s if s == ThreadState::Blocked as u32 => Part::Blocked,
        _ => Part::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(since: u64) -> TrackedThread {
        TrackedThread {
            state: ThreadState::LockWait as u32,
            lock_wait_open: 1,
            lock_wait_from_ns: since,
            lock_address: 0x70,
            ..TrackedThread::default()
        }
    }

    #[test]
    fn only_long_waits_are_sampled() {
        assert!(is_long_wait(&waiting(1_000), 1_000 + LONG_WAIT_NS));
        assert!(!is_long_wait(&waiting(1_000), 999 + LONG_WAIT_NS));
        let mut thread = waiting(0);
        thread.state = ThreadState::OnCpu as u32;
        assert!(!is_long_wait(&thread, LONG_WAIT_NS));
        thread = waiting(0);
        thread.lock_wait_open = 0;
        assert!(!is_long_wait(&thread, LONG_WAIT_NS));
        // A holder that waits for another lock is not a reader.
        thread = waiting(0);
        thread.is_holder = 1;
        assert!(!is_long_wait(&thread, LONG_WAIT_NS));
    }

    #[test]
    fn a_holder_preempted_by_its_sampling_is_on_the_cpu() {
        let mut thread = TrackedThread {
            state: ThreadState::RunQueue as u32,
            preempted_by: 9,
            ..TrackedThread::default()
        };
        assert_eq!(state(&thread, 8), Part::RunQueue);
        assert_eq!(state(&thread, 9), Part::OnCpu);
        thread.state = ThreadState::Blocked as u32;
        assert_eq!(state(&thread, 9), Part::Blocked);
    }

    #[test]
    fn a_wait_goes_on_through_its_timer_s_wake_ups() {
        let before = waiting(1_000);
        let mut after = before;
        after.state = ThreadState::RunQueue as u32;
        assert!(still_waits(&after, &before));
        after.lock_wait_from_ns = 2_000;
        assert!(!still_waits(&after, &before));
        after = before;
        after.lock_wait_open = 0;
        assert!(!still_waits(&after, &before));
    }

    #[test]
    fn threads_are_warm_for_a_while_after_a_long_sleep() {
        let mut holders = HolderSampler::default();
        holders.sleep_ended(1, 0, LONG_WAIT_NS - 1);
        assert!(!holders.has_warm_threads());
        holders.sleep_ended(1, 0, LONG_WAIT_NS);
        assert!(holders.has_warm_threads());
        for tid in 0..10_000 {
            holders.sleep_ended(tid, 0, LONG_WAIT_NS);
        }
        assert_eq!(holders.warm.len(), MAX_WARM_THREADS);
        holders.thread_ended(1);
        assert_eq!(holders.warm.len(), MAX_WARM_THREADS - 1);
    }
}
