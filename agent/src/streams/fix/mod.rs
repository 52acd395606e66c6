//! The FIX tap: finds the messages in the byte stream one TCP receiver read, and reads of each
//! message the few header fields the agent needs.
//!
//! The stream may be sparse: the kernel probe hands over no more than the start of each message.
//! The tap trusts none of that framing and walks the stream again itself; see [`Tap`] for the rules
//! and [`TapTotals`] for the account it keeps of every byte.
//!
//! Nothing here logs, and no `Debug` prints bytes of a message other than the header fields that
//! are handed out.

mod comp_id;
mod counts;
mod fields;
mod framing;
mod header;
mod tap;
mod timestamp;

#[cfg(test)]
mod tests;

pub(crate) use comp_id::CompId;
pub(crate) use counts::TapTotals;
pub(crate) use header::Header;
pub(crate) use tap::Tap;
