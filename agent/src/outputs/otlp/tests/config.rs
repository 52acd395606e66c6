//! The command line and the environment decide where the metrics go.

use std::time::Duration;

use super::super::{OtlpConfig, OtlpError};

fn config(url: &str, environment: &[(&str, &str)]) -> Result<OtlpConfig, OtlpError> {
    let get = |name: &str| {
        let found = environment.iter().find(|(of, _)| *of == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let machine = vec![("host.name".to_owned(), "m".to_owned())];
    OtlpConfig::new(url, Duration::from_secs(10), machine, &get)
}

#[test]
fn the_endpoint_comes_from_the_url_or_the_environment() {
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
fn the_environment_is_followed() {
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
fn malformed_values_are_refused_and_secrets_are_not_repeated() {
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
        let error = config("", &[(name, value)]).expect_err(name).to_string();
        assert!(error.contains(name) && !error.contains("secret"), "{error}");
    }
}
