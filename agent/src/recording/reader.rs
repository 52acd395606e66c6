//! Reading a recording.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use super::{
    MAX_SEGMENTS,
    codec::{Decoded, Decoder},
    frame::{self, FrameError},
    read_error::ReadError,
    segment::RecordingHeader,
    segment_path,
};
use crate::domain::{Moment, Update};

/// Reads a recording, the oldest segment first.
///
/// As an iterator it returns every [`Update`] with its [`Moment`]. An error ends the segment that
/// it occurs in; the iterator continues with the next segment, and ends with the last.
pub(crate) struct RecordingReader {
    header: RecordingHeader,
    segments: VecDeque<(SegmentReader, RecordingHeader)>,
    current: Option<SegmentReader>,
    /// The segment before the next one was read to its end, so that the next one repeats updates
    /// that were returned already.
    follows: bool,
    until: Moment,
    lost: u64,
}

impl std::fmt::Debug for RecordingReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingReader")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl RecordingReader {
    /// Opens a recording and the segments before it (`FILE.1`, ...), as far as they belong to it.
    /// An older segment by its own name is read alone.
    ///
    /// # Errors
    /// [`ReadError`], when the file itself is no recording that can be read.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let open = |path: &Path| {
            let file = File::open(path).map_err(ReadError::Io)?;
            SegmentReader::open(Box::new(BufReader::new(file)))
        };
        let mut segments = VecDeque::from([open(path)?]);
        for n in 1..MAX_SEGMENTS {
            match open(&segment_path(path, n)) {
                Ok(older) if older.1.precedes(&segments[0].1) => segments.push_front(older),
                _ => break,
            }
        }
        Ok(Self::of(segments))
    }

    /// Reads one segment from anywhere.
    ///
    /// # Errors
    /// [`ReadError`], when it does not begin as a recording.
    #[cfg(test)]
    pub(crate) fn new(source: impl Read + Send + 'static) -> Result<Self, ReadError> {
        let segment = SegmentReader::open(Box::new(source))?;
        Ok(Self::of(VecDeque::from([segment])))
    }

    fn of(segments: VecDeque<(SegmentReader, RecordingHeader)>) -> Self {
        let header = segments[0].1.clone();
        let until = header.from;
        Self {
            header,
            segments,
            current: None,
            follows: false,
            until,
            lost: 0,
        }
    }

    /// The header of the oldest segment that exists. Its `segment` is the number of older ones that
    /// are gone; a model has to begin at its `from`.
    #[must_use]
    pub(crate) const fn header(&self) -> &RecordingHeader {
        &self.header
    }

    /// The moment of the last update; once everything is read, the end of the recording.
    #[must_use]
    pub(crate) const fn until(&self) -> Moment {
        self.until
    }

    /// How many updates, so far, were published and dropped from the recording.
    #[must_use]
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}

impl Iterator for RecordingReader {
    type Item = Result<(Moment, Update), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(segment) = &mut self.current else {
                let (mut segment, _) = self.segments.pop_front()?;
                segment.repeats = self.follows;
                self.current = Some(segment);
                self.follows = false;
                continue;
            };
            let decoded = match segment.next() {
                Ok(decoded) => decoded,
                Err(error) => {
                    self.current = None;
                    return Some(Err(error));
                }
            };
            let moment = segment.decoder.moment();
            match decoded {
                Decoded::Repeated => segment.repeats = false,
                // It was returned from the segment before.
                Decoded::Update(_) if segment.repeats => {}
                Decoded::Update(update) => {
                    self.until = moment;
                    return Some(Ok((moment, update)));
                }
                Decoded::Lost(updates) => self.lost = self.lost.saturating_add(updates),
                Decoded::Continued => {
                    self.follows = true;
                    self.current = None;
                }
                Decoded::End => {
                    self.until = moment;
                    self.current = None;
                }
                Decoded::Nothing => {}
            }
        }
    }
}

/// Reads one segment.
struct SegmentReader {
    source: Box<dyn Read + Send>,
    decoder: Decoder,
    /// The updates are repeated ones that were returned already.
    repeats: bool,
    /// Where the frame in `bytes` ends in the file.
    offset: u64,
    /// Where it begins in the file.
    frame_at: u64,
    packed: Vec<u8>,
    bytes: Vec<u8>,
    /// Where the next record begins in `bytes`.
    at: usize,
}

impl SegmentReader {
    fn open(mut source: Box<dyn Read + Send>) -> Result<(Self, RecordingHeader), ReadError> {
        let (header, offset) = RecordingHeader::read(&mut source)?;
        let segment = Self {
            source,
            decoder: Decoder::new(header.from),
            repeats: false,
            offset,
            frame_at: offset,
            packed: Vec::new(),
            bytes: Vec::new(),
            at: 0,
        };
        Ok((segment, header))
    }

    fn next(&mut self) -> Result<Decoded, ReadError> {
        while self.at == self.bytes.len() {
            self.at = 0;
            self.frame_at = self.offset;
            match frame::read(&mut self.source, &mut self.packed, &mut self.bytes) {
                Ok(length) => self.offset += length as u64,
                Err(FrameError::Io(error)) => return Err(ReadError::Io(error)),
                Err(FrameError::Cut(bytes)) => {
                    return Err(ReadError::Truncated {
                        bytes: bytes as u64,
                    });
                }
                Err(FrameError::Damaged) => {
                    return Err(ReadError::Damaged {
                        offset: self.frame_at,
                    });
                }
            }
        }
        let mut rest = &self.bytes[self.at..];
        let decoded = self.decoder.next(&mut rest);
        self.at = self.bytes.len() - rest.len();
        decoded.ok_or(ReadError::Damaged {
            offset: self.frame_at,
        })
    }
}
