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

/// What takes the place of a call's number for sleeps that no call asked for. No call has these
/// numbers, and -1 is an exception.
pub mod pseudo {
    /// Stopped by a signal (SIGSTOP and its like).
    pub const STOPPED: i64 = -1001;
    /// Stopped by a debugger.
    pub const TRACED: i64 = -1002;
    /// Frozen by its cgroup (`cgroup.freeze`), or with the whole machine.
    pub const FROZEN: i64 = -1003;

    /// The number for a sleep in this task state; `None` for sleeps of the task's own.
    ///
    /// include/linux/sched.h `__TASK_STOPPED`, `__TASK_TRACED`, `TASK_FROZEN` (6.1 and later; before,
    /// a frozen task sleeps uninterruptibly)
    #[inline(always)]
    #[must_use]
    pub const fn of_state(state: u32) -> Option<i64> {
        if state & 0x4 != 0 {
            Some(STOPPED)
        } else if state & 0x8 != 0 {
            Some(TRACED)
        } else if state & 0x8000 != 0 {
            Some(FROZEN)
        } else {
            None
        }
    }
}

impl Syscall {
    /// The same registers, where no call is in progress: the task sleeps for what `number` says.
    #[inline(always)]
    #[must_use]
    pub const fn instead(self, number: i64) -> Self {
        Self { number, ..self }
    }

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
        /// One more than the highest descriptor examined.
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
/// `None` when select(2) does not examine it.
#[inline(always)]
#[must_use]
pub const fn select_bit(fd: i32, highest: u64) -> Option<(u64, u64)> {
    if fd < 0 || fd as u64 >= highest {
        return None;
    }
    Some(((fd as u64 / 64) * 8, 1 << (fd as u64 % 64)))
}

#[cfg(test)]
mod tests;
