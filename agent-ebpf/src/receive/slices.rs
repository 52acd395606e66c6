//! The slices behind the record of a receive call.

use agent_common::{
    BytesReceived, MAX_RECORD_BYTES, MAX_SLICE_BYTES, ProbeCounter, RecordKind, SLICE_HEAD_BYTES,
    TrackedSocket,
    framing::{self, SearchedSlice},
    padded_slice_bytes,
};
use aya_ebpf::{cty::c_void, helpers::generated::bpf_probe_read_user};

use crate::{
    maps::{RecvScratch, WalkProgress},
    memory::opaque,
    ring_buffer::{count, emit_bytes},
};

/// The bytes of a record without slices.
pub(super) const EMPTY_RECORD_BYTES: u64 = size_of::<BytesReceived>() as u64;

const MAX_SLICE: u64 = MAX_SLICE_BYTES as u64;
const SLICE_HEAD: u64 = SLICE_HEAD_BYTES as u64;
/// A slice that starts up to here fits into the record.
const LAST_START: u64 = MAX_RECORD_BYTES as u64 - SLICE_HEAD - MAX_SLICE;

/// What the steps of a walk share: both are map values.
pub(super) struct Step {
    pub(super) socket: *mut TrackedSocket,
    pub(super) scratch: *mut RecvScratch,
}

impl Step {
    #[inline(always)]
    pub(super) fn progress(&mut self) -> &mut WalkProgress {
        // SAFETY: a map value of this CPU, in use by this probe only.
        unsafe { &mut (*self.scratch).walk }
    }

    /// The sequence number of the next byte.
    #[inline(always)]
    pub(super) fn seq(&mut self) -> u32 {
        let progress = self.progress();
        progress.seq.wrapping_add(progress.pos as u32)
    }

    /// How many bytes are left in the buffer at hand.
    #[inline(always)]
    pub(super) fn left(&mut self) -> u64 {
        let progress = self.progress();
        progress.len - progress.pos
    }
}

/// Appends a slice of the next `n` bytes to the record, writing the record first when it is full;
/// returns where the slice begins in the record.
#[inline(always)]
pub(super) fn put(step: &mut Step, seq: u32, n: u64) -> Option<u64> {
    let scratch = step.scratch.cast::<u8>();
    let n = opaque(n);
    if n == 0 || n > MAX_SLICE {
        step.progress().failed = 1;
        return None;
    }
    if step.progress().out > LAST_START {
        flush(step, step.scratch);
    }
    let out = opaque(step.progress().out);
    if out > LAST_START {
        return None;
    }
    // SAFETY: out + head + n lies within the scratch record.
    let copied = unsafe {
        let to = scratch.add(out as usize);
        to.cast::<u32>().write_unaligned(seq);
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
    step.progress().out = out + SLICE_HEAD + padded_slice_bytes(n);
    Some(out)
}

/// Shortens the slice just put from `n` to `to` bytes; one of no bytes is taken back.
#[inline(always)]
pub(super) fn resize(step: &mut Step, start: u64, n: u64, to: u64) {
    let start = opaque(start);
    if start > LAST_START {
        return;
    }
    if to == 0 {
        step.progress().out = start;
        return;
    }
    let out = step.progress().out;
    step.progress().out = out - padded_slice_bytes(n) + padded_slice_bytes(to);
    // SAFETY: the slice's head lies within the scratch record.
    unsafe {
        step.scratch
            .cast::<u8>()
            .add(start as usize + 4)
            .cast::<u32>()
            .write_unaligned(to as u32);
    }
}

/// Writes a record that is full; more of the same receive call follows.
#[inline(always)]
fn flush(step: &mut Step, scratch: *mut RecvScratch) {
    let len = opaque(step.progress().out);
    step.progress().out = EMPTY_RECORD_BYTES;
    if len > MAX_RECORD_BYTES as u64 || len < EMPTY_RECORD_BYTES {
        return;
    }
    // SAFETY: a map value.
    let socket = unsafe { &mut *step.socket };
    if socket.is_undecided() {
        // It may be no FIX: nothing of it leaves the kernel.
        return;
    }
    // SAFETY: the record begins the scratch; len lies within it.
    unsafe {
        let record = scratch.cast::<BytesReceived>();
        (*record).head.kind = RecordKind::BytesReceivedPart as u32;
        (*record).head.lost = socket.lost;
        (*record).head.socket_id = socket.id;
        (*record).slice_bytes = (len - EMPTY_RECORD_BYTES) as u32;
        if !emit_bytes(scratch.cast(), len, false, ProbeCounter::ReceiveLost) {
            socket.lost += 1;
        }
    }
}

/// A slice in the scratch record.
struct PutSlice {
    bytes: *const u8,
}

impl SearchedSlice for PutSlice {
    #[inline(always)]
    fn five_at(&self, index: usize) -> (u32, u8) {
        // SAFETY: index + 5 <= MAX_SLICE, within the scratch record.
        unsafe {
            let place = self.bytes.add(index);
            (place.cast::<u32>().read_unaligned(), *place.add(4))
        }
    }

    #[inline(always)]
    fn byte_at(&self, index: usize) -> u8 {
        // SAFETY: index < MAX_SLICE, within the scratch record.
        unsafe { *self.bytes.add(index) }
    }

    /// The bytes before a slice are its length, of which the second one to the last one are 0 where
    /// the slice has fewer than five.
    #[inline(always)]
    fn last_five(&self, len: u64) -> u64 {
        let len = opaque(len);
        if len > MAX_SLICE {
            return 0;
        }
        // SAFETY: the slice's head lies before it, more than five bytes, and its last byte is within
        // the scratch record.
        unsafe {
            let place = self.bytes.sub(5).add(len as usize);
            let word = u32::from_le(place.cast::<u32>().read_unaligned());
            u64::from(word) | u64::from(*place.add(4)) << 32
        }
    }

    #[inline(always)]
    fn opaque(n: u64) -> u64 {
        opaque(n)
    }
}

/// Where a message begins in the slice of `n` bytes put at `start` (see [`framing::find_start`]).
#[inline(always)]
pub(super) fn find_start(scratch: *mut RecvScratch, start: u64, n: u64, first: u64) -> Option<u64> {
    let start = opaque(start);
    if start > LAST_START {
        return None;
    }
    // SAFETY: the slice's bytes lie within the scratch record.
    let bytes = unsafe { scratch.cast::<u8>().add((start + SLICE_HEAD) as usize) };
    framing::find_start::<MAX_SLICE_BYTES, _>(&PutSlice { bytes }, n, first != 0)
}

#[inline(always)]
pub(super) fn min(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}
