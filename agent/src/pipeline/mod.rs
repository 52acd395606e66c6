//! The one path that every update takes: from a source to a [`Sink`].
//!
//! There are three sources: a live run ([`crate::engine`]), the replay of a recording and its
//! export ([`crate::recording`]). A live run and a replay publish to a [`Publisher`], which is the
//! model, the lines on standard output and, in a live run that records, the recording; an export
//! publishes to a trace ([`crate::outputs::perfetto::Trace`]). Nothing reaches an output around
//! it.

mod publisher;

pub(crate) use crate::domain::Sink;
pub(crate) use publisher::{NoRecording, Publication, Publisher, RecordingSink};
