//! The beginning of a segment.

use std::{
    io::{self, Read, Write},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    VERSION,
    frame::{self, FrameError, Packer},
    read_error::ReadError,
};
use crate::domain::Moment;

/// The first bytes of every recording.
pub(super) const MAGIC: [u8; 8] = *b"tag52rec";
/// Magic and version: the bytes before the first frame.
pub(super) const LEAD_BYTES: usize = MAGIC.len() + size_of::<u16>();

/// What a segment says about itself and its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingHeader {
    /// The target, as log lines call it: `pid 4711`.
    pub target: String,
    /// The version of the agent that wrote the recording.
    pub agent: String,
    /// When the run began.
    pub started: Moment,
    /// The age at which counterparties begin to refuse messages (`--max-latency`).
    pub max_latency: Duration,
    /// How many segments came before this one.
    pub segment: u64,
    /// When this segment begins: its updates were published then or later.
    pub from: Moment,
}

impl RecordingHeader {
    /// The header of the first segment of a run that begins at `started`.
    #[must_use]
    pub fn new(target: impl Into<String>, started: Moment, max_latency: Duration) -> Self {
        Self {
            max_latency,
            target: target.into(),
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            segment: 0,
            from: started,
        }
    }

    /// Whether `self` is the segment right before `next`.
    pub(super) fn precedes(&self, next: &Self) -> bool {
        self.started == next.started
            && self.target == next.target
            && self.segment.checked_add(1) == Some(next.segment)
    }

    /// Writes it and says how many bytes that took.
    pub(super) fn write(&self, packer: &mut Packer, sink: &mut impl Write) -> io::Result<usize> {
        let bytes = postcard::to_stdvec(self).map_err(io::Error::other)?;
        sink.write_all(&MAGIC)?;
        sink.write_all(&VERSION.to_le_bytes())?;
        Ok(LEAD_BYTES + packer.write(&bytes, sink)?)
    }

    /// Reads it and says how many bytes it took.
    pub(super) fn read(source: &mut impl Read) -> Result<(Self, u64), ReadError> {
        let mut lead = [0; LEAD_BYTES];
        let found = frame::fill(source, &mut lead).map_err(ReadError::Io)?;
        let (magic, version) = lead.split_at(MAGIC.len());
        if found < LEAD_BYTES || magic != MAGIC {
            return Err(ReadError::NotARecording);
        }
        let version = u16::from_le_bytes([version[0], version[1]]);
        if version != VERSION {
            return Err(ReadError::Version(version));
        }
        let (mut packed, mut bytes) = (Vec::new(), Vec::new());
        let damaged = ReadError::Damaged {
            offset: LEAD_BYTES as u64,
        };
        let length = match frame::read(source, &mut packed, &mut bytes) {
            Ok(length) => length,
            Err(FrameError::Io(error)) => return Err(ReadError::Io(error)),
            Err(FrameError::Cut(more)) => {
                return Err(ReadError::Truncated {
                    bytes: (LEAD_BYTES + more) as u64,
                });
            }
            Err(FrameError::Damaged) => return Err(damaged),
        };
        match postcard::from_bytes(&bytes) {
            Ok(header) => Ok((header, (LEAD_BYTES + length) as u64)),
            Err(_) => Err(damaged),
        }
    }
}
