//! The state machine over the stream.

use std::fmt;

use super::{
    Header, TapTotals,
    framing::{
        MAX_PREFIX, Prefix, START, TRAILER_LEN, fits_trailer, may_start, next_start, prefix,
    },
    walk::Walk,
};

/// A header is searched in this many bytes of a message at the most.
const MAX_HEADER_BYTES: usize = 256;

/// Offsets that go back by this many bytes, with nothing new at their end, are another stream.
const RESTART_DISTANCE_BYTES: u64 = 1 << 20;

/// Where the tap is in the stream.
#[derive(Clone, Copy)]
enum TapState {
    /// Nowhere: the next SOH is searched, after which a message may start.
    Lost,
    /// Where a message starts, or where one may start if it was not `expected`. Retained: what has
    /// come of fields 8 and 9.
    Start { expected: bool },
    /// In a header whose BodyLength has been read. Retained: the message so far.
    Header(Frame, Walk),
    /// Past what is needed of the header. Nothing is retained.
    Body(Frame),
    /// In the trailer. Retained: what has come of it without a gap. `boundary`: that may start with
    /// a message, if this is no trailer after all.
    Trailer { frame: Frame, boundary: bool },
}

/// Where a message lies in the stream.
#[derive(Clone, Copy)]
struct Frame {
    start: u64,
    /// Where its trailer starts.
    trailer: u64,
    end: u64,
}

impl Frame {
    /// `None` when the message would end past the last offset there is.
    fn new(start: u64, prefix_len: u32, body: u32) -> Option<Self> {
        let trailer = start
            .checked_add(u64::from(prefix_len))?
            .checked_add(u64::from(body))?;
        let end = trailer.checked_add(TRAILER_LEN as u64)?;
        Some(Self {
            start,
            trailer,
            end,
        })
    }

    /// Where the header ends at the latest, counted from the start of the message.
    fn header_limit(&self) -> usize {
        (self.trailer - self.start).min(MAX_HEADER_BYTES as u64) as usize
    }
}

/// Bytes retained across calls.
struct RetainedBytes {
    len: usize,
    bytes: [u8; MAX_HEADER_BYTES],
}

impl RetainedBytes {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, more: &[u8]) {
        self.bytes[self.len..][..more.len()].copy_from_slice(more);
        self.len += more.len();
    }

    fn drop_first(&mut self, n: usize) {
        self.bytes.copy_within(n..self.len, 0);
        self.len -= n;
    }
}

/// Reads the messages of one socket's receive stream, from chunks with their stream offsets.
///
/// The walk goes by BodyLength (9), from `8=FIX` to `8=FIX`. What is read of a message is the same
/// however the stream is split into chunks, and whichever bytes between the end of its header and
/// its own end are missing. A header is searched in the first 256 bytes of a message; a field
/// that goes past them is not read. It is complete at the first tag that is not of the standard
/// header.
///
/// When the framing breaks, the tap goes on at the next `8=FIX` after a SOH, or after a gap. See
/// [`TapTotals`] for what is then counted.
///
/// A tap takes a fixed amount of memory, and none from the heap.
pub struct Tap {
    /// The offset expected next; `None` before the first chunk.
    at: Option<u64>,
    state: TapState,
    retained: RetainedBytes,
    counts: TapTotals,
}

