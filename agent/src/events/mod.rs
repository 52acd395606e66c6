//! The records of the ring buffer, decoded and checked.

mod slices;

use agent_common::{
    BytesArrived, BytesReceived, FunctionCalled, HandedOff, ReaderHistory, RecordHead, RecordKind,
    RunQueueWait, SleepEnded, SocketClosed, SocketOpened, SocketSampled, ThreadExited,
};
use thiserror::Error;

pub(crate) use slices::Slices;

/// One record of the ring buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// A socket is observed from now on.
    SocketOpened(SocketOpened),
    /// Bytes became readable.
    BytesArrived(BytesArrived),
    /// A receive call is complete.
    BytesReceived(BytesReceived, Slices<'a>),
    /// Some slices of a receive call; more of the same call follow.
    BytesReceivedPart(BytesReceived, Slices<'a>),
    /// The reader is through with what it received.
    HandedOff(HandedOff),
    /// The function named with `--handoff` was called.
    FunctionCalled(FunctionCalled),
    /// What waits on a socket now, and what its reader does.
    SocketSampled(SocketSampled),
    /// A socket is observed no longer.
    SocketClosed(SocketClosed),
    /// A tracked thread ended.
    ThreadExited(ThreadExited),
    /// What the thread of the next receive call, a new reader, did before.
    ReaderHistory(ReaderHistory),
    /// A tracked thread's lock wait or blocking call is over.
    SleepEnded(SleepEnded),
    /// A tracked thread got a CPU, or waits for another one from now on.
    RunQueueWait(RunQueueWait),
    /// A full block of turns of a CPU that a tracked thread waits for.
    CpuTurns(RunQueueWait),
}

/// A record that cannot be decoded: the agent and its probes are of different versions.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum MalformedRecord {
    /// It is shorter than records of its kind.
    #[error("a record of {len} bytes is too short for its kind {kind}")]
    Short {
        /// Its kind; 0 when the record is too short to have one.
        kind: u32,
        /// Its length, bytes.
        len: usize,
    },
    /// No kind has this number.
    #[error("a record of unknown kind {0}")]
    Kind(u32),
}

mod sealed {
    /// Record types: `repr(C)`, integers only, no padding.
    ///
    /// # Safety
    /// Every bit pattern must be a value.
    pub(super) unsafe trait KernelRecord: Copy {}
}
use sealed::KernelRecord;

macro_rules! records {
    ($($ty:ty),*) => {
        // SAFETY: `repr(C)`, integers only, sizes without padding asserted in agent-common.
        $(unsafe impl KernelRecord for $ty {})*
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
    SocketSampled,
    ThreadExited,
    ReaderHistory,
    SleepEnded,
    RunQueueWait
);

fn read<T: KernelRecord>(bytes: &[u8], kind: u32) -> Result<T, MalformedRecord> {
    if bytes.len() < size_of::<T>() {
        return Err(MalformedRecord::Short {
            kind,
            len: bytes.len(),
        });
    }
    // SAFETY: long enough, read unaligned, and every bit pattern of a Record is a value.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Reads a record that ends after the last turn in use; the other turns are zero.
fn read_run_queue_wait(bytes: &[u8], kind: u32) -> Result<RunQueueWait, MalformedRecord> {
    let mut padded = [0; size_of::<RunQueueWait>()];
    let min_len = size_of::<RunQueueWait>() - size_of_val(&RunQueueWait::default().turns);
    if bytes.len() < min_len {
        let len = bytes.len();
        return Err(MalformedRecord::Short { kind, len });
    }
    let len = bytes.len().min(padded.len());
    padded[..len].copy_from_slice(&bytes[..len]);
    read(&padded, kind)
}

impl<'a> Event<'a> {
    /// Decodes one record.
    ///
    /// # Errors
    /// [`MalformedRecord`] when it is not one of the probes' records.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, MalformedRecord> {
        let kind = read::<RecordHead>(bytes, 0)?.kind;
        Ok(
            match RecordKind::from_u32(kind).ok_or(MalformedRecord::Kind(kind))? {
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
                RecordKind::SocketSampled => Self::SocketSampled(read(bytes, kind)?),
                RecordKind::SocketClosed => Self::SocketClosed(read(bytes, kind)?),
                RecordKind::ThreadExited => Self::ThreadExited(read(bytes, kind)?),
                RecordKind::ReaderHistory => Self::ReaderHistory(read(bytes, kind)?),
                RecordKind::SleepEnded => Self::SleepEnded(read(bytes, kind)?),
                RecordKind::RunQueueWait => Self::RunQueueWait(read_run_queue_wait(bytes, kind)?),
                RecordKind::CpuTurns => Self::CpuTurns(read_run_queue_wait(bytes, kind)?),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_record_is_an_error() {
        assert!(matches!(
            Event::decode(&[0; 4]),
            Err(MalformedRecord::Short { .. })
        ));
        let mut bytes = [0; 16];
        bytes[0] = 99;
        assert!(matches!(
            Event::decode(&bytes),
            Err(MalformedRecord::Kind(99))
        ));
        bytes[0] = RecordKind::BytesArrived as u8;
        assert!(matches!(
            Event::decode(&bytes),
            Err(MalformedRecord::Short { kind: 2, len: 16 })
        ));
    }
}
