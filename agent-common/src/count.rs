//! What the probes could not do, counted where it happens.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $lost:literal;)*) => {
        /// Index into the per-CPU array `COUNTS`.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProbeCounter { $($(#[$doc])* $name),* }

        impl ProbeCounter {
            /// Every counter, in the order of the array.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The kind that outputs give it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Whether it counts losses: observations that did not reach the agent. The others are
            /// anomalies that were dealt with.
            #[must_use]
            pub const fn is_loss(self) -> bool {
                match self { $(Self::$name => $lost),* }
            }
        }
    };
}

counters! {
    /// An arrival found the ring buffer full.
    ArrivalLost = "arrival_record", true;
    /// A receive call (or a part of its slices) found the ring buffer full.
    ReceiveLost = "receive_record", true;
    /// A hand-off found the ring buffer full.
    HandOffLost = "hand_off_record", true;
    /// A call of the `--handoff` function found the ring buffer full.
    FunctionCallLost = "function_call_record", true;
    /// The history of a socket's new reader found the ring buffer full.
    HistoryLost = "reader_history_record", true;
    /// A wait of a tracked thread found the ring buffer full: no culprit is charged with it.
    WaitLost = "wait_record", true;
    /// The record of a socket opened or closed, or of a thread's end, found the ring buffer full.
    LifecycleLost = "lifecycle_record", true;
    /// A sample of a socket found the ring buffer full.
    SampleLost = "socket_sample_record", true;
    /// The map of sockets was full: a socket is not tracked.
    SocketMapFull = "socket_map_full", true;
    /// The map of threads was full: a thread is not tracked.
    ThreadMapFull = "thread_map_full", true;
    /// More sockets of one thread than its list holds were pending: the hand-offs of the others are
    /// not observed.
    PendingListFull = "pending_list_full", true;
    /// Bytes received could not be read back from user memory.
    BytesUnreadable = "bytes_unreadable", true;
    /// A receive call, or its list of buffers, is of a kind that the probe cannot follow.
    BufferUnknown = "buffer_unknown", true;
    /// A receive call returned more messages than one header walk takes.
    HeaderWalkTruncated = "header_walk_truncated", true;
    /// A snapshot could not be read without a writer getting in between.
    SnapshotTorn = "snapshot_torn", true;
    /// The thread slept in a wait that is too large, or of a kind that does not show whether it
    /// covers the socket: the hand-off is then the next receive call.
    WaitUnresolved = "wait_unresolved", false;
    /// An event was stamped before the one it follows (clocks of two CPUs): taken as simultaneous.
    ClockBackwards = "clock_backwards", false;
    /// A thread was found running, or leaving the CPU, without an observed switch to it, or the
    /// other way round, and the scheduler's account does not help: what it did since its last
    /// observed change of state is unknown.
    SwitchUnobserved = "switch_unobserved", false;
    /// A thread's wake-up or its switch to the CPU was not observed; its instant was rebuilt from
    /// the scheduler's own account (`task_struct.sched_info`, to some microseconds).
    SwitchRebuilt = "switch_rebuilt", false;
    /// More throttled time was read than the thread waited: clamped to the wait.
    ThrottleClamped = "throttle_clamped", false;
    /// A thread changed its cgroup while runnable: the throttle clock of the old one was used.
    CgroupChanged = "cgroup_changed_while_runnable", false;
    /// A stream turned out to be FIX.
    StreamFix = "stream_fix", false;
    /// A stream turned out to be something else, with `--all`.
    StreamNotFix = "stream_not_fix", false;
    /// A receive call only peeked (`MSG_PEEK`).
    ReceivePeeked = "receive_peeked", false;
}
