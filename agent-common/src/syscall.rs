//! System calls: their numbers on the two architectures, and what a call's own arguments say.

/// The system call a task is in, and its first arguments.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// Its number; -1 (or another value that is no system call) after an exception or interrupt.
    pub number: i64,
    /// Its first four arguments.
    pub args: [u64; 4],
}

macro_rules! numbers {
    ($($name:ident = $x86_64:literal, $aarch64:literal;)*) => {
        /// The numbers of the architecture that is built for. A call that does not exist there gets
        /// a number that no call has.
        ///
        /// arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h
        pub mod nr {
            $(
                #[cfg(not(any(bpf_target_arch = "aarch64", target_arch = "aarch64")))]
                pub(crate) const $name: i64 = $x86_64;
                #[cfg(any(bpf_target_arch = "aarch64", target_arch = "aarch64"))]
                pub(crate) const $name: i64 = $aarch64;
            )*
        }
    };
}

numbers! {
    READ = 0, 63;
    POLL = 7, -101;
    READV = 19, 65;
    SELECT = 23, -102;
    RECVFROM = 45, 207;
    RECVMSG = 47, 212;
    FUTEX = 202, 98;
    EPOLL_WAIT = 232, -103;
    PSELECT6 = 270, 72;
    PPOLL = 271, 73;
    EPOLL_PWAIT = 281, 22;
    RECVMMSG = 299, 243;
    IO_URING_ENTER = 426, 426;
    EPOLL_PWAIT2 = 441, 441;
    FUTEX_WAITV = 449, 449;
    FUTEX_WAKE = 454, 454;
    FUTEX_WAIT = 455, 455;
    FUTEX_REQUEUE = 456, 456;
}

impl Syscall {
    /// Whether it is a call that receives bytes from a socket.
    #[inline(always)]
    #[must_use]
    pub const fn is_receive(&self) -> bool {
        is_receive(self.number)
    }

    /// Whether it is recvmmsg(2), which returns several messages, one after the other.
    #[inline(always)]
    #[must_use]
    pub const fn is_recvmmsg(&self) -> bool {
        is_recvmmsg(self.number)
    }

    /// Whether it is a recvmmsg(2) that may return more than one message.
    #[inline(always)]
    #[must_use]
    pub const fn may_receive_several(&self) -> bool {
        self.is_recvmmsg() && self.args[2] > 1
    }

    /// Where it puts the bytes it receives; `None` for a call that does not show it.
    ///
    /// `next_message` gives the index of the message of a recvmmsg(2) that comes next, when it has
    /// been counted; it is asked only for a call of several messages.
    #[inline(always)]
    #[must_use]
    pub fn destination(&self, next_message: impl FnOnce() -> Option<u32>) -> Option<Destination> {
        let number = self.number;
        let start = self.args[1];
        if number == nr::RECVFROM || number == nr::READ {
            Some(Destination::Buffer { start })
        } else if number == nr::READV {
            let count = self.args[2];
            Some(Destination::Vector { start, count })
        } else if number == nr::RECVMSG {
            Some(Destination::Header { address: start })
        } else if number == nr::RECVMMSG {
            let index = if self.args[2] == 1 {
                0
            } else {
                next_message()?
            };
            let address = start + u64::from(index) * MMSGHDR_BYTES;
            Some(Destination::Header { address })
        } else {
            None
        }
    }

    /// What the call waits for, when it is one that waits for sockets to become readable.
    #[inline(always)]
    #[must_use]
    pub const fn socket_wait(&self) -> SocketWait {
        let number = self.number;
        if is_receive(number) {
            SocketWait::Receive {
                fd: self.args[0] as i32,
            }
        } else if number == nr::POLL || number == nr::PPOLL {
            SocketWait::Poll {
                fds: self.args[0],
                count: self.args[1],
            }
        } else if number == nr::SELECT || number == nr::PSELECT6 {
            SocketWait::Select {
                highest: self.args[0],
                read_set: self.args[1],
            }
        } else if is_epoll(number) {
            SocketWait::Epoll { fd: self.args[0] }
        } else if number == nr::IO_URING_ENTER {
            SocketWait::Unresolved
        } else {
            SocketWait::None
        }
    }
}

