//! Records about threads.

use agent_common::{
    ProbeCounter, RecordHead, RecordKind, SleepEnded, TrackedSocket, TrackedThread,
};

use crate::ring_buffer::emit;

/// Writes the record of a sleep of the thread; who it is is filled in.
#[inline(always)]
pub(crate) fn emit_sleep(thread: &TrackedThread, sleep: &SleepEnded) {
    if thread.is_holder != 0 {
        return;
    }
    emit(
        &SleepEnded {
            head: RecordHead::without_socket(RecordKind::SleepEnded),
            tid: thread.history.tid,
            tgid: thread.tgid,
            ..*sleep
        },
        ProbeCounter::WaitLost,
    );
}

/// Writes the history of the current thread, which becomes the reader of a socket: the arrivals so
/// far carry no snapshots of it.
#[inline(always)]
pub(crate) fn emit_history(thread: &mut TrackedThread, socket: &mut TrackedSocket) {
    thread.history.head = RecordHead {
        kind: RecordKind::ReaderHistory as u32,
        lost: socket.lost,
        socket_id: socket.id,
    };
    if !emit(&thread.history, ProbeCounter::HistoryLost) {
        socket.lost += 1;
    }
}
