//! One family: a metric and where its values come from.

use crate::outputs::metrics::{
    figures::{AgentFigures, ReaderProcess},
    group::SessionGroup,
    metric::{Label, Metric, MetricKind, Unit},
    points::PointEmitter,
};

/// A metric, and how its points are taken from the figures.
#[derive(Debug)]
pub(in crate::outputs::metrics) struct Family {
    pub(in crate::outputs::metrics) metric: Metric,
    pub(in crate::outputs::metrics) source: Source,
}

/// Whose metric it is, and the function that emits its points.
#[derive(Clone, Copy)]
pub(in crate::outputs::metrics) enum Source {
    /// Every session with series of its own, and `other`.
    Session(fn(&SessionGroup, &mut PointEmitter<'_>)),
    /// Every process with such a session.
    Process(fn(&ReaderProcess, &mut PointEmitter<'_>)),
    /// The agent.
    Agent(fn(&AgentFigures, &mut PointEmitter<'_>)),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "Session",
            Self::Process(_) => "Process",
            Self::Agent(_) => "Agent",
        })
    }
}

impl Family {
    const fn new(name: &'static str, kind: MetricKind, help: &'static str, source: Source) -> Self {
        Self {
            metric: Metric {
                name,
                kind,
                unit: Unit::None,
                help,
                labels: &[],
                absent: "",
                max_combinations: 1,
            },
            source,
        }
    }

    pub(super) const fn counter(name: &'static str, help: &'static str, source: Source) -> Self {
        Self::new(name, MetricKind::Counter, help, source)
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str, source: Source) -> Self {
        Self::new(name, MetricKind::Gauge, help, source)
    }

    pub(super) const fn info(name: &'static str, help: &'static str, source: Source) -> Self {
        Self::new(name, MetricKind::Info, help, source)
    }

    pub(super) const fn histogram(
        name: &'static str,
        bounds_ns: &'static [i64],
        help: &'static str,
        source: Source,
    ) -> Self {
        Self::new(name, MetricKind::Histogram(bounds_ns), help, source).unit(Unit::Seconds)
    }

    pub(super) const fn unit(mut self, unit: Unit) -> Self {
        self.metric.unit = unit;
        self
    }

    /// Sets the metric's own labels, and the largest number of combinations of their values.
    pub(super) const fn by(mut self, labels: &'static [Label], max_combinations: u64) -> Self {
        self.metric.labels = labels;
        self.metric.max_combinations = max_combinations;
        self
    }

    /// Says when there is no series.
    pub(super) const fn absent(mut self, when: &'static str) -> Self {
        self.metric.absent = when;
        self
    }
}
