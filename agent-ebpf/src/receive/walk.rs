//! The header walk: of all bytes received, only the first [`MAX_SLICE_BYTES`] of each message leave
//! the kernel.
//!
//! BodyLength (9) says where the next message begins, so a message's body is never looked at, let
//! alone copied. Out of step (a late start, wrong BodyLength, garbage) whole bytes are handed over
//! until a message begins; the agent's parser does not depend on how much it is given.

use agent_common::{
    BytesReceived, HeaderWalk, MAX_RECORD_BYTES, MAX_SLICE_BYTES, PREFIX_BYTES, ProbeCounter,
    RecordKind, SLICE_HEAD_BYTES, StreamContent, TrackedSocket, walk_mode,
};
use aya_ebpf::{
    cty::{c_long, c_void},
    helpers::generated::{bpf_loop, bpf_probe_read_user},
};

use crate::{
    bits::opaque,
    maps::{Progress, RecvScratch, SLICE_LIMIT},
    ring::{count, emit_bytes, is_pressed},
    user_buffer::{self, Buffers, IOVEC_BYTES},
};

/// Steps of one walk: a message takes two or three.
const MAX_STEPS: u32 = 8192;

const RECV_BYTES: u64 = size_of::<BytesReceived>() as u64;
const SLICE: u64 = MAX_SLICE_BYTES as u64;
const SLICE_HEAD: u64 = SLICE_HEAD_BYTES as u64;
/// A slice that starts up to here fits into the record.
const LAST_START: u64 = MAX_RECORD_BYTES as u64 - SLICE_HEAD - SLICE;

/// `total` is `prefix + BodyLength + trailer`; longer messages are taken for garbage.
const MAX_BODY: u32 = 16 << 20;
/// `10=ddd|`
const TRAILER: u32 = 7;

/// What the loop's steps share: both are map values.
pub(crate) struct Step {
    socket: *mut TrackedSocket,
    scratch: *mut RecvScratch,
}

impl Step {
    #[inline(always)]
    fn progress(&mut self) -> &mut Progress {
        // SAFETY: a map value of this CPU, in use by this probe only.
        unsafe { &mut (*self.scratch).walk }
    }
}

/// Bytes that a record begins with: no slice yet.
const EMPTY: u64 = RECV_BYTES;

/// Walks the `len` bytes that `buffers` received, the first of which is number `seq` of the stream.
/// Returns the bytes of the record in use, and whether all could be followed.
#[inline(always)]
pub(crate) fn walk(
    socket: *mut TrackedSocket,
    scratch: *mut RecvScratch,
    buffers: Option<Buffers>,
    seq: u32,
    len: u32,
) -> (u64, bool) {
    let mut step = Step { socket, scratch };
    let progress = step.progress();
    progress.out = EMPTY;
    progress.pos = 0;
    progress.seq = seq;
    progress.failed = 0;
    progress.limit = slice_limit();
    let Some(buffers) = buffers else {
        return (EMPTY, false);
    };
    progress.user = buffers.start;
    // An array's first buffer is fetched like the ones after it.
    (progress.len, progress.left) = if buffers.count == 0 {
        (u64::from(len), 0)
    } else {
        (0, u64::from(len))
    };
    progress.next = buffers.start;
    progress.buffers = buffers.count;
    // SAFETY: a static function of the loop's type, and a context that outlives the call.
    unsafe {
        bpf_loop(
            MAX_STEPS,
            advance as *const () as *mut c_void,
            (&raw mut step).cast(),
            0,
        );
    }
    let progress = step.progress();
    if progress.failed == 0 && (progress.pos < progress.len || progress.left > 0) {
        count(ProbeCounter::HeaderWalkTruncated);
        progress.failed = 1;
    }
    (progress.out, progress.failed == 0)
}

/// One step; returns 1 when all is done.
unsafe extern "C" fn advance(_index: u64, step: *mut c_void) -> c_long {
    // SAFETY: the context given to bpf_loop above.
    let step = unsafe { &mut *step.cast::<Step>() };
    let progress = step.progress();
    if progress.failed != 0 {
        return 1;
    }
    if progress.pos >= progress.len {
        return next_buffer(progress);
    }
    // SAFETY: a map value.
    let socket = unsafe { &mut *step.socket };
    if socket.walk.mode == walk_mode::SEARCH {
        search(step, socket)
    } else {
        follow(step, socket)
    }
}

