//! Who has the other end of a pipe.

use std::{
    fs,
    num::NonZeroUsize,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::proc::Proc;

/// So many pipes are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// So long they are not looked at again.
const FRESH: Duration = Duration::from_secs(5);

/// So long all descriptors of all processes are looked through, at the most.
const BUDGET: Duration = Duration::from_millis(20);

/// And not again before this has passed, for whichever pipe.
const PAUSE: Duration = Duration::from_millis(100);

/// So many holders are named.
const NAMED: usize = 16;

/// Which end of a pipe one has; a descriptor may have both (`O_RDWR` on a FIFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) read: bool,
    pub(super) write: bool,
}

impl Ends {
    /// Of a link in /proc/PID/fd: its permissions say how the descriptor was opened.
    fn of(link: &Path) -> Option<Self> {
        let mode = fs::symlink_metadata(link).ok()?.mode();
        Some(Self {
            read: mode & 0o400 != 0,
            write: mode & 0o200 != 0,
        })
    }

    fn faces(self, other: Self) -> bool {
        (self.read && other.write) || (self.write && other.read)
    }
}

#[derive(Debug)]
struct Known {
    others: Vec<String>,
    looked: Instant,
    /// How far the looking came when its time was up: processes this far by number, and farther,
    /// are left.
    left_from: Option<u32>,
}

/// How often what was asked for could not be found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    /// The time was up before all processes had been looked through.
    pub(super) cut_short: u64,
    /// Too soon after the last one.
    pub(super) put_off: u64,
}

/// The pipes asked for so far.
#[derive(Debug)]
pub(super) struct Pipes {
    proc: Proc,
    known: LruCache<(u64, u32, Ends), Known>,
    last: Option<Instant>,
    budget: Duration,
    pub(super) missed: Missed,
}

impl Pipes {
    pub(super) fn new(proc: Proc) -> Self {
        Self {
            proc,
            known: LruCache::new(KEPT),
            last: None,
            budget: BUDGET,
            missed: Missed::default(),
        }
    }

    /// The other processes (`name/pid`) that have the end of the pipe which faces this
    /// descriptor's.
    pub(super) fn others(&mut self, pid: u32, descriptor: u32, inode: u64) -> Vec<String> {
        let link = self.proc.of(pid, &format!("fd/{descriptor}"));
        match Ends::of(&link) {
            Some(ends) => self.facing(pid, inode, ends, Instant::now()),
            None => Vec::new(),
        }
    }

    fn facing(&mut self, pid: u32, inode: u64, ends: Ends, now: Instant) -> Vec<String> {
        let key = (inode, pid, ends);
        let known = self.known.get(&key);
        if let Some(known) = known
            && now.saturating_duration_since(known.looked) < FRESH
        {
            return known.others.clone();
        }
        if self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < PAUSE)
        {
            self.missed.put_off += 1;
            return known.map(|k| k.others.clone()).unwrap_or_default();
        }
        self.last = Some(now);
        // Where the last one ended, if it did not get through: what it found holds until then.
        let (mut others, from) = known
            .and_then(|k| Some((k.others.clone(), k.left_from?)))
            .unwrap_or_default();
        let left_from = self.look_through(pid, inode, ends, from, &mut others);
        if left_from.is_some() {
            self.missed.cut_short += 1;
        }
        let known = Known {
            others: others.clone(),
            looked: now,
            left_from,
        };
        self.known.put(key, known);
        others
    }

    /// Looks through processes by how far their numbers are from `pid`, beginning with `from`:
    /// those that share a pipe are often started together. What is left when the time is up.
    fn look_through(
        &self,
        pid: u32,
        inode: u64,
        ends: Ends,
        from: u32,
        others: &mut Vec<String>,
    ) -> Option<u32> {
        let begun = Instant::now();
        let wanted = format!("pipe:[{inode}]");
        let mut pids: Vec<u32> = fs::read_dir(self.proc.root())
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
                let comm = fs::read_to_string(self.proc.of(other, "comm")).unwrap_or_default();
                let name = format!("{}/{other}", comm.trim_end());
                if !others.contains(&name) {
                    others.push(name);
                }
                if others.len() >= NAMED {
                    break;
                }
            }
        }
        None
    }

    fn holds(&self, pid: u32, wanted: &str, ends: Ends) -> bool {
        // Not ours to see, or just ended.
        let Ok(descriptors) = fs::read_dir(self.proc.of(pid, "fd")) else {
            return false;
        };
        descriptors.flatten().any(|entry| {
            let link = entry.path();
            fs::read_link(&link).is_ok_and(|to| to.as_os_str().as_bytes() == wanted.as_bytes())
                && Ends::of(&link).is_some_and(|theirs| ends.faces(theirs))
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
    fn the_reader_of_a_pipe_is_found_once_and_then_remembered() {
        let (cat, fd, inode) = cat();
        let mut pipes = Pipes::new(Proc::default());
        pipes.budget = Duration::from_secs(5);
        let reader = format!("cat/{}", cat.0.id());
        let here = std::process::id();
        assert_eq!(pipes.others(here, fd, inode), std::slice::from_ref(&reader));
        // From what is known: nobody has it any more.
        drop(cat);
        assert_eq!(pipes.others(here, fd, inode), [reader]);
        let ends = Ends {
            read: false,
            write: true,
        };
        let later = Instant::now() + FRESH;
        assert!(pipes.facing(here, inode, ends, later).is_empty());
        assert_eq!(pipes.missed, Missed::default());
    }

    #[test]
    fn who_has_the_same_end_only_is_no_other() {
        let (cat, _, inode) = cat();
        let mut pipes = Pipes::new(Proc::default());
        pipes.budget = Duration::from_secs(5);
        let ends = Ends {
            read: true,
            write: false,
        };
        // As if we read: cat reads too, and nobody else writes.
        assert!(
            pipes
                .facing(std::process::id(), inode, ends, Instant::now())
                .is_empty()
        );
        // And as cat sees it, it is we who write.
        let us = pipes.facing(cat.0.id(), inode, ends, Instant::now() + PAUSE);
        assert_eq!(us.len(), 1);
        assert!(
            us[0].ends_with(&format!("/{}", std::process::id())),
            "{us:?}"
        );
    }

    #[test]
    fn what_is_cut_short_goes_on_later_and_what_comes_too_soon_is_counted() {
        let (cat, _, inode) = cat();
        let mut pipes = Pipes::new(Proc::default());
        pipes.budget = Duration::ZERO;
        let ends = Ends {
            read: false,
            write: true,
        };
        let (here, now) = (std::process::id(), Instant::now());
        assert!(pipes.facing(here, inode, ends, now).is_empty());
        assert_eq!(
            pipes.missed,
            Missed {
                cut_short: 1,
                put_off: 0
            }
        );
        assert!(pipes.facing(here, inode + 1, ends, now).is_empty());
        assert_eq!(
            pipes.missed,
            Missed {
                cut_short: 1,
                put_off: 1
            }
        );
        pipes.budget = Duration::from_secs(5);
        let found = pipes.facing(here, inode, ends, now + FRESH);
        assert_eq!(found, [format!("cat/{}", cat.0.id())]);
    }
}
