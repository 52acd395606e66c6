//! The join: from what the kernel saw of a socket and what its stream says, to messages with ages.
//!
//! One module per concept: [`state_times`] (the difference of two snapshots), [`arrivals`] (the moment
//! arrived), [`reader_history`] (what a new reader did before), [`window`] (held back), [`pending_acks`]
//! (acknowledgements pending), [`pending_batch`] (received and handed off), [`clock`](crate::clock) (monotonic to UTC),
//! [`narrowing`] (the sub-second part of whole-second stamps), [`pending_message`] (the matrix of one message).

mod address;
pub mod arrivals;
pub mod narrowing;
pub mod pending_acks;
pub mod pending_batch;
pub mod pending_message;
pub mod reader_history;
mod socket;
pub mod sockets;
pub mod state_times;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod window;
