//! Nodes and agents: the agent's cost, its losses, its targets and its capabilities.

mod capabilities;
mod cost;
mod kubernetes;
mod losses;
mod targets;

use super::dashboard::Dashboard;
use super::panel::{Panel, stat};
use super::style::{BAD, PLAIN, WARNING};
use super::variable::{NODE, Variable};

const VARIABLES: &[Variable] = &[Variable {
    of: "tag52_build_info",
    ..NODE
}];

/// Restricts metrics that every process has to those of agents.
const AGENTS: &str = "and on (job, instance) tag52_build_info{@}";

/// The dashboard of nodes and agents.
pub(super) fn agent() -> Dashboard {
    Dashboard::new(
        "tag52-agent",
        "tag52 / Node and agent",
        "The agents themselves: whether their figures are complete, and what they cost.",
    )
    .variables(VARIABLES)
    .row("Now", now())
    .row("Cost", cost::panels())
    .row("Losses and anomalies", losses::panels())
    .row("Targets", targets::panels())
    .row("Kubernetes", kubernetes::panels())
    .row("Capabilities and versions", capabilities::panels())
}

fn now() -> Vec<Panel> {
    vec![
        stat(
            "Agents",
            (4, 4),
            "Agents that are scraped now. Fewer agents than nodes: check the DaemonSet's pods.",
        )
        .query("agents", "count(tag52_build_info{@}) or vector(0)")
        .from(BAD, &[(1.0, PLAIN)]),
        stat(
            "Sessions",
            (4, 4),
            "Open FIX sessions that the agents track now.",
        )
        .query("sessions", "sum(tag52_sessions{@})")
        .without_data("0")
        .from(PLAIN, &[]),
        stat(
            "Processes",
            (4, 4),
            "Processes that read FIX now, each with all of its threads.",
        )
        .query("processes", "sum(tag52_processes{@})")
        .without_data("0")
        .from(PLAIN, &[]),
        stat(
            "Events lost, last hour",
            (4, 4),
            "Events that did not reach the agent. 0 is normal. The messages they belong to have \
             unknown time; all other figures are correct.",
        )
        .query(
            "lost",
            "sum(increase(tag52_events_lost_total{@}[1h])) or vector(0)",
        )
        .decimals(0)
        .good_until(&[(1.0, WARNING), (1000.0, BAD)]),
        stat(
            "Probes' CPU",
            (4, 4),
            "CPU time of all probes, in CPUs: 0.01 is 1 % of one CPU. The node with the most.",
        )
        .query(
            "cost",
            "max(sum by (instance) (rate(tag52_probe_run_seconds_total{@}[$__rate_interval])))",
        )
        .unit("percentunit")
        .decimals(2)
        .without_data("not measured")
        .good_until(&[(0.02, WARNING), (0.05, BAD)]),
        stat(
            "Series of the fullest agent",
            (4, 4),
            "Share of its series limit that the fullest agent uses. At 100 % new sessions are \
             counted together as \"other\".",
        )
        .query("series", "max(tag52_series{@} / tag52_series_limit{@})")
        .unit("percentunit")
        .decimals(0)
        .without_data("no figure")
        .good_until(&[(0.8, WARNING), (0.95, BAD)]),
    ]
}
