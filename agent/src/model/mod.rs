//! What has been measured, in one place: every output reads this and nothing else.

mod cpu;
mod evidence;
mod figures;
mod history;
mod recent;
mod reported;
mod roster;
mod series;
mod session;
mod store;

pub use figures::{Interval, SessionFigures, SessionName, Summary};
pub use history::{IntervalPoint, SessionHistory};
pub use recent::LatestPair;
pub use store::Model;

pub(crate) use session::Session;

#[cfg(test)]
mod tests;
