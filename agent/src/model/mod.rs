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

pub(crate) use figures::{Interval, SessionFigures, SessionName, Summary};
pub(crate) use history::{IntervalPoint, SessionHistory};
pub(crate) use readings::LatestPair;
pub(crate) use store::Model;

pub(crate) use session::Session;

#[cfg(test)]
mod tests;
