//! OpenMetrics 1.0.0, written by prometheus-client; exemplars are inserted afterwards.

use std::fmt::{self, Write as _};

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeLabel, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
        text,
    },
    metrics::{MetricType, exemplar::Exemplar as OwnExemplar},
    registry::{Registry, Unit as Suffix},
};

use super::{
    labels::push_label,
    metric::{Metric, MetricKind, Unit},
    points::{LabeledExemplar, MetricPoint, PointSink, PointValue},
    snapshot::MetricsSnapshot,
};

/// Encodes all points of a snapshot as text.
///
/// # Errors
/// When a value cannot be encoded, which is a defect.
pub(super) fn encode(snapshot: &MetricsSnapshot) -> Result<String, fmt::Error> {
    let mut collected = CollectedMetrics::default();
    snapshot.emit(&mut collected);
    let exemplars = std::mem::take(&mut collected.exemplars);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collected));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(with_exemplars(&text, exemplars))
}

/// A point with labels and value of its own.
#[derive(Debug)]
struct CollectedPoint {
    labels: LabelPairs,
    value: CollectedValue,
}

#[derive(Debug)]
enum CollectedValue {
    Count(u64),
    Number(f64),
    /// The sum in seconds, and the count of each bucket with its upper bound.
    Buckets(f64, Vec<(f64, u64)>),
}

#[derive(Debug)]
struct LabelPairs(Vec<(&'static str, String)>);

impl EncodeLabelSet for LabelPairs {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        for (name, value) in &self.0 {
            (*name, value.as_str()).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// The points to encode. The registry takes collectors that own what they collect.
#[derive(Debug, Default)]
struct CollectedMetrics {
    metrics: Vec<(&'static Metric, Vec<CollectedPoint>)>,
    /// By metric: the text that follows each line of a bucket, in the order of the lines.
    exemplars: Vec<(&'static str, Vec<Option<String>>)>,
}

impl PointSink for CollectedMetrics {
    fn metric(&mut self, metric: &'static Metric) {
        self.metrics.push((metric, Vec::new()));
    }

    fn point(&mut self, metric: &'static Metric, point: &MetricPoint<'_>) {
        let value = match (point.value, metric.kind) {
            (PointValue::Count(count), _) => CollectedValue::Count(count),
            (PointValue::Number(number), _) => CollectedValue::Number(number),
            (PointValue::Histogram(histogram), kind) => {
                let MetricKind::Histogram(bounds_ns) = kind else {
                    debug_assert!(false, "{} is no histogram", metric.name);
                    return;
                };
                let bounds = bounds_ns.iter().map(|&ns| ns as f64 / 1e9);
                let counts = histogram.counts.classic(bounds_ns);
                let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
                self.collect_exemplars(metric.name, buckets.len(), histogram.exemplars);
                CollectedValue::Buckets(histogram.sum_ns as f64 / 1e9, buckets)
            }
        };
        let labels = point.labels().map(|(name, value)| (name, value.to_owned()));
        if let Some((_, points)) = self.metrics.last_mut() {
            points.push(CollectedPoint {
                labels: LabelPairs(labels.collect()),
                value,
            });
        }
    }
}

impl CollectedMetrics {
    fn collect_exemplars(
        &mut self,
        name: &'static str,
        buckets: usize,
        exemplars: &[Option<LabeledExemplar>],
    ) {
        if self.exemplars.last().is_none_or(|last| last.0 != name) {
            self.exemplars.push((name, Vec::new()));
        }
        if let Some((_, lines)) = self.exemplars.last_mut() {
            let of_bucket = |index| exemplars.get(index).and_then(Option::as_ref).map(exemplar);
            lines.extend((0..buckets).map(of_bucket));
        }
    }
}

impl Collector for CollectedMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for (metric, points) in &self.metrics {
            let unit = match metric.unit {
                Unit::None => None,
                unit => Some(Suffix::Other(unit.name().to_owned())),
            };
            // The encoder appends the unit to the name.
            let family = metric.family();
            let name = match &unit {
                Some(unit) => family
                    .strip_suffix(unit.as_str())
                    .and_then(|name| name.strip_suffix('_'))
                    .unwrap_or(family),
                None => family,
            };
            let kind = match metric.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
                MetricKind::Info => MetricType::Info,
                MetricKind::Histogram(_) => MetricType::Histogram,
            };
            let mut encoder = encoder.encode_descriptor(name, metric.help, unit.as_ref(), kind)?;
            for CollectedPoint { labels, value } in points {
                if metric.kind == MetricKind::Info {
                    encoder.encode_info(labels)?;
                    continue;
                }
                // Without labels, `encode_family` would write an empty list.
                if labels.0.is_empty() {
                    encode_value(&mut encoder, metric.kind, value)?;
                } else {
                    encode_value(&mut encoder.encode_family(labels)?, metric.kind, value)?;
                }
            }
        }
        Ok(())
    }
}

fn encode_value(
    encoder: &mut MetricEncoder<'_>,
    kind: MetricKind,
    value: &CollectedValue,
) -> fmt::Result {
    match value {
        CollectedValue::Buckets(sum, buckets) => {
            let count = buckets.iter().map(|bucket| bucket.1).sum();
            encoder.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
        CollectedValue::Count(count) if kind == MetricKind::Counter => {
            encoder.encode_counter(count, None::<&OwnExemplar<NoLabelSet, f64>>)
        }
        CollectedValue::Number(number) if kind == MetricKind::Counter => {
            encoder.encode_counter(number, None::<&OwnExemplar<NoLabelSet, f64>>)
        }
        CollectedValue::Count(count) => encoder.encode_gauge(count),
        CollectedValue::Number(number) => encoder.encode_gauge(number),
    }
}

/// The text that follows the value of a bucket.
fn exemplar(exemplar: &LabeledExemplar) -> String {
    let mut text = String::from(" # {");
    for (name, value) in &exemplar.labels {
        push_label(&mut text, name, value);
    }
    let (seconds, millis) = (
        exemplar.at_ns.div_euclid(1_000_000_000),
        exemplar.at_ns.rem_euclid(1_000_000_000) / 1_000_000,
    );
    // Writing to a String does not fail.
    let _ = write!(text, "}} {:?} {seconds}.{millis:03}", exemplar.value);
    text
}

/// Inserts exemplars at the ends of the lines of buckets. The encoder takes only exemplars that it
/// has observed itself: its `Exemplar` cannot be constructed elsewhere.
fn with_exemplars(text: &str, exemplars: Vec<(&'static str, Vec<Option<String>>)>) -> String {
    let buckets = exemplars
        .into_iter()
        .map(|(name, lines)| (format!("{name}_bucket{{"), lines.into_iter()));
    let mut buckets: Vec<_> = buckets.collect();
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.lines() {
        out.push_str(line);
        let of = buckets
            .iter_mut()
            .find(|(begin, _)| line.starts_with(begin.as_str()));
        if let Some(Some(exemplar)) = of.and_then(|(_, lines)| lines.next()) {
            out.push_str(&exemplar);
        }
        out.push('\n');
    }
    out
}
