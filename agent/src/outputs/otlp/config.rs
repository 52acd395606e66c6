//! Where to export, and as whom: the command line, and the environment variables of OpenTelemetry.

use std::{path::PathBuf, time::Duration};

use hyper::Uri;
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Where a collector on this machine listens (OTLP specification, OTLP/HTTP default port).
const LOCAL: &str = "http://localhost:4318";
/// The path of metrics.
const PATH: &str = "/v1/metrics";
/// How long one attempt may take, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why nothing can be exported.
#[derive(Debug, Error)]
pub enum OtlpError {
    /// The URL.
    #[error("--otlp {0:?} is not an http:// or https:// URL: write http://collector:4318")]
    Url(String),
    /// The URL holds a name or a password.
    #[error(
        "--otlp: the URL holds a user name: give credentials in OTEL_EXPORTER_OTLP_HEADERS, such as Authorization=Basic%20..."
    )]
    Credentials,
    /// An environment variable.
    #[error("{variable}={value:?} is not understood: {why}")]
    Variable {
        /// Its name.
        variable: String,
        /// What it holds; of headers nothing.
        value: String,
        /// What it has to be.
        why: &'static str,
    },
    /// No certificates to check the receiver's with.
    #[error(
        "no CA certificates for {0}: install ca-certificates, or name a PEM file in SSL_CERT_FILE or OTEL_EXPORTER_OTLP_CERTIFICATE"
    )]
    Certificates(String),
    /// The named certificates.
    #[error("cannot read the certificates in {path}: {why}")]
    CertificateFile {
        /// Which file.
        path: String,
        /// Why not.
        why: String,
    },
    /// TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// How histograms are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Histograms {
    /// Exponential ones.
    #[default]
    Exponential,
    /// Those of the classic buckets.
    Explicit,
}

/// Where to, how often and as whom.
#[derive(Clone, Debug)]
pub struct OtlpConfig {
    pub(super) url: Uri,
    pub(super) headers: Vec<(String, String)>,
    /// Of one attempt.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) histograms: Histograms,
    pub(super) certificate: Option<PathBuf>,
    /// Attributes of the resource, `service.name` included.
    pub(super) resource: Vec<(String, String)>,
    /// Between the beginnings of two exports.
    pub(super) interval: Duration,
}

