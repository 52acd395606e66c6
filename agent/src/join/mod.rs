//! The join: from what the kernel observed of a socket and what its stream says, to messages with
//! ages.
//!
//! [`SocketTable`] gives every event to the socket it is about. A [`socket`] takes its messages
//! through the four moments, with one module per concept: [`state_times`] (what a thread did
//! between two snapshots), [`arrivals`] (the moment arrived), [`reader_history`] (what a new reader
//! did before), [`window`] (held back), [`timeline`] (what the reader did up to an instant without
//! a snapshot), [`pending_acks`] (acknowledgements of ours that the venue may wait for),
//! [`pending_batch`] (received and not handed off), [`pending_message`] (the matrix of one message)
//! and [`narrowing`] (when within its second a message was sent).

mod arrivals;
mod narrowing;
mod pending_acks;
mod pending_batch;
mod pending_message;
mod reader_history;
mod socket;
mod socket_filter;
mod sockets;
mod state_times;
#[cfg(test)]
mod tests;
mod timeline;
mod window;

pub(crate) use socket_filter::SocketFilter;
pub(crate) use sockets::SocketTable;
