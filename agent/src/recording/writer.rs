//! Writing a recording: frames, and segments of bounded size.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use super::{
    MAX_SEGMENTS,
    batch::{CELLS, FlatMessage},
    codec::Encoder,
    frame::Packer,
    preamble::Preamble,
    segment::{MAGIC, RecordingHeader},
    segment_path,
    wire::Record,
};
use crate::domain::{Charge, MessageAftermath, Moment, SessionId, Update, units::counted};

/// Bytes of records that make a frame.
const FRAME_BYTES: usize = 1 << 16;

/// Why a recording cannot begin or continue.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file is not a recording, and is not overwritten.
    #[error(
        "{0} exists and is not a recording; it is not overwritten: give another name, or remove it"
    )]
    Foreign(PathBuf),
    /// The file cannot be written.
    #[error("cannot record to {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The thread that writes could not be started, or has panicked.
    #[error("cannot record: {0}")]
    Thread(#[source] io::Error),
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingTotals {
    /// Updates of all kinds.
    pub updates: u64,
    /// Messages among them.
    pub messages: u64,
    /// Updates that were dropped because writing could not keep up.
    pub lost: u64,
    /// Bytes written, dropped segments included.
    pub bytes: u64,
    /// Segments that were dropped to stay within the maximum size.
    pub dropped_segments: u64,
}

impl fmt::Display for RecordingTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "recorded {}, {} of them messages, in {}",
            counted(self.updates, "update"),
            self.messages,
            counted(self.bytes, "byte")
        )?;
        if self.dropped_segments > 0 {
            write!(
                f,
                "; segments dropped to stay within the size: {}",
                self.dropped_segments
            )?;
        }
        if self.lost > 0 {
            let lost = counted(self.lost, "update");
            write!(f, "; {lost} could not be recorded in time")?;
        }
        Ok(())
    }
}

/// Writes a recording. Blocking: [`Recorder`](super::Recorder) gives it a thread of its own.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    file: File,
    header: RecordingHeader,
    encoder: Encoder,
    packer: Packer,
    preamble: Preamble,
    /// The size of this segment, bytes.
    segment_bytes: u64,
    /// The largest size of a segment, bytes.
    max_segment_bytes: u64,
    totals: RecordingTotals,
}

