//! What leaves the agent: lines for people, JSON lines, metrics, traces and the live view.
//!
//! All of it is read from the [model](crate::model); messages reach standard output as the
//! [`Publisher`](crate::pipeline::Publisher) hands them over.

#[cfg(test)]
mod fixtures;
mod http;
mod http_server;
mod json;
mod metrics;
mod node;
mod otlp;
pub mod perfetto;
mod text;
pub(crate) mod top;
mod writer;

pub use http::BindError;
pub(crate) use http::{Endpoint, Heartbeat};
pub(crate) use http_server::MetricsServer;
pub(crate) use metrics::{Exposition, OutputStatus};
pub use metrics::{MAX_SERIES, sessions_within};
pub(crate) use node::{host_name, kubernetes_node, node_name};
pub use otlp::OtlpError;
pub(crate) use otlp::{Exporter, OtlpConfig};
pub(crate) use writer::OutputWriter;
pub use writer::{OutputError, OutputFormat};
