//! Events lost, anomalies, and limits that are near.

use serde_json::json;

use crate::panel::{Panel, lines};
use crate::style::{self, BAD};

pub(super) fn panels() -> Vec<Panel> {
    vec![
        events_lost(),
        anomalies(),
        ring_buffer(),
        series(),
        exports(),
        folded_sessions(),
    ]
}

fn events_lost() -> Panel {
    lines(
        "Events lost",
        (12, 8),
        "Events per second that did not reach the agent, by kind. 0 is normal. The usual \
         cause is too little CPU for the agent: raise its CPU request. The messages they \
         belong to have unknown time.",
    )
    .query(
        "{{kind}}",
        "sum by (kind) (rate(tag52_events_lost_total{@}[$__rate_interval]))",
    )
    .unit("suffix: /s")
    .at_least(0.0)
    .up_to(1.0)
    .without_data("none")
}

fn anomalies() -> Panel {
    lines(
        "Anomalies",
        (12, 8),
        "Irregular observations per second, by kind. They are discarded or reconstructed, \
         never guessed. 0 is normal, and so are a few at the start.",
    )
    .query(
        "{{kind}}",
        "sum by (kind) (rate(tag52_anomalies_total{@}[$__rate_interval]))",
    )
    .unit("suffix: /s")
    .at_least(0.0)
    .up_to(1.0)
    .without_data("none")
}

fn ring_buffer() -> Panel {
    lines(
        "Ring buffer, high-water mark",
        (6, 7),
        "The largest number of bytes that ever waited between probes and agent. Flat is \
         normal. Near the buffer's size (see --help) events will be lost.",
    )
    .query(
        "{{instance}}",
        "max by (instance) (tag52_ring_high_water_bytes{@})",
    )
    .unit("bytes")
    .at_least(0.0)
    .without_data("no figure")
}

fn series() -> Panel {
    lines(
        "Series against the limit",
        (6, 7),
        "Series of the last exposition, and the enforced limit. At the limit new sessions \
         are counted as \"other\": raise the limit or select fewer sessions.",
    )
    .query("{{instance}}", "max by (instance) (tag52_series{@})")
    .query("limit", "min(tag52_series_limit{@})")
    .only(
        "limit",
        &[
            style::fixed(BAD),
            (
                "custom.lineStyle",
                json!({ "fill": "dash", "dash": [8, 6] }),
            ),
        ],
    )
    .at_least(0.0)
    .without_data("no figure")
}

fn exports() -> Panel {
    lines(
        "Exports by OTLP",
        (6, 7),
        "Exports per second, by outcome. partial and failed: points that the receiver did not \
         accept. No series: OTLP export is off.",
    )
    .query(
        "{{outcome}}",
        "sum by (outcome) (rate(tag52_otlp_exports_total{@}[$__rate_interval]))",
    )
    .unit("suffix: /s")
    .at_least(0.0)
    .calcs(&["lastNotNull"])
    .without_data("OTLP export is off")
}

fn folded_sessions() -> Panel {
    lines(
        "Sessions folded",
        (6, 7),
        "Sessions per hour that were counted under \"other\" or \"earlier\" instead of with \
         series of their own. 0 is normal.",
    )
    .query(
        "{{instance}}",
        "sum by (instance) (increase(tag52_sessions_folded_total{@}[1h]))",
    )
    .decimals(0)
    .at_least(0.0)
    .up_to(1.0)
    .without_data("no figure")
}
