//! The list of receives that one thread has not handed off yet.

use agent_common::{
    MAX_PENDING, PendingReceive, ProbeCounter, TrackedSocket, TrackedThread, receive_flags,
};
use aya_ebpf::{
    cty::{c_long, c_void},
    helpers::generated::bpf_loop,
};

use crate::{maps::SOCKETS, memory::opaque, ring_buffer::count};

/// The index that stands for no slot.
const NO_SLOT: u32 = u32::MAX;

/// A search for the slot of a socket; on the stack of [`expect`].
struct SlotSearch {
    thread: *mut TrackedThread,
    sk: u64,
    /// Slots in use that have not been visited.
    left: u32,
    /// The slot that the socket has already, or [`NO_SLOT`].
    found: u32,
    /// The first slot that is not in use, or [`NO_SLOT`].
    free: u32,
}

/// From now on the hand-off of what the thread received from this socket is pending. Returns the
/// flags of the receive call: whether others are pending too, whether there was no room.
#[inline(always)]
pub(crate) fn expect(thread: &mut TrackedThread, sk: u64, socket_id: u64, fd: i32) -> u32 {
    let mut search = SlotSearch {
        thread,
        sk,
        left: thread.pending_bits,
        found: NO_SLOT,
        free: NO_SLOT,
    };
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            MAX_PENDING as u32,
            search_slot as *const () as *mut c_void,
            (&raw mut search).cast(),
            0,
        );
    }
    let index = if search.found == NO_SLOT {
        search.free
    } else {
        search.found
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
        (*slot).socket_id = socket_id;
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

/// Visits one slot for a [`SlotSearch`]: notes it when it is the socket's own or free, and frees it
/// when its socket is gone. Returns 1, which ends the loop, when no further slot needs a visit.
unsafe extern "C" fn search_slot(index: u64, search: *mut c_void) -> c_long {
    // SAFETY: bpf_loop passes on the pointer that `expect` gave it, to a `SlotSearch`.
    let search = unsafe { &mut *search.cast::<SlotSearch>() };
    let index = opaque(index);
    if index >= MAX_PENDING as u64 {
        return 1;
    }
    let bit = 1 << index;
    if search.left & bit != 0 {
        search.left &= !bit;
        // SAFETY: a map value, and within its array.
        let (thread, slot) = unsafe {
            let thread = &mut *search.thread;
            let slot = (&raw const thread.pending).cast::<PendingReceive>();
            (thread, *slot.add(index as usize))
        };
        if slot.sk == search.sk {
            search.found = index as u32;
        } else if socket_of(&slot).is_none() {
            thread.pending_bits &= !bit;
        }
    }
    // SAFETY: a map value.
    let pending = unsafe { (*search.thread).pending_bits };
    if search.free == NO_SLOT && pending & bit == 0 {
        search.free = index as u32;
    }
    let done = search.left == 0 && (search.free != NO_SLOT || search.found != NO_SLOT);
    c_long::from(done)
}

/// The socket of a slot, unless it is gone.
#[inline(always)]
pub(super) fn socket_of(slot: &PendingReceive) -> Option<*mut TrackedSocket> {
    let socket = SOCKETS.get_ptr_mut(slot.sk)?;
    // SAFETY: a map value.
    let id = unsafe { (*socket).id };
    (id == slot.socket_id).then_some(socket)
}

/// A removal of a socket from the list; on the stack of [`take`].
struct Removal {
    thread: *mut TrackedThread,
    socket_id: u64,
    /// Slots in use that have not been visited.
    left: u32,
    found: u32,
}

/// Takes the socket off the thread's list, and returns whether it was in it.
#[inline(always)]
pub(super) fn take(thread: &mut TrackedThread, socket_id: u64) -> bool {
    let mut removal = Removal {
        thread,
        socket_id,
        left: thread.pending_bits,
        found: 0,
    };
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            MAX_PENDING as u32,
            remove_slot as *const () as *mut c_void,
            (&raw mut removal).cast(),
            0,
        );
    }
    removal.found != 0
}

/// Visits one slot for a [`Removal`] and frees it when it is the socket's. Returns 1, which ends
/// the loop, when no further slot needs a visit.
unsafe extern "C" fn remove_slot(index: u64, removal: *mut c_void) -> c_long {
    // SAFETY: bpf_loop passes on the pointer that `take` gave it, to a `Removal`.
    let removal = unsafe { &mut *removal.cast::<Removal>() };
    let index = opaque(index);
    if index >= MAX_PENDING as u64 || removal.left == 0 {
        return 1;
    }
    let bit = 1 << index;
    if removal.left & bit == 0 {
        return 0;
    }
    removal.left &= !bit;
    // SAFETY: a map value, and within its array.
    unsafe {
        let thread = &mut *removal.thread;
        let slot = (&raw const thread.pending).cast::<PendingReceive>();
        if (*slot.add(index as usize)).socket_id == removal.socket_id {
            thread.pending_bits &= !bit;
            removal.found = 1;
            return 1;
        }
    }
    0
}
