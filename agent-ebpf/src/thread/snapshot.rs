//! A thread's counters at one instant.

use agent_common::{ProbeCounter, STATE_COUNT, Snapshot, ThreadState, TrackedThread};

use crate::{maps::THREADS, ring::count, throttle};

/// How often a reader tries to get between two writes of another CPU.
const TRIES: u32 = 16;

/// The counters of any thread as of `at` (or of the thread's last event, should that have come in
/// after `at` was read). `tid` in the result is 0 when the thread is not tracked.
#[inline(always)]
pub(crate) fn of(tid: u32, at: u64) -> Snapshot {
    let nobody = Snapshot {
        at_ns: at,
        ..Snapshot::default()
    };
    if tid == 0 {
        return nobody;
    }
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        return nobody;
    };
    for _ in 0..TRIES {
        // SAFETY: a map value; the sequence tells whether it was being written.
        let (before, copy, after) = unsafe {
            let seq = &raw const (*thread).seq;
            let before = seq.read_volatile();
            fence();
            let copy = Copy::read(thread);
            fence();
            (before, copy, seq.read_volatile())
        };
        if before & 1 == 0 && before == after {
            return copy.at(tid, at);
        }
    }
    count(ProbeCounter::SnapshotTorn);
    nobody
}

#[inline(always)]
fn fence() {
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}

/// What a snapshot needs of a [`TrackedThread`].
struct Copy {
    state: u32,
    since: u64,
    ns: [u64; STATE_COUNT],
    cfs_rq: u64,
    base: u64,
    moved: u64,
    offset: i64,
}

impl Copy {
    #[inline(always)]
    unsafe fn read(thread: *const TrackedThread) -> Self {
        // SAFETY: a map value.
        unsafe {
            let ns = &raw const (*thread).state_ns;
            let ns = ns.cast::<u64>();
            Self {
                state: (&raw const (*thread).state).read_volatile(),
                since: (&raw const (*thread).since_ns).read_volatile(),
                ns: [
                    ns.read_volatile(),
                    ns.add(1).read_volatile(),
                    ns.add(2).read_volatile(),
                    ns.add(3).read_volatile(),
                    ns.add(4).read_volatile(),
                    ns.add(5).read_volatile(),
                ],
                cfs_rq: (&raw const (*thread).cfs_rq).read_volatile(),
                base: (&raw const (*thread).throttle_base_ns).read_volatile(),
                moved: (&raw const (*thread).throttle_moved_ns).read_volatile(),
                offset: (&raw const (*thread).clock_offset_ns).read_volatile(),
            }
        }
    }

    #[inline(always)]
    fn at(self, tid: u32, at: u64) -> Snapshot {
        let at = if at > self.since { at } else { self.since };
        let passed = at - self.since;
        let mut ns = self.ns;
        match self.state {
            0 => ns[0] += passed,
            1 => {
                let throttled =
                    throttle::so_far(self.cfs_rq, self.base, self.moved, self.offset, at);
                let withheld = if throttled > passed {
                    passed
                } else {
                    throttled
                };
                ns[ThreadState::RunQueue as usize] += passed - withheld;
                ns[ThreadState::Throttle as usize] += withheld;
            }
            3 => ns[3] += passed,
            _ => ns[4] += passed,
        }
        Snapshot {
            at_ns: at,
            state_ns: ns,
            tid,
            reserved: 0,
        }
    }
}
