//! What the agents track.

use crate::panel::{Panel, lines};

pub(super) fn panels() -> Vec<Panel> {
    vec![
        lines(
            "Sessions, processes and threads",
            (12, 7),
            "What each agent tracks. Threads are those that read FIX. An unexpected step down: a \
             process has ended or a session has logged out.",
        )
        .query(
            "sessions {{instance}}",
            "max by (instance) (tag52_sessions{@})",
        )
        .query(
            "processes {{instance}}",
            "max by (instance) (tag52_processes{@})",
        )
        .query(
            "threads {{instance}}",
            "max by (instance) (tag52_threads{@})",
        )
        .decimals(0)
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("no figure"),
        lines(
            "Streams inspected",
            (12, 7),
            "TCP streams whose first bytes were inspected, per second, by outcome: fix is tracked \
             from then on; other is another protocol; not_selected is FIX that a selector \
             excluded. No series: the targets were given by pid.",
        )
        .query(
            "{{outcome}}",
            "sum by (outcome) (rate(tag52_discovery_streams_total{@}[$__rate_interval]))",
        )
        .unit("suffix: /s")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("discovery is off: the targets were given by pid"),
    ]
}
