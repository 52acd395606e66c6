//! Records from the ring, told apart and checked.

mod slices;

use agent_common::{
    Arrival, Call, Closed, Exit, HandOff, Head, Kind, Opened, Past, Queued, Recv, Waited,
};
use thiserror::Error;

pub use slices::Slices;

/// One record.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A socket is watched from here on.
    Opened(Opened),
    /// Bytes became readable.
    Arrival(Arrival),
    /// A receive call is through.
    Recv(Recv, Slices<'a>),
    /// Some slices of a receive call; more follows.
    RecvPart(Recv, Slices<'a>),
    /// The thread is through with what it received.
    HandOff(HandOff),
    /// The function named with `--handoff` was called.
    Call(Call),
    /// A socket is watched no longer.
    Closed(Closed),
    /// A tracked thread ended.
    Exit(Exit),
    /// What the thread of the receive call that follows did before.
    Past(Past),
    /// A tracked thread's lock wait or blocking call is over.
    Waited(Waited),
    /// A tracked thread got its CPU, or waits for another from now on.
    Queued(Queued),
    /// The switches of a CPU for which somebody waits, a full block.
    Switches(Queued),
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
    Head, Opened, Arrival, Recv, HandOff, Call, Closed, Exit, Past, Waited, Queued
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
fn queued(bytes: &[u8], kind: u32) -> Result<Queued, Malformed> {
    let mut whole = [0; size_of::<Queued>()];
    let without = size_of::<Queued>() - size_of_val(&Queued::default().runners);
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
        let kind = read::<Head>(bytes, 0)?.kind;
        Ok(match Kind::from_u32(kind).ok_or(Malformed::Kind(kind))? {
            Kind::Opened => Self::Opened(read(bytes, kind)?),
            Kind::Arrival => Self::Arrival(read(bytes, kind)?),
            Kind::Recv => {
                let recv: Recv = read(bytes, kind)?;
                Self::Recv(recv, Slices::behind(bytes, &recv))
            }
            Kind::RecvPart => {
                let recv: Recv = read(bytes, kind)?;
                Self::RecvPart(recv, Slices::behind(bytes, &recv))
            }
            Kind::HandOff => Self::HandOff(read(bytes, kind)?),
            Kind::Call => Self::Call(read(bytes, kind)?),
            Kind::Closed => Self::Closed(read(bytes, kind)?),
            Kind::Exit => Self::Exit(read(bytes, kind)?),
            Kind::Past => Self::Past(read(bytes, kind)?),
            Kind::Waited => Self::Waited(read(bytes, kind)?),
            Kind::Queued => Self::Queued(queued(bytes, kind)?),
            Kind::Switches => Self::Switches(queued(bytes, kind)?),
        })
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
        bytes[0] = Kind::Arrival as u8;
        assert!(matches!(
            Event::decode(&bytes),
            Err(Malformed::Short { kind: 2, len: 16 })
        ));
    }
}
