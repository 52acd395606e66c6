//! The formats of an exposition and their content types.

/// The format in which the metrics are written for a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpositionFormat {
    /// OpenMetrics 1.0.0 as text, with exemplars.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Text,
    /// The protobuf format of Prometheus, with native histograms and exemplars.
    Protobuf,
}

impl ExpositionFormat {
    /// The value of the `Content-Type` header.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Protobuf => concat!(
                "application/vnd.google.protobuf; ",
                "proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ),
        }
    }
}
