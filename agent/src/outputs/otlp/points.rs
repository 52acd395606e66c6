//! Builds an OTLP request from the points of an exposition, under their names in Prometheus.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        self as otlp, AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint,
        NumberDataPoint, ResourceMetrics, ScopeMetrics, exemplar,
        exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};

use super::{config::OtlpConfig, environment::HistogramEncoding};
use crate::{
    outputs::metrics::{
        HistogramPoint, LabeledExemplar, Metric, MetricKind, MetricPoint, PointSink, PointValue,
    },
    stats::ZERO_THRESHOLD,
};

/// Collects the metrics of one export request.
pub(super) struct RequestBuilder {
    histograms: HistogramEncoding,
    /// The time of all points, nanoseconds since 1970 UTC.
    now_ns: u64,
    metrics: Vec<otlp::Metric>,
}

impl RequestBuilder {
    pub(super) const fn new(histograms: HistogramEncoding, now_ns: u64) -> Self {
        Self {
            histograms,
            now_ns,
            metrics: Vec::new(),
        }
    }

    /// The request with all metrics.
    pub(super) fn finish(self, config: &OtlpConfig) -> ExportMetricsServiceRequest {
        let attributes = config
            .resource
            .iter()
            .map(|(name, value)| attribute(name, value));
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource {
                    attributes: attributes.collect(),
                    ..Resource::default()
                }),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: "tag52".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics: self.metrics,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        }
    }

    /// The data of a metric that has no points yet.
    fn empty(&self, kind: MetricKind) -> Data {
        let temporality = AggregationTemporality::Cumulative.into();
        match (kind, self.histograms) {
            (MetricKind::Counter, _) => Data::Sum(otlp::Sum {
                data_points: Vec::new(),
                aggregation_temporality: temporality,
                is_monotonic: true,
            }),
            (MetricKind::Gauge | MetricKind::Info, _) => Data::Gauge(otlp::Gauge::default()),
            (MetricKind::Histogram(_), HistogramEncoding::Exponential) => {
                Data::ExponentialHistogram(otlp::ExponentialHistogram {
                    data_points: Vec::new(),
                    aggregation_temporality: temporality,
                })
            }
            (MetricKind::Histogram(_), HistogramEncoding::Explicit) => {
                Data::Histogram(otlp::Histogram {
                    data_points: Vec::new(),
                    aggregation_temporality: temporality,
                })
            }
        }
    }

    fn number(&self, point: &MetricPoint<'_>, since_ns: u64) -> NumberDataPoint {
        let value = match point.value {
            PointValue::Count(count) => match i64::try_from(count) {
                Ok(count) => number_data_point::Value::AsInt(count),
                Err(_) => number_data_point::Value::AsDouble(count as f64),
            },
            PointValue::Number(number) => number_data_point::Value::AsDouble(number),
            PointValue::Histogram(histogram) => {
                number_data_point::Value::AsDouble(histogram.counts.total() as f64)
            }
        };
        NumberDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: since_ns,
            time_unix_nano: self.now_ns,
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }

    fn exponential(
        &self,
        point: &MetricPoint<'_>,
        histogram: &HistogramPoint<'_>,
    ) -> ExponentialHistogramDataPoint {
        let exponential = histogram.counts.exponential();
        ExponentialHistogramDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: unix(point.since_ns),
            time_unix_nano: self.now_ns,
            count: histogram.counts.total(),
            sum: Some(histogram.sum_ns as f64 / 1e9),
            scale: exponential.schema.into(),
            zero_count: exponential.zero,
            zero_threshold: ZERO_THRESHOLD,
            positive: Some(Buckets {
                // OTLP counts buckets by their lower bounds, `DurationCounts` by their upper
                // bounds.
                offset: exponential.first - 1,
                bucket_counts: exponential.counts,
            }),
            exemplars: exemplars(histogram),
            ..ExponentialHistogramDataPoint::default()
        }
    }

    fn explicit(
        &self,
        bounds_ns: &[i64],
        point: &MetricPoint<'_>,
        histogram: &HistogramPoint<'_>,
    ) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: unix(point.since_ns),
            time_unix_nano: self.now_ns,
            count: histogram.counts.total(),
            sum: Some(histogram.sum_ns as f64 / 1e9),
            bucket_counts: histogram.counts.classic(bounds_ns),
            explicit_bounds: bounds_ns.iter().map(|&ns| ns as f64 / 1e9).collect(),
            exemplars: exemplars(histogram),
            ..HistogramDataPoint::default()
        }
    }
}

impl PointSink for RequestBuilder {
    fn metric(&mut self, metric: &'static Metric) {
        let data = Some(self.empty(metric.kind));
        self.metrics.push(otlp::Metric {
            name: metric.name.to_owned(),
            description: metric.help.to_owned(),
            unit: metric.unit.ucum().to_owned(),
            data,
            ..otlp::Metric::default()
        });
    }

    fn point(&mut self, metric: &'static Metric, point: &MetricPoint<'_>) {
        let Some(mut data) = self.metrics.last_mut().and_then(|m| m.data.take()) else {
            return;
        };
        match (&mut data, point.value, metric.kind) {
            (Data::Sum(sum), ..) => sum
                .data_points
                .push(self.number(point, unix(point.since_ns))),
            // A gauge does not begin.
            (Data::Gauge(gauge), ..) => gauge.data_points.push(self.number(point, 0)),
            (Data::ExponentialHistogram(all), PointValue::Histogram(histogram), _) => {
                all.data_points.push(self.exponential(point, &histogram));
            }
            (
                Data::Histogram(all),
                PointValue::Histogram(histogram),
                MetricKind::Histogram(bounds_ns),
            ) => {
                all.data_points
                    .push(self.explicit(bounds_ns, point, &histogram));
            }
            _ => debug_assert!(false, "{} is no histogram", metric.name),
        }
        if let Some(metric) = self.metrics.last_mut() {
            metric.data = Some(data);
        }
    }
}

/// Nanoseconds since 1970 UTC, as OTLP has them; 0 before that.
fn unix(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}

fn attributes(point: &MetricPoint<'_>) -> Vec<KeyValue> {
    point
        .labels()
        .map(|(name, value)| attribute(name, value))
        .collect()
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn exemplars(histogram: &HistogramPoint<'_>) -> Vec<otlp::Exemplar> {
    let exemplar = |e: &LabeledExemplar| otlp::Exemplar {
        filtered_attributes: e
            .labels
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect(),
        time_unix_nano: unix(e.at_ns),
        value: Some(exemplar::Value::AsDouble(e.value)),
        ..otlp::Exemplar::default()
    };
    histogram.exemplars.iter().flatten().map(exemplar).collect()
}
