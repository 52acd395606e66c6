//! A recording as a trace that other programs show.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{
    outputs::perfetto::{Trace, TraceFilter},
    pipeline::Sink as _,
    recording::{ReadError, Reader},
};

/// What is exported, and where to.
#[derive(Clone, Debug)]
pub struct ExportConfig {
    /// The newest segment; older ones are found by themselves.
    pub recording: PathBuf,
    /// Where the trace for the Perfetto UI goes.
    pub trace: PathBuf,
    /// Which messages are drawn.
    pub filter: TraceFilter,
}

/// Why a trace could not be made, or is not whole.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The recording.
    #[error("{path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: ReadError,
    },
    /// The recording is damaged; what could be read is in the trace.
    #[error("the trace holds what could be read: {0}")]
    Rest(ReadError),
    /// The trace.
    #[error("{path}: {source}")]
    Write {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl ExportError {
    /// Whether another call would mend it.
    #[must_use]
    pub const fn is_bad_use(&self) -> bool {
        matches!(self, Self::Read { .. })
    }
}

/// Makes the trace, and says on standard error what is in it and what was left out.
///
/// # Errors
/// [`ExportError`]
pub fn export(config: &ExportConfig) -> Result<(), ExportError> {
    let shown = |path: &Path| path.display().to_string();
    let mut reader = Reader::open(&config.recording).map_err(|source| ExportError::Read {
        path: shown(&config.recording),
        source,
    })?;
    let failed = |source| ExportError::Write {
        path: shown(&config.trace),
        source,
    };
    let file = File::create(&config.trace).map_err(failed)?;
    let mut trace = Trace::new(file, config.filter);
    let mut damaged = None;
    for read in &mut reader {
        match read {
            Ok((at, update)) => trace.publish(at, update),
            // The rest of that segment; the next one may be whole.
            Err(error) => damaged = Some(error),
        }
    }
    let exported = trace.finish().map_err(failed)?;
    let counts: Vec<_> = exported
        .named()
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
        .collect();
    log::info!("{}: {}", shown(&config.trace), counts.join(", "));
    damaged.map_or(Ok(()), |error| Err(ExportError::Rest(error)))
}