/// Goes on with the next of several buffers.
#[inline(always)]
fn next_buffer(progress: &mut Progress) -> c_long {
    if progress.left == 0 {
        return 1;
    }
    let Some(buffer) = (progress.buffers > 0)
        .then(|| user_buffer::iovec(progress.next))
        .flatten()
    else {
        count(ProbeCounter::BufferUnknown);
        progress.failed = 1;
        return 1;
    };
    progress.seq = progress.seq.wrapping_add(progress.len as u32);
    progress.user = buffer.start;
    progress.len = min(buffer.len, progress.left);
    progress.left -= progress.len;
    progress.pos = 0;
    progress.next += IOVEC_BYTES;
    progress.buffers -= 1;
    0
}

/// How much of a message to hand over.
#[inline(always)]
fn slice_limit() -> u64 {
    match SLICE_LIMIT.get(0) {
        Some(&limit) if limit != 0 && is_pressed() => limit,
        _ => SLICE,
    }
}

/// In step: skip the body, gather the prefix, hand over the header slice.
#[inline(always)]
fn follow(step: &mut Step, socket: &mut TrackedSocket) -> c_long {
    let walk = &mut socket.walk;
    let at = step.progress().seq.wrapping_add(step.progress().pos as u32);
    let left = step.progress().len - step.progress().pos;
    if walk.mode == walk_mode::FRAMED {
        let to_end = walk.end_seq.wrapping_sub(at);
        let done = at.wrapping_sub(walk.message_seq);
        let limit = min(step.progress().limit, SLICE);
        if u64::from(done) >= limit || to_end == 0 {
            // The rest is body: to the next message, or to the end of what is here.
            if u64::from(to_end) > left {
                step.progress().pos += left;
                return 1;
            }
            step.progress().pos += u64::from(to_end);
            walk.mode = walk_mode::PREFIX;
            walk.message_seq = walk.end_seq;
            walk.prefix_len = 0;
            return 0;
        }
        return slice(step, at, min(u64::from(to_end), limit - u64::from(done)));
    }
    // PREFIX: `have` bytes of this message's beginning were seen, and handed over, before.
    let have = opaque(u64::from(walk.prefix_len));
    if have >= PREFIX_BYTES as u64 {
        // Not framed after a whole prefix; `frame` would have said so.
        walk.mode = walk_mode::SEARCH;
        return 0;
    }
    let take = opaque(min(left, PREFIX_BYTES as u64 - have));
    if take > PREFIX_BYTES as u64 {
        return 1;
    }
    // SAFETY: `have` and `take` are at most PREFIX_BYTES each, the array holds twice that.
    let copied = unsafe {
        bpf_probe_read_user(
            walk.prefix.as_mut_ptr().add(have as usize).cast(),
            take as u32,
            (step.progress().user + step.progress().pos) as *const c_void,
        )
    };
    if copied != 0 {
        count(ProbeCounter::BytesUnreadable);
        step.progress().failed = 1;
        return 1;
    }
    let seen = have + take;
    match frame(walk, seen) {
        Frame::Whole(total) => {
            walk.mode = walk_mode::FRAMED;
            walk.end_seq = walk.message_seq.wrapping_add(total);
            if socket.content == StreamContent::Undecided as u32 {
                socket.content = StreamContent::Fix as u32;
            }
            0
        }
        Frame::Partial => {
            // The read ends within the prefix: hand over what is here, go on with the next read.
            walk.prefix_len = seen as u32;
            slice(step, at, take)
        }
        Frame::Bad => {
            walk.mode = walk_mode::SEARCH;
            if socket.content == StreamContent::Undecided as u32 {
                socket.content = StreamContent::Other as u32;
                return 1;
            }
            0
        }
    }
}

