//! Why the export cannot be set up.

use thiserror::Error;

/// Why the export of metrics cannot be set up.
#[derive(Debug, Error)]
pub enum OtlpError {
    /// The URL is not one that can be exported to.
    #[error("--otlp {0:?} is not an http:// or https:// URL: write http://collector:4318")]
    Url(String),
    /// The URL contains a user name or a password, which would show in the list of processes.
    #[error(
        "--otlp: the URL contains a user name: give credentials in OTEL_EXPORTER_OTLP_HEADERS, \
         such as Authorization=Basic%20..."
    )]
    Credentials,
    /// An environment variable has a value that is not understood.
    #[error("{variable}={value:?} is not understood: {why}")]
    Variable {
        /// The name of the variable.
        variable: String,
        /// Its value; elided for headers, which may be secrets.
        value: String,
        /// What the value has to be.
        why: &'static str,
    },
    /// There are no CA certificates to verify the receiver's certificate with.
    #[error(
        "no CA certificates for {0}: install ca-certificates, or name a PEM file in SSL_CERT_FILE \
         or OTEL_EXPORTER_OTLP_CERTIFICATE"
    )]
    Certificates(String),
    /// The named file of CA certificates cannot be read.
    #[error("cannot read the certificates in {path}: {why}")]
    CertificateFile {
        /// The path of the file.
        path: String,
        /// The reason.
        why: String,
    },
    /// The TLS library refused its configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
