//! Receive completion: which bytes which thread got, when, and what of them to look at.

use agent_common::{
    CloseReason, Count, Kind, Phase, RECORD_BYTES, Recv, Socket, recv_flags, walk_mode,
};
use aya_ebpf::{cty::c_void, helpers::generated::bpf_get_current_task_btf};

use crate::{
    arch::{self, Syscall},
    bits::opaque,
    handoff,
    maps::{RECV_SCRATCH, SOCKETS},
    ring::{count, emit_bytes},
    snapshot, socket, tcp,
    tcp::Receive,
    thread::{self, current, now},
    user_buffer::{Buffer, Buffers, MAX_BUFFERS},
    walk::{self, EMPTY, Step},
};

/// include/linux/socket.h
const MSG_OOB: i32 = 1;
const MSG_PEEK: i32 = 2;
const MSG_TRUNC: i32 = 0x20;

/// The current thread's receive call on `sk` returned `ret` bytes or a negative error.
///
/// # Safety
/// `sk` is the tracepoint's argument.
#[inline(always)]
pub(crate) unsafe fn received(sk: *const c_void, ret: i32, flags: i32) {
    let found = SOCKETS.get_ptr_mut(sk as u64);
    let (tid, tgid) = current();
    let socket = match found {
        Some(known) => known,
        None => {
            if !socket::wanted(tgid) || ret <= 0 {
                return;
            }
            // SAFETY: the caller's.
            match unsafe { socket::found_by_read(sk, tgid) } {
                Some(new) => new,
                None => return,
            }
        }
    };
    // SAFETY: a map value.
    let socket = unsafe { &mut *socket };
    if socket.phase == Phase::Other as u32 || flags & MSG_OOB != 0 {
        return;
    }
    if flags & MSG_PEEK != 0 {
        count(Count::Peeked);
        return;
    }
    let at = now();
    if ret <= 0 {
        handoff::empty(socket, tid, at);
        return;
    }
    if !socket::wanted(tgid) {
        // Another process on the same port (another network namespace).
        socket.phase = Phase::Other as u32;
        socket::closed(socket, CloseReason::NotFix);
        return;
    }
    // SAFETY: the caller's; the current task is known to the verifier.
    unsafe {
        let Some(tcp) = tcp::receive(sk) else {
            return;
        };
        let call = arch::syscall(bpf_get_current_task_btf());
        bytes(
            socket,
            sk as u64,
            &tcp,
            &call,
            ret as u32,
            flags,
            (tid, tgid),
            at,
        );
    }
}

/// Looks at the bytes and hands over the record.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
unsafe fn bytes(
    socket: &mut Socket,
    sk: u64,
    tcp: &Receive,
    call: &Syscall,
    len: u32,
    flags: i32,
    (tid, tgid): (u32, u32),
    at: u64,
) {
    let start = tcp.copied.wrapping_sub(len);
    if socket.phase == Phase::Undecided as u32
        && socket.from_start != 0
        && socket.walk.mode == walk_mode::LOST
    {
        // The first byte of the stream: either a message begins here, or it is not FIX.
        socket.walk.mode = walk_mode::PREFIX;
        socket.walk.message = start;
        socket.walk.have = 0;
    }
    let Some(scratch) = RECV_SCRATCH.get_ptr_mut(0) else {
        return;
    };
    let mut step = Step {
        socket: core::ptr::from_mut(socket),
        user: 0,
        seq: start,
        failed: 0,
        len: 0,
        scratch,
    };
    step.set_out(EMPTY);
    let mut missing = 0;
    if flags & MSG_TRUNC != 0 {
        count(Count::BufferUnknown);
        missing = recv_flags::BYTES_MISSING;
    } else {
        match Buffers::of(call) {
            Some(buffers) => {
                let mut done = 0u32;
                for index in 0..MAX_BUFFERS {
                    if done >= len {
                        break;
                    }
                    let left = len - done;
                    let Some(buffer) = buffers.get(index, u64::from(left)) else {
                        break;
                    };
                    let n = if buffer.len < u64::from(left) {
                        buffer.len
                    } else {
                        u64::from(left)
                    };
                    let part = Buffer {
                        start: buffer.start,
                        len: n,
                    };
                    walk::buffer(&mut step, part, start.wrapping_add(done));
                    done += n as u32;
                }
                if done < len {
                    count(Count::BufferUnknown);
                    missing = recv_flags::BYTES_MISSING;
                }
            }
            None => {
                count(Count::BufferUnknown);
                missing = recv_flags::BYTES_MISSING;
            }
        }
    }
    if missing != 0 || step.failed != 0 {
        missing = recv_flags::BYTES_MISSING;
        socket.walk.mode = walk_mode::LOST;
    }
    if socket.phase == Phase::Other as u32 {
        socket::closed(socket, CloseReason::NotFix);
        return;
    }
    if socket.phase == Phase::Undecided as u32 && socket.from_start == 0 {
        // Found in mid-stream, no message begun yet: it may be anything, so nothing is tracked.
        socket.looked += 1;
        return;
    }
    if let Some(thread) = thread::track(tid, tgid, at) {
        // SAFETY: a map value.
        handoff::expect(unsafe { &mut *thread }, sk, socket.id, call.args[0] as i32);
    }
    socket.reader = tid;
    socket.tgid = tgid;
    socket.fd = call.args[0] as i32;
    let total = opaque(step.out());
    if total > RECORD_BYTES as u64 || total < EMPTY {
        return;
    }
    // SAFETY: the record begins the scratch; total lies within it.
    unsafe {
        let record = scratch.cast::<Recv>();
        (*record).head.kind = Kind::Recv as u32;
        (*record).head.lost = socket.lost;
        (*record).head.socket = socket.id;
        (*record).reader = snapshot::of(tid, at);
        (*record).tgid = tgid;
        (*record).fd = socket.fd;
        (*record).end = tcp.copied;
        (*record).len = len;
        (*record).rcv_nxt = tcp.rcv_nxt;
        (*record).offered = tcp.offered;
        (*record).least = tcp.least(socket);
        (*record).flags = missing;
        (*record).slices = (total - EMPTY) as u32;
        (*record).call = call.number as u32;
        if !emit_bytes(scratch.cast(), total, Count::RecvLost) {
            socket.lost += 1;
        }
    }
}
