//! What the threads of the watched processes do with their time.

use std::num::NonZeroU32;

use agent_common::{ThreadState, TrackedThread};
use procfs::process::{Process, Schedstat, Task};

use crate::domain::{Part, ThreadName, ThreadUse};

/// Threads sampled per process; more are not shown.
const MAX_THREADS: usize = 256;

/// The threads of a process; none when it has ended.
pub(super) fn tasks(pid: NonZeroU32) -> Vec<Task> {
    let pid = i32::try_from(pid.get()).unwrap_or(i32::MAX);
    let tasks = Process::new(pid).and_then(|process| process.tasks());
    tasks.map_or_else(
        |_| Vec::new(),
        |all| all.flatten().take(MAX_THREADS).collect(),
    )
}

/// What one thread did with its time, as of `now` (`CLOCK_MONOTONIC`, read before the counters, which are
/// those of a tracked thread); `None` when it has ended.
pub(super) fn of(
    mut name: ThreadName,
    task: &Task,
    counters: Option<&TrackedThread>,
    now: u64,
) -> Option<ThreadUse> {
    // A thread that has just ended has no name; the ids are those it was found under.
    name.pid = task.pid.unsigned_abs();
    name.tid = task.tid.unsigned_abs();
    let ns = match counters {
        Some(counters) => parts(counters, now),
        None => account(&task.schedstat().ok()?, now),
    };
    Some(ThreadUse {
        thread: name,
        tracked: counters.is_some(),
        ns,
    })
}

/// What a thread that reads a session did with its time, as of `now`.
pub(super) fn of_reader(
    mut name: ThreadName,
    pid: u32,
    counters: &TrackedThread,
    now: u64,
) -> ThreadUse {
    name.pid = pid;
    ThreadUse {
        thread: name,
        tracked: true,
        ns: parts(counters, now),
    }
}

/// The parts that the kernel's own account of a thread has; the rest of the time since boot is
/// unknown.
fn account(account: &Schedstat, now: u64) -> [u64; Part::ALL.len()] {
    let (on_cpu, run_queue) = (account.sum_exec_runtime, account.run_delay);
    Part::ALL.map(|part| match part {
        Part::OnCpu => on_cpu,
        Part::RunQueue => run_queue,
        Part::Unknown => now.saturating_sub(on_cpu + run_queue),
        _ => 0,
    })
}

/// The counters by part, the state in progress included.
fn parts(thread: &TrackedThread, now: u64) -> [u64; Part::ALL.len()] {
    let mut states = thread.state_ns;
    if let Some(ns) = states.get_mut(thread.state as usize) {
        *ns += now.saturating_sub(thread.since_ns);
    }
    Part::ALL.map(|part| match part {
        Part::Network => 0,
        Part::OnCpu => states[ThreadState::OnCpu as usize],
        Part::RunQueue => states[ThreadState::RunQueue as usize],
        Part::Throttle => states[ThreadState::Throttle as usize],
        Part::LockWait => states[ThreadState::LockWait as usize],
        Part::Blocked => states[ThreadState::Blocked as usize],
        Part::Unknown => states[ThreadState::Unknown as usize],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_in_progress_counts() {
        let thread = TrackedThread {
            state: ThreadState::LockWait as u32,
            since_ns: 100,
            state_ns: [1, 2, 3, 4, 5, 6],
            ..TrackedThread::default()
        };
        assert_eq!(parts(&thread, 150), [0, 1, 2, 3, 54, 5, 6]);
        assert_eq!(parts(&thread, 50), [0, 1, 2, 3, 4, 5, 6]);
    }
}
