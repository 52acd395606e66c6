//! Runs of probes that the kernel left out.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::Ebpf;

use super::hooks::{RECEIVE_AGAIN, RECEIVES};

/// Whether a thread can lose its CPU within a tracepoint, so that those who have it meanwhile find
/// the program running: seen on Linux 7.3, not on 6.18 and before. Taken for so from 7.0 on.
pub(super) fn are_usual() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    major(&release).is_some_and(|major| major >= 7)
}

fn major(release: &str) -> Option<u32> {
    release.split('.').next()?.parse().ok()
}

/// Runs left out so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Misses {
    /// Of the first look at receive calls.
    first: u64,
    /// Of the second one.
    second: u64,
    /// Of all others.
    others: u64,
}

impl Misses {
    /// How often the kernel did not run one of the probes because it was running on that CPU
    /// already (kernel/bpf/syscall.c `bpf_prog_show_fdinfo`, 5.12 and later).
    pub(super) fn read(ebpf: &Ebpf) -> Self {
        let each = ebpf.programs().filter_map(|(name, program)| {
            let fd = program.fd().ok()?.as_fd().as_raw_fd();
            let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
            Some((name, misses(&text)?))
        });
        let mut all = Self::default();
        for (name, misses) in each {
            all.add(name, misses);
        }
        all
    }

    fn add(&mut self, program: &str, misses: u64) {
        *match program {
            RECEIVES => &mut self.first,
            RECEIVE_AGAIN => &mut self.second,
            _ => &mut self.others,
        } += misses;
    }

    /// Whether a receive call was not looked at.
    pub(super) const fn receives(&self) -> bool {
        self.first > 0
    }

    /// What was not seen, at the most; the second look began when there were `before` misses of the
    /// first: a call that either of them saw from then on is not lost.
    pub(super) fn lost(&self, before: Option<u64>) -> u64 {
        let before = before.unwrap_or(self.first).min(self.first);
        self.others + before + (self.first - before).min(self.second)
    }

    /// [`Self::lost`] takes it.
    pub(super) const fn so_far(&self) -> u64 {
        self.first
    }
}

fn misses(fdinfo: &str) -> Option<u64> {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))
        .and_then(|value| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found() {
        let text = "pos:\t0\nprog_type:\t26\nrecursion_misses:\t7\nverified_insns:\t9\n";
        assert_eq!(misses(text), Some(7));
        assert_eq!(misses("pos:\t0\n"), None);
    }

    #[test]
    fn releases_are_told_apart() {
        assert_eq!(major("6.18.44-fc-v657\n"), Some(6));
        assert_eq!(major("7.3.4+deb13-cloud-amd64\n"), Some(7));
        assert_eq!(major(""), None);
    }

    #[test]
    fn lost_is_what_both_looks_missed() {
        let mut misses = Misses::default();
        assert_eq!((misses.lost(None), misses.receives()), (0, false));
        misses.add("sched_process_exit", 1);
        assert_eq!((misses.lost(None), misses.receives()), (1, false));
        misses.add(RECEIVES, 2);
        assert_eq!((misses.lost(None), misses.receives()), (3, true));
        // A second look from here on.
        let before = Some(misses.so_far());
        misses.add(RECEIVES, 5);
        assert_eq!(misses.lost(before), 3);
        misses.add(RECEIVE_AGAIN, 1);
        assert_eq!(misses.lost(before), 4);
        misses.add(RECEIVE_AGAIN, 9);
        assert_eq!(misses.lost(before), 1 + 2 + 5);
        assert_eq!(misses.lost(Some(0)), 1 + 7);
    }
}
