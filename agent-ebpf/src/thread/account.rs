//! Charging time to the states of a thread.

use agent_common::{
    ProbeCounter, ThreadState, TrackedThread, add_stretch, clamp_throttled, is_throttle_excess,
};

use crate::{
    ring_buffer::count,
    seqlock::{begin_write, end_write},
};

/// Charges the time since the last event to the state in progress and enters `next`; `throttled`
/// ns of it go to [`ThreadState::Throttle`]. Returns the instant used: `now`, or the last event's
/// when the clocks of two CPUs disagree.
#[inline(always)]
pub(crate) fn charge(
    thread: &mut TrackedThread,
    now: u64,
    next: ThreadState,
    throttled: u64,
) -> u64 {
    let since = thread.since_ns;
    let at = if now >= since {
        now
    } else {
        count(ProbeCounter::ClockBackwards);
        since
    };
    let passed = at - since;
    let throttled_ns = clamp_throttled(throttled, passed);
    let state = thread.state;
    thread.history.push(at, state, throttled_ns);
    begin_write(thread);
    add_stretch(&mut thread.state_ns, state, passed, throttled_ns);
    thread.state = next as u32;
    thread.since_ns = at;
    end_write(thread);
    if is_throttle_excess(throttled, passed) {
        count(ProbeCounter::ThrottleClamped);
    }
    at
}

/// The thread is on its CPU, and a change of state was not observed, nor is it in the scheduler's
/// account: the time since the last one is charged to [`ThreadState::Unknown`].
#[inline(always)]
pub(crate) fn charge_unknown(thread: &mut TrackedThread, now: u64) {
    count(ProbeCounter::SwitchUnobserved);
    let at = if now > thread.since_ns {
        now
    } else {
        thread.since_ns
    };
    thread.history.push(at, ThreadState::Unknown as u32, 0);
    begin_write(thread);
    thread.state_ns[ThreadState::Unknown as usize] += at - thread.since_ns;
    thread.state = ThreadState::OnCpu as u32;
    thread.since_ns = at;
    end_write(thread);
}
