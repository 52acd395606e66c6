//! Exports over TLS, to a receiver whose certificate is of a CA made for the test.

#[path = "../../../../tests/tls/mod.rs"]
mod tls;

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message as _;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use self::tls::Authority;
use super::super::{Exporter, OtlpConfig, client};
use crate::{
    model::Model,
    outputs::{
        OutputStatus,
        metrics::{ExportOutcome, tests::busy_model},
    },
};

/// Accepts every request until the test ends.
fn receiver(tls: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&tls)).expect("TLS");
            // A client that does not trust it hangs up.
            let _hung_up = take(&mut StreamOwned::new(session, connection));
        }
    });
    address
}

fn take(connection: &mut StreamOwned<ServerConnection, std::net::TcpStream>) -> io::Result<()> {
    let mut reader = BufReader::new(&mut *connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = ExportMetricsServiceRequest::decode(&*body).expect("a request");
    assert!(!request.resource_metrics.is_empty());
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    connection.conn.send_close_notify();
    connection.flush()
}

/// Exports to `https://host:port`, trusting the CA in this file, until there are two outcomes; how
/// often it was sent and how often it failed.
fn export(host: &str, address: SocketAddr, ca: &Path) -> (u64, u64) {
    let get =
        |name: &str| (name == "OTEL_EXPORTER_OTLP_CERTIFICATE").then(|| ca.display().to_string());
    let url = format!("https://{host}:{}", address.port());
    let config = OtlpConfig::new(&url, Duration::from_millis(100), Vec::new(), &get);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let model: Arc<Mutex<Model>> = Arc::new(Mutex::new(busy_model()));
        let status = OutputStatus::new(1000, "node-1");
        let exporter =
            Exporter::start(config.expect("valid"), &model, status.clone()).expect("starts");
        let count = |of: ExportOutcome| {
            let all = status.exports().expect("exporting");
            all.iter()
                .find(|(outcome, _)| *outcome == of)
                .map_or(0, |(_, n)| *n)
        };
        let waited = async {
            while count(ExportOutcome::Sent) + count(ExportOutcome::Failed) < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waited)
            .await
            .expect("in time");
        exporter.stop().await;
        (count(ExportOutcome::Sent), count(ExportOutcome::Failed))
    })
}

#[test]
fn a_receiver_of_the_named_ca_is_exported_to_and_no_other() {
    let (ours, others) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, ours.pem()).expect("written");
    let (sent, failed) = export("127.0.0.1", receiver(ours.server("127.0.0.1")), &ca);
    assert!(sent >= 2 && failed == 0, "{sent} sent, {failed} failed");
    let (sent, failed) = export("127.0.0.1", receiver(others.server("127.0.0.1")), &ca);
    assert!(sent == 0 && failed >= 2, "{sent} sent, {failed} failed");
    // The right CA, and another name.
    let (sent, failed) = export("127.0.0.1", receiver(ours.server("collector.example")), &ca);
    assert!(sent == 0 && failed >= 2, "{sent} sent, {failed} failed");
}

#[test]
fn a_refused_certificate_is_explained() {
    let (ours, others) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, ours.pem()).expect("written");
    let reason = |server: &Authority, name: &str| {
        let url = format!("https://{}", receiver(server.server(name)));
        let get = |name: &str| {
            (name == "OTEL_EXPORTER_OTLP_CERTIFICATE").then(|| ca.display().to_string())
        };
        let config = OtlpConfig::new(&url, Duration::from_secs(1), Vec::new(), &get);
        let client = client::OtlpClient::new(&Arc::new(config.expect("valid"))).expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        match runtime.block_on(client.send(bytes::Bytes::new(), Duration::from_secs(5))) {
            client::SendOutcome::Retryable(why, None) => why,
            other => panic!("{other:?}"),
        }
    };
    let why = reason(&others, "127.0.0.1");
    assert!(why.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{why}");
    let why = reason(&ours, "collector.example");
    assert!(
        why.contains("a name that is in the server's certificate"),
        "{why}"
    );
}

#[test]
fn a_file_without_certificates_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("ca.crt");
    std::fs::write(&empty, "").expect("written");
    for (file, wanted) in [
        (
            folder.path().join("none"),
            "cannot read the certificates in",
        ),
        (empty, "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    ] {
        let get = |name: &str| {
            (name == "OTEL_EXPORTER_OTLP_CERTIFICATE").then(|| file.display().to_string())
        };
        let config = OtlpConfig::new("https://c:1", Duration::from_secs(1), Vec::new(), &get);
        let refused = client::OtlpClient::new(&Arc::new(config.expect("valid")));
        let why = refused.err().expect("refused").to_string();
        assert!(why.contains(wanted), "{why}");
    }
}
