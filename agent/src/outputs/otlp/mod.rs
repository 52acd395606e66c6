//! The metrics by OTLP (OpenTelemetry's protocol, http/protobuf), for those without Prometheus.
//!
//! [`config`] is where to and as whom, [`points`] makes the same points as an exposition,
//! [`client`] sends them, [`exporter`] does so again and again.

mod client;
mod config;
mod exporter;
#[cfg(test)]
mod https;
mod points;
#[cfg(test)]
mod tests;

pub use config::{OtlpConfig, OtlpError};
pub use exporter::Exporter;
