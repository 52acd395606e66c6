//! The byte streams: the headers of the messages in them ([`fix`]), positions that do not wrap, and
//! how much of a message its header takes.

pub(crate) mod fix;
mod header_budget;
mod position;

pub(crate) use header_budget::HeaderBudget;
pub(crate) use position::StreamPositions;
