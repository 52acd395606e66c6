//! Hand-offs: when a thread is through with what a receive call returned.
//!
//! The thread's next sleep in a receive call on the same socket or in a wait that covers it, told
//! from its own registers as it leaves the CPU; or the next receive call on the socket, which the
//! agent sees as such. A wait that does not cover the socket, such as a handler's own poll on its
//! database connection, is none.

use agent_common::{ABSENT, Count, HandOff, HandOffKind, Head, Kind, PENDING, Socket, Thread};
use aya_ebpf::{
    bindings::task_struct,
    cty::{c_long, c_void},
    helpers::generated::{bpf_loop, bpf_probe_read_user},
};

use crate::{
    arch::{Syscall, nr},
    bits::{field, opaque, peek},
    globals::{
        EPITEM_EP, EPITEM_LINK, FDTABLE_FD, FDTABLE_MAX, FILE_EP, FILE_PRIVATE, FILES_FDT,
        SOCK_SOCKET, SOCKET_FILE, TASK_FILES,
    },
    maps::{POLL_FDS, POLL_SCRATCH, SOCKETS, THREADS},
    ring::{count, emit},
    snapshot,
    user_buffer::continues,
};

/// include/uapi/asm-generic/poll.h: POLLIN, POLLRDNORM.
const READABLE: u16 = 0x0001 | 0x0040;

/// Epoll instances that may watch one socket.
const EPOLLS: u32 = 4;

/// From now on the thread owes the hand-off of what it read from this socket.
#[inline(always)]
pub(crate) fn expect(thread: &mut Thread, sk: u64, id: u64, fd: i32) {
    let mut free = PENDING;
    for index in 0..PENDING {
        let slot = &mut thread.pending[index];
        if slot.sk == sk {
            slot.id = id;
            slot.fd = fd;
            return;
        }
        if slot.sk == 0 && free == PENDING {
            free = index;
        }
    }
    for index in 0..PENDING {
        if index == free {
            let slot = &mut thread.pending[index];
            slot.sk = sk;
            slot.id = id;
            slot.fd = fd;
            return;
        }
    }
    count(Count::PendingFull);
}

/// A receive call of the thread on this socket returned without bytes.
#[inline(always)]
pub(crate) fn empty(socket: &mut Socket, tid: u32, at: u64) {
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        return;
    };
    // SAFETY: a map value.
    let thread = unsafe { &mut *thread };
    for index in 0..PENDING {
        let slot = &mut thread.pending[index];
        if slot.sk != 0 && slot.id == socket.id {
            slot.sk = 0;
            report(socket, tid, at, HandOffKind::Empty);
            return;
        }
    }
}

#[inline(always)]
fn report(socket: &mut Socket, tid: u32, at: u64, how: HandOffKind) {
    let record = HandOff {
        head: Head {
            kind: Kind::HandOff as u32,
            lost: socket.lost,
            socket: socket.id,
        },
        reader: snapshot::of(tid, at),
        how: how as u32,
        reserved: 0,
    };
    if !emit(&record, Count::HandOffLost) {
        socket.lost += 1;
    }
}

/// The wait a thread goes to sleep in.
enum Wait {
    Receive { fd: i32 },
    Poll { fds: u64, count: u64 },
    Select { highest: u64, read_set: u64 },
    Epoll { instance: u64 },
}

#[inline(always)]
unsafe fn wait_of(task: *const task_struct, call: &Syscall) -> Option<Wait> {
    let number = call.number;
    if number == nr::RECVFROM
        || number == nr::READ
        || number == nr::READV
        || number == nr::RECVMSG
        || number == nr::RECVMMSG
    {
        Some(Wait::Receive {
            fd: call.args[0] as i32,
        })
    } else if number == nr::POLL || number == nr::PPOLL {
        Some(Wait::Poll {
            fds: call.args[0],
            count: call.args[1],
        })
    } else if number == nr::SELECT || number == nr::PSELECT6 {
        Some(Wait::Select {
            highest: call.args[0],
            read_set: call.args[1],
        })
    } else if number == nr::EPOLL_WAIT || number == nr::EPOLL_PWAIT || number == nr::EPOLL_PWAIT2 {
        // SAFETY: the caller's task.
        match unsafe { epoll_instance(task, call.args[0]) } {
            Some(instance) => Some(Wait::Epoll { instance }),
            None => {
                count(Count::WaitUnresolved);
                None
            }
        }
    } else {
        if number == nr::IO_URING_ENTER {
            count(Count::WaitUnresolved);
        }
        None
    }
}

/// The thread, `task`, goes to sleep in `call` at `at`.
///
/// # Safety
/// `task` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn slept(
    task: *const task_struct,
    thread: &mut Thread,
    tid: u32,
    call: &Syscall,
    at: u64,
) {
    let mut owed = false;
    for index in 0..PENDING {
        owed |= thread.pending[index].sk != 0;
    }
    if !owed {
        return;
    }
    if continues(call, tid) {
        return;
    }
    // SAFETY: the caller's task.
    let Some(wait) = (unsafe { wait_of(task, call) }) else {
        return;
    };
    if let Wait::Poll { fds, count } = wait
        && !load_poll_set(fds, count)
    {
        return;
    }
    for index in 0..PENDING {
        let slot = &mut thread.pending[index];
        if slot.sk == 0 {
            continue;
        }
        let (covered, how) = match wait {
            Wait::Receive { fd } => (fd == slot.fd, HandOffKind::Receive),
            Wait::Poll { count, .. } => (in_poll_set(slot.fd, count), HandOffKind::Poll),
            Wait::Select { highest, read_set } => {
                (in_select_set(slot.fd, highest, read_set), HandOffKind::Poll)
            }
            Wait::Epoll { instance } => (watched_by(slot.sk, instance), HandOffKind::Epoll),
        };
        if !covered {
            continue;
        }
        let (sk, id) = (slot.sk, slot.id);
        slot.sk = 0;
        if let Some(socket) = SOCKETS.get_ptr_mut(sk) {
            // SAFETY: a map value.
            let socket = unsafe { &mut *socket };
            if socket.id == id {
                report(socket, tid, at, how);
            }
        }
    }
}

