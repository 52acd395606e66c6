//! Which sockets of the followed processes are joined.

/// Which sockets are joined, and how their messages are handed off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SocketFilter {
    /// Only sockets with this local or remote port.
    pub(crate) port: Option<u16>,
    /// The function named with `--handoff` is attached in every process.
    pub(crate) hand_off_function: bool,
}
