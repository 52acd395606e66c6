//! Sends a request and understands the answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::config::{OtlpConfig, OtlpError};
use crate::tls;

/// Where the CA's certificates come from.
const AUTHORITY: &str = "name the PEM file of the CA that signed its certificate in \
                         OTEL_EXPORTER_OTLP_CERTIFICATE or SSL_CERT_FILE";

/// How much of an answer is read.
const ANSWER: usize = 64 << 10;

/// A connection to the receiver, made when it is needed and kept.
pub(super) struct Client {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    config: Arc<OtlpConfig>,
    headers: HeaderMap,
}

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was taken.
    Taken,
    /// It was taken, and so many points were refused; why.
    Partly(i64, String),
    /// Not now; perhaps after so long.
    Later(String, Option<Duration>),
    /// Never.
    Refused(String),
}

impl Client {
    pub(super) fn new(config: &Arc<OtlpConfig>) -> Result<Self, OtlpError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(config.timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(trust(config)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self {
            http: Http::builder(TokioExecutor::new()).build(https),
            headers: headers(config)?,
            config: Arc::clone(config),
        })
    }

    /// One attempt, which takes no longer than `within`.
    pub(super) async fn send(&self, body: Bytes, within: Duration) -> Answer {
        match tokio::time::timeout(within, self.attempt(body)).await {
            Ok(answer) => answer,
            Err(_) => Answer::Later(format!("no answer within {within:?}"), None),
        }
    }

    async fn attempt(&self, body: Bytes) -> Answer {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.config.url.clone();
        *request.headers_mut() = self.headers.clone();
        let response = match self.http.request(request).await {
            Ok(response) => response,
            Err(error) => return Answer::Later(unsent(&error), None),
        };
        let status = response.status();
        let after = retry_after(response.headers());
        let body = Limited::new(response.into_body(), ANSWER).collect().await;
        let body = body.map(|b| b.to_bytes()).unwrap_or_default();
        if status.is_success() {
            return taken(&body);
        }
        let said = format!("the receiver answered {status}");
        // The OTLP specification's list of what is worth another attempt.
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Answer::Later(said, after),
            _ => Answer::Refused(said),
        }
    }
}

fn taken(body: &[u8]) -> Answer {
    let answer = ExportMetricsServiceResponse::decode(body).unwrap_or_default();
    match answer.partial_success {
        Some(partial) if partial.rejected_data_points > 0 => {
            Answer::Partly(partial.rejected_data_points, partial.error_message)
        }
        _ => Answer::Taken,
    }
}

/// Seconds; a date is not understood, and counts as none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse();
    seconds.ok().map(Duration::from_secs)
}

/// Why a request did not get there, and what to do where the certificate is to blame.
fn unsent(error: &(dyn std::error::Error + 'static)) -> String {
    let said = causes(error);
    match tls::failure(error) {
        Some(failure) => format!("{said}: {}", tls::advice(failure, AUTHORITY)),
        None => said,
    }
}

/// An error with what led to it: the outermost only says that the connection failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_said = cause.to_string();
        if !said.ends_with(&cause_said) {
            said.push_str(": ");
            said.push_str(&cause_said);
        }
        next = cause.source();
    }
    said
}

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
        let name = HeaderName::try_from(name).map_err(|_| bad("that is no name of a header"))?;
        let mut value =
            HeaderValue::try_from(value).map_err(|_| bad("its value cannot be in a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Whom to trust.
fn trust(config: &OtlpConfig) -> Result<ClientConfig, OtlpError> {
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
