//! Blame: the charges of a session by part and culprit.

mod names;
mod row;
mod series;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use row::{BlameRow, WaitStats};

pub(crate) use names::CulpritNames;
pub(crate) use table::BlameTable;
