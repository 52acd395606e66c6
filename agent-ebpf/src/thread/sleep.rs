//! Waits that are over, told one by one.

use agent_common::{ProbeCounter, RecordHead, RecordKind, SleepEnded, TrackedThread};

use crate::ring::emit;

/// Tells of a sleep of the thread; who it is is filled in.
#[inline(always)]
pub(crate) fn told(thread: &TrackedThread, waited: &SleepEnded) {
    if thread.is_holder != 0 {
        return;
    }
    emit(
        &SleepEnded {
            head: RecordHead {
                kind: RecordKind::SleepEnded as u32,
                lost: 0,
                socket_id: 0,
            },
            tid: thread.history.tid,
            tgid: thread.tgid,
            ..*waited
        },
        ProbeCounter::WaitLost,
    );
}
