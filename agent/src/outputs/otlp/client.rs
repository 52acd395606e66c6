//! Sends export requests over HTTP and classifies the responses.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::{config::OtlpConfig, error::OtlpError};
use crate::tls;

/// How the user names the CA of the receiver.
const CA_ADVICE: &str = "name the PEM file of the CA that signed its certificate in \
                         OTEL_EXPORTER_OTLP_CERTIFICATE or SSL_CERT_FILE";

/// The largest part of a response body that is read.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// The HTTP client of one receiver. It connects on demand and reuses the connection.
pub(super) struct OtlpClient {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    config: Arc<OtlpConfig>,
    headers: HeaderMap,
}

/// The outcome of one attempt to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// The receiver accepted the request.
    Accepted,
    /// The receiver accepted the request except for so many points, for a reason.
    PartiallyAccepted(i64, String),
    /// The attempt failed for a reason that may pass; the receiver may have said after how long.
    Retryable(String, Option<Duration>),
    /// The receiver will not accept this request.
    Rejected(String),
}

impl OtlpClient {
    pub(super) fn new(config: &Arc<OtlpConfig>) -> Result<Self, OtlpError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(config.timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(config)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self {
            http: HttpClient::builder(TokioExecutor::new()).build(https),
            headers: headers(config)?,
            config: Arc::clone(config),
        })
    }

    /// Makes one attempt to send, which takes no longer than `within`.
    pub(super) async fn send(&self, body: Bytes, within: Duration) -> SendOutcome {
        match tokio::time::timeout(within, self.attempt(body)).await {
            Ok(outcome) => outcome,
            Err(_) => SendOutcome::Retryable(format!("no response within {within:?}"), None),
        }
    }

    async fn attempt(&self, body: Bytes) -> SendOutcome {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.config.url.clone();
        *request.headers_mut() = self.headers.clone();
        let response = match self.http.request(request).await {
            Ok(response) => response,
            Err(error) => return SendOutcome::Retryable(send_failure(&error), None),
        };
        let status = response.status();
        let after = retry_after(response.headers());
        let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES)
            .collect()
            .await;
        let body = body.map(|b| b.to_bytes()).unwrap_or_default();
        if status.is_success() {
            return accepted(&body);
        }
        let reason = format!("the receiver answered {status}");
        // The retryable status codes of the OTLP specification, "OTLP/HTTP response".
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => SendOutcome::Retryable(reason, after),
            _ => SendOutcome::Rejected(reason),
        }
    }
}

/// Reads the response to an accepted request: some of its points may be rejected.
fn accepted(body: &[u8]) -> SendOutcome {
    let response = ExportMetricsServiceResponse::decode(body).unwrap_or_default();
    match response.partial_success {
        Some(partial) if partial.rejected_data_points > 0 => {
            SendOutcome::PartiallyAccepted(partial.rejected_data_points, partial.error_message)
        }
        _ => SendOutcome::Accepted,
    }
}

/// The delay that `Retry-After` gives in seconds; a date is not supported and counts as no delay.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse();
    seconds.ok().map(Duration::from_secs)
}

/// Why a request could not be sent, with advice where the certificate is the cause.
fn send_failure(error: &(dyn std::error::Error + 'static)) -> String {
    let reason = causes(error);
    match tls::failure(error) {
        Some(failure) => format!("{reason}: {}", tls::advice(failure, CA_ADVICE)),
        None => reason,
    }
}

/// An error with its causes: the outermost error only says that the connection failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// The headers of every request.
fn headers(config: &OtlpConfig) -> Result<HeaderMap, OtlpError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-protobuf"),
    );
    let agent = concat!("tag52/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if config.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in &config.headers {
        let bad = |why| OtlpError::Variable {
            variable: "OTEL_EXPORTER_OTLP_HEADERS".to_owned(),
            value: format!("{name}=..."),
            why,
        };
        let name =
            HeaderName::try_from(name).map_err(|_| bad("that is not a valid header name"))?;
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| bad("its value is not a valid header value"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The TLS configuration: the CA certificates to trust.
fn tls_config(config: &OtlpConfig) -> Result<ClientConfig, OtlpError> {
    let mut roots = RootCertStore::empty();
    if config.url.scheme_str() == Some("https") {
        match &config.certificate {
            Some(path) => {
                let failed = |why: String| OtlpError::CertificateFile {
                    path: path.display().to_string(),
                    why,
                };
                let all = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
                for certificate in all {
                    let certificate = certificate.map_err(|e| failed(e.to_string()))?;
                    roots.add(certificate).map_err(|e| failed(e.to_string()))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(OtlpError::Certificates(config.url.to_string()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| OtlpError::Tls(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
