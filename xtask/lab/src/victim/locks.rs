//! Mutexes of the C library, which say who owns them, and a rival that takes them first.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::inject::spawn;
use crate::clock::{self, SECOND};

/// A `pthread_mutex_t`.
struct LibcMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: a mutex is made to be used by several threads; it stays where it is in an `Arc`.
unsafe impl Send for LibcMutex {}
// SAFETY: as above.
unsafe impl Sync for LibcMutex {}

impl LibcMutex {
    const fn new() -> Self {
        Self(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))
    }

    fn lock(&self) {
        // SAFETY: initialized, and never moved or destroyed while a thread uses it.
        unsafe { libc::pthread_mutex_lock(self.0.get()) };
    }

    /// Gives up after `limit`; returns whether it has the mutex.
    fn lock_within(&self, limit: Duration) -> bool {
        let until = clock::utc_ns() + limit.as_nanos() as i64;
        let until = libc::timespec {
            tv_sec: until / SECOND,
            tv_nsec: until % SECOND,
        };
        // SAFETY: as in `lock`; the time is only read.
        unsafe { libc::pthread_mutex_timedlock(self.0.get(), ptr::from_ref(&until)) == 0 }
    }

    fn unlock(&self) {
        // SAFETY: as in `lock`, by the thread that has locked it.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}

/// Two mutexes: the reader's and the rival's.
struct LockPair {
    own: LibcMutex,
    rivals: LibcMutex,
}

/// A mutex that a rival takes whenever the reader is about to.
pub(super) struct RivalLock {
    pair: Arc<LockPair>,
    request: SyncSender<()>,
    taken: Receiver<()>,
    /// How long the rival holds it; in a deadlock, how long the reader waits before it gives up,
    /// and zero for ever.
    hold: Duration,
    deadlock: bool,
}

impl RivalLock {
    /// Starts the rival. With `deadlock` it holds its mutex until it has the reader's own, which
    /// the reader holds meanwhile.
    pub(super) fn start(hold: Duration, deadlock: bool) -> Result<Self> {
        let pair = Arc::new(LockPair {
            own: LibcMutex::new(),
            rivals: LibcMutex::new(),
        });
        let (request, requests) = sync_channel(0);
        let (take, taken) = sync_channel(1);
        let shared = Arc::clone(&pair);
        spawn("rival", move || {
            while requests.recv().is_ok() {
                shared.rivals.lock();
                if take.send(()).is_err() {
                    return;
                }
                if deadlock {
                    shared.own.lock();
                    shared.own.unlock();
                } else {
                    std::thread::sleep(hold);
                }
                shared.rivals.unlock();
            }
        })?;
        Ok(Self {
            pair,
            request,
            taken,
            hold,
            deadlock,
        })
    }

    /// Waits for the mutex after the rival has taken it.
    pub(super) fn wait(&self) -> Result<()> {
        let LockPair { own, rivals } = &*self.pair;
        if self.deadlock {
            own.lock();
        }
        self.request.send(()).context("the rival is gone")?;
        self.taken.recv().context("the rival is gone")?;
        if self.deadlock && !self.hold.is_zero() {
            ensure!(!rivals.lock_within(self.hold), "there was no deadlock");
        } else {
            rivals.lock();
            rivals.unlock();
        }
        if self.deadlock {
            own.unlock();
        }
        Ok(())
    }
}