/// include/linux/socket.h `struct mmsghdr`: a msghdr of 56 bytes, msg_len, padding.
const MMSGHDR_BYTES: u64 = 64;

/// Where in user memory a receive call puts its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// One buffer (recv, recvfrom, read).
    Buffer {
        /// Its address.
        start: u64,
    },
    /// An array of `struct iovec` (readv).
    Vector {
        /// Its address.
        start: u64,
        /// Its entries.
        count: u64,
    },
    /// A `struct user_msghdr`, which has the array (recvmsg, recvmmsg).
    Header {
        /// Its address.
        address: u64,
    },
}

/// What a system call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketWait {
    /// Bytes of one socket.
    Receive {
        /// The socket's descriptor.
        fd: i32,
    },
    /// Any descriptor of an array of `struct pollfd`.
    Poll {
        /// The array's address.
        fds: u64,
        /// Its entries.
        count: u64,
    },
    /// Any descriptor of an `fd_set`.
    Select {
        /// One more than the highest descriptor looked at.
        highest: u64,
        /// The address of the set to read from; 0 for none.
        read_set: u64,
    },
    /// Any descriptor of an epoll instance.
    Epoll {
        /// The instance's descriptor.
        fd: u64,
    },
    /// Something that the call's arguments do not show: io_uring_enter(2).
    Unresolved,
    /// No socket.
    None,
}

/// Whether a system call can be a [`SocketWait`]: the cheap part of [`Syscall::socket_wait`].
#[inline(always)]
#[must_use]
pub const fn may_wait_for_socket(number: i64) -> bool {
    is_receive(number)
        || number == nr::POLL
        || number == nr::PPOLL
        || number == nr::SELECT
        || number == nr::PSELECT6
        || is_epoll(number)
}

/// Whether this is the number of recvmmsg(2).
#[inline(always)]
#[must_use]
pub const fn is_recvmmsg(number: i64) -> bool {
    number == nr::RECVMMSG
}

#[inline(always)]
const fn is_receive(number: i64) -> bool {
    number == nr::RECVFROM
        || number == nr::READ
        || number == nr::READV
        || number == nr::RECVMSG
        || number == nr::RECVMMSG
}

#[inline(always)]
const fn is_epoll(number: i64) -> bool {
    number == nr::EPOLL_WAIT || number == nr::EPOLL_PWAIT || number == nr::EPOLL_PWAIT2
}

/// Whether an entry of a poll set, as a word in memory order, waits for this descriptor to become
/// readable.
///
/// include/uapi/asm-generic/poll.h `struct pollfd { int fd; short events; short revents; }`
#[inline(always)]
#[must_use]
pub const fn polls_for_reading(entry: u64, fd: i32) -> bool {
    const POLLIN: u16 = 0x0001;
    const POLLRDNORM: u16 = 0x0040;
    let entry = u64::from_le(entry);
    entry as i32 == fd && (entry >> 32) as u16 & (POLLIN | POLLRDNORM) != 0
}

