//! The BPF programs: each says which hook it binds to and hands over to the module of its concept.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the entry points that the macros of aya-ebpf write pass contexts by value"
)]

mod functions;
mod samples;
mod scheduler;
mod sockets;
mod system_calls;
