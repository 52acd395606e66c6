//! Waits that hand off, and receive calls that returned nothing.

use agent_common::{
    HandOffKind, HandedOff, MAX_PENDING, PendingReceive, ProbeCounter, RecordHead, RecordKind,
    TrackedSocket, TrackedThread,
    syscall::{SocketWait, Syscall},
};
use aya_ebpf::{
    bindings::task_struct,
    cty::{c_long, c_void},
    helpers::generated::bpf_loop,
};

use super::{
    epoll,
    pending::{socket_of, take},
    poll::{in_poll_set, in_select_set, load_poll_set},
};
use crate::{
    catch_up,
    maps::THREADS,
    memory::opaque,
    ring_buffer::{count, emit},
    thread::snapshot,
    user_buffers::continues,
};

/// A receive call of the thread on this socket returned without bytes.
#[inline(always)]
pub(crate) fn returned_empty(socket: &mut TrackedSocket, tid: u32, at: u64) {
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        return;
    };
    // SAFETY: a map value.
    let thread = unsafe { &mut *thread };
    catch_up::acts(thread, at);
    if take(thread, socket.id) {
        report(socket, tid, at, HandOffKind::Empty);
    }
}

#[inline(always)]
fn report(socket: &mut TrackedSocket, tid: u32, at: u64, how: HandOffKind) {
    let record = HandedOff {
        head: RecordHead {
            kind: RecordKind::HandedOff as u32,
            lost: socket.lost,
            socket_id: socket.id,
        },
        reader: snapshot(tid, at),
        how: how as u32,
        reserved: 0,
    };
    if !emit(&record, ProbeCounter::HandOffLost) {
        socket.lost += 1;
    }
}

/// A wait, resolved as far as it takes to see which sockets it covers.
#[derive(Clone, Copy)]
enum CoveringWait {
    Receive { fd: i32 },
    Poll { count: u64 },
    Select { highest: u64, read_set: u64 },
    Epoll { instance: u64 },
}

/// The wait that `task` enters with `call`; `None` when it is none, or (counted) when the sockets
/// that it covers cannot be determined.
#[inline(always)]
unsafe fn wait_of(task: *const task_struct, call: &Syscall) -> Option<CoveringWait> {
    Some(match call.socket_wait() {
        SocketWait::Receive { fd } => CoveringWait::Receive { fd },
        SocketWait::Poll { fds, count } => {
            if !load_poll_set(fds, count) {
                return None;
            }
            CoveringWait::Poll { count }
        }
        SocketWait::Select { highest, read_set } => CoveringWait::Select { highest, read_set },
        SocketWait::Epoll { fd } => {
            // SAFETY: the caller's task.
            let Some(instance) = (unsafe { epoll::instance(task, fd) }) else {
                count(ProbeCounter::WaitUnresolved);
                return None;
            };
            CoveringWait::Epoll { instance }
        }
        SocketWait::Unresolved => {
            count(ProbeCounter::WaitUnresolved);
            return None;
        }
        SocketWait::None => return None,
    })
}

/// Pending receives, and a wait that may hand them off; on the stack of [`waits`].
struct Cover {
    thread: *mut TrackedThread,
    wait: CoveringWait,
    at: u64,
    /// Slots in use that have not been visited.
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
            hand_off_covered as *const () as *mut c_void,
            (&raw mut cover).cast(),
            0,
        );
    }
}

/// Visits one slot and reports it when the wait covers it; returns 1 when none is left.
unsafe extern "C" fn hand_off_covered(index: u64, cover: *mut c_void) -> c_long {
    // SAFETY: bpf_loop passes on the pointer that `waits` gave it, to a `Cover`.
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
        CoveringWait::Receive { fd } => (fd == slot.fd, HandOffKind::Receive),
        CoveringWait::Poll { count } => (in_poll_set(slot.fd, count), HandOffKind::Poll),
        CoveringWait::Select { highest, read_set } => {
            (in_select_set(slot.fd, highest, read_set), HandOffKind::Poll)
        }
        CoveringWait::Epoll { instance } => {
            (epoll::is_watched_by(slot.sk, instance), HandOffKind::Epoll)
        }
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
