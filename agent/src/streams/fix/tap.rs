//! The state machine over the stream.

use std::fmt;

use super::{
    Counts, Header,
    framing::{
        MAX_PREFIX, Prefix, START, TRAILER_LEN, fits_trailer, may_start, next_start, prefix,
    },
    walk::Walk,
};

/// No header is looked for past this many bytes of a message.
const MAX_HEADER: usize = 256;

/// Offsets that go back this far, with nothing new at their end, are another stream.
const RESTART_DISTANCE: u64 = 1 << 20;

/// Where the tap is.
#[derive(Clone, Copy)]
enum State {
    /// Nowhere: looks for the next SOH, after which a message may start.
    Lost,
    /// Where a message starts, or where one may start if it was not `expected`. Kept: what has been
    /// seen of fields 8 and 9.
    Start { expected: bool },
    /// In a header, whose BodyLength is known. Kept: the message so far.
    Header(Frame, Walk),
    /// Past what is needed of the header. Nothing is kept.
    Body(Frame),
    /// In the trailer. Kept: what has been seen of it without a gap. `boundary`: what is kept may
    /// start with a message, if this is no trailer after all.
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
        (self.trailer - self.start).min(MAX_HEADER as u64) as usize
    }
}

/// Bytes held across calls.
struct Kept {
    len: usize,
    bytes: [u8; MAX_HEADER],
}

