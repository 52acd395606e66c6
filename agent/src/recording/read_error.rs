//! Why a recording cannot be read.

use std::io;

use thiserror::Error;

use super::VERSION;

/// Why a recording or a part of it cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("the recording cannot be read: {0}")]
    Io(#[source] io::Error),
    /// It does not begin as a recording.
    #[error("the file is not a recording of tag52")]
    NotARecording,
    /// It was written in another version of the format.
    #[error(
        "the recording has format {0}, and this tag52 reads format {VERSION}: use the tag52 \
         that wrote it"
    )]
    Version(u16),
    /// The file ends before the recording does: the agent was killed, or still runs. All complete
    /// frames before were read.
    #[error(
        "the recording ends early, because the agent was killed or still runs: all complete frames \
         were read, and of one more there are {bytes} bytes"
    )]
    Truncated {
        /// How many bytes there are of the incomplete frame.
        bytes: u64,
    },
    /// A checksum or a record is wrong. Everything before was read.
    #[error("the recording is damaged at byte {offset}: everything before was read")]
    Damaged {
        /// Where the damaged frame begins.
        offset: u64,
    },
}
