//! Records from the ring, told apart and checked.

mod slices;

use agent_common::{
    BytesArrived, BytesReceived, FunctionCalled, HandedOff, ReaderHistory, RecordHead, RecordKind,
    RunQueueWait, SleepEnded, SocketClosed, SocketOpened, ThreadExited,
};
use thiserror::Error;

pub use slices::Slices;

/// One record.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A socket is watched from here on.
    SocketOpened(SocketOpened),
    /// Bytes became readable.
    BytesArrived(BytesArrived),
    /// A receive call is through.
    BytesReceived(BytesReceived, Slices<'a>),
    /// Some slices of a receive call; more follows.
    BytesReceivedPart(BytesReceived, Slices<'a>),
    /// The thread is through with what it received.
    HandedOff(HandedOff),
    /// The function named with `--handoff` was called.
    FunctionCalled(FunctionCalled),
    /// A socket is watched no longer.
    SocketClosed(SocketClosed),
    /// A tracked thread ended.
    ThreadExited(ThreadExited),
    /// What the thread of the receive call that follows did before.
    ReaderHistory(ReaderHistory),
    /// A tracked thread's lock wait or blocking call is over.
    SleepEnded(SleepEnded),
    /// A tracked thread got its CPU, or waits for another from now on.
    RunQueueWait(RunQueueWait),
    /// The switches of a CPU for which somebody waits, a full block.
    CpuTurns(RunQueueWait),
}

/// A record that is none: agent and probes do not fit together.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than its kind.
    #[error("a record of {len} bytes is too short for its kind {kind}")]
    Short {
        /// As written.
        kind: u32,
        /// Bytes.
        len: usize,
    },
    /// Not a kind this agent knows.
    #[error("a record of unknown kind {0}")]
    Kind(u32),
}

mod sealed {
    /// Record types: `repr(C)`, integers only, no padding.
    ///
    /// # Safety
    /// Every bit pattern must be a value.
    pub(super) unsafe trait Record: Copy {}
}
use sealed::Record;

macro_rules! records {
    ($($ty:ty),*) => {
        // SAFETY: `repr(C)`, integers only, sizes without padding asserted in agent-common.
        $(unsafe impl Record for $ty {})*
    };
}
records!(
    RecordHead,
    SocketOpened,
    BytesArrived,
    BytesReceived,
    HandedOff,
    FunctionCalled,
    SocketClosed,
    ThreadExited,
    ReaderHistory,
    SleepEnded,
    RunQueueWait
);

fn read<T: Record>(bytes: &[u8], kind: u32) -> Result<T, Malformed> {
    if bytes.len() < size_of::<T>() {
        return Err(Malformed::Short {
            kind,
            len: bytes.len(),
        });
    }
    // SAFETY: long enough, read unaligned, and every bit pattern of a Record is a value.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The record has as many of its runners as there is something to tell of; the others say nothing.
fn queued(bytes: &[u8], kind: u32) -> Result<RunQueueWait, Malformed> {
    let mut whole = [0; size_of::<RunQueueWait>()];
    let without = size_of::<RunQueueWait>() - size_of_val(&RunQueueWait::default().turns);
    if bytes.len() < without {
        let len = bytes.len();
        return Err(Malformed::Short { kind, len });
    }
    let len = bytes.len().min(whole.len());
    whole[..len].copy_from_slice(&bytes[..len]);
    read(&whole, kind)
}

impl<'a> Event<'a> {
    /// Reads one record.
    ///
    /// # Errors
    /// [`Malformed`] when it is not one of ours.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let kind = read::<RecordHead>(bytes, 0)?.kind;
        Ok(
            match RecordKind::from_u32(kind).ok_or(Malformed::Kind(kind))? {
                RecordKind::SocketOpened => Self::SocketOpened(read(bytes, kind)?),
                RecordKind::BytesArrived => Self::BytesArrived(read(bytes, kind)?),
                RecordKind::BytesReceived => {
                    let recv: BytesReceived = read(bytes, kind)?;
                    Self::BytesReceived(recv, Slices::behind(bytes, &recv))
                }
                RecordKind::BytesReceivedPart => {
                    let recv: BytesReceived = read(bytes, kind)?;
                    Self::BytesReceivedPart(recv, Slices::behind(bytes, &recv))
                }
                RecordKind::HandedOff => Self::HandedOff(read(bytes, kind)?),
                RecordKind::FunctionCalled => Self::FunctionCalled(read(bytes, kind)?),
                RecordKind::SocketClosed => Self::SocketClosed(read(bytes, kind)?),
                RecordKind::ThreadExited => Self::ThreadExited(read(bytes, kind)?),
                RecordKind::ReaderHistory => Self::ReaderHistory(read(bytes, kind)?),
                RecordKind::SleepEnded => Self::SleepEnded(read(bytes, kind)?),
                RecordKind::RunQueueWait => Self::RunQueueWait(queued(bytes, kind)?),
                RecordKind::CpuTurns => Self::CpuTurns(queued(bytes, kind)?),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_told() {
        assert!(matches!(
            Event::decode(&[0; 4]),
            Err(Malformed::Short { .. })
        ));
        let mut bytes = [0; 16];
        bytes[0] = 99;
        assert!(matches!(Event::decode(&bytes), Err(Malformed::Kind(99))));
        bytes[0] = RecordKind::BytesArrived as u8;
        assert!(matches!(
            Event::decode(&bytes),
            Err(Malformed::Short { kind: 2, len: 16 })
        ));
    }
}
