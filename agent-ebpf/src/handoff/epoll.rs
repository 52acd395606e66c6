//! epoll: which sockets an instance watches (fs/eventpoll.c).

use agent_common::{ABSENT, ProbeCounter};
use aya_ebpf::bindings::task_struct;

use crate::{
    globals::{
        EPITEM_EP, EPITEM_LINK, FDTABLE_FD, FDTABLE_MAX, FILE_EP, FILE_PRIVATE, FILES_FDT,
        SOCK_SOCKET, SOCKET_FILE, TASK_FILES,
    },
    memory::{field, peek},
    ring_buffer::count,
};

/// How many epoll instances that watch one socket are visited.
const MAX_INSTANCES: u32 = 4;

/// The `struct eventpoll` behind a descriptor of `task`.
///
/// # Safety
/// `task` is one the verifier knows.
#[inline(always)]
pub(super) unsafe fn instance(task: *const task_struct, fd: u64) -> Option<u64> {
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

/// Whether the socket is in the interest list of this epoll instance: a file's `f_ep` lists the
/// `struct epitem`s that watch it.
#[inline(always)]
pub(super) fn is_watched_by(sk: u64, instance: u64) -> bool {
    // SAFETY: peek checks addresses.
    unsafe {
        let Some(first) = first_item(sk) else {
            return false;
        };
        let mut link = first;
        for _ in 0..MAX_INSTANCES {
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
