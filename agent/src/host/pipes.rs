//! The processes that have the other end of a pipe.

use std::{
    fs,
    num::NonZeroUsize,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::proc::ProcRoot;

/// Pipes retained, at most.
const MAX_PIPES: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// How long a result is valid.
const VALIDITY: Duration = Duration::from_secs(5);

/// How long a search through the descriptors of all processes takes, at most.
const SEARCH_BUDGET: Duration = Duration::from_millis(20);

/// How long after a search the next one begins, for any pipe, at the earliest.
const SEARCH_PAUSE: Duration = Duration::from_millis(100);

/// Processes named per pipe, at most.
const MAX_NAMES: usize = 16;

/// The ends of a pipe that a descriptor is open on; both for a FIFO opened with `O_RDWR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PipeEnds {
    read: bool,
    write: bool,
}

impl PipeEnds {
    /// From a link in /proc/PID/fd: its permissions say how the descriptor was opened.
    fn of(link: &Path) -> Option<Self> {
        let mode = fs::symlink_metadata(link).ok()?.mode();
        Some(Self {
            read: mode & 0o400 != 0,
            write: mode & 0o200 != 0,
        })
    }

    /// Whether one end reads what the other writes.
    fn faces(self, other: Self) -> bool {
        (self.read && other.write) || (self.write && other.read)
    }
}

/// The result of a search.
#[derive(Debug)]
struct PipeHolders {
    others: Vec<String>,
    searched: Instant,
    /// Where a search that took too long is continued: with the processes whose pids are at least
    /// this far from the pid of the pipe's process.
    continue_from: Option<u32>,
}

/// How often the other end of a pipe could not be resolved, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PipeSearchFailures {
    /// The search took too long.
    pub(super) cut_short: u64,
    /// The search was not begun because the one before was too recent.
    pub(super) deferred: u64,
}

/// The holders of pipes, by inode, the process that asks, and its ends.
#[derive(Debug)]
pub(super) struct PipePeers {
    proc: ProcRoot,
    pipes: LruCache<(u64, u32, PipeEnds), PipeHolders>,
    last_search: Option<Instant>,
    budget: Duration,
    failures: PipeSearchFailures,
}

impl PipePeers {
    pub(super) fn new(proc: ProcRoot) -> Self {
        Self {
            proc,
            pipes: LruCache::new(MAX_PIPES),
            last_search: None,
            budget: SEARCH_BUDGET,
            failures: PipeSearchFailures::default(),
        }
    }

    /// How often the other end could not be resolved.
    pub(super) const fn failures(&self) -> PipeSearchFailures {
        self.failures
    }

    /// The other processes (`name/pid`) that have the opposite end of a descriptor's pipe.
    pub(super) fn others(&mut self, pid: u32, descriptor: u32, inode: u64) -> Vec<String> {
        let link = self.proc.file(pid, &format!("fd/{descriptor}"));
        match PipeEnds::of(&link) {
            Some(ends) => self.facing(pid, inode, ends, Instant::now()),
            None => Vec::new(),
        }
    }

    fn facing(&mut self, pid: u32, inode: u64, ends: PipeEnds, now: Instant) -> Vec<String> {
        let key = (inode, pid, ends);
        let retained = self.pipes.get(&key);
        if let Some(retained) = retained
            && now.saturating_duration_since(retained.searched) < VALIDITY
        {
            return retained.others.clone();
        }
        if self
            .last_search
            .is_some_and(|last| now.saturating_duration_since(last) < SEARCH_PAUSE)
        {
            self.failures.deferred += 1;
            return retained
                .map(|holders| holders.others.clone())
                .unwrap_or_default();
        }
        self.last_search = Some(now);
        // Continues a search that took too long; what it found so far is retained.
        let (mut others, from) = retained
            .and_then(|holders| Some((holders.others.clone(), holders.continue_from?)))
            .unwrap_or_default();
        let continue_from = self.search(pid, inode, ends, from, &mut others);
        if continue_from.is_some() {
            self.failures.cut_short += 1;
        }
        let holders = PipeHolders {
            others: others.clone(),
            searched: now,
            continue_from,
        };
        self.pipes.put(key, holders);
        others
    }

