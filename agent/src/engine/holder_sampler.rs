//! What the holder of a lock is doing, looked at while a watched thread waits for it.
//!
//! Nobody is stopped for it: a thread's state is what the probes know of it, its function is read
//! from its memory while it runs. Who does hold the lock is known when it is released ([`Attribution`]
//! settles it then); until then those are looked at who may.
//!
//! The probes tell of lock waits when they are over, so a wait under way is found by looking at the
//! waiter. That is done often only while somebody waits: a thread that has waited is *warm* for a
//! second.

use std::collections::HashMap;

use agent_common::{ThreadState, TrackedThread};

use crate::{
    attribution::{Attribution, CandidateSample},
    domain::{Part, ThreadActivity},
    host::Host,
    kernel::Probes,
};

/// Waits are looked at from this length on, ns: shorter ones are over before anything could be
/// read.
const LONG: u64 = 500_000;

/// So long a thread is looked at often after it was last seen in a wait, ns.
const WARM: u64 = 1_000_000_000;

/// Threads that are looked at often, at the most.
const MOST_WARM: usize = 64;

/// Threads that may hold a lock which are looked at in one go, at the most.
const LOOKS: usize = 16;

/// Watched threads that are looked at to find waits, in one go, at the most.
const SWEEP: usize = 64;

/// What could not be looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missed {
    /// Nobody was ever seen to release the lock.
    pub(super) unknown: u64,
    /// The wait was over before it was known what the holder did.
    pub(super) late: u64,
    /// More threads to look at than are in one go.
    pub(super) crowded: u64,
}

/// Finds waits under way and looks at who may hold the locks.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Threads that have waited for a lock a short while ago, and until when they are looked at.
    warm: HashMap<u32, u64>,
    /// Where the next sweep begins.
    swept: usize,
    pub(super) missed: Missed,
}

/// Whether the thread is in a lock wait worth a look.
fn waits_long(thread: &TrackedThread, now: u64) -> bool {
    thread.is_holder == 0
        && thread.state == ThreadState::LockWait as u32
        && thread.lock_wait_open != 0
        && now.saturating_sub(thread.lock_wait_from_ns) >= LONG
}

impl Holders {
    /// A sleep of a thread in futex(2) was told.
    pub(super) fn slept(&mut self, tid: u32, from: u64, to: u64) {
        if to.saturating_sub(from) >= LONG {
            self.warm_up(tid, to);
        }
    }

    fn warm_up(&mut self, tid: u32, now: u64) {
        if self.warm.len() < MOST_WARM || self.warm.contains_key(&tid) {
            self.warm.insert(tid, now + WARM);
        }
    }

    /// Whether there is anything to look at often.
    pub(super) fn are_worth_a_look(&self) -> bool {
        !self.warm.is_empty()
    }

    /// Looks for threads in waits too long to have been told of yet.
    pub(super) fn sweep(&mut self, readers: &[u32], probes: &Probes, now: u64) {
        let begin = if self.swept < readers.len() {
            self.swept
        } else {
            0
        };
        let some = &readers[begin..readers.len().min(begin + SWEEP)];
        self.swept = begin + some.len();
        for &tid in some {
            if !self.warm.contains_key(&tid)
                && probes.thread(tid).is_some_and(|t| waits_long(&t, now))
            {
                self.warm_up(tid, now);
            }
        }
    }

    /// Looks at those who may hold what the warm threads wait for.
    pub(super) fn look(
        &mut self,
        probes: &Probes,
        blame: &mut Attribution,
        host: &mut Host,
        now: u64,
    ) {
        self.warm.retain(|_, until| *until > now);
        let mut seen: Vec<(u32, ThreadActivity)> = Vec::new();
        let mut waiting = Vec::new();
        for &tid in self.warm.keys() {
            let Some(thread) = probes.thread(tid).filter(|t| waits_long(t, now)) else {
                continue;
            };
            let (pid, address) = (thread.tgid, thread.lock_address);
            let holders: Vec<_> = blame.likely_holders(pid, address, tid).collect();
            self.missed.unknown += u64::from(holders.is_empty());
            for (holder, holder_pid) in holders {
                if !seen.iter().any(|(known, _)| *known == holder) {
                    if seen.len() >= LOOKS {
                        self.missed.crowded += 1;
                        continue;
                    }
                    if let Some(activity) = activity(probes, host, holder, holder_pid) {
                        seen.push((holder, activity));
                    }
                }
                if let Some((_, activity)) = seen.iter().find(|(known, _)| *known == holder) {
                    // It was the holder's doing only if the wait went on until it was known.
                    let after = probes.thread(tid);
                    if after.is_some_and(|t| still_waits(&t, &thread)) {
                        blame.candidate_sampled(CandidateSample {
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
    pub(super) fn forget(&mut self, tid: u32) {
        self.warm.remove(&tid);
    }
}

/// Whether it is the same wait: by its timer's wake-ups it goes on.
fn still_waits(after: &TrackedThread, before: &TrackedThread) -> bool {
    after.lock_wait_open != 0
        && (after.lock_wait_from_ns, after.lock_address)
            == (before.lock_wait_from_ns, before.lock_address)
}

/// What a thread is doing; `None` when it is not there any more.
fn activity(probes: &Probes, host: &mut Host, tid: u32, pid: u32) -> Option<ThreadActivity> {
    let Some(thread) = probes.thread(tid).filter(|t| t.tgid == pid) else {
        // It was not seen to release anything since it is looked for, or there was no room for it.
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

/// `own_pid` is the agent's: its looks take a CPU, on a small machine often the holder's.
fn state(thread: &TrackedThread, own_pid: u32) -> Part {
    match thread.state {
        s if s == ThreadState::OnCpu as u32 => Part::OnCpu,
        // It would run if it were not looked at.
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
    fn only_long_waits_are_worth_a_look() {
        assert!(waits_long(&waiting(1_000), 1_000 + LONG));
        assert!(!waits_long(&waiting(1_000), 999 + LONG));
        let mut thread = waiting(0);
        thread.state = ThreadState::OnCpu as u32;
        assert!(!waits_long(&thread, LONG));
        thread = waiting(0);
        thread.lock_wait_open = 0;
        assert!(!waits_long(&thread, LONG));
        // A holder that waits for another lock is not a reader.
        thread = waiting(0);
        thread.is_holder = 1;
        assert!(!waits_long(&thread, LONG));
    }

    #[test]
    fn who_is_off_the_cpu_because_he_is_looked_at_is_on_it() {
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
        let mut holders = Holders::default();
        holders.slept(1, 0, LONG - 1);
        assert!(!holders.are_worth_a_look());
        holders.slept(1, 0, LONG);
        assert!(holders.are_worth_a_look());
        for tid in 0..10_000 {
            holders.slept(tid, 0, LONG);
        }
        assert_eq!(holders.warm.len(), MOST_WARM);
        holders.forget(1);
        assert_eq!(holders.warm.len(), MOST_WARM - 1);
    }
}
