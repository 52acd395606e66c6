//! Waits that are over, told one by one.

use agent_common::{Count, Head, Kind, Thread, Waited};

use crate::ring::emit;

/// Tells of a sleep of the thread; who it is is filled in.
#[inline(always)]
pub(crate) fn told(thread: &Thread, waited: &Waited) {
    if thread.holder != 0 {
        return;
    }
    emit(
        &Waited {
            head: Head {
                kind: Kind::Waited as u32,
                lost: 0,
                socket: 0,
            },
            tid: thread.past.tid,
            tgid: thread.tgid,
            ..*waited
        },
        Count::WaitLost,
    );
}