impl Writer {
    /// Begins a recording of at most `max_size` bytes in all. An existing recording is replaced,
    /// with its older segments.
    pub(super) fn create(
        path: &Path,
        max_size: u64,
        header: RecordingHeader,
    ) -> Result<Self, WriteError> {
        let failed = |source| WriteError::Io {
            path: path.to_owned(),
            source,
        };
        if !is_replaceable(path).map_err(failed)? {
            return Err(WriteError::Foreign(path.to_owned()));
        }
        for n in 1..MAX_SEGMENTS {
            let older = segment_path(path, n);
            if older.exists() && is_replaceable(&older).unwrap_or(false) {
                fs::remove_file(&older).map_err(failed)?;
            }
        }
        let mut packer = Packer::default();
        let (file, size) = create_segment(path, &header, &mut packer).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            encoder: Encoder::new(header.from),
            header,
            packer,
            preamble: Preamble::default(),
            segment_bytes: size,
            max_segment_bytes: max_size / u64::from(MAX_SEGMENTS),
            totals: RecordingTotals {
                bytes: size,
                ..RecordingTotals::default()
            },
        })
    }

    /// Records an update that was published at `now`.
    pub(super) fn update(&mut self, now: Moment, update: Update) -> Result<(), WriteError> {
        if matches!(update, Update::IntervalEnded) {
            self.mark(now, &Record::Interval)?;
            return self.flush_full_frame();
        }
        self.totals.updates += 1;
        self.totals.messages += u64::from(matches!(update, Update::Message(_)));
        self.encoder
            .at(now)
            .and_then(|()| self.encoder.update(&update))
            .map_err(|e| self.failed(io::Error::other(e)))?;
        self.preamble.retain(update);
        self.flush_full_frame()
    }

    /// Records a message that was published at `now`.
    pub(super) fn message(
        &mut self,
        now: Moment,
        session: &Arc<SessionId>,
        flat: &FlatMessage,
        cells: &[i64; CELLS],
        charges: &[Charge],
        aftermath: MessageAftermath,
    ) -> Result<(), WriteError> {
        self.totals.updates += 1;
        self.totals.messages += 1;
        self.encoder
            .at(now)
            .and_then(|()| {
                self.encoder
                    .message(session, flat, cells, charges, aftermath)
            })
            .map_err(|e| self.failed(io::Error::other(e)))?;
        self.flush_full_frame()
    }

    /// Records that this many updates were dropped here.
    pub(super) fn lost(&mut self, updates: u64) -> Result<(), WriteError> {
        self.totals.lost += updates;
        self.mark(self.encoder.moment(), &Record::Lost(updates))
    }

    /// Ends the recording at `now`, or at the moment of the last update.
    pub(super) fn end(mut self, now: Option<Moment>) -> Result<RecordingTotals, WriteError> {
        self.mark(now.unwrap_or(self.encoder.moment()), &Record::End)?;
        self.flush()?;
        Ok(self.totals)
    }

    /// Writes the records so far as a frame.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        if self.encoder.bytes().is_empty() {
            return Ok(());
        }
        match self.packer.write(self.encoder.bytes(), &mut self.file) {
            Ok(bytes) => {
                self.segment_bytes += bytes as u64;
                self.totals.bytes += bytes as u64;
                self.encoder.clear();
                Ok(())
            }
            Err(error) => {
                // Part of a frame is of no use. Should cutting it off fail too, the reader stops
                // there.
                let _truncated = self.file.set_len(self.segment_bytes);
                let _sought = self.file.seek(SeekFrom::Start(self.segment_bytes));
                Err(self.failed(error))
            }
        }
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError::Io {
            path: self.path.clone(),
            source,
        }
    }

    fn mark(&mut self, now: Moment, record: &Record<'_>) -> Result<(), WriteError> {
        self.encoder
            .at(now)
            .and_then(|()| self.encoder.put(record))
            .map_err(|e| self.failed(io::Error::other(e)))
    }

    fn flush_full_frame(&mut self) -> Result<(), WriteError> {
        if self.encoder.bytes().len() < FRAME_BYTES {
            return Ok(());
        }
        self.flush()?;
        // Another frame may be as large as its records.
        if self.segment_bytes + FRAME_BYTES as u64 + FRAME_BYTES as u64 / 8 > self.max_segment_bytes
        {
            self.next_segment()?;
        }
        Ok(())
    }

    fn next_segment(&mut self) -> Result<(), WriteError> {
        let now = self.encoder.moment();
        self.mark(now, &Record::Continued)?;
        self.flush()?;
        self.header.segment += 1;
        self.header.from = now;
        self.rename_segments().map_err(|e| self.failed(e))?;
        let begun = create_segment(&self.path, &self.header, &mut self.packer);
        let (file, size) = begun.map_err(|e| self.failed(e))?;
        self.file = file;
        self.segment_bytes = size;
        self.totals.bytes += size;
        self.encoder = Encoder::new(now);
        let preamble = mem::take(&mut self.preamble);
        let repeated = preamble
            .updates()
            .try_for_each(|update| self.encoder.update(&update))
            .and_then(|()| self.encoder.put(&Record::Repeated));
        self.preamble = preamble;
        repeated.map_err(|e| self.failed(io::Error::other(e)))
    }

    /// Renames every segment to the next older name; the oldest is removed.
    fn rename_segments(&mut self) -> io::Result<()> {
        let oldest = segment_path(&self.path, MAX_SEGMENTS - 1);
        if oldest.exists() {
            fs::remove_file(&oldest)?;
            self.totals.dropped_segments += 1;
        }
        for n in (0..MAX_SEGMENTS - 1).rev() {
            let from = segment_path(&self.path, n);
            if from.exists() {
                fs::rename(&from, segment_path(&self.path, n + 1))?;
            }
        }
        Ok(())
    }
}

/// Creates a segment in place of any existing file.
fn create_segment(
    path: &Path,
    header: &RecordingHeader,
    packer: &mut Packer,
) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let size = header.write(packer, &mut file)?;
    Ok((file, size as u64))
}

/// Whether a file may be replaced: there is none, it is empty, or it is a recording.
fn is_replaceable(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    match fs::metadata(path) {
        // A device or a pipe could neither be cut nor renamed.
        Ok(file) if !file.is_file() => return Ok(false),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(e),
    }
    File::open(path)?
        .take(MAGIC.len() as u64)
        .read_to_end(&mut start)?;
    Ok(start.is_empty() || start == MAGIC)
}
