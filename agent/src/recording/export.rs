//! Export: the updates of a recording go to a trace that other programs show.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{
    outputs::perfetto::{Trace, TraceFilter},
    pipeline::Sink as _,
    recording::{ReadError, RecordingReader},
};

/// An export.
#[derive(Clone, Debug)]
pub struct ExportConfig {
    /// The newest segment of the recording; older ones are found by their names.
    pub recording: PathBuf,
    /// Where the trace for the Perfetto UI goes.
    pub trace: PathBuf,
    /// Which messages are drawn.
    pub filter: TraceFilter,
}

/// Why a trace could not be made, or is incomplete.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The recording cannot be opened.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What failed.
        source: ReadError,
    },
    /// The recording is damaged; what could be read is in the trace.
    #[error("the trace is incomplete, it holds what could be read: {0}")]
    Rest(ReadError),
    /// The trace cannot be written.
    #[error("{path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// What failed.
        source: io::Error,
    },
}

impl ExportError {
    /// Whether other arguments would mend it.
    #[must_use]
    pub const fn is_bad_use(&self) -> bool {
        matches!(self, Self::Read { .. })
    }
}

/// Writes the trace, and logs how many messages and waits are in it and how many were not drawn.
///
/// # Errors
/// [`ExportError`]
pub fn export(config: &ExportConfig) -> Result<(), ExportError> {
    let shown = |path: &Path| path.display().to_string();
    let mut reader =
        RecordingReader::open(&config.recording).map_err(|source| ExportError::Read {
            path: shown(&config.recording),
            source,
        })?;
    let failed = |source| ExportError::Write {
        path: shown(&config.trace),
        source,
    };
    let file = File::create(&config.trace).map_err(failed)?;
    let mut trace = Trace::new(file, config.filter);
    let mut damage = None;
    for read in &mut reader {
        match read {
            Ok((at, update)) => trace.publish(at, update),
            // The rest of this segment is lost; the next one may be complete.
            Err(error) => damage = Some(error),
        }
    }
    let exported = trace.finish().map_err(failed)?;
    log::info!("{}: {exported}", shown(&config.trace));
    damage.map_or(Ok(()), |error| Err(ExportError::Rest(error)))
}
