//! The BPF programs: each says which hook it binds to and hands over to the module of its concept.

mod functions;
mod scheduler;
mod sockets;
mod system_calls;
