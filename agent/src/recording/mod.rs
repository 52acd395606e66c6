//! Recordings: every update of a run, in a file, so that the same model can be made again.
//!
//! A recording holds no message bodies, only what is joined from them: sequence numbers, types,
//! instants, matrices; and the names of sessions, threads, cgroups and the files of waits.
//!
//! # Format
//!
//! A recording is one file or several segments: `FILE` is the newest, `FILE.1` the one before, and
//! so on. Each begins with magic and version and can be read alone. After these come frames, each
//! compressed (LZ4), with its length and checksum. The first holds the [`RecordingHeader`], the
//! others [records](wire) back to back: mostly differences to the record before, as variable-length
//! integers. The last record of a segment says that it is complete; a segment without one was cut
//! off, and is read up to its last complete frame.

mod batch;
mod codec;
pub mod export;
mod frame;
mod interned;
mod preamble;
mod read_error;
mod reader;
mod recorder;
pub mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

pub use recorder::Recorder;
pub use segment::RecordingHeader;

pub(crate) use read_error::ReadError;
pub(crate) use reader::RecordingReader;
pub(crate) use writer::{RecordingTotals, WriteError};

/// The version of the format; no other one is read.
const VERSION: u16 = 7;

/// Files of a recording at most: the newest and seven older ones.
const MAX_SEGMENTS: u32 = 8;

/// The name of a recording's `n`th file, the newest being 0.
fn segment_path(newest: &std::path::Path, n: u32) -> std::path::PathBuf {
    if n == 0 {
        return newest.to_owned();
    }
    let mut name = newest.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}
