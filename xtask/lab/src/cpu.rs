//! CPU affinity, nice values and CPU use.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::background::Background;

/// Returns the CPUs the calling thread may run on, ascending.
pub fn allowed() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return Vec::new();
    };
    (0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu).unwrap_or(false))
        .collect()
}

/// Pins the calling thread to one CPU.
pub fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .with_context(|| format!("CPU {cpu} is out of range"))?;
    sched_setaffinity(Pid::from_raw(0), &set)
        .with_context(|| format!("cannot pin a thread to CPU {cpu}"))
}

/// Returns two CPUs, one for the ingest thread and one for its rival; `None` with a single CPU.
pub fn pair() -> Option<(usize, usize)> {
    match allowed().as_slice() {
        [first, .., last] => Some((*first, *last)),
        _ => None,
    }
}

/// Moves a thread from one CPU to the next, round robin, until it is dropped.
#[derive(Debug)]
pub struct Mover {
    _thread: Background<()>,
}

impl Mover {
    /// Starts to move the thread after each `turn`.
    pub fn of(tid: i32, cpus: &[usize], turn: Duration) -> Result<Self> {
        let cpus = cpus.to_vec();
        let thread = Background::spawn("mover", move |stop| {
            for cpu in cpus.into_iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let mut set = CpuSet::new();
                // The thread may have ended.
                let _gone = set
                    .set(cpu)
                    .and_then(|()| sched_setaffinity(Pid::from_raw(tid), &set));
                std::thread::sleep(turn);
            }
        })?;
        Ok(Self { _thread: thread })
    }
}

/// Returns how long threads have run on a CPU since boot, nanoseconds, in steps of 10 ms.
pub(crate) fn busy_ns(cpu: usize) -> Result<u64> {
    // Every CPU's line has user, nice and system time first, in USER_HZ, which is 100 on all
    // architectures.
    const STEP_NS: u64 = 10_000_000;
    let text = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let prefix = format!("cpu{cpu} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    let words = line
        .context("the CPU is not in /proc/stat")?
        .split(' ')
        .take(3);
    let steps = words.map(|word| word.parse::<u64>().context("/proc/stat cannot be parsed"));
    Ok(steps.sum::<Result<u64>>()? * STEP_NS)
}

/// Makes sleeps precise: sets the calling thread's timer slack to 1 ns (the default is 50 us).
pub(crate) fn precise_sleeps() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches only the calling thread's own
    // setting.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64);
    }
}

/// Sets the nice value of the calling thread, -20 (highest priority) to 19.
pub fn nice(value: i32) -> Result<()> {
    // SAFETY: two integers; `who` 0 means the calling thread (setpriority(2), "C library/kernel
    // differences").
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) };
    nix::errno::Errno::result(result).context("setpriority")?;
    Ok(())
}
