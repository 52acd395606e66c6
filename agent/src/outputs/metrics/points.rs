//! Points of metrics, and the sink that a format implements to write them one after the other.

use super::{labels::BaseLabels, metric::Metric};
use crate::stats::DurationCounts;

/// A message that stands for those of its bucket.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::outputs) struct LabeledExemplar {
    pub(in crate::outputs) labels: Vec<(&'static str, String)>,
    /// The age of the message, seconds.
    pub(in crate::outputs) value: f64,
    /// When the message was handed off, nanoseconds since 1970 UTC.
    pub(in crate::outputs) at_ns: i64,
}

/// The counts by size of one point, and their sum.
#[derive(Clone, Copy, Debug)]
pub(in crate::outputs) struct HistogramPoint<'a> {
    pub(in crate::outputs) counts: &'a DurationCounts,
    pub(in crate::outputs) sum_ns: i128,
    /// Indexed by classic bucket; may be empty.
    pub(in crate::outputs) exemplars: &'a [Option<LabeledExemplar>],
}

/// Nanoseconds in seconds, the base unit of the metrics.
pub(super) const fn seconds(ns: i128) -> f64 {
    ns as f64 / 1e9
}

/// The value of one point.
#[derive(Clone, Copy, Debug)]
pub(in crate::outputs) enum PointValue<'a> {
    Count(u64),
    Number(f64),
    Histogram(HistogramPoint<'a>),
}

impl From<u64> for PointValue<'_> {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for PointValue<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<HistogramPoint<'a>> for PointValue<'a> {
    fn from(histogram: HistogramPoint<'a>) -> Self {
        Self::Histogram(histogram)
    }
}

/// One value of one metric, with its labels.
#[derive(Debug)]
pub(in crate::outputs) struct MetricPoint<'a> {
    /// The labels of the session, the process or the agent.
    pub(super) base: &'a BaseLabels,
    /// The metric's own labels; no value is empty.
    pub(super) own: &'a [(&'static str, &'a str)],
    /// When the counter or histogram started to count, nanoseconds since 1970 UTC.
    pub(in crate::outputs) since_ns: i64,
    pub(in crate::outputs) value: PointValue<'a>,
}

impl MetricPoint<'_> {
    pub(in crate::outputs) fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.base.pairs().chain(self.own.iter().copied())
    }
}

/// A format that points are written in. The points of a metric follow its definition; a metric
/// without points is not written.
pub(in crate::outputs) trait PointSink {
    fn metric(&mut self, metric: &'static Metric);
    fn point(&mut self, metric: &'static Metric, point: &MetricPoint<'_>);
}

/// Emits the points of one metric to a sink and counts its series.
pub(super) struct PointEmitter<'a> {
    metric: &'static Metric,
    sink: &'a mut dyn PointSink,
    /// The definition of the metric was written.
    defined: bool,
    base: &'a BaseLabels,
    since_ns: i64,
    series: &'a mut u64,
    node: &'a str,
}

impl<'a> PointEmitter<'a> {
    pub(super) const fn new(
        metric: &'static Metric,
        sink: &'a mut dyn PointSink,
        no_labels: &'a BaseLabels,
        series: &'a mut u64,
        node: &'a str,
    ) -> Self {
        Self {
            metric,
            sink,
            defined: false,
            base: no_labels,
            since_ns: 0,
            series,
            node,
        }
    }

    /// Sets the labels of the points that follow, and since when they count.
    pub(super) const fn set_base(&mut self, base: &'a BaseLabels, since_ns: i64) {
        self.base = base;
        self.since_ns = since_ns;
    }

    /// The name of the node; empty when it is unknown.
    pub(super) const fn node(&self) -> &'a str {
        self.node
    }

    /// The number of series emitted so far, those of earlier metrics included.
    pub(super) const fn series(&self) -> u64 {
        *self.series
    }

    /// Emits a point without labels of its own.
    pub(super) fn put<'v>(&mut self, value: impl Into<PointValue<'v>>) {
        self.put_by(&[], value);
    }

    /// Emits a point with labels of its own.
    pub(super) fn put_by<'v>(
        &mut self,
        own: &[(&'static str, &str)],
        value: impl Into<PointValue<'v>>,
    ) {
        if !self.defined {
            self.sink.metric(self.metric);
            self.defined = true;
        }
        *self.series += self.metric.kind.series();
        let point = MetricPoint {
            base: self.base,
            own,
            since_ns: self.since_ns,
            value: value.into(),
        };
        self.sink.point(self.metric, &point);
    }
}
