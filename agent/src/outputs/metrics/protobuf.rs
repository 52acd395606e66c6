//! The protobuf format of Prometheus: with native histograms besides the classic ones.

use prost::Message as _;

use super::{
    metric::{Kind, Metric, Unit},
    points::{self, Point, Sink, Value},
    wire::{
        self, Bucket, BucketSpan, Counter, Exemplar, Gauge, Histogram, LabelPair, MetricFamily,
        MetricType, Timestamp,
    },
};
use crate::stats::ZERO_THRESHOLD;

/// Writes families, each with its length before it.
#[derive(Debug, Default)]
pub(super) struct Protobuf {
    bytes: Vec<u8>,
    family: Option<MetricFamily>,
}

impl Protobuf {
    /// What was written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_family();
        self.bytes
    }

    fn end_family(&mut self) {
        if let Some(family) = self.family.take() {
            self.bytes.extend(family.encode_length_delimited_to_vec());
        }
    }
}

impl Sink for Protobuf {
    fn metric(&mut self, metric: &'static Metric) {
        self.end_family();
        let kind = match metric.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge | Kind::Info => MetricType::Gauge,
            Kind::Histogram(_) => MetricType::Histogram,
        };
        self.family = Some(MetricFamily {
            name: Some(metric.name.to_owned()),
            help: Some(metric.help.to_owned()),
            r#type: Some(kind.into()),
            metric: Vec::new(),
            unit: (metric.unit != Unit::None).then(|| metric.unit.name().to_owned()),
        });
    }

    fn point(&mut self, metric: &'static Metric, point: &Point<'_>) {
        let mut told = wire::Metric {
            label: pairs(point.labels()),
            ..wire::Metric::default()
        };
        let since = Some(timestamp(point.since_ns));
        let value = match point.value {
            Value::Count(count) => count as f64,
            Value::Number(number) => number,
            Value::Histogram(_) => 0.0,
        };
        match (metric.kind, point.value) {
            (Kind::Histogram(bounds_ns), Value::Histogram(histogram)) => {
                told.histogram = Some(Histogram {
                    start_timestamp: since,
                    ..both(bounds_ns, &histogram)
                });
            }
            (Kind::Counter, _) => {
                told.counter = Some(Counter {
                    value: Some(value),
                    start_timestamp: since,
                });
            }
            _ => told.gauge = Some(Gauge { value: Some(value) }),
        }
        if let Some(family) = &mut self.family {
            family.metric.push(told);
        }
    }
}

fn pairs<'a>(labels: impl Iterator<Item = (&'static str, &'a str)>) -> Vec<LabelPair> {
    let pair = |(name, value): (&str, &str)| LabelPair {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    labels.map(pair).collect()
}

const fn timestamp(ns: i64) -> Timestamp {
    Timestamp {
        seconds: ns.div_euclid(1_000_000_000),
        nanos: ns.rem_euclid(1_000_000_000) as i32,
    }
}

fn exemplar(exemplar: &points::Exemplar) -> Exemplar {
    let labels = exemplar.labels.iter();
    Exemplar {
        label: pairs(labels.map(|(name, value)| (*name, value.as_str()))),
        value: Some(exemplar.value),
        timestamp: Some(timestamp(exemplar.at_ns)),
    }
}

/// A histogram with classic and native buckets.
fn both(bounds_ns: &[i64], histogram: &points::Histogram<'_>) -> Histogram {
    let bounds = bounds_ns
        .iter()
        .map(|&ns| ns as f64 / 1e9)
        .chain([f64::INFINITY]);
    let classic = histogram.counts.classic(bounds_ns);
    let mut below = 0;
    let bucket = bounds
        .zip(classic)
        .enumerate()
        .map(|(at, (bound, count))| {
            below += count;
            let of = histogram.exemplars.get(at).and_then(Option::as_ref);
            Bucket {
                cumulative_count: Some(below),
                upper_bound: Some(bound),
                exemplar: of.map(exemplar),
            }
        })
        .collect();
    let exponential = histogram.counts.exponential();
    let (positive_span, positive_delta) = sparse(exponential.first, &exponential.counts);
    let mut exemplars: Vec<_> = histogram.exemplars.iter().flatten().collect();
    exemplars.sort_by_key(|e| e.at_ns);
    Histogram {
        sample_count: Some(below),
        sample_sum: Some(histogram.sum_ns as f64 / 1e9),
        bucket,
        schema: Some(exponential.schema.into()),
        zero_threshold: Some(ZERO_THRESHOLD),
        zero_count: Some(exponential.zero),
        positive_span,
        positive_delta,
        start_timestamp: None,
        exemplars: exemplars.into_iter().map(exemplar).collect(),
    }
}

/// Empty buckets in a row that are worth a span of their own.
const GAP: i32 = 2;

/// Runs of buckets, and each count as the difference to the one before.
fn sparse(first: i32, counts: &[u64]) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let mut before = 0;
    let mut next = 0;
    for (at, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
        let index = first + at as i32;
        let gap = index - next;
        match spans.last_mut() {
            Some(span) if gap <= GAP => {
                for _ in 0..gap {
                    deltas.push(-before);
                    before = 0;
                }
                span.length = span.length.map(|length| length + gap.cast_unsigned() + 1);
            }
            _ => spans.push(BucketSpan {
                offset: Some(gap),
                length: Some(1),
            }),
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        before = count;
        next = index + 1;
    }
    if spans.is_empty() {
        // Tells a native histogram without observations from a classic one.
        spans.push(BucketSpan {
            offset: Some(0),
            length: Some(0),
        });
    }
    (spans, deltas)
}
