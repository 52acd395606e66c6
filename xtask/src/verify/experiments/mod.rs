//! The experiments, one file per cause.

mod lock;

use crate::verify::Experiment;

/// All of them, in the order of the table.
pub(super) const ALL: &[Experiment] = &[lock::MUTEX];
