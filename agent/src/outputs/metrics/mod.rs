//! The metrics: what the model says, in the formats of those who collect it.
//!
//! [`contract`] is the one list of what there is; it makes the exposition and its documentation.
//! [`snapshot`] copies the model's figures ([`group`]: sessions with the same labels added up) and
//! tells them point by point ([`points`]) to a format: [`openmetrics`], [`text`], [`protobuf`], and
//! OTLP beside this module. There is no second store: the series of ended sessions vanish with
//! them.
//!
//! Counters only go up: where the venue's clock is ahead of ours, time in flight below zero counts
//! as 0 in `tag52_age_seconds_total` and the histograms, and what was left out is in
//! `tag52_negative_in_flight_seconds_total`. The first minus the second is the summed age.

mod budget;
mod contract;
mod group;
mod metric;
mod negotiation;
mod openmetrics;
mod points;
mod protobuf;
mod snapshot;
mod status;
#[cfg(test)]
pub(super) mod tests;
mod text;
mod wire;

use std::{
    fmt,
    sync::{Arc, Mutex},
};

pub use budget::{MAX_SERIES, sessions_within};
pub use status::Account;

pub(super) use metric::{Kind, Metric};
pub(crate) use negotiation::{format, takes_gzip};
pub(super) use points::{Exemplar, Histogram, Point, Sink, Value};
pub(super) use snapshot::Snapshot;
pub(crate) use status::Outcome;

use crate::model::Model;
use protobuf::Protobuf;
use text::Text;

/// How the metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0, as text: with exemplars.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Text,
    /// The protobuf format of Prometheus: with native histograms and exemplars.
    Protobuf,
}

impl Format {
    /// Its content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

/// Renders the model for a scrape.
#[derive(Debug)]
pub struct Exposition {
    model: Arc<Mutex<Model>>,
    account: Account,
}

impl Exposition {
    /// Of this model.
    #[must_use]
    pub const fn new(model: Arc<Mutex<Model>>, account: Account) -> Self {
        Self { model, account }
    }

    /// All of it. Holds the model's lock only to copy its figures.
    #[must_use]
    pub fn render(&self, format: Format) -> Vec<u8> {
        let snapshot = Snapshot::of(&self.model, self.account.clone());
        match format {
            // Writing to a String does not fail; what has only its end says that there is nothing.
            Format::OpenMetrics => openmetrics::encode(&snapshot)
                .unwrap_or_else(|fmt::Error| "# EOF\n".to_owned())
                .into_bytes(),
            Format::Text => {
                let mut text = Text::default();
                snapshot.tell(&mut text);
                text.finish().into_bytes()
            }
            Format::Protobuf => {
                let mut protobuf = Protobuf::default();
                snapshot.tell(&mut protobuf);
                protobuf.finish()
            }
        }
    }
}
