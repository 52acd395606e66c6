//! Exports to a receiver that compares every point with the text format.

mod config;
mod https;

use std::{
    collections::BTreeMap,
    io::Read as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    },
    common::v1::{KeyValue, any_value},
    metrics::v1::{AggregationTemporality, metric::Data, number_data_point},
};
use prost::Message as _;
use tokio::net::TcpListener;

use super::{Exporter, OtlpConfig, exporter};
use crate::{
    model::Model,
    outputs::{
        Exposition, ExpositionFormat, OutputStatus,
        metrics::{
            ExportOutcome,
            tests::{busy_model, reader::parse},
        },
    },
};

fn config(url: &str, environment: &[(&str, &str)]) -> OtlpConfig {
    let get = |name: &str| {
        let found = environment.iter().find(|(of, _)| *of == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let machine = vec![("k8s.node.name".to_owned(), "node-1".to_owned())];
    OtlpConfig::new(url, Duration::from_millis(100), machine, &get).expect("valid")
}

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

/// A receiver and the requests that it received.
#[derive(Clone, Default)]
struct TestReceiver(Arc<Mutex<ReceivedExports>>);

#[derive(Default)]
struct ReceivedExports {
    /// The status and `Retry-After` of the first responses; those after them are 200.
    answers: Vec<(u16, Option<&'static str>)>,
    requests: Vec<(ExportMetricsServiceRequest, BTreeMap<String, String>)>,
    rejected: i64,
}

async fn receive(
    State(receiver): State<TestReceiver>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut received = receiver.0.lock().expect("no panic");
    let header = |name: &str| {
        headers
            .get(name)
            .map(|v| v.to_str().expect("text").to_owned())
    };
    assert_eq!(
        header("content-type").as_deref(),
        Some("application/x-protobuf")
    );
    if !received.answers.is_empty() {
        let (status, after) = received.answers.remove(0);
        let status = StatusCode::from_u16(status).expect("a status");
        return match after {
            Some(after) => (status, [("retry-after", after)]).into_response(),
            None => status.into_response(),
        };
    }
    let body = match header("content-encoding").as_deref() {
        Some("gzip") => {
            let mut unpacked = Vec::new();
            let mut gzip = flate2::read::GzDecoder::new(&*body);
            gzip.read_to_end(&mut unpacked).expect("gzip");
            unpacked
        }
        _ => body.to_vec(),
    };
    let request = ExportMetricsServiceRequest::decode(&*body).expect("a request");
    let sent_headers = headers
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_str().expect("text").to_owned()));
    received.requests.push((request, sent_headers.collect()));
    let answer = ExportMetricsServiceResponse {
        partial_success: (received.rejected > 0).then(|| ExportMetricsPartialSuccess {
            rejected_data_points: received.rejected,
            error_message: "too many".to_owned(),
        }),
    };
    answer.encode_to_vec().into_response()
}

/// Exports to a receiver until `enough`, then stops; returns the status of the outputs.
fn export(
    receiver: &TestReceiver,
    environment: &[(&str, &str)],
    enough: impl Fn(&OutputStatus) -> bool,
) -> OutputStatus {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let app = Router::new()
            .route("/v1/metrics", post(receive))
            .with_state(receiver.clone());
        let served = tokio::spawn(async { axum::serve(listener, app).await });
        let model = Arc::new(Mutex::new(busy_model()));
        let output_status = OutputStatus::new(1000, "node-1");
        let exporter = Exporter::start(config(&url, environment), &model, output_status.clone())
            .expect("starts");
        let waited = async {
            while !enough(&output_status) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waited)
            .await
            .expect("in time");
        exporter.stop().await;
        served.abort();
        output_status
    })
}

fn count(output_status: &OutputStatus, of: ExportOutcome) -> u64 {
    let all = output_status.exports().expect("exporting");
    all.iter()
        .find(|(outcome, _)| *outcome == of)
        .map_or(0, |(_, n)| *n)
}

#[test]
fn it_exports_every_interval_and_once_more_at_the_end() {
    let receiver = TestReceiver::default();
    let environment = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ];
    let output_status = export(&receiver, &environment, |a| {
        count(a, ExportOutcome::Sent) >= 2
    });
    let received = receiver.0.lock().expect("no panic");
    // One more after the end was asked for.
    assert!(received.requests.len() >= 3);
    assert_eq!(
        received.requests.len() as u64,
        count(&output_status, ExportOutcome::Sent)
    );
    assert_eq!(received.requests[0].1["api-key"], "k");
    let times = received.requests.iter().map(|(request, _)| {
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let Some(Data::Gauge(gauge)) = metrics
            .iter()
            .find(|m| m.name == "tag52_sessions")
            .and_then(|m| m.data.clone())
        else {
            panic!("no gauge");
        };
        gauge.data_points[0].time_unix_nano
    });
    assert!(times.is_sorted());
}

#[test]
fn retryable_failures_are_retried_and_others_are_not() {
    let receiver = TestReceiver::default();
    receiver.0.lock().expect("no panic").answers =
        vec![(503, Some("0")), (429, Some("0")), (502, Some("0"))];
    let output_status = export(&receiver, &[], |a| count(a, ExportOutcome::Sent) >= 1);
    assert_eq!(count(&output_status, ExportOutcome::Failed), 0);
    // What is rejected is not sent again.
    let receiver = TestReceiver::default();
    receiver.0.lock().expect("no panic").answers = vec![(400, None)];
    let output_status = export(&receiver, &[], |a| count(a, ExportOutcome::Sent) >= 1);
    assert_eq!(count(&output_status, ExportOutcome::Failed), 1);
}

#[test]
fn rejected_points_are_counted() {
    let receiver = TestReceiver::default();
    receiver.0.lock().expect("no panic").rejected = 3;
    let output_status = export(&receiver, &[], |a| count(a, ExportOutcome::Partial) >= 1);
    assert_eq!(count(&output_status, ExportOutcome::Sent), 0);
}

#[test]
fn a_missing_receiver_is_counted_and_does_not_delay_the_end() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        // A port that was free a moment ago; and one that never answers.
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("binds")
            .local_addr()
            .expect("bound");
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        for address in [free, silent.local_addr().expect("bound")] {
            let model = Arc::new(Mutex::new(busy_model()));
            let output_status = OutputStatus::new(1000, "");
            let config = config(&format!("http://{address}"), &[]);
            let exporter = Exporter::start(config, &model, output_status.clone()).expect("starts");
            tokio::time::sleep(Duration::from_millis(150)).await;
            let stopped = tokio::time::timeout(Duration::from_secs(5), exporter.stop()).await;
            stopped.expect("it ends");
            assert!(count(&output_status, ExportOutcome::Failed) >= 1);
            assert_eq!(count(&output_status, ExportOutcome::Sent), 0);
        }
    });
}
