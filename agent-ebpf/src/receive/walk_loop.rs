//! The header walk: of all bytes received, only the first [`MAX_SLICE_BYTES`] of each message leave
//! the kernel. Its steps are in `agent_common::header_walk`; here is the loop over the user's
//! buffers.

use agent_common::{
    MAX_SLICE_BYTES, ProbeCounter, StreamContent, TrackedSocket,
    header_walk::{FramedStep, MAX_SEARCHES, PREFIX_BYTES, PrefixStep, walk_mode},
};
use aya_ebpf::{
    cty::{c_long, c_void},
    helpers::generated::{bpf_loop, bpf_probe_read_user},
};

use super::slices::{EMPTY_RECORD_BYTES, Step, find_start, min, put, resize};
use crate::{
    maps::{RecvScratch, SLICE_LIMIT, WalkProgress},
    memory::opaque,
    ring_buffer::{count, is_filling},
    user_buffers::{self, Buffers, IOVEC_BYTES},
};

/// Steps of one walk: a message takes two or three.
const MAX_STEPS: u32 = 8192;

const MAX_SLICE: u64 = MAX_SLICE_BYTES as u64;
const MAX_PREFIX: u64 = PREFIX_BYTES as u64;

/// Walks the `len` bytes that `buffers` received, the first of which is number `seq` of the stream.
/// Returns the bytes of the record in use, and whether all could be followed.
#[inline(always)]
pub(super) fn walk(
    socket: *mut TrackedSocket,
    scratch: *mut RecvScratch,
    buffers: Option<Buffers>,
    seq: u32,
    len: u32,
) -> (u64, bool) {
    let mut step = Step { socket, scratch };
    let progress = step.progress();
    progress.out = EMPTY_RECORD_BYTES;
    progress.pos = 0;
    progress.seq = seq;
    progress.first_seq = seq;
    progress.searches = 0;
    progress.failed = 0;
    progress.limit = slice_limit();
    let Some(buffers) = buffers else {
        return (EMPTY_RECORD_BYTES, false);
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

/// How much of a message to slice, bytes.
#[inline(always)]
fn slice_limit() -> u64 {
    match SLICE_LIMIT.get(0) {
        Some(&limit) if limit != 0 && is_filling() => limit,
        _ => MAX_SLICE,
    }
}

/// Passes over all bytes that are left, unread; returns that all is done.
#[inline(always)]
fn skip_all(progress: &mut WalkProgress) -> c_long {
    progress.pos = progress.len;
    progress.left = 0;
    1
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
    match socket.walk.mode {
        walk_mode::SEARCH => search(step, socket),
        walk_mode::FRAMED => follow(step, socket),
        _ => gather(step, socket),
    }
}

/// Goes on with the next of several buffers.
#[inline(always)]
fn next_buffer(progress: &mut WalkProgress) -> c_long {
    if progress.left == 0 {
        return 1;
    }
    let Some(buffer) = (progress.buffers > 0)
        .then(|| user_buffers::iovec(progress.next))
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

/// In a message whose end is known: slices the header, skips the body.
#[inline(always)]
fn follow(step: &mut Step, socket: &mut TrackedSocket) -> c_long {
    let walk = &mut socket.walk;
    let (seq, left) = (step.seq(), step.left());
    let limit = min(step.progress().limit, MAX_SLICE);
    match walk.framed_step(seq, left, limit) {
        FramedStep::Slice(len) => slice(step, seq, len),
        FramedStep::NextMessage(skip) => {
            step.progress().pos += skip;
            walk.begin_message(walk.end_seq);
            0
        }
        FramedStep::SkipAll => {
            step.progress().pos += left;
            1
        }
    }
}

/// At the beginning of a message: gathers its prefix, of which `prefix_len` bytes were received, and
/// sliced, before.
#[inline(always)]
fn gather(step: &mut Step, socket: &mut TrackedSocket) -> c_long {
    let walk = &mut socket.walk;
    let (seq, left) = (step.seq(), step.left());
    let have = opaque(u64::from(walk.prefix_len));
    if have >= MAX_PREFIX {
        // Not framed after a whole prefix; `prefix_step` would have said so.
        walk.mode = walk_mode::SEARCH;
        return 0;
    }
    let take = opaque(min(left, MAX_PREFIX - have));
    if take > MAX_PREFIX {
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
    match walk.prefix_step(have + take) {
        PrefixStep::Framed => {
            if socket.is_undecided() {
                socket.content = StreamContent::Fix as u32;
            }
            0
        }
        // The bytes end within the prefix: they are sliced, the next ones complete it.
        PrefixStep::Partial => slice(step, seq, take),
        PrefixStep::OutOfStep => {
            // The first bytes of the stream. Where it was found in its middle, the search goes on.
            if socket.is_undecided() && socket.from_start != 0 {
                socket.content = StreamContent::Other as u32;
                return skip_all(step.progress());
            }
            0
        }
    }
}

/// Out of step: slices everything up to where the next message may begin.
#[inline(always)]
fn search(step: &mut Step, socket: &mut TrackedSocket) -> c_long {
    let seq = step.seq();
    let progress = step.progress();
    if progress.searches >= MAX_SEARCHES {
        if socket.is_undecided() {
            return skip_all(progress);
        }
        count(ProbeCounter::HeaderWalkTruncated);
        progress.failed = 1;
        return 1;
    }
    progress.searches += 1;
    // Without a branch, so that the verifier follows the search once.
    let away = opaque(u64::from(seq ^ progress.first_seq));
    let is_first = opaque(away.wrapping_sub(1) >> 63);
    let first = socket.walk.may_begin_here(is_first);
    let n = min(step.left(), MAX_SLICE);
    let Some(start) = put(step, seq, n) else {
        return 1;
    };
    let Some(index) = find_start(step.scratch, start, n, first) else {
        step.progress().pos += n;
        return 0;
    };
    // At 0 it begins right here: nothing is to be sliced as garbage.
    resize(step, start, n, index);
    step.progress().pos += index;
    socket.walk.begin_message(seq.wrapping_add(index as u32));
    0
}

/// Slices the next `n` bytes and moves on.
#[inline(always)]
fn slice(step: &mut Step, seq: u32, n: u64) -> c_long {
    let n = min(n, step.left());
    if put(step, seq, n).is_none() {
        return 1;
    }
    step.progress().pos += n;
    0
}
