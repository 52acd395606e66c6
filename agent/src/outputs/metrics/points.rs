//! What is written: points of metrics, one after the other.

use super::metric::Metric;
use crate::stats::DurationCounts;

/// The labels of a session, a process or the agent; none is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::outputs) struct Labels {
    pairs: Vec<(&'static str, String)>,
    /// The same as the text formats have it.
    text: String,
}

impl Labels {
    /// Those that say something: in Prometheus an empty label is none.
    pub(super) fn new(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            if !value.is_empty() {
                push_label(&mut labels.text, name, &value);
                labels.pairs.push((name, value));
            }
        }
        labels
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// `name="value"`, with a comma before it when it is not the first.
pub(super) fn push_label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() && !text.ends_with('{') {
        text.push(',');
    }
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
}

/// A message that stands for those of its bucket.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::outputs) struct Exemplar {
    pub(in crate::outputs) labels: Vec<(&'static str, String)>,
    pub(in crate::outputs) value: f64,
    /// Nanoseconds since 1970 UTC.
    pub(in crate::outputs) at_ns: i64,
}

/// Counts by size.
#[derive(Clone, Copy, Debug)]
pub(in crate::outputs) struct Histogram<'a> {
    pub(in crate::outputs) counts: &'a DurationCounts,
    pub(in crate::outputs) sum_ns: i128,
    /// By classic bucket; may be empty.
    pub(in crate::outputs) exemplars: &'a [Option<Exemplar>],
}

/// What a point says.
#[derive(Clone, Copy, Debug)]
pub(in crate::outputs) enum Value<'a> {
    Count(u64),
    Number(f64),
    Histogram(Histogram<'a>),
}

impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<Histogram<'a>> for Value<'a> {
    fn from(histogram: Histogram<'a>) -> Self {
        Self::Histogram(histogram)
    }
}

/// One value of one metric.
#[derive(Debug)]
pub(in crate::outputs) struct Point<'a> {
    pub(super) of: &'a Labels,
    /// Labels besides these; none is empty.
    pub(super) more: &'a [(&'static str, &'a str)],
    /// From when on a counter or a histogram counts, nanoseconds since 1970 UTC.
    pub(in crate::outputs) since_ns: i64,
    pub(in crate::outputs) value: Value<'a>,
}

impl Point<'_> {
    pub(in crate::outputs) fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let of = self
            .of
            .pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        of.chain(self.more.iter().copied())
    }
}

/// A format. Points follow the metric they are of; a metric without points is not told of.
pub(in crate::outputs) trait Sink {
    fn metric(&mut self, metric: &'static Metric);
    fn point(&mut self, metric: &'static Metric, point: &Point<'_>);
}

/// Takes the points of one metric.
pub(super) struct Points<'a> {
    metric: &'static Metric,
    sink: &'a mut dyn Sink,
    told: bool,
    of: &'a Labels,
    since_ns: i64,
    series: &'a mut u64,
    node: &'a str,
}

impl<'a> Points<'a> {
    pub(super) fn new(
        metric: &'static Metric,
        sink: &'a mut dyn Sink,
        none: &'a Labels,
        series: &'a mut u64,
        node: &'a str,
    ) -> Self {
        Self {
            metric,
            sink,
            told: false,
            of: none,
            since_ns: 0,
            series,
            node,
        }
    }

    /// What comes is of whoever bears these labels, and counts from then on.
    pub(super) const fn of(&mut self, labels: &'a Labels, since_ns: i64) {
        self.of = labels;
        self.since_ns = since_ns;
    }

    /// The name of the node; empty when not known.
    pub(super) const fn node(&self) -> &'a str {
        self.node
    }

    /// How many series there are so far.
    pub(super) const fn series(&self) -> u64 {
        *self.series
    }

    /// The one of this metric that is told of.
    pub(super) fn put<'v>(&mut self, value: impl Into<Value<'v>>) {
        self.put_by(&[], value);
    }

    /// The one with these labels.
    pub(super) fn put_by<'v>(
        &mut self,
        more: &[(&'static str, &str)],
        value: impl Into<Value<'v>>,
    ) {
        if !self.told {
            self.sink.metric(self.metric);
            self.told = true;
        }
        *self.series += self.metric.kind.series();
        let point = Point {
            of: self.of,
            more,
            since_ns: self.since_ns,
            value: value.into(),
        };
        self.sink.point(self.metric, &point);
    }
}