impl Default for Tap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("expected", &self.at)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Tap {
    /// A tap that has read nothing. It can be attached anywhere in a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            at: None,
            state: TapState::Start { expected: false },
            retained: RetainedBytes {
                len: 0,
                bytes: [0; MAX_HEADER_BYTES],
            },
            counts: TapTotals {
                messages: 0,
                garbled: 0,
                incomplete_headers: 0,
                withheld_headers: 0,
                missing: super::MissingFields {
                    seq: 0,
                    msg_type: 0,
                    sender: 0,
                    target: 0,
                    sending_time: 0,
                },
                dropped_messages: 0,
                restarts: 0,
                offered_bytes: 0,
                message_bytes: 0,
                skipped_bytes: 0,
                overlap_bytes: 0,
                pending_bytes: 0,
                omitted_bytes: 0,
                lost_bytes: 0,
                rewound_bytes: 0,
            },
        }
    }

    /// What has been counted so far.
    #[must_use]
    pub fn counts(&self) -> TapTotals {
        let pending = match self.state {
            TapState::Start { .. } | TapState::Trailer { .. } => self.retained.len,
            TapState::Lost | TapState::Header(..) | TapState::Body(_) => 0,
        };
        TapTotals {
            pending_bytes: pending as u64,
            ..self.counts
        }
    }

    /// The stream offset that follows on what has been fed; `None` before the first chunk.
    #[must_use]
    pub const fn expected(&self) -> Option<u64> {
        self.at
    }

    /// Reads a chunk whose first byte is at the stream offset `offset`, and hands every header that
    /// it completes to `found`, in stream order and each once.
    ///
    /// Bytes at offsets that were passed before are not read again. A chunk that lies wholly 1 MiB
    /// or more behind is taken for another stream: the tap starts over at its offset. An empty
    /// chunk says nothing.
    pub fn feed(&mut self, offset: u64, bytes: &[u8], found: &mut impl FnMut(Header)) {
        self.counts.offered_bytes += bytes.len() as u64;
        let mut rest = self.align(offset, bytes);
        while let (Some(at), false) = (self.at, rest.is_empty()) {
            let read = match self.state {
                TapState::Lost => self.search(rest),
                TapState::Start { expected } => self.start(expected, at, rest, found),
                TapState::Header(frame, walk) => self.header(frame, walk, rest, found),
                TapState::Body(frame) => self.body(frame, at, rest),
                TapState::Trailer { frame, boundary } => self.trailer(frame, boundary, at, rest),
            };
            rest = &rest[read..];
            self.at = Some(at + read as u64);
        }
    }

    /// Settles what lies between the offset expected and this one; gives the bytes left to read,
    /// all of which have an offset.
    fn align<'a>(&mut self, offset: u64, bytes: &'a [u8]) -> &'a [u8] {
        let nameable = usize::try_from(u64::MAX - offset).unwrap_or(usize::MAX);
        let fresh = &bytes[..bytes.len().min(nameable)];
        self.counts.overlap_bytes += (bytes.len() - fresh.len()) as u64;
        if fresh.is_empty() {
            return fresh;
        }
        let at = *self.at.get_or_insert(offset);
        if offset >= at {
            if offset > at {
                self.gap(at, offset);
            }
            return fresh;
        }
        let behind = at - offset;
        match usize::try_from(behind) {
            Ok(overlap) if overlap < fresh.len() => {
                self.counts.overlap_bytes += behind;
                &fresh[overlap..]
            }
            _ if behind < RESTART_DISTANCE_BYTES => {
                self.counts.overlap_bytes += fresh.len() as u64;
                &[]
            }
            _ => {
                self.counts.restarts += 1;
                self.counts.rewound_bytes = self.counts.rewound_bytes.wrapping_add(behind);
                self.abandon();
                self.at = Some(offset);
                fresh
            }
        }
    }

    /// Goes on at `offset`; the bytes since `at` are missing.
    fn gap(&mut self, at: u64, offset: u64) {
        self.at = Some(offset);
        let omitted = match self.state {
            TapState::Body(frame) | TapState::Trailer { frame, .. } => {
                let omitted = offset.min(frame.end) - at;
                if offset <= frame.end {
                    self.counts.message_bytes += self.retained.len as u64;
                    self.retained.len = 0;
                    if offset == frame.end {
                        self.state = TapState::Start { expected: true };
                    } else if offset >= frame.trailer {
                        self.state = TapState::Trailer {
                            frame,
                            boundary: true,
                        };
                    }
                } else {
                    self.abandon();
                }
                omitted
            }
            TapState::Lost | TapState::Start { .. } | TapState::Header(..) => {
                self.abandon();
                0
            }
        };
        self.counts.omitted_bytes += omitted;
        let lost = offset - at - omitted;
        self.counts.lost_bytes = self.counts.lost_bytes.wrapping_add(lost);
    }

    /// Abandons the message in progress: the next byte may be anything, a message's start included.
    fn abandon(&mut self) {
        let retained = self.retained.len;
        match self.state {
            TapState::Start { expected } => {
                let was_message = retained >= START.len() || (expected && retained > 0);
                self.counts.dropped_messages += u64::from(was_message);
                self.counts.skipped_bytes += retained as u64;
            }
            // The retained bytes were counted when they came.
            TapState::Header(..) => self.counts.dropped_messages += 1,
            // The header has been handed out: nothing is lost but the end.
            TapState::Trailer { .. } => self.counts.message_bytes += retained as u64,
            TapState::Lost | TapState::Body(_) => {}
        }
        self.retained.len = 0;
        self.state = TapState::Start { expected: false };
    }

    /// Skips to after the next SOH.
    fn search(&mut self, rest: &[u8]) -> usize {
        let read = match memchr::memchr(super::framing::SOH, rest) {
            Some(soh) => {
                self.state = TapState::Start { expected: false };
                soh + 1
            }
            None => rest.len(),
        };
        self.counts.skipped_bytes += read as u64;
        read
    }

    /// Reads fields 8 and 9.
    fn start(
        &mut self,
        expected: bool,
        at: u64,
        rest: &[u8],
        found: &mut impl FnMut(Header),
    ) -> usize {
        if self.retained.len == 0 {
            return match framed(at, rest) {
                Framed::Whole(frame, walk) => self.header(frame, walk, rest, found),
                Framed::Partial => {
                    self.retained.push(rest);
                    rest.len()
                }
                Framed::Broken { started } => {
                    self.counts.garbled += u64::from(expected || started);
                    self.state = TapState::Lost;
                    0
                }
            };
        }
        // Byte by byte, so that nothing past fields 8 and 9 is retained when they are whole.
        let start = at - self.retained.len as u64;
        for (i, byte) in rest.iter().enumerate() {
            self.retained.push(std::slice::from_ref(byte));
            match framed(start, self.retained.bytes()) {
                Framed::Whole(frame, walk) => {
                    self.counts.message_bytes += self.retained.len as u64;
                    return i + 1 + self.header(frame, walk, &rest[i + 1..], found);
                }
                Framed::Partial => {}
                Framed::Broken { started } => {
                    self.counts.garbled += u64::from(expected || started);
                    self.rescan(false);
                    return i + 1;
                }
            }
        }
        rest.len()
    }

    /// Looks for a message's start in what is retained, which is neither that of a message nor a
    /// trailer; at its first byte only if that is a `boundary`.
    ///
    /// What is retained was right up to its last byte, and neither fields 8 and 9 nor a trailer have
    /// room for a SOH and a whole [`START`]: what is found is the beginning of one at most.
    fn rescan(&mut self, boundary: bool) {
        let bytes = self.retained.bytes();
        let at = if boundary && may_start(bytes) {
            Some(0)
        } else {
            next_start(bytes)
        };
        self.state = match at {
            Some(_) => TapState::Start { expected: false },
            None => TapState::Lost,
        };
        let skipped = at.unwrap_or(self.retained.len);
        self.counts.skipped_bytes += skipped as u64;
        self.retained.drop_first(skipped);
    }

    /// Reads the header: from the chunk alone if nothing is retained, else by way of what is retained.
    fn header(
        &mut self,
        frame: Frame,
        mut walk: Walk,
        rest: &[u8],
        found: &mut impl FnMut(Header),
    ) -> usize {
        let limit = frame.header_limit();
        let read = rest.len().min(limit - self.retained.len);
        let fresh = &rest[..read];
        self.counts.message_bytes += read as u64;
        let whole_in_chunk = self.retained.len == 0;
        if !whole_in_chunk {
            self.retained.push(fresh);
        }
        let window = if whole_in_chunk {
            fresh
        } else {
            self.retained.bytes()
        };
        if walk.advance(window, limit) {
            let place = (frame.start, frame.end);
            if let Some(header) = Header::decode(place, window, &walk, &mut self.counts) {
                found(header);
            }
            let last = window.last().copied();
            let at_trailer = window.len() as u64 == frame.trailer - frame.start;
            self.retained.len = 0;
            self.state = TapState::Body(frame);
            if at_trailer {
                self.enter_trailer(frame, last);
            }
        } else {
            if whole_in_chunk {
                self.retained.push(fresh);
            }
            self.state = TapState::Header(frame, walk);
        }
        read
    }

    /// Skips the body.
    fn body(&mut self, frame: Frame, at: u64, rest: &[u8]) -> usize {
        let left = usize::try_from(frame.trailer - at).unwrap_or(usize::MAX);
        let read = rest.len().min(left);
        self.counts.message_bytes += read as u64;
        if read == left {
            self.enter_trailer(frame, rest[..read].last().copied());
        }
        read
    }

    /// The trailer comes next, after `last`.
    fn enter_trailer(&mut self, frame: Frame, last: Option<u8>) {
        self.state = TapState::Trailer {
            frame,
            boundary: last == Some(super::framing::SOH),
        };
    }

    /// Checks the trailer, as far as it is there.
    fn trailer(&mut self, frame: Frame, boundary: bool, at: u64, rest: &[u8]) -> usize {
        let first = (at - frame.trailer) as usize;
        for (i, byte) in rest.iter().enumerate() {
            let place = first + i;
            self.retained.push(std::slice::from_ref(byte));
            if !fits_trailer(place, *byte) {
                self.counts.garbled += 1;
                self.rescan(boundary);
                return i + 1;
            }
            if place + 1 == TRAILER_LEN {
                self.counts.message_bytes += self.retained.len as u64;
                self.retained.len = 0;
                self.state = TapState::Start { expected: true };
                return i + 1;
            }
        }
        rest.len()
    }
}

/// What some bytes are, taken as the beginning of a message at this offset.
enum Framed {
    Whole(Frame, Walk),
    Partial,
    Broken { started: bool },
}

fn framed(start: u64, bytes: &[u8]) -> Framed {
    match prefix(&bytes[..bytes.len().min(MAX_PREFIX)]) {
        Prefix::Whole { len, body } => match Frame::new(start, len, body) {
            Some(frame) => Framed::Whole(frame, Walk::new(len as usize)),
            None => Framed::Broken { started: true },
        },
        Prefix::Partial => Framed::Partial,
        Prefix::Broken { started } => Framed::Broken { started },
    }
}
