//! Every point of a request is that of the text format.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{KeyValue, any_value},
    metrics::v1::{AggregationTemporality, metric::Data, number_data_point},
};
use prost::Message as _;

use super::{super::exporter, config};
use crate::{
    model::Model,
    outputs::{
        Exposition, OutputStatus,
        metrics::{
            ExpositionFormat,
            tests::{busy_model, reader::parse},
        },
    },
};

fn labels(attributes: &[KeyValue]) -> Vec<(&str, &str)> {
    let value = |kv| match value_of(kv) {
        Some(any_value::Value::StringValue(text)) => text.as_str(),
        other => panic!("no text: {other:?}"),
    };
    attributes
        .iter()
        .map(|kv| (kv.key.as_str(), value(kv)))
        .collect()
}

fn value_of(kv: &KeyValue) -> Option<&any_value::Value> {
    kv.value.as_ref()?.value.as_ref()
}

/// Compares every point of a request with the text; returns the number of series they stand for.
fn compare(request: &ExportMetricsServiceRequest, text: &str, explicit: bool) -> usize {
    let parsed = parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut series = 0;
    let resource = &request.resource_metrics[0];
    let cumulative = i32::from(AggregationTemporality::Cumulative);
    for metric in &resource.scope_metrics[0].metrics {
        let name = metric.name.as_str();
        let numbers = match metric.data.as_ref().expect("data") {
            Data::Gauge(gauge) => &gauge.data_points,
            Data::Sum(sum) => {
                assert!(sum.is_monotonic && sum.aggregation_temporality == cumulative);
                assert!(name.ends_with("_total"), "{name}");
                &sum.data_points
            }
            Data::ExponentialHistogram(all) => {
                assert!(!explicit && all.aggregation_temporality == cumulative);
                for point in &all.data_points {
                    let labels = labels(&point.attributes);
                    let of = |suffix: &str| parsed.value(&format!("{name}{suffix}"), &labels);
                    assert_eq!(of("_count"), Some(point.count as f64), "{name} {labels:?}");
                    assert_eq!(of("_sum"), point.sum);
                    let buckets = point.positive.as_ref().expect("buckets");
                    let sum: u64 = buckets.bucket_counts.iter().sum();
                    assert_eq!(sum + point.zero_count, point.count, "{name} {labels:?}");
                    // Where a bound of the text is one of theirs too, the counts agree: one second
                    // is.
                    let at =
                        |bound: f64| (bound.log2() * f64::from(point.scale).exp2()).round() as i32;
                    let up_to =
                        (at(1.0) - buckets.offset).clamp(0, buckets.bucket_counts.len() as i32);
                    let below: u64 = buckets.bucket_counts.iter().take(up_to as usize).sum();
                    let mut le = labels.clone();
                    le.push(("le", "1.0"));
                    let in_text = parsed.value(&format!("{name}_bucket"), &le);
                    assert_eq!(
                        in_text,
                        Some((below + point.zero_count) as f64),
                        "{name} {labels:?}"
                    );
                    series += parsed.count(&format!("{name}_bucket"), &labels) + 2;
                    let ages = name == "tag52_message_age_seconds";
                    assert_eq!(point.exemplars.is_empty(), !ages, "{name}");
                }
                continue;
            }
            Data::Histogram(all) => {
                assert!(explicit && all.aggregation_temporality == cumulative);
                for point in &all.data_points {
                    let labels = labels(&point.attributes);
                    let mut below = 0;
                    for (at, count) in point.bucket_counts.iter().enumerate() {
                        below += count;
                        let bound = point
                            .explicit_bounds
                            .get(at)
                            .map_or("+Inf".to_owned(), |b| format!("{b:?}"));
                        let mut le = labels.clone();
                        le.push(("le", &bound));
                        let in_text = parsed.value(&format!("{name}_bucket"), &le);
                        assert_eq!(in_text, Some(below as f64), "{name} {le:?}");
                    }
                    series += point.bucket_counts.len() + 2;
                }
                continue;
            }
            Data::Summary(_) => panic!("a summary"),
        };
        for point in numbers {
            let labels = labels(&point.attributes);
            let value = match point.value.expect("a value") {
                number_data_point::Value::AsDouble(value) => value,
                number_data_point::Value::AsInt(value) => value as f64,
            };
            let in_text = parsed.value(name, &labels);
            assert_eq!(in_text, Some(value), "{name} {labels:?}\n{text}");
            assert!(point.time_unix_nano > point.start_time_unix_nano);
            series += 1;
        }
    }
    assert_eq!(series, parsed.len(), "{text}");
    series
}

fn text(model: &Arc<Mutex<Model>>, output_status: &OutputStatus) -> String {
    let exposition = Exposition::new(Arc::clone(model), output_status.clone());
    String::from_utf8(exposition.render(ExpositionFormat::OpenMetrics)).expect("UTF-8")
}

#[test]
fn every_point_is_that_of_the_text() {
    let model = Arc::new(Mutex::new(busy_model()));
    let output_status = OutputStatus::new(1000, "node-1");
    output_status.enable_exports();
    let text = text(&model, &output_status);
    let explicit = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    for (environment, explicit) in [
        (&[][..], false),
        (&[(explicit, "explicit_bucket_histogram")], true),
    ] {
        let config = config("http://c", environment);
        let body = exporter::body(&model, output_status.clone(), &config).expect("written");
        let request = ExportMetricsServiceRequest::decode(&*body).expect("a request");
        assert!(compare(&request, &text, explicit) > 200);
        let resource = request.resource_metrics[0].resource.as_ref().expect("one");
        let attributes = labels(&resource.attributes);
        assert!(
            attributes.contains(&("service.name", "tag52")),
            "{attributes:?}"
        );
        assert!(
            attributes.contains(&("k8s.node.name", "node-1")),
            "{attributes:?}"
        );
    }
}
