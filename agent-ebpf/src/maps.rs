//! The maps. Their sizes are fixed; what finds a map full is counted.

use agent_common::{
    CpuQueue, ID_WORDS, MAX_RECORD_BYTES, ProbeCounter, RING_BUFFER_BYTES, RunQueueWait,
    TrackedSocket, TrackedThread, ids::word_and_bit,
};
use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};

/// Of CPUs beyond these the turns are not recorded.
const MAX_CPUS: u32 = 1024;

/// A bit per target, by thread group id; with `WATCH_ALL`, per process that is left alone. Written by
/// the agent only, cleared when the process has ended and its number may pass on to another.
#[map]
pub(crate) static WATCHED: Array<u64> = Array::with_max_entries(ID_WORDS, 0);

/// A bit per tracked thread: the gate of the scheduler probes. An array look-up is inlined by the
/// JIT, so a switch between other threads costs two loads and two tests.
#[map]
pub(crate) static TRACKED: Array<u64> = Array::with_max_entries(ID_WORDS, 0);

/// Whether the bit of this thread or process id is set.
#[inline(always)]
pub(crate) fn has_id(ids: &Array<u64>, id: u32) -> bool {
    let (index, bit) = word_and_bit(id);
    match ids.get(index) {
        Some(word) => word & bit != 0,
        None => false,
    }
}

/// The tracked threads, by thread id.
#[map]
pub(crate) static THREADS: HashMap<u32, TrackedThread> = HashMap::with_max_entries(4096, 0);

/// The tracked sockets, by address of their `struct sock`.
#[map]
pub(crate) static SOCKETS: HashMap<u64, TrackedSocket> = HashMap::with_max_entries(8192, 0);

/// With `WATCH_ALL`: TCP sockets, by address of their `struct sock`, that carry something else than
/// FIX. One that the map drops is examined again.
#[map]
pub(crate) static OTHERS: LruHashMap<u64, u8> = LruHashMap::with_max_entries(65_536, 0);

/// The ports the targets listen on, and which target.
#[map]
pub(crate) static LISTENING: HashMap<u32, u32> = HashMap::with_max_entries(1024, 0);

/// The CPUs, and who waits for them.
#[map]
pub(crate) static CPUS: Array<CpuQueue> = Array::with_max_entries(MAX_CPUS, 0);

/// Where the record of a wait is put together that goes on on another CPU: too large for the stack.
#[map]
pub(crate) static QUEUED_SCRATCH: PerCpuArray<RunQueueWait> = PerCpuArray::with_max_entries(1, 0);

/// All records, in the order in which they happened.
#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(RING_BUFFER_BYTES as u32, 0);

/// The counters, by [`ProbeCounter`].
#[map]
pub(crate) static COUNTS: PerCpuArray<u64> =
    PerCpuArray::with_max_entries(ProbeCounter::ALL.len() as u32, 0);

/// How much of a message to slice while much is unread in the ring buffer, bytes; 0 before the agent
/// has set it.
#[map]
pub(crate) static SLICE_LIMIT: Array<u64> = Array::with_max_entries(1, 0);

/// Which message of a recvmmsg(2) comes next, by thread. Only threads that use it are here.
#[map]
pub(crate) static NEXT_MESSAGE: LruHashMap<u32, u32> = LruHashMap::with_max_entries(1024, 0);

/// Where a receive record is put together: too large for the stack.
#[repr(C, align(8))]
pub(crate) struct RecvScratch {
    pub(crate) bytes: [u8; MAX_RECORD_BYTES],
    pub(crate) walk: WalkProgress,
}

/// How far a walk has come. In a map, not on the stack: of a map value the verifier knows nothing,
/// so one pass over the walk's loop covers all.
#[repr(C)]
pub(crate) struct WalkProgress {
    /// Bytes of the record in use.
    pub(crate) out: u64,
    /// User address of the buffer at hand.
    pub(crate) user: u64,
    /// Bytes received into it.
    pub(crate) len: u64,
    /// Of these, bytes that are done.
    pub(crate) pos: u64,
    /// Bytes received into the buffers after it.
    pub(crate) left: u64,
    /// User address of the next `struct iovec`.
    pub(crate) next: u64,
    /// How many there are.
    pub(crate) buffers: u64,
    /// At most this much of a message is sliced, bytes.
    pub(crate) limit: u64,
    /// Sequence number of the first byte of the buffer at hand.
    pub(crate) seq: u32,
    /// Sequence number of the first byte received.
    pub(crate) first_seq: u32,
    /// How often the bytes were searched for a message's beginning.
    pub(crate) searches: u32,
    /// 1: the bytes could not be followed to their end.
    pub(crate) failed: u32,
}

/// One for each of the two passes over a receive call: the second one may come while the scratch of
/// the first one is in use.
#[map]
pub(crate) static RECV_SCRATCH: PerCpuArray<RecvScratch> = PerCpuArray::with_max_entries(2, 0);

/// The longest poll set that is examined, descriptors.
pub(crate) const MAX_POLL_FDS: usize = 128;

/// The poll set of a thread that goes to sleep, `struct pollfd`s.
#[repr(C, align(8))]
pub(crate) struct PollScratch {
    pub(crate) fds: [u64; MAX_POLL_FDS],
}

#[map]
pub(crate) static POLL_SCRATCH: PerCpuArray<PollScratch> = PerCpuArray::with_max_entries(1, 0);

/// A zeroed thread and socket to insert: too large for the stack.
#[map]
pub(crate) static ZERO_THREAD: PerCpuArray<TrackedThread> = PerCpuArray::with_max_entries(1, 0);

#[map]
pub(crate) static ZERO_SOCKET: PerCpuArray<TrackedSocket> = PerCpuArray::with_max_entries(1, 0);
