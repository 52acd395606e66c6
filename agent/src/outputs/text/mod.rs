//! Lines for people: one per session and interval, and the summary.

mod blame;
mod figures;
#[cfg(test)]
mod golden;
mod interval;
mod label;
mod style;
mod summary;
mod verdict;
pub(super) mod waiting;

pub(super) use figures::list_counts;
pub(super) use interval::{interval_lines, loss_line};
pub(super) use label::process_location;
pub(super) use style::TextStyle;
pub(super) use summary::summary;
pub(super) use verdict::cause_names;
