//! Colours, and what figures look like: the same part has the same colour on every panel.
//!
//! The colours are Okabe and Ito's, which people with any of the usual kinds of colour blindness
//! can tell apart; each stands out from Grafana's dark ground and from its light one.

use serde_json::{Value, json};

/// A series' name and its colour.
pub(super) type NamedColour = (&'static str, &'static str);

/// The parts, in the order in which they are stacked.
pub(super) const PARTS: [NamedColour; 7] = [
    ("network", "#56B4E9"),
    ("on_cpu", "#E5D352"),
    ("run_queue", "#E69F00"),
    ("throttle", "#CC79A7"),
    ("lock_wait", "#D55E00"),
    ("blocked", "#0072B2"),
    ("unknown", "#999999"),
];

/// The stages, in the order of a message's way. In flight is the network's, and has its colour.
pub(super) const STAGES: [NamedColour; 4] = [
    ("in_flight", "#56B4E9"),
    ("held_back", "#882255"),
    ("queued", "#AA8F66"),
    ("in_app", "#44AA99"),
];

/// The verdicts, from the one that is none to the one that weighs most in a session with several.
/// Causes have the colour of their part.
pub(super) const VERDICTS: [NamedColour; 10] = [
    ("healthy", "#009E73"),
    ("unknown", "#999999"),
    ("clock_skew", "#9A8BD0"),
    ("network_or_venue_late", "#56B4E9"),
    ("slow_handler", "#E5D352"),
    ("slow_sink", "#0072B2"),
    ("run_queue_pressure", "#E69F00"),
    ("throttled", "#CC79A7"),
    ("starved_by_lock", "#D55E00"),
    ("overloaded", "#A6611A"),
];

/// Nothing to do.
pub(super) const GOOD: &str = "#009E73";
/// Look at it.
pub(super) const WARNING: &str = "#E69F00";
/// Act.
pub(super) const BAD: &str = "#D55E00";
/// No value.
pub(super) const NEUTRAL: &str = "#999999";
/// Neither good nor bad.
pub(super) const PLAIN: &str = "#56B4E9";

/// Thresholds: the colour below the first one, then each with its colour.
pub(super) fn thresholds(base: &str, steps: &[(f64, &str)]) -> Value {
    let mut all = vec![json!({ "color": base, "value": null })];
    all.extend(
        steps
            .iter()
            .map(|(value, color)| json!({ "color": color, "value": value })),
    );
    json!({ "mode": "absolute", "steps": all })
}

/// An override of the series or columns of that name.
pub(super) fn by_name(name: &str, properties: &[(&str, Value)]) -> Value {
    let properties: Vec<Value> = properties
        .iter()
        .map(|(id, value)| json!({ "id": id, "value": value }))
        .collect();
    json!({ "matcher": { "id": "byName", "options": name }, "properties": properties })
}

/// Fixed colours for series by their name.
pub(super) fn colours(of: &[NamedColour]) -> Vec<Value> {
    of.iter()
        .map(|(name, colour)| by_name(name, &[fixed(colour)]))
        .collect()
}

/// The property that gives a colour.
pub(super) fn fixed(colour: &str) -> (&'static str, Value) {
    ("color", json!({ "mode": "fixed", "fixedColor": colour }))
}

/// A dashed line.
pub(super) fn dashed(pattern: [u32; 2]) -> (&'static str, Value) {
    (
        "custom.lineStyle",
        json!({ "fill": "dash", "dash": pattern }),
    )
}

/// Text that is shown for a value and in which colour: for cells of a table and states.
pub(super) fn mapping(rows: &[(&str, &str, &str)]) -> Value {
    let options: serde_json::Map<String, Value> = rows
        .iter()
        .enumerate()
        .map(|(index, (value, text, color))| {
            let row = json!({ "color": color, "index": index, "text": text });
            ((*value).to_owned(), row)
        })
        .collect();
    json!([{ "type": "value", "options": options }])
}

/// The mapping of what has no value: a text, and a colour of its own, else it has that of the
/// lowest value.
pub(super) fn none(text: &str, color: &str) -> Value {
    let shown = json!({ "text": text, "color": color, "index": 99 });
    json!({ "type": "special", "options": { "match": "null+nan", "result": shown } })
}

/// Names as they are, each in its colour.
pub(super) fn names(of: &[NamedColour]) -> Value {
    let rows: Vec<_> = of.iter().map(|&(name, c)| (name, name, c)).collect();
    mapping(&rows)
}
