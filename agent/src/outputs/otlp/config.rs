//! Where to export to, and under which names: from the command line and the environment.

use std::{path::PathBuf, time::Duration};

use hyper::Uri;

use super::{
    environment::{Environment, HistogramEncoding},
    error::OtlpError,
};

/// The address of a collector on this machine (OTLP specification, default port of OTLP/HTTP).
const LOCAL_COLLECTOR: &str = "http://localhost:4318";
/// The path of metrics (OTLP specification, "OTLP/HTTP request").
const METRICS_PATH: &str = "/v1/metrics";

/// Where to export to, how often, and under which names.
#[derive(Clone, Debug)]
pub(crate) struct OtlpConfig {
    pub(super) url: Uri,
    pub(super) headers: Vec<(String, String)>,
    /// How long one attempt may take.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) histograms: HistogramEncoding,
    /// A PEM file of CA certificates; without one the machine's are trusted.
    pub(super) certificate: Option<PathBuf>,
    /// The attributes of the resource, `service.name` included.
    pub(super) resource: Vec<(String, String)>,
    /// The time between the beginnings of two exports.
    pub(super) interval: Duration,
}

impl OtlpConfig {
    /// Exports to `url`; when it is empty, to the endpoint that the environment names, or to a
    /// collector on this machine. `machine` are attributes of the resource, which the environment
    /// overrides.
    ///
    /// # Errors
    /// [`OtlpError`] when the URL or a variable is not understood.
    pub(crate) fn new(
        url: &str,
        interval: Duration,
        machine: Vec<(String, String)>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, OtlpError> {
        let environment = Environment(variable);
        environment.check_protocol()?;
        Ok(Self {
            url: endpoint(url, &environment)?,
            headers: environment.headers()?,
            timeout: environment.timeout()?,
            gzip: environment.gzip()?,
            histograms: environment.histograms()?,
            certificate: environment.certificate(),
            resource: environment.resource(machine)?,
            interval,
        })
    }
}

/// The URL to export to. A URL of the command line without a path, and the endpoint for all
/// signals, get the path of metrics (OTLP exporter specification, "Endpoint URLs for OTLP/HTTP").
fn endpoint(url: &str, environment: &Environment<'_>) -> Result<Uri, OtlpError> {
    let get = |name: &str| environment.get(name);
    let (url, whole) = if !url.is_empty() {
        (url.to_owned(), false)
    } else if let Some(url) = get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") {
        (url, true)
    } else {
        let base = get("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_else(|| LOCAL_COLLECTOR.to_owned());
        (
            format!("{}{METRICS_PATH}", base.trim_end_matches('/')),
            true,
        )
    };
    let bad = || OtlpError::Url(url.clone());
    let uri: Uri = url.parse().map_err(|_| bad())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad());
    }
    let authority = uri.authority().ok_or_else(bad)?;
    if authority.as_str().contains('@') {
        return Err(OtlpError::Credentials);
    }
    if whole || !matches!(uri.path(), "" | "/") {
        return Ok(uri);
    }
    let scheme = uri.scheme_str().unwrap_or("http");
    format!("{scheme}://{authority}{METRICS_PATH}")
        .parse()
        .map_err(|_| bad())
}
