//! Runs of probes that the kernel skipped because the probe was running on that CPU already.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::Ebpf;

use super::hooks::{RECEIVES, RECEIVES_AGAIN};

/// Whether a thread can lose its CPU within a tracepoint, so that whoever has the CPU meanwhile
/// finds the program running: observed on Linux 7.3, not on 6.18 and before; assumed from 7.0 on.
pub(super) fn are_usual() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    major(&release).is_some_and(|major| major >= 7)
}

fn major(release: &str) -> Option<u32> {
    release.split('.').next()?.parse().ok()
}

/// Missed runs so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MissedRuns {
    /// Of the first pass over receive calls.
    first: u64,
    /// Of the second pass.
    second: u64,
    /// Of all others.
    others: u64,
}

impl MissedRuns {
    /// Reads how often the kernel skipped each probe (kernel/bpf/syscall.c `bpf_prog_show_fdinfo`, 5.12 and later).
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
            RECEIVES_AGAIN => &mut self.second,
            _ => &mut self.others,
        } += misses;
    }

    /// Whether a run for a receive call was missed.
    pub(super) const fn any_receive(&self) -> bool {
        self.first > 0
    }

    /// How many events were lost at the most. The second pass began after `before` missed runs of the
    /// first: an event that either of them observed from then on is not lost.
    pub(super) fn lost(&self, before: Option<u64>) -> u64 {
        let before = before.unwrap_or(self.first).min(self.first);
        self.others + before + (self.first - before).min(self.second)
    }

    /// Missed runs of the first pass, for [`Self::lost`].
    pub(super) const fn of_first_pass(&self) -> u64 {
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
    fn the_major_version_is_read() {
        assert_eq!(major("6.18.44-fc-v657\n"), Some(6));
        assert_eq!(major("7.3.4+deb13-cloud-amd64\n"), Some(7));
        assert_eq!(major(""), None);
    }

    #[test]
    fn lost_is_what_both_passes_missed() {
        let mut misses = MissedRuns::default();
        assert_eq!((misses.lost(None), misses.any_receive()), (0, false));
        misses.add("sched_process_exit", 1);
        assert_eq!((misses.lost(None), misses.any_receive()), (1, false));
        misses.add(RECEIVES, 2);
        assert_eq!((misses.lost(None), misses.any_receive()), (3, true));
        // A second pass from here on.
        let before = Some(misses.of_first_pass());
        misses.add(RECEIVES, 5);
        assert_eq!(misses.lost(before), 3);
        misses.add(RECEIVES_AGAIN, 1);
        assert_eq!(misses.lost(before), 4);
        misses.add(RECEIVES_AGAIN, 9);
        assert_eq!(misses.lost(before), 1 + 2 + 5);
        assert_eq!(misses.lost(Some(0)), 1 + 7);
    }
}
