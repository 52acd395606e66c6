//! What the probes could not do, counted where it happens.

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $lost:literal;)*) => {
        /// Index into the per-CPU `COUNTS` array.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProbeCounter { $($(#[$doc])* $name),* }

        impl ProbeCounter {
            /// Every count.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name used in outputs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Whether an observation was lost (else: an anomaly that was dealt with).
            #[must_use]
            pub const fn is_loss(self) -> bool {
                match self { $(Self::$name => $lost),* }
            }
        }
    };
}

counts! {
    /// An arrival found the ring full.
    ArrivalLost = "arrival", true;
    /// A receive (or a part of its bytes) found the ring full.
    RecvLost = "recv", true;
    /// A hand-off found the ring full.
    HandOffLost = "hand_off", true;
    /// A call of the `--handoff` function found the ring full.
    CallLost = "call", true;
    /// What the new reader of a socket did before found the ring full.
    PastLost = "past", true;
    /// A wait of a watched thread found the ring full: nobody is charged with it.
    WaitLost = "wait", true;
    /// A socket or thread record (opened, closed, exit) found the ring full.
    LifeLost = "life", true;
    /// The socket map was full: a socket is not watched.
    SocketsFull = "sockets_full", true;
    /// The thread map was full: a thread is not tracked.
    ThreadsFull = "threads_full", true;
    /// More sockets than one thread's list holds waited for their hand-off: those of the others end
    /// unseen.
    PendingFull = "pending_full", true;
    /// Bytes received could not be read back from user memory.
    BytesUnreadable = "bytes_unreadable", true;
    /// A receive used a call (or a buffer list) the probe cannot follow.
    BufferUnknown = "buffer_unknown", true;
    /// A receive held more messages than one walk takes.
    WalkTruncated = "walk_truncated", true;
    /// A snapshot could not be read without a writer getting in between.
    SnapshotTorn = "snapshot_torn", true;
    /// The thread slept in a wait too large (or of a kind) to tell whether it covers the socket:
    /// the hand-off is then the next receive.
    WaitUnresolved = "wait_unresolved", false;
    /// An event was stamped before the one it follows (cross-CPU clocks): taken as simultaneous.
    ClockBackwards = "clock_backwards", false;
    /// A thread was found running, or leaving the CPU, that was not seen to get it, or the other
    /// way round: what it did since it was last seen is unknown.
    SwitchUnseen = "switch_unseen", false;
    /// A thread's wake-up or its getting a CPU was not seen; when it was is told by the scheduler's
    /// own account (`task_struct.sched_info`, to some microseconds).
    SwitchRebuilt = "switch_rebuilt", false;
    /// More throttled time was read than the thread waited: cut to the wait.
    ThrottleCut = "throttle_cut", false;
    /// A thread changed its cgroup while runnable: the throttle clock of the old one was used.
    ThrottleMoved = "throttle_moved", false;
    /// A stream turned out to be FIX.
    StreamFix = "stream_fix", false;
    /// A stream turned out to be something else, with `--all`.
    StreamOther = "stream_other", false;
    /// A receive only looked (MSG_PEEK).
    Peeked = "peeked", false;
}
