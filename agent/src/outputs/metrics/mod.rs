//! The metrics: the model's figures in the formats of those who collect them.
//!
//! [`families`] is the one list of all metrics; the exposition and its documentation are made from
//! it. [`snapshot`] copies the model's figures ([`group`]: sessions with the same labels added up)
//! and emits them point by point ([`points`]) to a format: [`openmetrics`], [`text`], [`protobuf`],
//! and OTLP beside this module. There is no second store: the series of ended sessions vanish with
//! their sessions.
//!
//! Counters only go up: where the venue's clock is ahead of ours, time in flight below zero counts
//! as 0 in `tag52_age_seconds_total` and the histograms, and the difference is in
//! `tag52_negative_in_flight_seconds_total`. The first minus the second is the summed age.

mod budget;
mod exposition;
mod families;
mod figures;
mod format;
mod group;
mod labels;
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

pub use budget::{MAX_SERIES, sessions_within};
pub(crate) use exposition::Exposition;
#[cfg(test)]
pub(super) use format::ExpositionFormat;
pub(crate) use status::OutputStatus;

pub(super) use metric::{Metric, MetricKind};
pub(super) use negotiation::{accepts_gzip, negotiate_format};
pub(super) use points::{HistogramPoint, LabeledExemplar, MetricPoint, PointSink, PointValue};
pub(super) use snapshot::MetricsSnapshot;
pub(super) use status::ExportOutcome;
