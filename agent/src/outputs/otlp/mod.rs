//! Exports the metrics by OTLP (OpenTelemetry's protocol, http/protobuf), for users without
//! Prometheus.
//!
//! [`config`] decides where to and under which names, from the command line and [`environment`];
//! [`points`] builds requests with the same points as an exposition, [`client`] sends them, and
//! [`exporter`] does so once per interval.

mod client;
mod config;
mod environment;
mod error;
mod exporter;
mod points;
#[cfg(test)]
mod tests;

pub(crate) use config::OtlpConfig;
pub use error::OtlpError;
pub(crate) use exporter::Exporter;