/// The bit of a descriptor in an `fd_set`: the offset of its word, bytes, and the bit of the word.
/// `None` when select(2) does not look at it.
#[inline(always)]
#[must_use]
pub const fn select_bit(fd: i32, highest: u64) -> Option<(u64, u64)> {
    if fd < 0 || fd as u64 >= highest {
        return None;
    }
    Some(((fd as u64 / 64) * 8, 1 << (fd as u64 % 64)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(number: i64, args: [u64; 4]) -> Syscall {
        Syscall { number, args }
    }

    #[test]
    fn every_receive_call_shows_where_its_bytes_go() {
        let args = [3, 0x1000, 1, 0];
        let of = |number| call(number, args).destination(|| Some(7));
        let start = 0x1000;
        assert_eq!(of(nr::READ), Some(Destination::Buffer { start }));
        assert_eq!(of(nr::RECVFROM), Some(Destination::Buffer { start }));
        assert_eq!(of(nr::READV), Some(Destination::Vector { start, count: 1 }));
        let header = Some(Destination::Header { address: start });
        assert_eq!(of(nr::RECVMSG), header);
        // Of a call of one message the index is 0.
        assert_eq!(of(nr::RECVMMSG), header);
        assert_eq!(of(nr::POLL), None);
        assert_eq!(of(-1), None);
    }

    #[test]
    fn a_message_of_recvmmsg_is_found_by_its_index() {
        let of = |index| call(nr::RECVMMSG, [3, 0x1000, 8, 0]).destination(|| index);
        let address = 0x1000 + 3 * 64;
        assert_eq!(of(Some(3)), Some(Destination::Header { address }));
        assert_eq!(of(None), None);
    }

    #[test]
    fn only_recvmmsg_of_more_than_one_message_receives_several() {
        assert!(call(nr::RECVMMSG, [3, 0, 2, 0]).may_receive_several());
        assert!(!call(nr::RECVMMSG, [3, 0, 1, 0]).may_receive_several());
        assert!(!call(nr::RECVMSG, [3, 0, 2, 0]).may_receive_several());
    }

    #[test]
    fn waits_for_sockets_are_known_by_number() {
        let of = |number| call(number, [5, 6, 7, 8]).socket_wait();
        let receives = [nr::READ, nr::READV, nr::RECVFROM, nr::RECVMSG, nr::RECVMMSG];
        for number in receives {
            assert_eq!(of(number), SocketWait::Receive { fd: 5 });
        }
        for number in [nr::POLL, nr::PPOLL] {
            assert_eq!(of(number), SocketWait::Poll { fds: 5, count: 6 });
        }
        for number in [nr::SELECT, nr::PSELECT6] {
            let select = SocketWait::Select {
                highest: 5,
                read_set: 6,
            };
            assert_eq!(of(number), select);
        }
        for number in [nr::EPOLL_WAIT, nr::EPOLL_PWAIT, nr::EPOLL_PWAIT2] {
            assert_eq!(of(number), SocketWait::Epoll { fd: 5 });
        }
        assert_eq!(of(nr::IO_URING_ENTER), SocketWait::Unresolved);
        for number in [nr::FUTEX, nr::FUTEX_WAIT, 1, -1] {
            assert_eq!(of(number), SocketWait::None);
        }
    }

    #[test]
    fn the_cheap_test_lets_every_wait_pass() {
        for number in -200..600 {
            let wait = call(number, [0; 4]).socket_wait();
            let passes = !matches!(wait, SocketWait::None | SocketWait::Unresolved);
            assert_eq!(may_wait_for_socket(number), passes, "{number}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_machine() {
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            (nr::READ, nr::FUTEX, nr::RECVMMSG, nr::EPOLL_PWAIT2),
            (0, 202, 299, 441)
        );
        #[cfg(target_arch = "aarch64")]
        assert_eq!(
            (nr::READ, nr::FUTEX, nr::RECVMMSG, nr::EPOLL_PWAIT2),
            (63, 98, 243, 441)
        );
    }

    proptest! {
        #[test]
        fn a_poll_entry_is_its_descriptor_and_a_readable_event(fd: i32, other: i32, events: u16, revents: u16) {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&fd.to_le_bytes());
            bytes[4..6].copy_from_slice(&events.to_le_bytes());
            bytes[6..].copy_from_slice(&revents.to_le_bytes());
            let entry = u64::from_ne_bytes(bytes);
            prop_assert_eq!(polls_for_reading(entry, fd), events & 0x41 != 0);
            prop_assert_eq!(polls_for_reading(entry, other), events & 0x41 != 0 && fd == other);
        }

        #[test]
        fn a_select_bit_is_that_of_the_descriptor(set: [u64; 16], fd in -2i32..1026, highest in 0u64..1025) {
            match select_bit(fd, highest) {
                Some((offset, bit)) => {
                    prop_assert!(fd >= 0 && (fd as u64) < highest);
                    let byte = set[fd as usize / 64].to_le_bytes()[fd as usize % 64 / 8];
                    let expected = byte >> (fd % 8) & 1 != 0;
                    prop_assert_eq!(set[offset as usize / 8] & bit != 0, expected);
                }
                None => prop_assert!(fd < 0 || fd as u64 >= highest),
            }
        }
    }
}
