//! Hand-offs: when a thread is through with what a receive call returned.
//!
//! The thread's next sleep in a receive call on the same socket or in a wait that covers it, told
//! from its own registers as it leaves the CPU; or the next receive call on the socket, which the
//! agent sees as such. Of a thread that reads several sockets the entry into these calls is watched
//! (see `entry.rs`): a wait that does not sleep, because another socket is ready, ends here too. A
//! wait that does not cover the socket, such as a handler's own poll on its database connection, is
//! none.

use agent_common::{
    ABSENT, HandOffKind, HandedOff, MAX_PENDING, PendingReceive, ProbeCounter, RecordHead,
    RecordKind, TrackedSocket, TrackedThread, receive_flags,
};
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
    snapshot, thread,
    user_buffer::continues,
};

/// include/uapi/asm-generic/poll.h: POLLIN, POLLRDNORM.
const READABLE: u16 = 0x0001 | 0x0040;

/// Epoll instances that may watch one socket.
const EPOLLS: u32 = 4;

/// The slot of an empty place.
const NONE: u32 = u32::MAX;

/// Looks for a socket among those a thread owes; on the stack of [`expect`].
struct Place {
    thread: *mut TrackedThread,
    sk: u64,
    /// Slots in use that were not looked at.
    left: u32,
    /// The socket's slot.
    found: u32,
    /// The first slot that can be had.
    free: u32,
}

/// From now on the thread owes the hand-off of what it read from this socket. Returns the flags of
/// the receive: whether others are owed too, whether there was no room.
#[inline(always)]
pub(crate) fn expect(thread: &mut TrackedThread, sk: u64, id: u64, fd: i32) -> u32 {
    let mut place = Place {
        thread,
        sk,
        left: thread.pending_bits,
        found: NONE,
        free: NONE,
    };
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            MAX_PENDING as u32,
            seek as *const () as *mut c_void,
            (&raw mut place).cast(),
            0,
        );
    }
    let index = if place.found == NONE {
        place.free
    } else {
        place.found
    };
    let index = opaque(u64::from(index));
    if index >= MAX_PENDING as u64 {
        count(ProbeCounter::PendingListFull);
        return receive_flags::HAND_OFF_LOST;
    }
    let bit = 1 << index;
    // SAFETY: within the array.
    unsafe {
        let slot = (&raw mut thread.pending)
            .cast::<PendingReceive>()
            .add(index as usize);
        (*slot).sk = sk;
        (*slot).socket_id = id;
        (*slot).fd = fd;
    }
    thread.pending_bits |= bit;
    if thread.pending_bits == bit {
        return 0;
    }
    if thread.sys_enter_requested == 0 {
        // Once is enough; the record wakes the agent.
        thread.sys_enter_requested = 1;
        return receive_flags::OTHERS_PENDING | receive_flags::SYS_ENTER_WANTED;
    }
    receive_flags::OTHERS_PENDING
}

/// Looks at one slot; returns 1 when no other is of interest. Those of sockets that are gone are
/// cleared on the way.
unsafe extern "C" fn seek(index: u64, place: *mut c_void) -> c_long {
    // SAFETY: the context given to bpf_loop above.
    let place = unsafe { &mut *place.cast::<Place>() };
    let index = opaque(index);
    if index >= MAX_PENDING as u64 {
        return 1;
    }
    let bit = 1 << index;
    if place.left & bit != 0 {
        place.left &= !bit;
        // SAFETY: a map value, and within its array.
        let (thread, slot) = unsafe {
            let thread = &mut *place.thread;
            let slot = (&raw const thread.pending).cast::<PendingReceive>();
            (thread, *slot.add(index as usize))
        };
        if slot.sk == place.sk {
            place.found = index as u32;
        } else if socket_of(&slot).is_none() {
            thread.pending_bits &= !bit;
        }
    }
    // SAFETY: a map value.
    let owed = unsafe { (*place.thread).pending_bits };
    if place.free == NONE && owed & bit == 0 {
        place.free = index as u32;
    }
    let done = place.left == 0 && (place.free != NONE || place.found != NONE);
    c_long::from(done)
}

/// The socket of a slot, unless it is gone.
#[inline(always)]
fn socket_of(slot: &PendingReceive) -> Option<*mut TrackedSocket> {
    let socket = SOCKETS.get_ptr_mut(slot.sk)?;
    // SAFETY: a map value.
    let known = unsafe { (*socket).id };
    (known == slot.socket_id).then_some(socket)
}

/// A receive call of the thread on this socket returned without bytes.
#[inline(always)]
pub(crate) fn empty(socket: &mut TrackedSocket, tid: u32, at: u64) {
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        return;
    };
    // SAFETY: a map value.
    let thread = unsafe { &mut *thread };
    thread::acts(thread, at);
    let mut back = Back {
        thread,
        id: socket.id,
        left: thread.pending_bits,
        found: 0,
    };
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            MAX_PENDING as u32,
            give_back as *const () as *mut c_void,
            (&raw mut back).cast(),
            0,
        );
    }
    if back.found != 0 {
        report(socket, tid, at, HandOffKind::Empty);
    }
}

/// Looks for a socket to be handed off; on the stack of [`empty`].
struct Back {
    thread: *mut TrackedThread,
    id: u64,
    left: u32,
    found: u32,
}

/// Looks at one slot, and clears it when it is the one; returns 1 when done.
unsafe extern "C" fn give_back(index: u64, back: *mut c_void) -> c_long {
    // SAFETY: the context given to bpf_loop above.
    let back = unsafe { &mut *back.cast::<Back>() };
    let index = opaque(index);
    if index >= MAX_PENDING as u64 || back.left == 0 {
        return 1;
    }
    let bit = 1 << index;
    if back.left & bit == 0 {
        return 0;
    }
    back.left &= !bit;
    // SAFETY: a map value, and within its array.
    unsafe {
        let thread = &mut *back.thread;
        let slot = (&raw const thread.pending).cast::<PendingReceive>();
        if (*slot.add(index as usize)).socket_id == back.id {
            thread.pending_bits &= !bit;
            back.found = 1;
            return 1;
        }
    }
    0
}

