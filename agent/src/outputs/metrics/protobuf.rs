//! The protobuf format of Prometheus: with native histograms besides the classic ones. The
//! messages are those of prometheus-client, whose own encoder takes no exemplars and no start
//! times of counters.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as proto;
use prost::Message as _;

use super::{
    metric::{Metric, MetricKind},
    points::{HistogramPoint, LabeledExemplar, MetricPoint, PointSink, PointValue},
};
use crate::stats::ZERO_THRESHOLD;

/// Writes metric families, each with its length before it.
#[derive(Debug, Default)]
pub(super) struct ProtobufWriter {
    bytes: Vec<u8>,
    family: Option<proto::MetricFamily>,
}

impl ProtobufWriter {
    /// The bytes of all families.
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

impl PointSink for ProtobufWriter {
    fn metric(&mut self, metric: &'static Metric) {
        self.end_family();
        let kind = match metric.kind {
            MetricKind::Counter => proto::MetricType::Counter,
            MetricKind::Gauge | MetricKind::Info => proto::MetricType::Gauge,
            MetricKind::Histogram(_) => proto::MetricType::Histogram,
        };
        self.family = Some(proto::MetricFamily {
            name: metric.name.to_owned(),
            help: metric.help.to_owned(),
            r#type: kind.into(),
            metric: Vec::new(),
            unit: metric.unit.name().to_owned(),
        });
    }

    fn point(&mut self, metric: &'static Metric, point: &MetricPoint<'_>) {
        let mut written = proto::Metric {
            label: pairs(point.labels()),
            ..proto::Metric::default()
        };
        let start_timestamp = Some(utc(point.since_ns).into());
        let value = match point.value {
            PointValue::Count(count) => count as f64,
            PointValue::Number(number) => number,
            PointValue::Histogram(_) => 0.0,
        };
        match (metric.kind, point.value) {
            (MetricKind::Histogram(bounds_ns), PointValue::Histogram(histogram)) => {
                written.histogram = Some(proto::Histogram {
                    start_timestamp,
                    ..classic_and_native(bounds_ns, &histogram)
                });
            }
            (MetricKind::Counter, _) => {
                written.counter = Some(proto::Counter {
                    value,
                    start_timestamp,
                    exemplar: None,
                });
            }
            _ => written.gauge = Some(proto::Gauge { value }),
        }
        if let Some(family) = &mut self.family {
            family.metric.push(written);
        }
    }
}

fn pairs<'a>(labels: impl Iterator<Item = (&'static str, &'a str)>) -> Vec<proto::LabelPair> {
    let pair = |(name, value): (&str, &str)| proto::LabelPair {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    labels.map(pair).collect()
}

/// The instant that is so many nanoseconds after 1970 UTC, or before it when negative.
fn utc(ns: i64) -> SystemTime {
    let distance = Duration::from_nanos(ns.unsigned_abs());
    if ns < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}

fn exemplar(exemplar: &LabeledExemplar) -> proto::Exemplar {
    let labels = exemplar.labels.iter();
    proto::Exemplar {
        label: pairs(labels.map(|(name, value)| (*name, value.as_str()))),
        value: exemplar.value,
        timestamp: Some(utc(exemplar.at_ns).into()),
    }
}

fn classic_and_native(bounds_ns: &[i64], histogram: &HistogramPoint<'_>) -> proto::Histogram {
    let bounds = bounds_ns
        .iter()
        .map(|&ns| ns as f64 / 1e9)
        .chain([f64::INFINITY]);
    let classic = histogram.counts.classic(bounds_ns);
    let mut cumulative_count = 0;
    let bucket = bounds
        .zip(classic)
        .enumerate()
        .map(|(index, (upper_bound, count))| {
            cumulative_count += count;
            let of = histogram.exemplars.get(index).and_then(Option::as_ref);
            proto::Bucket {
                cumulative_count,
                upper_bound,
                exemplar: of.map(exemplar),
                ..proto::Bucket::default()
            }
        })
        .collect();
    let native = histogram.counts.exponential();
    let (positive_span, positive_delta) = sparse(native.first, &native.counts);
    let mut exemplars: Vec<_> = histogram.exemplars.iter().flatten().collect();
    exemplars.sort_by_key(|e| e.at_ns);
    proto::Histogram {
        sample_count: cumulative_count,
        sample_sum: histogram.sum_ns as f64 / 1e9,
        bucket,
        schema: native.schema.into(),
        zero_threshold: ZERO_THRESHOLD,
        zero_count: native.zero,
        positive_span,
        positive_delta,
        exemplars: exemplars.into_iter().map(exemplar).collect(),
        ..proto::Histogram::default()
    }
}

/// The longest run of empty buckets that is written as zeros; a longer one begins a new span.
const MAX_GAP_BUCKETS: i32 = 2;

/// Runs of buckets, and the count of each as the difference to the count before.
fn sparse(first: i32, counts: &[u64]) -> (Vec<proto::BucketSpan>, Vec<i64>) {
    let mut spans: Vec<proto::BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let mut before = 0;
    let mut next = 0;
    for (at, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
        let index = first + at as i32;
        let gap = index - next;
        match spans.last_mut() {
            Some(span) if gap <= MAX_GAP_BUCKETS => {
                for _ in 0..gap {
                    deltas.push(-before);
                    before = 0;
                }
                span.length += gap.cast_unsigned() + 1;
            }
            _ => spans.push(proto::BucketSpan {
                offset: gap,
                length: 1,
            }),
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        before = count;
        next = index + 1;
    }
    if spans.is_empty() {
        // Distinguishes a native histogram without observations from a classic one.
        spans.push(proto::BucketSpan::default());
    }
    (spans, deltas)
}