impl OtlpConfig {
    /// To `url`; when that is empty, to where the environment says, or to this machine. `machine`
    /// are attributes of the resource that the environment may overrule.
    ///
    /// # Errors
    /// [`OtlpError`] when one of them cannot be understood.
    pub fn new(
        url: &str,
        interval: Duration,
        machine: Vec<(String, String)>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, OtlpError> {
        let variables = Variables(environment);
        if let Some((variable, value)) = variables.of("PROTOCOL")
            && value != "http/protobuf"
        {
            let why = "tag52 exports by http/protobuf only";
            return Err(OtlpError::Variable {
                variable,
                value,
                why,
            });
        }
        Ok(Self {
            url: endpoint(url, &variables)?,
            headers: variables.headers()?,
            timeout: variables.timeout()?,
            gzip: variables.gzip()?,
            histograms: variables.histograms()?,
            certificate: variables.of("CERTIFICATE").map(|(_, path)| path.into()),
            resource: variables.resource(machine)?,
            interval,
        })
    }
}

fn endpoint(url: &str, variables: &Variables<'_>) -> Result<Uri, OtlpError> {
    let get = |name: &str| variables.get(name);
    let (url, whole) = if !url.is_empty() {
        (url.to_owned(), false)
    } else if let Some(url) = get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") {
        // As it is (OTLP exporter specification, endpoint URLs for OTLP/HTTP).
        (url, true)
    } else {
        let base = get("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_else(|| LOCAL.to_owned());
        (format!("{}{PATH}", base.trim_end_matches('/')), true)
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
    format!("{scheme}://{authority}{PATH}")
        .parse()
        .map_err(|_| bad())
}

/// The environment.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// An empty one is none (OpenTelemetry environment variable specification).
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The one for metrics before the one for everything, with its name.
    fn of(&self, what: &str) -> Option<(String, String)> {
        let names = ["METRICS_", ""].map(|signal| format!("OTEL_EXPORTER_OTLP_{signal}{what}"));
        names
            .into_iter()
            .find_map(|name| Some((name.clone(), self.get(&name)?)))
    }

    fn headers(&self) -> Result<Vec<(String, String)>, OtlpError> {
        let Some((variable, value)) = self.of("HEADERS") else {
            return Ok(Vec::new());
        };
        pairs(&value).ok_or(OtlpError::Variable {
            variable,
            // It may be a secret.
            value: "...".to_owned(),
            why: "write name=value,name=value with % escapes",
        })
    }

    fn timeout(&self) -> Result<Duration, OtlpError> {
        let Some((variable, value)) = self.of("TIMEOUT") else {
            return Ok(TIMEOUT);
        };
        let millis = value.trim().parse().ok().filter(|&ms: &u64| ms > 0);
        let why = "write milliseconds";
        millis
            .map(Duration::from_millis)
            .ok_or(OtlpError::Variable {
                variable,
                value,
                why,
            })
    }

    fn gzip(&self) -> Result<bool, OtlpError> {
        match self.of("COMPRESSION") {
            None => Ok(false),
            Some((_, value)) if value == "none" => Ok(false),
            Some((_, value)) if value == "gzip" => Ok(true),
            Some((variable, value)) => Err(OtlpError::Variable {
                variable,
                value,
                why: "write gzip or none",
            }),
        }
    }

    fn histograms(&self) -> Result<Histograms, OtlpError> {
        let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        match self.get(name).as_deref() {
            None | Some("base2_exponential_bucket_histogram") => Ok(Histograms::Exponential),
            Some("explicit_bucket_histogram") => Ok(Histograms::Explicit),
            Some(other) => Err(OtlpError::Variable {
                variable: name.to_owned(),
                value: other.to_owned(),
                why: "write base2_exponential_bucket_histogram or explicit_bucket_histogram",
            }),
        }
    }

    fn resource(&self, machine: Vec<(String, String)>) -> Result<Vec<(String, String)>, OtlpError> {
        let own = [
            ("service.name", "tag52"),
            ("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let mut all: Vec<(String, String)> = own
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        all.extend(machine);
        let variable = "OTEL_RESOURCE_ATTRIBUTES";
        if let Some(value) = self.get(variable) {
            let why = "write name=value,name=value with % escapes";
            let given = pairs(&value).ok_or(OtlpError::Variable {
                variable: variable.to_owned(),
                value,
                why,
            })?;
            all.extend(given);
        }
        all.extend(
            self.get("OTEL_SERVICE_NAME")
                .map(|name| ("service.name".to_owned(), name)),
        );
        // The last one of a name holds.
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in all {
            match kept.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => kept.push((name, value)),
            }
        }
        Ok(kept)
    }
}

/// `name=value,name=value`, as W3C Baggage without properties; `None` when it is not.
fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let items = list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    let pairs = items.map(|item| {
        let (name, value) = item.split_once('=')?;
        let decoded = |text: &str| {
            Some(
                percent_decode_str(text.trim())
                    .decode_utf8()
                    .ok()?
                    .into_owned(),
            )
        };
        Some((
            decoded(name).filter(|name| !name.is_empty())?,
            decoded(value)?,
        ))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, environment: &[(&str, &str)]) -> Result<OtlpConfig, OtlpError> {
        let get = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let machine = vec![("host.name".to_owned(), "m".to_owned())];
        OtlpConfig::new(url, Duration::from_secs(10), machine, &get)
    }

    #[test]
    fn where_to() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:9/base/");
        let whole = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c/here");
        for (url, environment, wanted) in [
            ("http://c:4318", &[][..], "http://c:4318/v1/metrics"),
            ("http://c:4318/", &[], "http://c:4318/v1/metrics"),
            (
                "https://c/otlp/v1/metrics",
                &[base],
                "https://c/otlp/v1/metrics",
            ),
            ("http://[::1]:4318", &[], "http://[::1]:4318/v1/metrics"),
            ("", &[], "http://localhost:4318/v1/metrics"),
            (
                "",
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
                "http://localhost:4318/v1/metrics",
            ),
            ("", &[base], "https://c:9/base/v1/metrics"),
            ("", &[base, whole], "http://c/here"),
        ] {
            let config = config(url, environment).expect("valid");
            assert_eq!(config.url.to_string(), wanted, "{url}");
        }
        for bad in [
            "collector:4318",
            "ftp://c",
            "/v1/metrics",
            "http://",
            "http://u:p@c",
        ] {
            assert!(config(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_environment_says() {
        let config = config(
            "http://c",
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
                (
                    "OTEL_RESOURCE_ATTRIBUTES",
                    "service.name=no,host.name=h,deployment.environment=prod%2C1",
                ),
                ("OTEL_SERVICE_NAME", "desk"),
            ],
        )
        .expect("valid");
        assert_eq!(config.headers[0], ("api-key".to_owned(), "a b".to_owned()));
        assert_eq!(
            (config.timeout, config.gzip),
            (Duration::from_millis(1500), true)
        );
        let of = |name: &str| {
            config
                .resource
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        assert_eq!(
            (of("service.name"), of("host.name")),
            (Some("desk"), Some("h"))
        );
        assert_eq!(of("deployment.environment"), Some("prod,1"));
    }

    #[test]
    fn nonsense_is_refused_and_secrets_are_not_repeated() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                "none",
            ),
        ] {
            let said = config("", &[(name, value)]).expect_err(name).to_string();
            assert!(said.contains(name) && !said.contains("secret"), "{said}");
        }
    }
}