/// Copies the thread's `struct pollfd` array.
#[inline(always)]
fn load_poll_set(fds: u64, n: u64) -> bool {
    let Some(scratch) = POLL_SCRATCH.get_ptr_mut(0) else {
        return false;
    };
    let n = opaque(n);
    if n > POLL_FDS as u64 {
        count(Count::WaitUnresolved);
        return false;
    }
    // SAFETY: n entries of eight bytes fit the scratch; the helper checks the user address.
    let copied =
        unsafe { bpf_probe_read_user(scratch.cast(), (n * 8) as u32, fds as *const c_void) };
    if copied != 0 {
        count(Count::WaitUnresolved);
    }
    copied == 0
}

/// Looks for a descriptor in the poll set; on the stack of [`in_poll_set`].
struct Search {
    fd: i32,
    found: u32,
}

#[inline(always)]
fn in_poll_set(fd: i32, n: u64) -> bool {
    let mut search = Search { fd, found: 0 };
    // A loop of its own: unrolled eight times, a plain one takes the verifier seconds.
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            n as u32,
            polls as *const () as *mut c_void,
            (&raw mut search).cast(),
            0,
        );
    }
    search.found != 0
}

/// Looks at one entry; returns 1 when it is the one.
unsafe extern "C" fn polls(index: u64, search: *mut c_void) -> c_long {
    // SAFETY: the context given to bpf_loop above.
    let search = unsafe { &mut *search.cast::<Search>() };
    let index = opaque(index);
    let Some(scratch) = POLL_SCRATCH.get(0) else {
        return 1;
    };
    if index >= POLL_FDS as u64 {
        return 1;
    }
    // SAFETY: within the array.
    let entry = unsafe { *scratch.fds.as_ptr().add(index as usize) };
    // struct pollfd { int fd; short events; short revents; }
    if entry as i32 == search.fd && (entry >> 32) as u16 & READABLE != 0 {
        search.found = 1;
        return 1;
    }
    0
}

#[inline(always)]
fn in_select_set(fd: i32, highest: u64, read_set: u64) -> bool {
    if fd < 0 || fd as u64 >= highest || read_set == 0 {
        return false;
    }
    let mut word = 0u64;
    // SAFETY: a word on the stack; the helper checks the user address.
    let copied = unsafe {
        bpf_probe_read_user(
            (&raw mut word).cast(),
            8,
            (read_set + (fd as u64 / 64) * 8) as *const c_void,
        )
    };
    if copied != 0 {
        count(Count::WaitUnresolved);
        return false;
    }
    word & (1 << (fd as u64 % 64)) != 0
}

/// The `struct eventpoll` behind a descriptor of `task`.
#[inline(always)]
unsafe fn epoll_instance(task: *const task_struct, fd: u64) -> Option<u64> {
    if FILE_EP.load() == ABSENT {
        return None;
    }
    // SAFETY: a load from the tracepoint's task; peek checks addresses.
    unsafe {
        let files: u64 = field(task.cast(), TASK_FILES.load());
        let table: u64 = peek(files, FILES_FDT.load())?;
        let size: u32 = peek(table, FDTABLE_MAX.load())?;
        if fd >= u64::from(size) {
            return None;
        }
        let array: u64 = peek(table, FDTABLE_FD.load())?;
        let file: u64 = peek(array + fd * 8, 0)?;
        peek(file, FILE_PRIVATE.load())
    }
}

/// Whether the socket is in the interest list of this epoll instance (fs/eventpoll.c: a file's
/// `f_ep` lists the `struct epitem`s that watch it).
#[inline(always)]
fn watched_by(sk: u64, instance: u64) -> bool {
    // SAFETY: peek checks addresses.
    unsafe {
        let Some(first) = first_item(sk) else {
            return false;
        };
        let mut link = first;
        for _ in 0..EPOLLS {
            if link == 0 {
                return false;
            }
            let item = link - u64::from(EPITEM_LINK.load());
            if peek::<u64>(item, EPITEM_EP.load()) == Some(instance) {
                return true;
            }
            // struct hlist_node begins with its next pointer.
            link = match peek(link, 0) {
                Some(next) => next,
                None => return false,
            };
        }
    }
    count(Count::WaitUnresolved);
    false
}

#[inline(always)]
unsafe fn first_item(sk: u64) -> Option<u64> {
    // SAFETY: peek checks addresses.
    unsafe {
        let socket: u64 = peek(sk, SOCK_SOCKET.load())?;
        let file: u64 = peek(socket, SOCKET_FILE.load())?;
        let items: u64 = peek(file, FILE_EP.load())?;
        if items == 0 {
            return Some(0);
        }
        // struct hlist_head is its first pointer.
        peek(items, 0)
    }
}
