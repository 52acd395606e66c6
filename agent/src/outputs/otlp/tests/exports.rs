//! Exports to a receiver over HTTP.

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
    metrics::v1::metric::Data,
};
use prost::Message as _;
use tokio::net::TcpListener;

use super::{super::Exporter, config};
use crate::outputs::{
    OutputStatus,
    metrics::{ExportOutcome, tests::busy_model},
};

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
