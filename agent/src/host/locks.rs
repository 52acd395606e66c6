//! The owners of locks, read from the memory of their process while it runs.

use std::fs;

use procfs::process::Process;

use super::{Host, python::memory, syscalls};

/// `FUTEX_TID_MASK` and `FUTEX_WAITERS` (include/uapi/linux/futex.h): the word of a PI futex.
const TID_MASK: u32 = 0x3fff_ffff;
const WAITERS: u32 = 0x8000_0000;

/// The largest value of glibc's `__lock` (nptl/lowlevellock.h): locked, with waiters.
const LOCKED_WITH_WAITERS: u32 = 2;

/// Where a `pthread_mutex_t` has its `__owner` (sysdeps/nptl/bits/struct_mutex.h), bytes.
const MUTEX_OWNER: u64 = 8;

impl Host {
    /// The thread of the process that owns the lock whose futex is at this address, by the lock
    /// itself: the thread id in the word of a PI futex, or in the mutex of glibc that the word
    /// begins. `None` for any other lock: the ids are checked against the threads of the process.
    pub(crate) fn lock_owner(&mut self, pid: u32, address: u64) -> Option<u32> {
        let word = u32::from_ne_bytes(memory::bytes(pid, address).ok()?);
        let inner_tid = if word & WAITERS != 0 {
            word & TID_MASK
        } else if (1..=LOCKED_WITH_WAITERS).contains(&word) {
            u32::from_ne_bytes(memory::bytes(pid, address.checked_add(MUTEX_OWNER)?).ok()?)
        } else {
            0
        };
        if inner_tid == 0 {
            return None;
        }
        self.thread_of(pid, inner_tid)
    }

    /// The thread of a process that has this id in the innermost of its PID namespaces.
    fn thread_of(&mut self, pid: u32, inner_tid: u32) -> Option<u32> {
        if self.threads.inner_tid(inner_tid) == Some(inner_tid)
            && self.threads.name(inner_tid).pid == pid
        {
            // No namespace of its own, as usual.
            return Some(inner_tid);
        }
        let tasks = Process::new(pid.cast_signed()).ok()?.tasks().ok()?;
        tasks
            .flatten()
            .map(|task| task.tid.cast_unsigned())
            .find(|&tid| self.threads.inner_tid(tid) == Some(inner_tid))
    }

    /// The address of the futex that a thread waits for now, by `/proc/TID/syscall`.
    pub(crate) fn futex_awaited(&self, tid: u32) -> Option<u64> {
        let text = fs::read_to_string(self.proc.file(tid, "syscall")).ok()?;
        futex_address(&text)
    }
}

/// The first argument of the futex call in the text of a `/proc/TID/syscall`; `None` when the thread
/// runs or is in another call.
fn futex_address(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let call = syscalls::name(words.next()?.parse().ok()?);
    if !matches!(call.as_str(), "futex" | "futex_wait" | "futex_waitv") {
        return None;
    }
    u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn the_owner_of_a_real_mutex_is_read_from_it() {
        let mut host = Host::new().expect("/proc");
        let mut mutex = Box::new(libc::PTHREAD_MUTEX_INITIALIZER);
        let address = (&raw const *mutex).addr() as u64;
        let pid = std::process::id();
        assert_eq!(host.lock_owner(pid, address), None);
        // SAFETY: an initialised mutex that nothing else uses.
        unsafe { assert_eq!(libc::pthread_mutex_lock(&raw mut *mutex), 0) };
        // SAFETY: no arguments.
        let tid = unsafe { libc::gettid() }.cast_unsigned();
        assert_eq!(host.lock_owner(pid, address), Some(tid));
        // SAFETY: locked by this thread.
        unsafe { assert_eq!(libc::pthread_mutex_unlock(&raw mut *mutex), 0) };
        assert_eq!(host.lock_owner(pid, address), None);
    }

    #[test]
    fn the_word_of_a_pi_futex_has_its_owner() {
        let mut host = Host::new().expect("/proc");
        let pid = std::process::id();
        let word = AtomicU32::new(WAITERS | pid);
        let address = word.as_ptr().addr() as u64;
        // The first thread of a process has its id.
        assert_eq!(host.lock_owner(pid, address), Some(pid));
        // A number that is no thread of this process, and a counter that is no lock.
        for other in [WAITERS | 1, 7] {
            word.store(other, Ordering::Relaxed);
            assert_eq!(host.lock_owner(pid, address), None, "{other:#x}");
        }
        assert_eq!(host.lock_owner(pid, 8), None);
    }

    #[test]
    fn only_a_futex_call_has_a_lock() {
        let futex = format!(
            "{} 0x7f00 0x80 0x2 0x0 0x0 0x0 0x7ffc 0x7f00",
            libc::SYS_futex
        );
        assert_eq!(futex_address(&futex), Some(0x7f00));
        let read = format!(
            "{} 0x3 0x7f00 0x2 0x0 0x0 0x0 0x7ffc 0x7f00",
            libc::SYS_read
        );
        assert_eq!(futex_address(&read), None);
        assert_eq!(futex_address("running"), None);
    }
}
