//! What the agent patches in before load: offsets from the running kernel's BTF, and settings.
//!
//! The names are the contract with `agent/src/kernel/layout.rs`. [`ABSENT`] says that this kernel
//! does not have the field: every use is behind a check, and the verifier drops the dead branch.

use agent_common::ABSENT;
use aya_ebpf::Global;

macro_rules! globals {
    ($($(#[$attr:meta])* $name:ident: $ty:ty = $value:expr;)*) => {
        $(
            $(#[$attr])*
            #[unsafe(no_mangle)]
            pub(crate) static $name: Global<$ty> = Global::new($value);
        )*
    };
}

globals! {
    /// 1: every process is a target whose bit is not set; streams are found by how they begin.
    WATCH_ALL: u32 = 0;
    /// 1: a diagnostic line per socket found or lost (`--probe-log`).
    PROBE_LOG: u32 = 0;
    /// One in so many switches to a tracked thread is ignored; 0: none (the verifier drops it).
    #[cfg(feature = "fault-injection")]
    SKIP_SWITCH_ONE_IN: u32 = 0;
    /// 1: threads that release locks of readers are tracked too, so that the agent can read what
    /// they are doing.
    TRACK_HOLDERS: u32 = 0;

    TASK_PID: u32 = ABSENT;
    TASK_TGID: u32 = ABSENT;
    /// The CPU whose run queue the task is on.
    TASK_CPU: u32 = ABSENT;
    TASK_STATE: u32 = ABSENT;
    /// Not 0 while the task runs.
    TASK_ON_CPU: u32 = ABSENT;
    TASK_POLICY: u32 = ABSENT;
    TASK_FILES: u32 = ABSENT;
    /// `task_struct.sched_info`: what it has waited for a CPU, when it was queued (0: it is not)
    /// and when it last got one, on the run queue's clock.
    TASK_RUN_DELAY: u32 = ABSENT;
    TASK_QUEUED: u32 = ABSENT;
    TASK_ARRIVED: u32 = ABSENT;
    /// `task_struct.se.cfs_rq`
    TASK_CFS_RQ: u32 = ABSENT;

    CFS_RQ_RQ: u32 = ABSENT;
    /// The task that has the run queue's CPU.
    RQ_CURR: u32 = ABSENT;
    CFS_RQ_TG: u32 = ABSENT;
    /// Cumulative throttled time, the stretch in progress not included.
    CFS_RQ_THROTTLED_TOTAL: u32 = ABSENT;
    /// Start of the stretch in progress, on the run queue's clock.
    CFS_RQ_THROTTLED_START: u32 = ABSENT;
    /// Above 0 while throttled; absent where the start is 0 when not throttled.
    CFS_RQ_THROTTLE_COUNT: u32 = ABSENT;
    /// The clock the start was read from.
    RQ_CLOCK: u32 = ABSENT;
    /// The clock of [`TASK_ARRIVED`] and its like.
    RQ_SCHED_CLOCK: u32 = ABSENT;
    TASK_GROUP_CFS_RQ: u32 = ABSENT;

    TCP_RCV_NXT: u32 = ABSENT;
    TCP_COPIED_SEQ: u32 = ABSENT;
    TCP_RCV_WND: u32 = ABSENT;
    /// `tcp_sock.bytes_received`: of the stream so far, a FIN included.
    TCP_BYTES_RECEIVED: u32 = ABSENT;
    TCP_RCV_WUP: u32 = ABSENT;
    /// When the last segment was sent.
    TCP_WSTAMP: u32 = ABSENT;
    /// Segments sent.
    TCP_SEGS_OUT: u32 = ABSENT;
    TCP_ADVMSS: u32 = ABSENT;
    TCP_WINDOW_CLAMP: u32 = ABSENT;

    SOCK_FAMILY: u32 = ABSENT;
    SOCK_STATE: u32 = ABSENT;
    SOCK_NUM: u32 = ABSENT;
    SOCK_DPORT: u32 = ABSENT;
    SOCK_RCV_SADDR: u32 = ABSENT;
    SOCK_DADDR: u32 = ABSENT;
    SOCK_V6_RCV_SADDR: u32 = ABSENT;
    SOCK_V6_DADDR: u32 = ABSENT;
    SOCK_SOCKET: u32 = ABSENT;
    SOCKET_SK: u32 = ABSENT;
    SOCKET_FILE: u32 = ABSENT;

    FILE_PRIVATE: u32 = ABSENT;
    /// `file.f_ep` (5.11 and later): the epoll items that watch the file.
    FILE_EP: u32 = ABSENT;
    EPITEM_LINK: u32 = ABSENT;
    EPITEM_EP: u32 = ABSENT;
    FILES_FDT: u32 = ABSENT;
    FDTABLE_FD: u32 = ABSENT;
    FDTABLE_MAX: u32 = ABSENT;
}
