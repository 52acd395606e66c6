//! A thread's counters at one instant.

use agent_common::{
    ProbeCounter, STATE_COUNT, Snapshot, ThreadState, TrackedThread, add_stretch, clamp_throttled,
    is_consistent, throttle::ThrottleBase,
};

use crate::{cfs_rq, maps::THREADS, ring_buffer::count};

/// How often a reader tries to get between two writes of another CPU.
const TRIES: u32 = 16;

/// The counters of any thread as of `at` (or of the thread's last event, should that have come in
/// after `at` was read). `tid` in the result is 0 when the thread is not tracked.
#[inline(always)]
pub(crate) fn snapshot(tid: u32, at: u64) -> Snapshot {
    let untracked = Snapshot {
        at_ns: at,
        ..Snapshot::default()
    };
    if tid == 0 {
        return untracked;
    }
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        return untracked;
    };
    for _ in 0..TRIES {
        // SAFETY: a map value; the sequence says whether it was being written.
        let (before, counters, after) = unsafe {
            let seq = &raw const (*thread).seq;
            let before = seq.read_volatile();
            fence();
            let counters = Counters::read(thread);
            fence();
            (before, counters, seq.read_volatile())
        };
        if is_consistent(before, after) {
            return counters.at(tid, at);
        }
    }
    count(ProbeCounter::SnapshotTorn);
    untracked
}

#[inline(always)]
fn fence() {
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}

/// What a snapshot needs of a [`TrackedThread`].
struct Counters {
    state: u32,
    since: u64,
    ns: [u64; STATE_COUNT],
    throttle: ThrottleBase,
}

impl Counters {
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
                throttle: ThrottleBase {
                    cfs_rq: (&raw const (*thread).cfs_rq).read_volatile(),
                    base_ns: (&raw const (*thread).throttle_base_ns).read_volatile(),
                    moved_ns: (&raw const (*thread).throttle_moved_ns).read_volatile(),
                    clock_offset_ns: (&raw const (*thread).clock_offset_ns).read_volatile(),
                },
            }
        }
    }

    #[inline(always)]
    fn at(self, tid: u32, at: u64) -> Snapshot {
        let at = if at > self.since { at } else { self.since };
        let passed = at - self.since;
        let mut ns = self.ns;
        let throttled_ns = if self.state == ThreadState::RunQueue as u32 {
            clamp_throttled(cfs_rq::throttled_so_far(&self.throttle, at), passed)
        } else {
            0
        };
        add_stretch(&mut ns, self.state, passed, throttled_ns);
        Snapshot {
            at_ns: at,
            state_ns: ns,
            tid,
            reserved: 0,
        }
    }
}
