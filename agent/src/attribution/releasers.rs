//! Who releases which lock.
//!
//! A waiter that a timer has woken, and that then waits for a CPU, can find its lock free: nobody
//! woke it for that, so nobody was seen. Such a wait goes to the thread that releases this lock all
//! but always, if there is one.

use std::num::NonZeroUsize;

use lru::LruCache;

/// Locks remembered: those released last.
const MOST: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Of ten releases seen, so many must be of one thread for it to be charged with one that was not.
const OF_TEN: u64 = 9;

/// So many threads that released a lock last are remembered.
const LATEST: usize = 3;

/// (id, process)
type Thread = (u32, u32);

#[derive(Clone, Copy, Debug)]
struct Releases {
    all: u64,
    /// Of the thread below.
    its: u64,
    thread: Thread,
    /// Those seen last, the latest first; (0, 0) where there were no more.
    latest: [Thread; LATEST],
}

impl Releases {
    const fn first(thread: Thread) -> Self {
        Self {
            all: 0,
            its: 0,
            thread,
            latest: [(0, 0); LATEST],
        }
    }

    fn saw(&mut self, thread: Thread) {
        let known = self.latest.iter().position(|t| *t == thread);
        self.latest[..=known.unwrap_or(LATEST - 1)].rotate_right(1);
        self.latest[0] = thread;
        self.all += 1;
        if self.thread == thread {
            self.its += 1;
        } else if self.its * 2 < self.all {
            // Another one took over: counted anew from here.
            (self.all, self.its, self.thread) = (1, 1, thread);
        }
    }

    /// The thread all but all releases are of.
    fn usual(&self) -> Option<Thread> {
        (self.its * 10 >= self.all * OF_TEN).then_some(self.thread)
    }
}

/// The releases seen.
#[derive(Debug)]
pub(super) struct Releasers(LruCache<(u32, u64), Releases>);

impl Default for Releasers {
    fn default() -> Self {
        Self(LruCache::new(MOST))
    }
}

/// A condition variable has two futex words side by side and uses them in turn (glibc
/// nptl/pthread_cond_wait.c, `__g_signals`).
const fn lock(pid: u32, address: u64) -> (u32, u64) {
    (pid, address & !7)
}

impl Releasers {
    /// `thread` has released a lock of process `pid`.
    pub(super) fn saw(&mut self, pid: u32, address: u64, thread: Thread) {
        let key = lock(pid, address);
        let known = self.0.get_or_insert_mut(key, || Releases::first(thread));
        known.saw(thread);
    }

    /// The process has ended, and its locks with it.
    pub(super) fn forget(&mut self, pid: u32) {
        let locks = self.0.iter().map(|(&lock, _)| lock);
        let its: Vec<_> = locks.filter(|&(of, _)| of == pid).collect();
        for lock in its {
            self.0.pop(&lock);
        }
    }

    /// Whose an unseen release was.
    pub(super) fn likely(&self, pid: u32, address: u64) -> Option<Thread> {
        self.0.peek(&lock(pid, address))?.usual()
    }

    /// Who may hold the lock now: the thread that does so all but always, else those that released
    /// it last.
    pub(super) fn holders(&self, pid: u32, address: u64) -> impl Iterator<Item = Thread> + '_ {
        let known = self.0.peek(&lock(pid, address));
        let usual = known.and_then(Releases::usual);
        let latest = known.filter(|_| usual.is_none()).map(|k| &k.latest[..]);
        let latest = latest.unwrap_or_default().iter().copied();
        usual
            .into_iter()
            .chain(latest)
            .filter(|thread| thread.0 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_hold_a_lock() {
        let holders = |releases: &[u32]| {
            let mut releasers = Releasers::default();
            for &tid in releases {
                releasers.saw(1, 0x70, (tid, 1));
            }
            let holders = releasers.holders(1, 0x70);
            holders.map(|thread| thread.0).collect::<Vec<_>>()
        };
        assert!(holders(&[]).is_empty());
        assert_eq!(holders(&[5]), [5]);
        assert_eq!(holders(&[5; 30]), [5]);
        assert_eq!(holders(&[5, 6, 5, 5, 7]), [7, 5, 6]);
        assert_eq!(holders(&[5, 6, 5, 6, 7, 8]), [8, 7, 6]);
    }

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
