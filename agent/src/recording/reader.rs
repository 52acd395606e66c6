//! Reading a recording.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use thiserror::Error;

use super::{
    SEGMENTS,
    codec::{Decoded, Decoder},
    frame::{self, FrameError},
    segment::{Header, VERSION},
    segment_path,
};
use crate::domain::{Moment, Update};

/// Why a recording, or the rest of it, cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file.
    #[error("the recording cannot be read: {0}")]
    Io(#[source] io::Error),
    /// It begins with something else.
    #[error("it is not a recording of tag52")]
    NotARecording,
    /// Written by another version of the format.
    #[error(
        "the recording has format {0}, this tag52 reads format {VERSION}: use the tag52 that wrote it"
    )]
    Version(u16),
    /// The file ends before the recording does: the agent was killed, or still runs. All whole
    /// frames before were read.
    #[error("the recording ends early, {bytes} bytes into a frame: all before was read")]
    Truncated {
        /// How much is there of the frame that is not whole.
        bytes: u64,
    },
    /// The bytes are not what was written. All before was read.
    #[error("the recording is damaged at byte {offset}: all before was read")]
    Damaged {
        /// Where the frame begins that cannot be read.
        offset: u64,
    },
}

/// Reads a recording, the oldest segment first.
///
/// As an iterator it gives every [`Update`] with its [`Moment`]. An error ends the segment it occurs
/// in; the iterator goes on with the next one, and ends with the last.
pub struct Reader {
    header: Header,
    segments: VecDeque<(Segment, Header)>,
    current: Option<Segment>,
    /// Whether the next segment follows on all that was read, so that it repeats what is there.
    follows: bool,
    until: Moment,
    lost: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a recording and the segments before it (`FILE.1`, ...), as far as they belong to it.
    /// An older segment by its own name is read alone.
    ///
    /// # Errors
    /// [`ReadError`], when the file itself is no recording that can be read.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let open = |path: &Path| {
            let file = File::open(path).map_err(ReadError::Io)?;
            Segment::open(Box::new(BufReader::new(file)))
        };
        let mut segments = VecDeque::from([open(path)?]);
        for n in 1..SEGMENTS {
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
    pub fn new(source: impl Read + Send + 'static) -> Result<Self, ReadError> {
        let segment = Segment::open(Box::new(source))?;
        Ok(Self::of(VecDeque::from([segment])))
    }

    fn of(segments: VecDeque<(Segment, Header)>) -> Self {
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

    /// What the oldest segment there is says of itself. Its `segment` is the number of those that
    /// are gone; a model is to begin at its `from`.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The moment of what was read last; once all is read, when the recording ends.
    #[must_use]
    pub const fn until(&self) -> Moment {
        self.until
    }

    /// How many updates, so far, reached the model and could not be recorded.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

impl Iterator for Reader {
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
                // The segment before had it.
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

struct Segment {
    source: Box<dyn Read + Send>,
    decoder: Decoder,
    /// In the repeated part, and all of it is known.
    repeats: bool,
    /// Where the frame in `bytes` ends.
    offset: u64,
    frame_at: u64,
    packed: Vec<u8>,
    bytes: Vec<u8>,
    at: usize,
}

impl Segment {
    fn open(mut source: Box<dyn Read + Send>) -> Result<(Self, Header), ReadError> {
        let (header, offset) = Header::read(&mut source)?;
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
