//! What is in the byte streams: message headers, positions, and how much of a message a header takes.

pub mod fix;
pub mod header_budget;
pub mod position;
