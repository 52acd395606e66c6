//! The culprits that the ids in charges stand for.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::domain::{Culprit, CulpritId};

/// Culprits by id.
#[derive(Debug, Default)]
pub(crate) struct CulpritNames {
    by_id: HashMap<CulpritId, Arc<Culprit>>,
    /// Ids that no further charge will bear.
    retired: HashSet<CulpritId>,
}

impl CulpritNames {
    /// From now on `id` stands for this culprit.
    pub(crate) fn register(&mut self, id: CulpritId, culprit: &Arc<Culprit>) {
        self.by_id.insert(id, Arc::clone(culprit));
    }

    pub(crate) fn get(&self, id: CulpritId) -> Option<&Arc<Culprit>> {
        self.by_id.get(&id)
    }

    /// No further charge will bear this id.
    pub(crate) fn retire(&mut self, id: CulpritId) {
        self.retired.insert(id);
    }

    /// Forgets the retired ids that are not in use any more.
    pub(crate) fn forget_unused(&mut self, is_in_use: impl Fn(CulpritId) -> bool) {
        let by_id = &mut self.by_id;
        self.retired.retain(|&id| {
            let retained = is_in_use(id);
            if !retained {
                by_id.remove(&id);
            }
            retained
        });
    }

    /// Number of ids.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
