//! Which threads release which lock.
//!
//! A waiter that was woken by its timer and then waits for a CPU may find the lock free: no thread
//! woke it, so no releaser was observed. Such a wait is charged to the usual releaser of the lock, if
//! it has one.

use std::num::NonZeroUsize;

use lru::LruCache;

/// Locks retained: those released last.
const MAX_LOCKS: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// A thread is the usual releaser of a lock with at least so many of ten observed releases.
const USUAL_OF_TEN: u64 = 9;

/// Latest releasers retained per lock.
const LATEST: usize = 3;

/// Thread id and thread group id.
pub(super) type ThreadIds = (u32, u32);

#[derive(Clone, Copy, Debug)]
struct LockReleases {
    all: u64,
    /// Releases by `thread`.
    by_thread: u64,
    /// The thread with the most releases lately.
    thread: ThreadIds,
    /// The latest releasers, the latest first; (0, 0) in unused places.
    latest: [ThreadIds; LATEST],
}

impl LockReleases {
    const fn new(thread: ThreadIds) -> Self {
        Self {
            all: 0,
            by_thread: 0,
            thread,
            latest: [(0, 0); LATEST],
        }
    }

    fn add(&mut self, thread: ThreadIds) {
        let place = self.latest.iter().position(|t| *t == thread);
        self.latest[..=place.unwrap_or(LATEST - 1)].rotate_right(1);
        self.latest[0] = thread;
        self.all += 1;
        if self.thread == thread {
            self.by_thread += 1;
        } else if self.by_thread * 2 < self.all {
            // Another thread has taken over: count from here.
            (self.all, self.by_thread, self.thread) = (1, 1, thread);
        }
    }

    /// The usual releaser.
    fn usual(&self) -> Option<ThreadIds> {
        (self.by_thread * 10 >= self.all * USUAL_OF_TEN).then_some(self.thread)
    }
}

/// The observed releases by process and lock.
#[derive(Debug)]
pub(super) struct Releasers(LruCache<(u32, u64), LockReleases>);

impl Default for Releasers {
    fn default() -> Self {
        Self(LruCache::new(MAX_LOCKS))
    }
}

/// The key of a lock. A condition variable has two futex words side by side and uses them in turn
/// (glibc nptl/pthread_cond_wait.c, `__g_signals`).
const fn key(pid: u32, address: u64) -> (u32, u64) {
    (pid, address & !7)
}

impl Releasers {
    /// `thread` has released a lock of process `pid`.
    pub(super) fn released(&mut self, pid: u32, address: u64, thread: ThreadIds) {
        let new = || LockReleases::new(thread);
        self.0.get_or_insert_mut(key(pid, address), new).add(thread);
    }

    /// The process has ended, and its locks with it.
    pub(super) fn process_ended(&mut self, pid: u32) {
        let locks = self.0.iter().map(|(&lock, _)| lock);
        let ended: Vec<_> = locks.filter(|&(of, _)| of == pid).collect();
        for lock in ended {
            self.0.pop(&lock);
        }
    }

    /// The likely thread of a release that was not observed.
    pub(super) fn usual(&self, pid: u32, address: u64) -> Option<ThreadIds> {
        self.0.peek(&key(pid, address))?.usual()
    }

    /// The threads that may hold the lock now: the usual releaser, else the latest ones.
    pub(super) fn candidates(
        &self,
        pid: u32,
        address: u64,
    ) -> impl Iterator<Item = ThreadIds> + '_ {
        let releases = self.0.peek(&key(pid, address));
        let usual = releases.and_then(LockReleases::usual);
        let latest = releases.filter(|_| usual.is_none()).map(|r| &r.latest[..]);
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
    fn candidates_are_the_usual_or_the_latest_releasers() {
        let candidates = |releases: &[u32]| {
            let mut releasers = Releasers::default();
            for &tid in releases {
                releasers.released(1, 0x70, (tid, 1));
            }
            let candidates = releasers.candidates(1, 0x70);
            candidates.map(|thread| thread.0).collect::<Vec<_>>()
        };
        assert!(candidates(&[]).is_empty());
        assert_eq!(candidates(&[5]), [5]);
        assert_eq!(candidates(&[5; 30]), [5]);
        assert_eq!(candidates(&[5, 6, 5, 5, 7]), [7, 5, 6]);
        assert_eq!(candidates(&[5, 6, 5, 6, 7, 8]), [8, 7, 6]);
    }

    #[test]
    fn only_a_lock_released_by_one_thread_has_a_usual_releaser() {
        let mut releasers = Releasers::default();
        assert_eq!(releasers.usual(1, 0x70), None);
        for _ in 0..19 {
            releasers.released(1, 0x70, (5, 1));
        }
        releasers.released(1, 0x74, (6, 1));
        assert_eq!(releasers.usual(1, 0x74), Some((5, 1)));
        assert_eq!(releasers.usual(2, 0x74), None);
        for _ in 0..5 {
            releasers.released(1, 0x70, (6, 1));
        }
        assert_eq!(releasers.usual(1, 0x70), None);
        for _ in 0..30 {
            releasers.released(1, 0x70, (6, 1));
        }
        assert_eq!(releasers.usual(1, 0x70), Some((6, 1)));
    }
}
