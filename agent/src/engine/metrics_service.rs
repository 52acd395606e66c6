//! The metrics of a run: served, exported, or both.

use std::sync::{Arc, Mutex};

use super::{
    RunError,
    config::{OtlpTarget, TelemetryConfig},
};
use crate::{
    model::Model,
    outputs::{
        Endpoint, Exporter, Exposition, Heartbeat, MetricsServer, OtlpConfig, OutputStatus,
        host_name, kubernetes_node, node_name, sessions_within,
    },
};

/// Serves and exports the metrics until the run is over.
pub(super) struct MetricsService {
    server: Option<MetricsServer>,
    exporter: Option<Exporter>,
}

/// Where metrics are exported to; `None`: nowhere.
pub(super) fn otlp_config(config: &TelemetryConfig) -> Result<Option<OtlpConfig>, RunError> {
    let Some(OtlpTarget { url, interval }) = &config.otlp else {
        return Ok(None);
    };
    let names = [
        ("host.name", host_name()),
        ("k8s.node.name", kubernetes_node()),
    ];
    let attributes = names
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let environment = |name: &str| std::env::var(name).ok();
    let otlp = OtlpConfig::new(url, *interval, attributes.collect(), &environment)?;
    Ok(Some(otlp))
}

impl MetricsService {
    /// Begins to serve and to export, where either was asked for.
    pub(super) fn start(
        config: &TelemetryConfig,
        endpoint: Option<Endpoint>,
        otlp: Option<OtlpConfig>,
        model: &Arc<Mutex<Model>>,
        heartbeat: &Arc<Heartbeat>,
    ) -> Result<Self, RunError> {
        let status = OutputStatus::new(config.max_series, node_name());
        let exporter = otlp.map(|otlp| Exporter::start(otlp, model, status.clone()));
        let server = endpoint.map(|endpoint| {
            let exposition = Exposition::new(Arc::clone(model), status.clone());
            MetricsServer::start(endpoint, exposition, heartbeat)
        });
        Ok(Self {
            server,
            exporter: exporter.transpose()?,
        })
    }

    /// Ends both at the same time.
    pub(super) async fn stop(self) {
        let serving = async {
            if let Some(server) = self.server {
                server.stop().await;
            }
        };
        let exporting = async {
            if let Some(exporter) = self.exporter {
                exporter.stop().await;
            }
        };
        tokio::join!(serving, exporting);
    }
}

/// How many sessions have series of their own at the most.
pub(super) fn max_sessions(config: &TelemetryConfig) -> usize {
    // Checked when the command line was read.
    sessions_within(config.max_series).unwrap_or(1)
}