    /// Searches the processes in the order of the distance of their pids from `pid`, beginning with
    /// the distance `from`: processes that share a pipe are often started together. The distance at
    /// which to continue when the search took too long.
    fn search(
        &self,
        pid: u32,
        inode: u64,
        ends: PipeEnds,
        from: u32,
        others: &mut Vec<String>,
    ) -> Option<u32> {
        let begun = Instant::now();
        let wanted = format!("pipe:[{inode}]");
        let mut pids: Vec<u32> = fs::read_dir(self.proc.path())
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|&other| other != pid && pid.abs_diff(other) >= from)
            .collect();
        pids.sort_by_key(|&other| pid.abs_diff(other));
        for other in pids {
            if begun.elapsed() >= self.budget {
                return Some(pid.abs_diff(other));
            }
            if self.holds(other, &wanted, ends) {
                let comm = fs::read_to_string(self.proc.file(other, "comm")).unwrap_or_default();
                let name = format!("{}/{other}", comm.trim_end());
                if !others.contains(&name) {
                    others.push(name);
                }
                if others.len() >= MAX_NAMES {
                    break;
                }
            }
        }
        None
    }

    fn holds(&self, pid: u32, wanted: &str, ends: PipeEnds) -> bool {
        // The descriptors may not be read, or the process has just ended.
        let Ok(descriptors) = fs::read_dir(self.proc.file(pid, "fd")) else {
            return false;
        };
        descriptors.flatten().any(|entry| {
            let link = entry.path();
            fs::read_link(&link).is_ok_and(|to| to.as_os_str().as_bytes() == wanted.as_bytes())
                && PipeEnds::of(&link).is_some_and(|theirs| ends.faces(theirs))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::fd::AsRawFd as _,
        process::{Child, Command, Stdio},
    };

    use super::*;

    struct Cat(Child);

    impl Drop for Cat {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A process that reads from a pipe of ours.
    fn cat() -> (Cat, u32, u64) {
        let mut cat = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("cat");
        let ours = cat.stdin.take().expect("its end");
        let fd = u32::try_from(ours.as_raw_fd()).expect("positive");
        let inode = fs::metadata(format!("/proc/self/fd/{fd}"))
            .expect("it")
            .ino();
        // Kept open for the process's life; it ends with the test.
        std::mem::forget(ours);
        (Cat(cat), fd, inode)
    }

    #[test]
    fn the_reader_of_a_pipe_is_found_and_retained() {
        let (cat, fd, inode) = cat();
        let mut pipes = PipePeers::new(ProcRoot::default());
        pipes.budget = Duration::from_secs(5);
        let reader = format!("cat/{}", cat.0.id());
        let here = std::process::id();
        assert_eq!(pipes.others(here, fd, inode), std::slice::from_ref(&reader));
        // The retained result; no process has the pipe any more.
        drop(cat);
        assert_eq!(pipes.others(here, fd, inode), [reader]);
        let ends = PipeEnds {
            read: false,
            write: true,
        };
        let later = Instant::now() + VALIDITY;
        assert!(pipes.facing(here, inode, ends, later).is_empty());
        assert_eq!(pipes.failures, PipeSearchFailures::default());
    }

    #[test]
    fn a_process_with_the_same_end_is_no_peer() {
        let (cat, _, inode) = cat();
        let mut pipes = PipePeers::new(ProcRoot::default());
        pipes.budget = Duration::from_secs(5);
        let ends = PipeEnds {
            read: true,
            write: false,
        };
        // As if we read: cat reads, too, and no other process writes.
        assert!(
            pipes
                .facing(std::process::id(), inode, ends, Instant::now())
                .is_empty()
        );
        // For cat, this process writes.
        let us = pipes.facing(cat.0.id(), inode, ends, Instant::now() + SEARCH_PAUSE);
        assert_eq!(us.len(), 1);
        assert!(
            us[0].ends_with(&format!("/{}", std::process::id())),
            "{us:?}"
        );
    }

    #[test]
    fn a_search_cut_short_is_continued_and_one_too_soon_is_counted() {
        let (cat, _, inode) = cat();
        let mut pipes = PipePeers::new(ProcRoot::default());
        pipes.budget = Duration::ZERO;
        let ends = PipeEnds {
            read: false,
            write: true,
        };
        let (here, now) = (std::process::id(), Instant::now());
        assert!(pipes.facing(here, inode, ends, now).is_empty());
        assert_eq!(
            pipes.failures,
            PipeSearchFailures {
                cut_short: 1,
                deferred: 0
            }
        );
        assert!(pipes.facing(here, inode + 1, ends, now).is_empty());
        assert_eq!(
            pipes.failures,
            PipeSearchFailures {
                cut_short: 1,
                deferred: 1
            }
        );
        pipes.budget = Duration::from_secs(5);
        let found = pipes.facing(here, inode, ends, now + VALIDITY);
        assert_eq!(found, [format!("cat/{}", cat.0.id())]);
    }
}
