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
    SEGMENTS,
    batch::{CELLS, Flat},
    codec::Encoder,
    frame::Packer,
    preamble::Dictionary,
    segment::{Header, MAGIC},
    segment_path,
    wire::Record,
};
use crate::domain::{Charge, MessageAftermath, Moment, SessionId, Update};

/// So many bytes of records make a frame.
const FRAME: usize = 1 << 16;

/// Why nothing can be recorded, or nothing more.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file is something else: it is left alone.
    #[error("{0} exists and is not a recording: give another name, or remove it")]
    Foreign(PathBuf),
    /// The file system.
    #[error("cannot record to {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The thread that writes could not be started, or has panicked.
    #[error("cannot record: {0}")]
    Thread(#[source] io::Error),
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Inputs, of all kinds.
    pub updates: u64,
    /// Of these, messages.
    pub messages: u64,
    /// Inputs that were not recorded because writing could not keep up.
    pub lost: u64,
    /// Bytes, those of segments that were dropped included.
    pub bytes: u64,
    /// Segments that were dropped to stay within the size.
    pub dropped_segments: u64,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "recorded {} updates, {} of them messages, in {} bytes",
            self.updates, self.messages, self.bytes
        )?;
        if self.dropped_segments > 0 {
            write!(
                f,
                "; segments dropped to stay within the size: {}",
                self.dropped_segments
            )?;
        }
        if self.lost > 0 {
            write!(f, "; {} updates could not be recorded in time", self.lost)?;
        }
        Ok(())
    }
}

/// Writes a recording. Blocking: [`Recorder`](super::Recorder) gives it a thread of its own.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    file: File,
    header: Header,
    encoder: Encoder,
    packer: Packer,
    dictionary: Dictionary,
    /// Of this segment.
    size: u64,
    /// At most so large.
    limit: u64,
    written: Written,
}

impl Writer {
    /// Begins a recording of at most `max_size` bytes in all. A recording that is there is
    /// replaced, with its older segments.
    pub(super) fn create(path: &Path, max_size: u64, header: Header) -> Result<Self, WriteError> {
        let failed = |source| WriteError::Io {
            path: path.to_owned(),
            source,
        };
        if !is_ours(path).map_err(failed)? {
            return Err(WriteError::Foreign(path.to_owned()));
        }
        for n in 1..SEGMENTS {
            let older = segment_path(path, n);
            if older.exists() && is_ours(&older).unwrap_or(false) {
                fs::remove_file(&older).map_err(failed)?;
            }
        }
        let mut packer = Packer::default();
        let (file, size) = begin(path, &header, &mut packer).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            encoder: Encoder::new(header.from),
            header,
            packer,
            dictionary: Dictionary::default(),
            size,
            limit: max_size / u64::from(SEGMENTS),
            written: Written {
                bytes: size,
                ..Written::default()
            },
        })
    }

    /// Records an update that was published at `now`.
    pub(super) fn update(&mut self, now: Moment, update: Update) -> Result<(), WriteError> {
        if matches!(update, Update::IntervalEnded) {
            self.mark(now, &Record::Interval)?;
            return self.full_frame();
        }
        self.written.updates += 1;
        self.written.messages += u64::from(matches!(update, Update::Message(_)));
        self.encoder
            .at(now)
            .and_then(|()| self.encoder.update(&update))
            .map_err(|e| self.failed(io::Error::other(e)))?;
        self.dictionary.learn(update);
        self.full_frame()
    }

    /// Records a message that was published at `now`.
    pub(super) fn message(
        &mut self,
        now: Moment,
        session: &Arc<SessionId>,
        flat: &Flat,
        cells: &[i64; CELLS],
        charges: &[Charge],
        aftermath: MessageAftermath,
    ) -> Result<(), WriteError> {
        self.written.updates += 1;
        self.written.messages += 1;
        self.encoder
            .at(now)
            .and_then(|()| {
                self.encoder
                    .message(session, flat, cells, charges, aftermath)
            })
            .map_err(|e| self.failed(io::Error::other(e)))?;
        self.full_frame()
    }

    /// Records that so many updates are missing here.
    pub(super) fn lost(&mut self, updates: u64) -> Result<(), WriteError> {
        self.written.lost += updates;
        self.mark(self.encoder.moment(), &Record::Lost(updates))
    }

    /// Ends the recording; at the moment of the last update when `now` is not known.
    pub(super) fn end(mut self, now: Option<Moment>) -> Result<Written, WriteError> {
        self.mark(now.unwrap_or(self.encoder.moment()), &Record::End)?;
        self.flush()?;
        Ok(self.written)
    }

    /// Writes what is there.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        if self.encoder.bytes().is_empty() {
            return Ok(());
        }
        match self.packer.write(self.encoder.bytes(), &mut self.file) {
            Ok(bytes) => {
                self.size += bytes as u64;
                self.written.bytes += bytes as u64;
                self.encoder.clear();
                Ok(())
            }
            Err(error) => {
                // What is there of the frame is of no use. Should that fail too, the reader stops
                // there.
                let _left = self.file.set_len(self.size);
                let _left = self.file.seek(SeekFrom::Start(self.size));
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

    fn full_frame(&mut self) -> Result<(), WriteError> {
        if self.encoder.bytes().len() < FRAME {
            return Ok(());
        }
        self.flush()?;
        // Another frame may be as large as its records.
        if self.size + FRAME as u64 + FRAME as u64 / 8 > self.limit {
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
        self.shift().map_err(|e| self.failed(e))?;
        let begun = begin(&self.path, &self.header, &mut self.packer);
        let (file, size) = begun.map_err(|e| self.failed(e))?;
        self.file = file;
        self.size = size;
        self.written.bytes += size;
        self.encoder = Encoder::new(now);
        let dictionary = mem::take(&mut self.dictionary);
        let repeated = dictionary
            .updates()
            .try_for_each(|update| self.encoder.update(&update))
            .and_then(|()| self.encoder.put(&Record::Repeated));
        self.dictionary = dictionary;
        repeated.map_err(|e| self.failed(io::Error::other(e)))
    }

    /// Makes every segment one older; the oldest goes.
    fn shift(&mut self) -> io::Result<()> {
        let oldest = segment_path(&self.path, SEGMENTS - 1);
        if oldest.exists() {
            fs::remove_file(&oldest)?;
            self.written.dropped_segments += 1;
        }
        for n in (0..SEGMENTS - 1).rev() {
            let from = segment_path(&self.path, n);
            if from.exists() {
                fs::rename(&from, segment_path(&self.path, n + 1))?;
            }
        }
        Ok(())
    }
}

/// Makes a segment; what was there is gone.
fn begin(path: &Path, header: &Header, packer: &mut Packer) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let size = header.write(packer, &mut file)?;
    Ok((file, size as u64))
}

/// Whether a file may be replaced: there is none, it is empty, or it is a recording.
fn is_ours(path: &Path) -> io::Result<bool> {
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