#[inline(always)]
fn report(socket: &mut TrackedSocket, tid: u32, at: u64, how: HandOffKind) {
    let record = HandedOff {
        head: RecordHead {
            kind: RecordKind::HandedOff as u32,
            lost: socket.lost,
            socket_id: socket.id,
        },
        reader: snapshot::of(tid, at),
        how: how as u32,
        reserved: 0,
    };
    if !emit(&record, ProbeCounter::HandOffLost) {
        socket.lost += 1;
    }
}

/// A wait.
#[derive(Clone, Copy)]
enum Wait {
    Receive { fd: i32 },
    Poll { fds: u64, count: u64 },
    Select { highest: u64, read_set: u64 },
    Epoll { instance: u64 },
}

/// Whether this system call may end what was received: the cheap part of [`wait_of`].
#[inline(always)]
pub(crate) fn may_be_one(number: i64) -> bool {
    is_receive(number)
        || number == nr::POLL
        || number == nr::PPOLL
        || number == nr::SELECT
        || number == nr::PSELECT6
        || is_epoll(number)
}

#[inline(always)]
fn is_receive(number: i64) -> bool {
    number == nr::RECVFROM
        || number == nr::READ
        || number == nr::READV
        || number == nr::RECVMSG
        || number == nr::RECVMMSG
}

#[inline(always)]
fn is_epoll(number: i64) -> bool {
    number == nr::EPOLL_WAIT || number == nr::EPOLL_PWAIT || number == nr::EPOLL_PWAIT2
}

#[inline(always)]
unsafe fn wait_of(task: *const task_struct, call: &Syscall) -> Option<Wait> {
    let number = call.number;
    if is_receive(number) {
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
    } else if is_epoll(number) {
        // SAFETY: the caller's task.
        match unsafe { epoll_instance(task, call.args[0]) } {
            Some(instance) => Some(Wait::Epoll { instance }),
            None => {
                count(ProbeCounter::WaitUnresolved);
                None
            }
        }
    } else {
        if number == nr::IO_URING_ENTER {
            count(ProbeCounter::WaitUnresolved);
        }
        None
    }
}

/// Sockets to be handed off, and a wait that may do so; on the stack of [`waits`].
struct Cover {
    thread: *mut TrackedThread,
    wait: Wait,
    at: u64,
    left: u32,
    tid: u32,
}

/// The thread, `task`, goes to sleep in `call` at `at`, or enters it.
///
/// # Safety
/// `task` is a task the verifier knows.
#[inline(always)]
pub(crate) unsafe fn waits(
    task: *const task_struct,
    thread: &mut TrackedThread,
    tid: u32,
    call: &Syscall,
    at: u64,
) {
    if thread.pending_bits == 0 || continues(call, tid) {
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
    let mut cover = Cover {
        thread,
        wait,
        at,
        left: thread.pending_bits,
        tid,
    };
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            MAX_PENDING as u32,
            covers as *const () as *mut c_void,
            (&raw mut cover).cast(),
            0,
        );
    }
}

/// Looks at one slot and reports it when the wait covers it; returns 1 when none is left.
unsafe extern "C" fn covers(index: u64, cover: *mut c_void) -> c_long {
    // SAFETY: the context given to bpf_loop above.
    let cover = unsafe { &mut *cover.cast::<Cover>() };
    let index = opaque(index);
    if index >= MAX_PENDING as u64 || cover.left == 0 {
        return 1;
    }
    let bit = 1 << index;
    if cover.left & bit == 0 {
        return 0;
    }
    cover.left &= !bit;
    // SAFETY: a map value, and within its array.
    let (thread, slot) = unsafe {
        let thread = &mut *cover.thread;
        let slot = (&raw const thread.pending).cast::<PendingReceive>();
        (thread, *slot.add(index as usize))
    };
    let (covered, how) = match cover.wait {
        Wait::Receive { fd } => (fd == slot.fd, HandOffKind::Receive),
        Wait::Poll { count, .. } => (in_poll_set(slot.fd, count), HandOffKind::Poll),
        Wait::Select { highest, read_set } => {
            (in_select_set(slot.fd, highest, read_set), HandOffKind::Poll)
        }
        Wait::Epoll { instance } => (watched_by(slot.sk, instance), HandOffKind::Epoll),
    };
    if covered {
        thread.pending_bits &= !bit;
        if let Some(socket) = socket_of(&slot) {
            // SAFETY: a map value.
            report(unsafe { &mut *socket }, cover.tid, cover.at, how);
        }
    }
    0
}

/// Copies the thread's `struct pollfd` array.
#[inline(always)]
fn load_poll_set(fds: u64, n: u64) -> bool {
    let Some(scratch) = POLL_SCRATCH.get_ptr_mut(0) else {
        return false;
    };
    let n = opaque(n);
    if n > POLL_FDS as u64 {
        count(ProbeCounter::WaitUnresolved);
        return false;
    }
    // SAFETY: n entries of eight bytes fit the scratch; the helper checks the user address.
    let copied =
        unsafe { bpf_probe_read_user(scratch.cast(), (n * 8) as u32, fds as *const c_void) };
    if copied != 0 {
        count(ProbeCounter::WaitUnresolved);
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
        count(ProbeCounter::WaitUnresolved);
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
    count(ProbeCounter::WaitUnresolved);
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
