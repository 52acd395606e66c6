//! System calls by number.

use agent_common::syscall::pseudo;
use syscalls::Sysno;

/// What a wait outside of any call is called: an exception entered the kernel.
const PAGE_FAULT: &str = "page fault";

/// Calls that may block and have a file descriptor as their first argument, sorted. Names rather
/// than numbers, as these differ by architecture and aarch64 lacks some.
const ON_DESCRIPTOR: &[&str] = &[
    "accept",
    "accept4",
    "close",
    "connect",
    "copy_file_range",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "fallocate",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fsync",
    "ftruncate",
    "getdents",
    "getdents64",
    "io_uring_enter",
    "ioctl",
    "lseek",
    "mq_timedreceive",
    "mq_timedsend",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendfile",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "shutdown",
    "splice",
    "sync_file_range",
    "syncfs",
    "tee",
    "vmsplice",
    "write",
    "writev",
];

/// The name of a call of this machine's architecture; of -1, which stands for no call, a page
/// fault.
pub(super) fn name(number: i64) -> String {
    if let Some(name) = name_without_call(number) {
        return name.to_owned();
    }
    usize::try_from(number)
        .ok()
        .and_then(Sysno::new)
        .map_or_else(
            || format!("syscall {number}"),
            |call| call.name().to_owned(),
        )
}

/// What a sleep is called that no call asked for.
fn name_without_call(number: i64) -> Option<&'static str> {
    Some(match number {
        -1 => PAGE_FAULT,
        pseudo::STOPPED => "stopped by a signal",
        pseudo::TRACED => "stopped by a debugger",
        pseudo::FROZEN => "frozen by its cgroup",
        _ => return None,
    })
}

/// The file descriptor that a call is on, from its first argument, of which the kernel takes the
/// lower half. `None` for calls that are on none.
pub(super) fn descriptor(name: &str, argument: u64) -> Option<u32> {
    ON_DESCRIPTOR.binary_search(&name).ok()?;
    let descriptor = argument as u32;
    i32::try_from(descriptor).ok().map(|_| descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_names() {
        assert_eq!(name(libc::SYS_write), "write");
        assert_eq!(name(libc::SYS_futex), "futex");
        assert_eq!(name(libc::SYS_epoll_pwait2), "epoll_pwait2");
        assert_eq!(name(-1), "page fault");
        assert_eq!(name(99_999), "syscall 99999");
        assert_eq!(name(i64::MIN), format!("syscall {}", i64::MIN));
    }

    #[test]
    fn only_listed_calls_are_on_a_descriptor() {
        assert!(ON_DESCRIPTOR.is_sorted());
        assert_eq!(descriptor("write", 5), Some(5));
        assert_eq!(descriptor("write", 0xffff_ffff_0000_0005), Some(5));
        assert_eq!(descriptor("write", u64::MAX), None);
        for call in [
            "futex",
            "poll",
            "nanosleep",
            "openat",
            "clock_nanosleep",
            "page fault",
        ] {
            assert_eq!(descriptor(call, 5), None, "{call}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_listed_name_is_a_call() {
        for call in ON_DESCRIPTOR {
            assert!(call.parse::<Sysno>().is_ok(), "{call}");
        }
    }
}
