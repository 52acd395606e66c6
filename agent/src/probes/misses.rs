//! Runs of probes that the kernel left out.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::Ebpf;

/// How often the kernel did not run one of the probes because it was running on that CPU already
/// (kernel/bpf/syscall.c `bpf_prog_show_fdinfo`, 5.12 and later); what those runs would have seen is
/// lost.
pub(super) fn read(ebpf: &Ebpf) -> u64 {
    ebpf.programs()
        .filter_map(|(_, program)| {
            let fd = program.fd().ok()?.as_fd().as_raw_fd();
            let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
            misses(&text)
        })
        .sum()
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
}
