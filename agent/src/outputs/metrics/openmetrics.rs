//! OpenMetrics 1.0.0, written by prometheus-client.

use std::fmt::{self, Write as _};

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeLabel, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
        text,
    },
    metrics::{MetricType, exemplar::Exemplar as Unused},
    registry::{Registry, Unit as Suffix},
};

use super::{
    metric::{Kind, Metric, Unit},
    points::{Exemplar, Point, Sink, Value, push_label},
    snapshot::Snapshot,
};

/// All points of a snapshot, as text.
///
/// # Errors
/// When a value cannot be encoded, which is a defect.
pub(super) fn encode(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let mut collected = Collected::default();
    snapshot.tell(&mut collected);
    let exemplars = std::mem::take(&mut collected.exemplars);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collected));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(with_exemplars(&text, exemplars))
}

/// A value, its labels included.
#[derive(Debug)]
struct Kept {
    labels: Pairs,
    value: Number,
}

#[derive(Debug)]
enum Number {
    Count(u64),
    Real(f64),
    /// The sum in seconds, and the count of each bucket with its upper bound.
    Buckets(f64, Vec<(f64, u64)>),
}

#[derive(Debug)]
struct Pairs(Vec<(&'static str, String)>);

impl EncodeLabelSet for Pairs {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        for (name, value) in &self.0 {
            (*name, value.as_str()).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// What is to be written: a collector lives for longer than a snapshot.
#[derive(Debug, Default)]
struct Collected {
    metrics: Vec<(&'static Metric, Vec<Kept>)>,
    /// Of a metric that has any: for each line of a bucket what is to stand at its end, in order.
    exemplars: Vec<(&'static str, Vec<Option<String>>)>,
}

impl Sink for Collected {
    fn metric(&mut self, metric: &'static Metric) {
        self.metrics.push((metric, Vec::new()));
    }

    fn point(&mut self, metric: &'static Metric, point: &Point<'_>) {
        let value = match (point.value, metric.kind) {
            (Value::Count(count), _) => Number::Count(count),
            (Value::Number(number), _) => Number::Real(number),
            (Value::Histogram(histogram), kind) => {
                let Kind::Histogram(bounds_ns) = kind else {
                    debug_assert!(false, "{} is no histogram", metric.name);
                    return;
                };
                let bounds = bounds_ns.iter().map(|&ns| ns as f64 / 1e9);
                let counts = histogram.counts.classic(bounds_ns);
                let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
                self.keep_exemplars(metric.name, buckets.len(), histogram.exemplars);
                Number::Buckets(histogram.sum_ns as f64 / 1e9, buckets)
            }
        };
        let labels = point.labels().map(|(name, value)| (name, value.to_owned()));
        if let Some((_, kept)) = self.metrics.last_mut() {
            kept.push(Kept {
                labels: Pairs(labels.collect()),
                value,
            });
        }
    }
}

impl Collected {
    fn keep_exemplars(&mut self, name: &'static str, buckets: usize, of: &[Option<Exemplar>]) {
        if self.exemplars.last().is_none_or(|last| last.0 != name) {
            self.exemplars.push((name, Vec::new()));
        }
        if let Some((_, lines)) = self.exemplars.last_mut() {
            let told = |at| of.get(at).and_then(Option::as_ref).map(exemplar);
            lines.extend((0..buckets).map(told));
        }
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for (metric, points) in &self.metrics {
            let unit = match metric.unit {
                Unit::None => None,
                unit => Some(Suffix::Other(unit.name().to_owned())),
            };
            // It puts the unit behind the name.
            let family = metric.family();
            let name = match &unit {
                Some(unit) => family
                    .strip_suffix(unit.as_str())
                    .and_then(|name| name.strip_suffix('_'))
                    .unwrap_or(family),
                None => family,
            };
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Info => MetricType::Info,
                Kind::Histogram(_) => MetricType::Histogram,
            };
            let mut of = encoder.encode_descriptor(name, metric.help, unit.as_ref(), kind)?;
            for Kept { labels, value } in points {
                if metric.kind == Kind::Info {
                    of.encode_info(labels)?;
                    continue;
                }
                // Of no labels it would write an empty list.
                if labels.0.is_empty() {
                    write(&mut of, metric.kind, value)?;
                } else {
                    write(&mut of.encode_family(labels)?, metric.kind, value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(of: &mut MetricEncoder<'_>, kind: Kind, value: &Number) -> fmt::Result {
    match value {
        Number::Buckets(sum, buckets) => {
            let count = buckets.iter().map(|bucket| bucket.1).sum();
            of.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
        Number::Count(count) if kind == Kind::Counter => {
            of.encode_counter(count, None::<&Unused<NoLabelSet, f64>>)
        }
        Number::Real(number) if kind == Kind::Counter => {
            of.encode_counter(number, None::<&Unused<NoLabelSet, f64>>)
        }
        Number::Count(count) => of.encode_gauge(count),
        Number::Real(number) => of.encode_gauge(number),
    }
}

/// What stands behind the value of a bucket.
fn exemplar(exemplar: &Exemplar) -> String {
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

/// Puts exemplars at the ends of the lines of buckets. The encoder takes only those it has observed
/// itself: its `Exemplar` cannot be made elsewhere.
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
