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
pub mod top;
mod writer;

pub use http::{BindError, Endpoint, Heartbeat};
pub(crate) use http_server::MetricsServer;
pub use metrics::{Exposition, ExpositionFormat, MAX_SERIES, OutputStatus, sessions_within};
pub(crate) use node::{host_name, kubernetes_node, node_name};
pub use otlp::{Exporter, OtlpConfig, OtlpError};
pub use text::TextStyle;
pub use writer::{OutputError, OutputFormat, OutputWriter};
