//! Who releases which lock.
//!
//! A waiter that a timer has woken, and that then waits for a CPU, can find its lock free: nobody woke it
//! for that, so nobody was seen. Such a wait goes to the thread that releases this lock all but
//! always, if there is one.

use std::collections::HashMap;

/// Locks remembered; beyond, those that are new are not.
const MOST: usize = 1024;

/// Of ten releases seen, so many must be of one thread for it to be charged with one that was not.
const OF_TEN: u64 = 9;

#[derive(Clone, Copy, Debug)]
struct Releases {
    all: u64,
    /// Of the thread below.
    its: u64,
    thread: (u32, u32),
}

/// The releases seen.
#[derive(Debug, Default)]
pub(super) struct Releasers(HashMap<(u32, u64), Releases>);

/// A condition variable has two futex words side by side and uses them in turn (glibc
/// nptl/pthread_cond_wait.c, `__g_signals`).
const fn lock(pid: u32, address: u64) -> (u32, u64) {
    (pid, address & !7)
}

impl Releasers {
    /// `thread` (id, process) has released a lock of process `pid`.
    pub(super) fn saw(&mut self, pid: u32, address: u64, thread: (u32, u32)) {
        let key = lock(pid, address);
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            return;
        }
        let known = self.0.entry(key).or_insert(Releases {
            all: 0,
            its: 0,
            thread,
        });
        known.all += 1;
        if known.thread == thread {
            known.its += 1;
        } else if known.its * 2 < known.all {
            // Another one took over: counted anew from here.
            *known = Releases {
                all: 1,
                its: 1,
                thread,
            };
        }
    }

    /// Whose an unseen release was, (id, process).
    pub(super) fn likely(&self, pid: u32, address: u64) -> Option<(u32, u32)> {
        let known = self.0.get(&lock(pid, address))?;
        (known.its * 10 >= known.all * OF_TEN).then_some(known.thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_of_one_thread_s_tells() {
        let mut releasers = Releasers::default();
        assert_eq!(releasers.likely(1, 0x70), None);
        for _ in 0..19 {
            releasers.saw(1, 0x70, (5, 1));
        }
        releasers.saw(1, 0x74, (6, 1));
        assert_eq!(releasers.likely(1, 0x74), Some((5, 1)));
        assert_eq!(releasers.likely(2, 0x74), None);
        for _ in 0..5 {
            releasers.saw(1, 0x70, (6, 1));
        }
        assert_eq!(releasers.likely(1, 0x70), None);
        for _ in 0..30 {
            releasers.saw(1, 0x70, (6, 1));
        }
        assert_eq!(releasers.likely(1, 0x70), Some((6, 1)));
    }
}
