//! Renders the model for a scrape.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use super::{
    format::ExpositionFormat, openmetrics, protobuf::ProtobufWriter, snapshot::MetricsSnapshot,
    status::OutputStatus, text::TextWriter,
};
use crate::model::Model;

/// Renders the model's figures for scrapes.
#[derive(Debug)]
pub(crate) struct Exposition {
    model: Arc<Mutex<Model>>,
    status: OutputStatus,
}

impl Exposition {
    /// Creates the exposition of a model; `status` is shared with the OTLP exporter.
    pub(crate) const fn new(model: Arc<Mutex<Model>>, status: OutputStatus) -> Self {
        Self { model, status }
    }

    /// Renders all metrics. The model's lock is held only while its figures are copied.
    pub(crate) fn render(&self, format: ExpositionFormat) -> Vec<u8> {
        let snapshot = MetricsSnapshot::of(&self.model, self.status.clone());
        match format {
            // Writing to a String does not fail. An exposition that is only the end mark is valid.
            ExpositionFormat::OpenMetrics => openmetrics::encode(&snapshot)
                .unwrap_or_else(|fmt::Error| "# EOF\n".to_owned())
                .into_bytes(),
            ExpositionFormat::Text => {
                let mut text = TextWriter::default();
                snapshot.emit(&mut text);
                text.finish().into_bytes()
            }
            ExpositionFormat::Protobuf => {
                let mut protobuf = ProtobufWriter::default();
                snapshot.emit(&mut protobuf);
                protobuf.finish()
            }
        }
    }
}
