//! The definition of a metric: name, kind, unit, help and labels.

/// One metric as it is published and documented.
#[derive(Debug)]
pub(in crate::outputs) struct Metric {
    /// The name; the series of a histogram are named `_bucket`, `_count` and `_sum` after it.
    pub(in crate::outputs) name: &'static str,
    pub(in crate::outputs) kind: MetricKind,
    pub(in crate::outputs) unit: Unit,
    pub(in crate::outputs) help: &'static str,
    /// The labels besides those of the session, the process or the agent.
    pub(super) labels: &'static [Label],
    /// When there is no series; empty when there always is one.
    pub(super) absent: &'static str,
    /// The largest number of combinations of the values of `labels`: each is a series, of a
    /// histogram several.
    pub(super) max_combinations: u64,
}

/// A label and its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
}

pub(super) const fn label(name: &'static str, meaning: &'static str) -> Label {
    Label { name, meaning }
}

/// How the values of a metric are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::outputs) enum MetricKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Always 1; the information is in the labels.
    Info,
    /// Counts by size, with the upper bounds of the classic buckets in nanoseconds.
    Histogram(&'static [i64]),
}

impl MetricKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram(_) => "histogram",
        }
    }

    /// The number of series of one point in the text formats.
    pub(super) const fn series(self) -> u64 {
        match self {
            // The bucket without an upper bound, _count and _sum.
            Self::Histogram(bounds) => bounds.len() as u64 + 3,
            _ => 1,
        }
    }
}

/// The base unit of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::outputs) enum Unit {
    /// No unit, or one that is part of the name.
    None,
    Seconds,
    Bytes,
    Ratio,
    Cores,
}

impl Unit {
    /// The unit as it ends the name of the metric; empty for [`Unit::None`].
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Cores => "cores",
        }
    }

    /// The unit in UCUM, which OTLP uses.
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

impl Metric {
    /// The largest number of series of one session, one process or the agent.
    pub(super) const fn max_series(&self) -> u64 {
        self.max_combinations * self.kind.series()
    }

    /// The name of the family in OpenMetrics: without the suffix of the kind.
    pub(super) fn family(&self) -> &'static str {
        let suffix = match self.kind {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::Histogram(_) => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }
}
