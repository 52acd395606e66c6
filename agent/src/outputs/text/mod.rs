//! Lines for people.

mod blame;
mod interval;
mod summary;

pub use interval::TextStyle;
pub(crate) use interval::{interval, losses, names, place};
pub(crate) use summary::summary;
