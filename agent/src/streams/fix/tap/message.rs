//! The parts of a message, from fields 8 and 9 to the trailer.

use super::{
    super::{
        Header,
        fields::FieldWalk,
        framing::{SOH, TRAILER_LEN, fits_trailer},
    },
    Tap,
    state::{Frame, Framed, TapState, framed},
};

impl Tap {
    /// Reads fields 8 and 9.
    pub(super) fn start(
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
                    self.rescan(at + i as u64 + 1, false);
                    return i + 1;
                }
            }
        }
        rest.len()
    }

    /// Reads the header: from the chunk alone if nothing is retained, else by way of what is retained.
    pub(super) fn header(
        &mut self,
        frame: Frame,
        mut walk: FieldWalk,
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
    pub(super) fn body(&mut self, frame: Frame, at: u64, rest: &[u8]) -> usize {
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
            boundary: last == Some(SOH),
        };
    }

    /// Checks the trailer, as far as it is there.
    pub(super) fn trailer(&mut self, frame: Frame, boundary: bool, at: u64, rest: &[u8]) -> usize {
        let first = (at - frame.trailer) as usize;
        for (i, byte) in rest.iter().enumerate() {
            let place = first + i;
            self.retained.push(std::slice::from_ref(byte));
            if !fits_trailer(place, *byte) {
                self.counts.garbled += 1;
                self.resume_points.claimed_end = Some(frame.end);
                self.rescan(at + i as u64 + 1, boundary);
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
