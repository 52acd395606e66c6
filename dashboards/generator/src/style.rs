//! Colours and value mappings: a part has the same colour on every panel.
//!
//! The colours are Okabe and Ito's, which people with the common kinds of colour blindness can
//! distinguish; each has enough contrast in Grafana's dark and light themes.

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

/// The stages, in the order of a message's way. `in_flight` has the colour of the network.
pub(super) const STAGES: [NamedColour; 4] = [
    ("in_flight", "#56B4E9"),
    ("held_back", "#882255"),
    ("queued", "#AA8F66"),
    ("in_app", "#44AA99"),
];

/// The verdicts, from `healthy` to the one that takes precedence over all others. Causes have the
/// colour of their part.
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

/// The colour of: nothing to do.
pub(super) const GOOD: &str = "#009E73";
/// The colour of: check it.
pub(super) const WARNING: &str = "#E69F00";
/// The colour of: act.
pub(super) const BAD: &str = "#D55E00";
/// The colour of: no value.
pub(super) const NEUTRAL: &str = "#999999";
/// The colour of: neither good nor bad.
pub(super) const PLAIN: &str = "#56B4E9";

/// Returns thresholds: `base` below the first step, then each step with its colour.
pub(super) fn thresholds(base: &str, steps: &[(f64, &str)]) -> Value {
    let mut all = vec![json!({ "color": base, "value": null })];
    all.extend(
        steps
            .iter()
            .map(|(value, color)| json!({ "color": color, "value": value })),
    );
    json!({ "mode": "absolute", "steps": all })
}

/// Returns an override of the series or columns with this name.
pub(super) fn by_name(name: &str, properties: &[(&str, Value)]) -> Value {
    let properties: Vec<Value> = properties
        .iter()
        .map(|(id, value)| json!({ "id": id, "value": value }))
        .collect();
    json!({ "matcher": { "id": "byName", "options": name }, "properties": properties })
}

/// Returns overrides that give series fixed colours by name.
pub(super) fn colours(of: &[NamedColour]) -> Vec<Value> {
    of.iter()
        .map(|(name, colour)| by_name(name, &[fixed(colour)]))
        .collect()
}

/// Returns the property of a fixed colour.
pub(super) fn fixed(colour: &str) -> (&'static str, Value) {
    ("color", json!({ "mode": "fixed", "fixedColor": colour }))
}

/// Returns the property of a dashed line.
pub(super) fn dashed(pattern: [u32; 2]) -> (&'static str, Value) {
    (
        "custom.lineStyle",
        json!({ "fill": "dash", "dash": pattern }),
    )
}

/// Returns value mappings: value, text and colour.
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

/// Returns the mapping for missing values; without a colour of its own, such a cell would have that
/// of the lowest value.
pub(super) fn none(text: &str, color: &str) -> Value {
    let shown = json!({ "text": text, "color": color, "index": 99 });
    json!({ "type": "special", "options": { "match": "null+nan", "result": shown } })
}

/// Returns mappings that keep the names and give each its colour.
pub(super) fn names(of: &[NamedColour]) -> Value {
    let rows: Vec<_> = of.iter().map(|&(name, c)| (name, name, c)).collect();
    mapping(&rows)
}