/// Out of step: hand over everything up to the next `8=FIX`.
#[inline(always)]
fn search(step: &mut Step, socket: &mut TrackedSocket) -> c_long {
    let at = step.progress().seq.wrapping_add(step.progress().pos as u32);
    let n = min(step.progress().len - step.progress().pos, SLICE);
    let Some(start) = put(step, at, n) else {
        return 1;
    };
    // A message begins after the delimiter of the one before, or where a read begins.
    let first = step.progress().pos == 0;
    match find(step.scratch, start, n, first) {
        Some(0) => {}
        Some(index) => {
            resize(step, start, n, index);
            step.progress().pos += index;
            socket.walk.message_seq = at.wrapping_add(index as u32);
            socket.walk.mode = walk_mode::PREFIX;
            socket.walk.prefix_len = 0;
            return 0;
        }
        None => {
            step.progress().pos += n;
            return 0;
        }
    }
    // It begins right here: nothing to hand over as garbage.
    resize(step, start, n, 0);
    socket.walk.message_seq = at;
    socket.walk.mode = walk_mode::PREFIX;
    socket.walk.prefix_len = 0;
    0
}

/// Offset of `8=FIX` in the slice put at `start`.
#[inline(always)]
fn find(scratch: *mut RecvScratch, start: u64, n: u64, first: bool) -> Option<u64> {
    const EIGHT_IS_FI: u32 = u32::from_le_bytes(*b"8=FI");
    const SOH: u8 = 1;
    const NOTHING: u64 = SLICE;
    let start = opaque(start);
    if start > LAST_START {
        return None;
    }
    // SAFETY: the slice's bytes lie within the scratch record.
    let bytes = unsafe { scratch.cast::<u8>().add((start + SLICE_HEAD) as usize) };
    // Without a branch per byte, from the back, so that the first match stays: the verifier would
    // follow every branch. SAFETY (both reads): index + 5 <= SLICE.
    let mut found = NOTHING;
    for index in (1..=SLICE - 5).rev() {
        let (word, last, before) = unsafe {
            (
                bytes.add(index as usize).cast::<u32>().read_unaligned(),
                *bytes.add(index as usize + 4),
                *bytes.add(index as usize - 1),
            )
        };
        let differs =
            u64::from((word ^ EIGHT_IS_FI) | u32::from(last ^ b'X') | u32::from(before ^ SOH));
        let same = opaque(opaque(differs).wrapping_sub(1) >> 63);
        found = found * (1 - same) + index * same;
    }
    // SAFETY: as above.
    let (word, last) = unsafe { (bytes.cast::<u32>().read_unaligned(), *bytes.add(4)) };
    if first && word == EIGHT_IS_FI && last == b'X' {
        found = 0;
    }
    // What lies behind the slice is left from before.
    (found + 5 <= n).then_some(found)
}

/// Hands over the next `n` bytes and moves on.
#[inline(always)]
fn slice(step: &mut Step, at: u32, n: u64) -> c_long {
    let n = min(n, step.progress().len - step.progress().pos);
    if put(step, at, n).is_none() {
        return 1;
    }
    step.progress().pos += n;
    0
}

/// Appends a slice of the next `n` bytes to the record, handing over the record first when it is
/// full; returns where the slice begins in the record.
#[inline(always)]
fn put(step: &mut Step, at: u32, n: u64) -> Option<u64> {
    let scratch = step.scratch.cast::<u8>();
    let n = opaque(n);
    if n == 0 || n > SLICE {
        step.progress().failed = 1;
        return None;
    }
    if step.progress().out > LAST_START {
        flush(step, scratch);
    }
    let out = opaque(step.progress().out);
    if out > LAST_START {
        return None;
    }
    // SAFETY: out + head + n lies within the scratch record.
    let copied = unsafe {
        let to = scratch.add(out as usize);
        to.cast::<u32>().write_unaligned(at);
        to.add(4).cast::<u32>().write_unaligned(n as u32);
        bpf_probe_read_user(
            to.add(SLICE_HEAD_BYTES).cast(),
            n as u32,
            (step.progress().user + step.progress().pos) as *const c_void,
        )
    };
    if copied != 0 {
        count(ProbeCounter::BytesUnreadable);
        step.progress().failed = 1;
        return None;
    }
    step.progress().out = out + SLICE_HEAD + padded(n);
    Some(out)
}

