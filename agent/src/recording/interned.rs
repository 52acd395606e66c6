//! Names that live as long as the program, as health counts its kinds of losses and anomalies.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// Names retained at most: the agent has some thirty, so a file with more of them is not its own.
const MAX_NAMES: usize = 512;
/// The longest name, bytes.
const MAX_NAME_BYTES: usize = 64;

/// The same name with the program's lifetime; `None` when there are too many, or it is too long.
pub(super) fn intern(name: &str) -> Option<&'static str> {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(interned) = names.get(name) {
        return Some(interned);
    }
    if names.len() >= MAX_NAMES || name.len() > MAX_NAME_BYTES {
        return None;
    }
    let name: &'static str = name.to_owned().leak();
    names.insert(name);
    Some(name)
}
