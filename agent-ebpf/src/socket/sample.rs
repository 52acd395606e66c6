//! Samples: what waits on a socket and what its reader does, at the agent's request.

use agent_common::{
    ProbeCounter, RecordHead, RecordKind, SampledActivity, SocketSampled, StreamContent,
    ThreadState, window,
};

use super::tcp_sock::sampled_side;
use crate::{
    cfs_rq,
    maps::{SOCKETS, THREADS},
    ring_buffer::{count, emit},
    task::now,
    thread::snapshot,
};

/// Writes the record of the tracked socket at this address; nothing when it is not tracked.
#[inline(always)]
pub(crate) fn sample(sk: u64) {
    let Some(socket) = SOCKETS.get_ptr_mut(sk) else {
        return;
    };
    // SAFETY: a map value.
    let socket = unsafe { &mut *socket };
    if socket.is_other() || socket.content == StreamContent::Connecting as u32 {
        return;
    }
    let Some(side) = sampled_side(sk) else {
        count(ProbeCounter::SampleLost);
        return;
    };
    let at = now();
    let record = SocketSampled {
        head: RecordHead {
            kind: RecordKind::SocketSampled as u32,
            lost: socket.lost,
            socket_id: socket.id,
        },
        reader: snapshot(socket.reader, at),
        activity: activity(socket.reader),
        rcv_nxt: side.rcv_nxt,
        copied_seq: side.copied_seq,
        offered: window::offered(side.rcv_wup, side.window, side.rcv_nxt),
        min_usable: socket.min_usable_window(side.window, side.mss),
    };
    // A sample that is lost is followed by another one: it leaves no gap in what is known of the
    // socket, so that it is not counted in `socket.lost`.
    emit(&record, ProbeCounter::SampleLost);
}

/// What the thread does now; zero where it is not tracked.
#[inline(always)]
fn activity(tid: u32) -> SampledActivity {
    let Some(thread) = THREADS.get_ptr_mut(tid) else {
        return SampledActivity::default();
    };
    // SAFETY: a map value. A change that races with this is observed by the next sample.
    let thread = unsafe { &*thread };
    let mut now = SampledActivity {
        since_ns: thread.since_ns,
        object: thread.syscall as u64,
        syscall_arg: thread.syscall_arg,
        state: thread.state,
        tgid: thread.tgid,
    };
    if thread.state == ThreadState::LockWait as u32 {
        now.object = thread.lock_address;
        now.since_ns = thread.lock_wait_from_ns;
    } else if thread.is_queued() && cfs_rq::is_throttled(thread.cfs_rq) {
        now.state = ThreadState::Throttle as u32;
    }
    now
}
