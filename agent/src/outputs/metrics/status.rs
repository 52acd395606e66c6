//! What the outputs report about themselves: their limits, and what became of the exports.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The limits of the outputs and the counts of OTLP exports, shared by exposition and exporter.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputStatus(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    max_series: u64,
    node: String,
    /// Indexed by [`ExportOutcome`].
    exports: [AtomicU64; ExportOutcome::ALL.len()],
    exporting: AtomicBool,
}

/// What became of one export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportOutcome {
    /// The receiver took it.
    Sent,
    /// The receiver took it and rejected some of its points.
    Partial,
    /// It was given up.
    Failed,
}

impl ExportOutcome {
    pub(crate) const ALL: [Self; 3] = [Self::Sent, Self::Partial, Self::Failed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

impl OutputStatus {
    /// Creates the status of an agent that exposes at most `max_series` series on the node of this
    /// name; the name is empty where there is none.
    pub(crate) fn new(max_series: u64, node: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            max_series,
            node: node.into(),
            ..Inner::default()
        }))
    }

    /// The largest number of series that is exposed.
    pub(crate) fn max_series(&self) -> u64 {
        self.0.max_series
    }

    /// The name of the node; empty when it is unknown.
    pub(crate) fn node(&self) -> &str {
        &self.0.node
    }

    /// Records that metrics are exported: from now on the outcomes of exports are a metric.
    pub(crate) fn enable_exports(&self) {
        self.0.exporting.store(true, Ordering::Relaxed);
    }

    /// Counts an export that has ended.
    pub(crate) fn record_export(&self, outcome: ExportOutcome) {
        self.0.exports[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The number of exports by outcome; `None` when nothing is exported.
    pub(crate) fn exports(&self) -> Option<[(ExportOutcome, u64); ExportOutcome::ALL.len()]> {
        let count = |o: ExportOutcome| (o, self.0.exports[o as usize].load(Ordering::Relaxed));
        let exporting = self.0.exporting.load(Ordering::Relaxed);
        exporting.then(|| ExportOutcome::ALL.map(count))
    }
}
