//! What a metric is.

use super::{
    group::Group,
    points::Points,
    snapshot::{Agent, Process},
};

/// One metric of the contract: what is exported and what is documented come from here.
#[derive(Debug)]
pub(in crate::outputs) struct Metric {
    /// Its name; histograms have series `_bucket`, `_count` and `_sum` of it.
    pub(in crate::outputs) name: &'static str,
    pub(in crate::outputs) kind: Kind,
    pub(in crate::outputs) unit: Unit,
    pub(in crate::outputs) help: &'static str,
    /// The labels besides those of what it is of.
    pub(super) labels: &'static [Label],
    /// When there is no series; empty: there always is one.
    pub(super) absent: &'static str,
    /// Values of its own labels together, at the most: each is a series (of histograms several).
    pub(super) most: u64,
    pub(super) source: Source,
}

/// A label, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
}

/// How its values are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::outputs) enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// 1; what it says is in the labels.
    Info,
    /// Counts by size, with the upper bounds of the classic buckets in nanoseconds.
    Histogram(&'static [i64]),
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram(_) => "histogram",
        }
    }

    /// Series per point, in the text formats.
    pub(super) const fn series(self) -> u64 {
        match self {
            // The bucket without an upper bound, _count and _sum.
            Self::Histogram(bounds) => bounds.len() as u64 + 3,
            _ => 1,
        }
    }
}

/// Base units only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::outputs) enum Unit {
    /// None, or one that is in the name.
    None,
    Seconds,
    Bytes,
    Ratio,
    Cores,
}

impl Unit {
    /// As in the name of the metric; empty for none.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Cores => "cores",
        }
    }

    /// By UCUM, as OTLP has it.
    pub(in crate::outputs) const fn ucum(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "s",
            Self::Bytes => "By",
            Self::Ratio => "1",
            Self::Cores => "{cpu}",
        }
    }
}

/// What has the metric, and how its values are taken from it.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// Every session with series of its own, and `other`.
    Session(fn(&Group, &mut Points<'_>)),
    /// Every process with such a session.
    Process(fn(&Process, &mut Points<'_>)),
    /// The agent.
    Agent(fn(&Agent, &mut Points<'_>)),
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

impl Metric {
    const fn new(name: &'static str, kind: Kind, help: &'static str, source: Source) -> Self {
        Self {
            name,
            kind,
            unit: Unit::None,
            help,
            labels: &[],
            absent: "",
            most: 1,
            source,
        }
    }

    pub(super) const fn counter(name: &'static str, help: &'static str, source: Source) -> Self {
        Self::new(name, Kind::Counter, help, source)
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str, source: Source) -> Self {
        Self::new(name, Kind::Gauge, help, source)
    }

    pub(super) const fn info(name: &'static str, help: &'static str, source: Source) -> Self {
        Self::new(name, Kind::Info, help, source)
    }

    pub(super) const fn histogram(
        name: &'static str,
        bounds_ns: &'static [i64],
        help: &'static str,
        source: Source,
    ) -> Self {
        Self::new(name, Kind::Histogram(bounds_ns), help, source).unit(Unit::Seconds)
    }

    pub(super) const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Labels of its own, and how many values they have together at the most.
    pub(super) const fn by(mut self, labels: &'static [Label], most: u64) -> Self {
        self.labels = labels;
        self.most = most;
        self
    }

    pub(super) const fn absent(mut self, when: &'static str) -> Self {
        self.absent = when;
        self
    }

    /// Series of one session, one process or the agent, at the most.
    pub(super) const fn most_series(&self) -> u64 {
        self.most * self.kind.series()
    }

    /// The name of the family, as OpenMetrics has it.
    pub(super) fn family(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram(_) => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }
}
