//! Tracked sockets: those a target connects, accepts, has open, or reads.

mod arrival;
mod discovery;
mod life;
mod sample;
mod table;
mod tcp_sock;

pub(crate) use arrival::arrived;
pub(crate) use discovery::{dismissed, found_by_read};
pub(crate) use life::{changed_state, destroyed, present};
pub(crate) use sample::sample;
pub(crate) use table::{close, remove};
pub(crate) use tcp_sock::{ReceiveSide, fin_received, receive_side};
