//! Tests of the expositions of whole models.

#![expect(
    clippy::float_cmp,
    reason = "counts and short decimals: what was written is read back exactly"
)]

mod busy;
mod cost;
mod document;
mod families;
mod formats;
mod promtool;
pub(in crate::outputs) mod reader;
mod series;

use std::sync::{Arc, Mutex};

use prost::Message as _;

use self::reader::{ParsedExposition, parse};
use super::{Exposition, ExpositionFormat, MAX_SERIES, OutputStatus, protobuf::proto};
use crate::{model::Model, outputs::fixtures::at};

pub(in crate::outputs) use busy::busy_model;

const SECOND: u64 = 1_000_000_000;

fn exposed(model: Model) -> (String, ParsedExposition) {
    expose(&Arc::new(Mutex::new(model)))
}

fn expose(model: &Arc<Mutex<Model>>) -> (String, ParsedExposition) {
    let exposition = Exposition::new(Arc::clone(model), OutputStatus::new(MAX_SERIES, "node-1"));
    let text = String::from_utf8(exposition.render(ExpositionFormat::OpenMetrics)).expect("UTF-8");
    let parsed = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    (text, parsed)
}

fn families(model: &Arc<Mutex<Model>>) -> Vec<proto::MetricFamily> {
    let exposition = Exposition::new(Arc::clone(model), OutputStatus::new(MAX_SERIES, "node-1"));
    let bytes = exposition.render(ExpositionFormat::Protobuf);
    let mut bytes = bytes.as_slice();
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(proto::MetricFamily::decode_length_delimited(&mut bytes).expect("a family"));
    }
    families
}

fn seconds(ns: i128) -> f64 {
    ns as f64 / 1e9
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}
