//! The join: from what the kernel saw of a socket and what its stream says, to messages with ages.
//!
//! One module per concept: [`waiting`] (the difference of two snapshots), [`arrivals`] (the moment
//! arrived), [`past`] (what a new reader did before), [`window`] (held back), [`acks`]
//! (acknowledgements pending), [`batch`] (received and handed off), [`clock`] (monotonic to UTC),
//! [`phase`] (the sub-second part of whole-second stamps), [`account`] (the matrix of one message).

pub mod account;
pub mod acks;
pub mod arrivals;
pub mod batch;
pub mod clock;
pub mod past;
pub mod phase;
pub mod stream;
pub mod timeline;
pub mod waiting;
pub mod window;
