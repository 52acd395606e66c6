//! What the threads of the watched processes do with their time.

use std::{fs, num::NonZeroU32};

use agent_common::{State, Thread};

use crate::model::{Part, ThreadName, ThreadUse};

/// Threads looked at per process; more are not shown.
const MOST_THREADS: usize = 256;

/// The threads of a process; none when it has ended.
pub(super) fn tids(pid: NonZeroU32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let tids = tasks
        .flatten()
        .filter_map(|task| task.file_name().to_str()?.parse().ok());
    tids.take(MOST_THREADS).collect()
}

/// The account of one thread of `pid`, as of `now` (`CLOCK_MONOTONIC`, read before its counters).
pub(super) fn of(mut name: ThreadName, pid: NonZeroU32, counters: &Thread, now: u64) -> ThreadUse {
    // Of one that has just ended nothing is known but where it was found.
    name.pid = pid.get();
    ThreadUse {
        thread: name,
        ns: parts(counters, now),
    }
}

/// The counters by part, the state in progress included.
fn parts(thread: &Thread, now: u64) -> [u64; Part::ALL.len()] {
    let mut states = thread.ns;
    if let Some(ns) = states.get_mut(thread.state as usize) {
        *ns += now.saturating_sub(thread.since);
    }
    Part::ALL.map(|part| match part {
        Part::Network => 0,
        Part::OnCpu => states[State::OnCpu as usize],
        Part::RunQueue => states[State::RunQueue as usize],
        Part::Throttle => states[State::Throttle as usize],
        Part::LockWait => states[State::LockWait as usize],
        Part::Blocked => states[State::Blocked as usize],
        Part::Unknown => states[State::Unseen as usize],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_in_progress_counts() {
        let thread = Thread {
            state: State::LockWait as u32,
            since: 100,
            ns: [1, 2, 3, 4, 5, 6],
            ..Thread::default()
        };
        assert_eq!(parts(&thread, 150), [0, 1, 2, 3, 54, 5, 6]);
        assert_eq!(parts(&thread, 50), [0, 1, 2, 3, 4, 5, 6]);
    }
}