impl Kept {
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
/// its own end are left out. A header is looked for in the first 256 bytes of a message; a field
/// that goes past them is not read. It is complete at the first tag that is not of the standard
/// header.
///
/// When the framing breaks, the tap goes on at the next `8=FIX` after a SOH, or after a gap. See
/// [`Counts`] for what is then counted.
///
/// A tap takes a fixed amount of memory, and none from the heap.
pub struct Tap {
    /// The offset expected next; `None` before the first chunk.
    at: Option<u64>,
    state: State,
    kept: Kept,
    counts: Counts,
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
    /// A tap that has seen nothing. It can be attached anywhere in a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            at: None,
            state: State::Start { expected: false },
            kept: Kept {
                len: 0,
                bytes: [0; MAX_HEADER],
            },
            counts: Counts {
                messages: 0,
                garbled: 0,
                incomplete_headers: 0,
                withheld_headers: 0,
                missing: super::Missing {
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
    pub fn counts(&self) -> Counts {
        let pending = match self.state {
            State::Start { .. } | State::Trailer { .. } => self.kept.len,
            State::Lost | State::Header(..) | State::Body(_) => 0,
        };
        Counts {
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
                State::Lost => self.search(rest),
                State::Start { expected } => self.start(expected, at, rest, found),
                State::Header(frame, walk) => self.header(frame, walk, rest, found),
                State::Body(frame) => self.body(frame, at, rest),
                State::Trailer { frame, boundary } => self.trailer(frame, boundary, at, rest),
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
            _ if behind < RESTART_DISTANCE => {
                self.counts.overlap_bytes += fresh.len() as u64;
                &[]
            }
            _ => {
                self.counts.restarts += 1;
                self.counts.rewound_bytes = self.counts.rewound_bytes.wrapping_add(behind);
                self.let_go();
                self.at = Some(offset);
                fresh
            }
        }
    }

    /// Goes on at `offset`, with nothing known of the bytes since `at`.
    fn gap(&mut self, at: u64, offset: u64) {
        self.at = Some(offset);
        let left_out = match self.state {
            State::Body(frame) | State::Trailer { frame, .. } => {
                let left_out = offset.min(frame.end) - at;
                if offset <= frame.end {
                    self.counts.message_bytes += self.kept.len as u64;
                    self.kept.len = 0;
                    if offset == frame.end {
                        self.state = State::Start { expected: true };
                    } else if offset >= frame.trailer {
                        self.state = State::Trailer {
                            frame,
                            boundary: true,
                        };
                    }
                } else {
                    self.let_go();
                }
                left_out
            }
            State::Lost | State::Start { .. } | State::Header(..) => {
                self.let_go();
                0
            }
        };
        self.counts.omitted_bytes += left_out;
        let lost = offset - at - left_out;
        self.counts.lost_bytes = self.counts.lost_bytes.wrapping_add(lost);
    }

    /// Gives up the message in progress: the next byte may be anything, a message's start included.
    fn let_go(&mut self) {
        let kept = self.kept.len;
        match self.state {
            State::Start { expected } => {
                let was_message = kept >= START.len() || (expected && kept > 0);
                self.counts.dropped_messages += u64::from(was_message);
                self.counts.skipped_bytes += kept as u64;
            }
            // The bytes kept have been counted when they came.
            State::Header(..) => self.counts.dropped_messages += 1,
            // The header has been handed out: nothing is lost but the end.
            State::Trailer { .. } => self.counts.message_bytes += kept as u64,
            State::Lost | State::Body(_) => {}
        }
        self.kept.len = 0;
        self.state = State::Start { expected: false };
    }

    /// Skips to after the next SOH.
    fn search(&mut self, rest: &[u8]) -> usize {
        let read = match memchr::memchr(super::framing::SOH, rest) {
            Some(soh) => {
                self.state = State::Start { expected: false };
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
        if self.kept.len == 0 {
            return match framed(at, rest) {
                Framed::Whole(frame, walk) => self.header(frame, walk, rest, found),
                Framed::Partial => {
                    self.kept.push(rest);
                    rest.len()
                }
                Framed::Broken { started } => {
                    self.counts.garbled += u64::from(expected || started);
                    self.state = State::Lost;
                    0
                }
            };
        }
        // Byte by byte, so that nothing past fields 8 and 9 is kept when they are whole.
        let start = at - self.kept.len as u64;
        for (i, byte) in rest.iter().enumerate() {
            self.kept.push(std::slice::from_ref(byte));
            match framed(start, self.kept.bytes()) {
                Framed::Whole(frame, walk) => {
                    self.counts.message_bytes += self.kept.len as u64;
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

    /// Looks for a message's start in what is kept, which is neither that of a message nor a
    /// trailer; at its first byte only if that is a `boundary`.
    ///
    /// What is kept was right up to its last byte, and neither fields 8 and 9 nor a trailer have
    /// room for a SOH and a whole [`START`]: what is found is the beginning of one at most.
    fn rescan(&mut self, boundary: bool) {
        let bytes = self.kept.bytes();
        let at = if boundary && may_start(bytes) {
            Some(0)
        } else {
            next_start(bytes)
        };
        self.state = match at {
            Some(_) => State::Start { expected: false },
            None => State::Lost,
        };
        let skipped = at.unwrap_or(self.kept.len);
        self.counts.skipped_bytes += skipped as u64;
        self.kept.drop_first(skipped);
    }

    /// Reads the header: from the chunk alone if nothing is kept, else by way of what is kept.
    fn header(
        &mut self,
        frame: Frame,
        mut walk: Walk,
        rest: &[u8],
        found: &mut impl FnMut(Header),
    ) -> usize {
        let limit = frame.header_limit();
        let read = rest.len().min(limit - self.kept.len);
        let fresh = &rest[..read];
        self.counts.message_bytes += read as u64;
        let whole_in_chunk = self.kept.len == 0;
        if !whole_in_chunk {
            self.kept.push(fresh);
        }
        let window = if whole_in_chunk {
            fresh
        } else {
            self.kept.bytes()
        };
        if walk.advance(window, limit) {
            let place = (frame.start, frame.end);
            if let Some(header) = Header::decode(place, window, &walk, &mut self.counts) {
                found(header);
            }
            let last = window.last().copied();
            let at_trailer = window.len() as u64 == frame.trailer - frame.start;
            self.kept.len = 0;
            self.state = State::Body(frame);
            if at_trailer {
                self.enter_trailer(frame, last);
            }
        } else {
            if whole_in_chunk {
                self.kept.push(fresh);
            }
            self.state = State::Header(frame, walk);
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
        self.state = State::Trailer {
            frame,
            boundary: last == Some(super::framing::SOH),
        };
    }

    /// Checks the trailer, as far as it is there.
    fn trailer(&mut self, frame: Frame, boundary: bool, at: u64, rest: &[u8]) -> usize {
        let first = (at - frame.trailer) as usize;
        for (i, byte) in rest.iter().enumerate() {
            let place = first + i;
            self.kept.push(std::slice::from_ref(byte));
            if !fits_trailer(place, *byte) {
                self.counts.garbled += 1;
                self.rescan(boundary);
                return i + 1;
            }
            if place + 1 == TRAILER_LEN {
                self.counts.message_bytes += self.kept.len as u64;
                self.kept.len = 0;
                self.state = State::Start { expected: true };
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
