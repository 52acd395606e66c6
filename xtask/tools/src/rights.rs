//! What the agent may do when it is not privileged.

/// Capabilities, without `CAP_`, in the order of the overlay, each with what goes without it.
pub const CAPABILITIES: [(&str, &str); 4] = [
    ("BPF", "nothing: no probe can be loaded"),
    ("PERFMON", "nothing: no probe can be attached"),
    (
        "SYS_PTRACE",
        "the GIL, functions of lock holders, and what calls are on",
    ),
    (
        "DAC_READ_SEARCH",
        "what calls are on, of processes that are not root's",
    ),
];
