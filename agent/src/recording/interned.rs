//! Names that live as long as the program, as the model keeps the kinds of losses and anomalies.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// How many are kept, and how long each may be: the agent knows some thirty short ones, so a file
/// that has more is none of its own.
const MOST: usize = 512;
const LONGEST: usize = 64;

/// The same name for good; `None` when there are too many, or it is too long.
pub(super) fn keep(name: &str) -> Option<&'static str> {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(name) {
        return Some(known);
    }
    if kept.len() >= MOST || name.len() > LONGEST {
        return None;
    }
    let name: &'static str = name.to_owned().leak();
    kept.insert(name);
    Some(name)
}
