//! The processes that read sessions and have not ended.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::ProcessInfo;

/// Processes retained; further ones are ignored.
pub(super) const MAX_PROCESSES: usize = 1024;

/// Processes by pid.
#[derive(Debug, Default)]
pub(super) struct ProcessTable(BTreeMap<u32, Arc<ProcessInfo>>);

impl ProcessTable {
    /// Inserts or replaces a process; `None` when there is no room for it.
    pub(super) fn insert(&mut self, process: &ProcessInfo) -> Option<&Arc<ProcessInfo>> {
        let pid = process.pid;
        if !self.0.contains_key(&pid) && self.0.len() >= MAX_PROCESSES {
            return None;
        }
        self.0.insert(pid, Arc::new(process.clone()));
        self.0.get(&pid)
    }

    pub(super) fn get(&self, pid: u32) -> Option<&Arc<ProcessInfo>> {
        self.0.get(&pid)
    }

    pub(super) fn remove(&mut self, pid: u32) {
        self.0.remove(&pid);
    }
}
