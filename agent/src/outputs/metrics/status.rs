//! What the outputs know of themselves, for the metrics.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What the agent serves and exports, shared by both.
#[derive(Clone, Debug, Default)]
pub struct Account(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    max_series: u64,
    node: String,
    /// By [`Outcome`]; the last one says whether anything is exported at all.
    exports: [AtomicU64; Outcome::ALL.len()],
    exporting: std::sync::atomic::AtomicBool,
}

/// What became of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken.
    Sent,
    /// It was taken, and some points of it were refused.
    Partial,
    /// It was given up.
    Failed,
}

impl Outcome {
    pub(crate) const ALL: [Self; 3] = [Self::Sent, Self::Partial, Self::Failed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

impl Account {
    /// Of an agent with room for so many series on a node of this name; empty when it has none.
    #[must_use]
    pub fn new(max_series: u64, node: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            max_series,
            node: node.into(),
            ..Inner::default()
        }))
    }

    /// Series at the most.
    pub(crate) fn max_series(&self) -> u64 {
        self.0.max_series
    }

    /// The name of the node; empty when not known.
    pub(crate) fn node(&self) -> &str {
        &self.0.node
    }

    /// From now on something is exported.
    pub(crate) fn export(&self) {
        self.0.exporting.store(true, Ordering::Relaxed);
    }

    /// An export has ended.
    pub(crate) fn exported(&self, outcome: Outcome) {
        self.0.exports[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Exports by outcome; `None` when nothing is exported.
    pub(crate) fn exports(&self) -> Option<[(Outcome, u64); Outcome::ALL.len()]> {
        let count = |o: Outcome| (o, self.0.exports[o as usize].load(Ordering::Relaxed));
        let exporting = self.0.exporting.load(Ordering::Relaxed);
        exporting.then(|| Outcome::ALL.map(count))
    }
}
