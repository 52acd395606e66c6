//! The model: what has been measured, in one place. Every output reads it and nothing else.
//!
//! [`store`] applies the updates, [`roster`] decides which sessions are counted apart, [`session`]
//! holds one of them, [`figures`] and [`history`] are what outputs read.

mod counts;
mod cpu;
mod diagnosis;
mod figures;
#[cfg(test)]
mod fixtures;
mod history;
mod processes;
mod readings;
mod reported;
mod roster;
mod series;
mod session;
mod store;
mod tallies;
mod threads;

pub use figures::{Interval, SessionFigures, SessionName, Summary};
pub use history::{IntervalPoint, SessionHistory};
pub use readings::LatestPair;
pub use store::Model;

pub(crate) use session::Session;

#[cfg(test)]
mod tests;