/// Shortens the slice just put from `n` to `to` bytes.
#[inline(always)]
fn resize(step: &mut Step, start: u64, n: u64, to: u64) {
    let start = opaque(start);
    if start > LAST_START {
        return;
    }
    if to == 0 {
        step.progress().out = start;
        return;
    }
    let out = step.progress().out;
    step.progress().out = out - padded(n) + padded(to);
    // SAFETY: the slice's head lies within the scratch record.
    unsafe {
        step.scratch
            .cast::<u8>()
            .add(start as usize + 4)
            .cast::<u32>()
            .write_unaligned(to as u32);
    }
}

/// Slices begin at multiples of four.
#[inline(always)]
const fn padded(n: u64) -> u64 {
    (n + 3) & !3
}

/// Hands over a record that is full; more of the same receive follows.
#[inline(always)]
fn flush(step: &mut Step, scratch: *mut u8) {
    let len = opaque(step.progress().out);
    step.progress().out = EMPTY;
    if len > MAX_RECORD_BYTES as u64 || len < RECV_BYTES {
        return;
    }
    // SAFETY: a map value.
    let socket = unsafe { &mut *step.socket };
    if socket.content == StreamContent::Undecided as u32 {
        // Not known to be FIX: nothing of it leaves the kernel.
        return;
    }
    // SAFETY: the record begins the scratch; len lies within it.
    unsafe {
        let record = scratch.cast::<BytesReceived>();
        (*record).head.kind = RecordKind::BytesReceivedPart as u32;
        (*record).head.lost = socket.lost;
        (*record).head.socket_id = socket.id;
        (*record).slice_bytes = (len - RECV_BYTES) as u32;
        if !emit_bytes(scratch, len, false, ProbeCounter::ReceiveLost) {
            socket.lost += 1;
        }
    }
}

enum Frame {
    /// The message's length, prefix to trailer.
    Whole(u32),
    Partial,
    Bad,
}

/// Reads `8=FIX.4.4|9=N|` or `8=FIXT.1.1|9=N|` from the bytes gathered.
#[inline(always)]
fn frame(walk: &HeaderWalk, seen: u64) -> Frame {
    const BEGIN: [u8; 5] = *b"8=FIX";
    const SOH: u8 = 1;
    /// Where the field ends in FIX.4.0 to FIX.4.4; FIXT.1.1 is one longer.
    const SHORT: usize = 9;
    const MAX_DIGITS: usize = 8;
    let at = |index: usize| {
        // SAFETY: no index below is above SHORT + 4 + MAX_DIGITS, well within the array; a checked
        // one would leave a panic behind.
        unsafe { *walk.prefix.as_ptr().add(index) }
    };
    for index in 0..BEGIN.len() {
        if index as u64 >= seen {
            return Frame::Partial;
        }
        if at(index) != BEGIN[index] {
            return Frame::Bad;
        }
    }
    if seen <= SHORT as u64 + 1 {
        return Frame::Partial;
    }
    let field = if at(SHORT) == SOH {
        SHORT + 1
    } else if at(SHORT + 1) == SOH {
        SHORT + 2
    } else {
        return Frame::Bad;
    };
    if seen < field as u64 + 2 {
        return Frame::Partial;
    }
    if at(field) != b'9' || at(field + 1) != b'=' {
        return Frame::Bad;
    }
    let mut body = 0u32;
    for digit in 0..=MAX_DIGITS {
        let index = field + 2 + digit;
        if index as u64 >= seen {
            return Frame::Partial;
        }
        let byte = at(index);
        if byte == SOH && digit > 0 {
            return if body > MAX_BODY {
                Frame::Bad
            } else {
                Frame::Whole(index as u32 + 1 + body + TRAILER)
            };
        }
        if !byte.is_ascii_digit() {
            return Frame::Bad;
        }
        body = body * 10 + u32::from(byte - b'0');
    }
    Frame::Bad
}

#[inline(always)]
fn min(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}
