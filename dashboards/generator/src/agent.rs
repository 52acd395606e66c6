//! Nodes and agents: what the agent costs, what it lost, and what it could not do.

use serde_json::json;

use super::dashboard::Dashboard;
use super::panel::{Panel, lines, stack, stat, table};
use super::style::{self, BAD, PLAIN, WARNING};
use super::variable::{NODE, Variable};

const VARIABLES: &[Variable] = &[Variable {
    of: "tag52_build_info",
    ..NODE
}];

/// Metrics that every kind of process has: only those of agents.
const AGENTS: &str = "and on (job, instance) tag52_build_info{@}";

/// The dashboard.
pub(super) fn agent() -> Dashboard {
    Dashboard::new(
        "tag52-agent",
        "tag52 / Node and agent",
        "The agents themselves: whether they see everything, and what they cost.",
    )
    .variables(VARIABLES)
    .row("Now", now())
    .row("Cost", cost())
    .row("What it missed", missed())
    .row("What it watches", watches())
    .row("Kubernetes", kubernetes())
    .row("Which agent", which())
}

fn now() -> Vec<Panel> {
    vec![
        stat(
            "Agents",
            (4, 4),
            "Agents that are scraped now. Fewer than nodes: look at the DaemonSet's pods.",
        )
        .query("agents", "count(tag52_build_info{@}) or vector(0)")
        .from(BAD, &[(1.0, PLAIN)]),
        stat(
            "Sessions",
            (4, 4),
            "Open FIX sessions that the agents follow now.",
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
            "Events the kernel could not hand to the agent. 0 is normal. The messages they touched \
             are unknown in part; nothing else is wrong.",
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
            "What all probes together cost, in CPUs: 0.01 is 1 % of one CPU. The worst node.",
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
            "How much of its budget of series the fullest agent uses. At 100 % new sessions are \
             counted together as \"other\".",
        )
        .query("series", "max(tag52_series{@} / tag52_series_limit{@})")
        .unit("percentunit")
        .decimals(0)
        .without_data("no figure")
        .good_until(&[(0.8, WARNING), (0.95, BAD)]),
    ]
}

fn cost() -> Vec<Panel> {
    vec![
        stack(
            "CPU of the probes",
            (12, 9),
            "CPU time the probes take in the kernel, in CPUs, by probe; on whichever thread's \
             account they ran. Normal is well below 1 % of a CPU. It grows with the messages and \
             the switches of watched threads.",
        )
        .query(
            "{{probe}}",
            "sum by (probe) (rate(tag52_probe_run_seconds_total{@}[$__rate_interval])) > 0",
        )
        .unit("percentunit")
        .calcs(&["mean", "max"])
        .without_data("not measured"),
        lines(
            "Time of one run",
            (12, 9),
            "Mean run time of each probe. 100 ns to 1 us is normal, some 3 us for \
             sock_recv_length, which reads the headers; the kernel's own measuring is about 60 ns \
             of it. A probe that gets slower says that the machine does.",
        )
        .query(
            "{{probe}}",
            "sum by (probe) (rate(tag52_probe_run_seconds_total{@}[$__rate_interval])) / (sum by \
             (probe) (rate(tag52_probe_runs_total{@}[$__rate_interval])) > 0)",
        )
        .unit("s")
        .at_least(0.0)
        .calcs(&["mean", "max"])
        .without_data("not measured"),
        lines(
            "CPU of the agent",
            (8, 7),
            "CPU time of the agent's process, in CPUs; without the probes. It grows with the \
             messages per second, and with how often it is scraped; flat is normal.",
        )
        .query(
            "{{instance}}",
            format!(
                "rate(process_cpu_seconds_total{{instance=~\"$instance\"}}[$__rate_interval]) \
                 {AGENTS}"
            ),
        )
        .unit("percentunit")
        .at_least(0.0)
        .without_data("no figure"),
        lines(
            "Memory of the agent",
            (8, 7),
            "Resident memory. Flat after the first minutes is normal, whatever comes and goes on \
             the node.",
        )
        .query(
            "{{instance}}",
            format!("process_resident_memory_bytes{{instance=~\"$instance\"}} {AGENTS}"),
        )
        .unit("bytes")
        .at_least(0.0)
        .without_data("no figure"),
        lines(
            "Open files of the agent",
            (8, 7),
            "Open file descriptors against the limit. Flat is normal.",
        )
        .query(
            "open {{instance}}",
            format!("process_open_fds{{instance=~\"$instance\"}} {AGENTS}"),
        )
        .query(
            "limit",
            format!("min(process_max_fds{{instance=~\"$instance\"}} {AGENTS})"),
        )
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
        .logarithmic()
        .without_data("no figure"),
    ]
}

fn missed() -> Vec<Panel> {
    vec![
        lines(
            "Events lost",
            (12, 8),
            "Events per second that did not reach the agent, by kind. 0 is normal. Most often the \
             agent gets too little CPU for the node: raise its CPU request. Messages they belong \
             to are unknown in part.",
        )
        .query(
            "{{kind}}",
            "sum by (kind) (rate(tag52_events_lost_total{@}[$__rate_interval]))",
        )
        .unit("suffix: /s")
        .at_least(0.0)
        .up_to(1.0)
        .without_data("none"),
        lines(
            "Anomalies",
            (12, 8),
            "What should not happen and was survived, per second, by kind: discarded, never \
             guessed. 0 is normal, a few at the start are.",
        )
        .query(
            "{{kind}}",
            "sum by (kind) (rate(tag52_anomalies_total{@}[$__rate_interval]))",
        )
        .unit("suffix: /s")
        .at_least(0.0)
        .up_to(1.0)
        .without_data("none"),
        lines(
            "Ring, the most ever waiting",
            (6, 7),
            "The most bytes ever found waiting between probes and agent. Flat is normal. Near its \
             size (see --help) events get lost next.",
        )
        .query(
            "{{instance}}",
            "max by (instance) (tag52_ring_high_water_bytes{@})",
        )
        .unit("bytes")
        .at_least(0.0)
        .without_data("no figure"),
        lines(
            "Series against the limit",
            (6, 7),
            "Series of the last exposition, and the limit that is enforced. Near it new sessions \
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
        .without_data("no figure"),
        lines(
            "Exports by OTLP",
            (6, 7),
            "Exports per second, by what became of them. partial and failed are points the \
             receiver did not take. No series: nothing is exported that way.",
        )
        .query(
            "{{outcome}}",
            "sum by (outcome) (rate(tag52_otlp_exports_total{@}[$__rate_interval]))",
        )
        .unit("suffix: /s")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("nothing is exported"),
        lines(
            "Sessions folded",
            (6, 7),
            "Sessions that were counted under \"other\" or \"earlier\" instead of with series of \
             their own, per hour. 0 is normal.",
        )
        .query(
            "{{instance}}",
            "sum by (instance) (increase(tag52_sessions_folded_total{@}[1h]))",
        )
        .decimals(0)
        .at_least(0.0)
        .up_to(1.0)
        .without_data("no figure"),
    ]
}

fn watches() -> Vec<Panel> {
    vec![
        lines(
            "Sessions, processes and threads",
            (12, 7),
            "What each agent follows. Threads are those that read FIX. A step down without a \
             reason on your side: a process has ended or a session has logged out.",
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
            "Streams looked at",
            (12, 7),
            "TCP streams whose first bytes were looked at, per second, by outcome: fix is followed \
             from then on; other is anything else; not_selected is FIX that a selector left out. \
             No series: the agent was given the processes.",
        )
        .query(
            "{{outcome}}",
            "sum by (outcome) (rate(tag52_discovery_streams_total{@}[$__rate_interval]))",
        )
        .unit("suffix: /s")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("nothing is discovered: processes are given"),
    ]
}

fn kubernetes() -> Vec<Panel> {
    vec![
        stat(
            "Kubernetes API",
            (6, 6),
            "Whether the agents can watch their node's pods. Without it sessions have the pod's \
             UID instead of its name. Check the ServiceAccount and the ClusterRole.",
        )
        .query("{{instance}}", "min by (instance) (tag52_kube_up{@})")
        .mappings(style::mapping(&[
            ("0", "no", BAD),
            ("1", "yes", style::GOOD),
        ]))
        .without_data("not used"),
        lines(
            "Pods known",
            (9, 6),
            "Pods of the node that the agent knows by name.",
        )
        .query("{{instance}}", "max by (instance) (tag52_kube_pods{@})")
        .decimals(0)
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("the API is not used"),
        lines(
            "Errors of the Kubernetes API",
            (9, 6),
            "Per second, by kind. A few disconnects are normal. forbidden: the ClusterRole lacks \
             get, list or watch on pods.",
        )
        .query(
            "{{kind}}",
            "sum by (kind) (rate(tag52_kube_errors_total{@}[$__rate_interval]))",
        )
        .unit("suffix: /s")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("the API is not used"),
    ]
}

fn which() -> Vec<Panel> {
    let yes_no = style::mapping(&[("0", "missing", BAD), ("1", "yes", style::GOOD)]);
    vec![
        table(
            "What this kernel offers",
            (12, 12),
            "Each probe, the hook it uses and whether it is there. A missing one takes something \
             away: what, is in the README's table of kernels.",
        )
        .query(
            "there",
            "max by (instance, name, hook) (tag52_capability{@})",
        )
        .transform(
            "organize",
            json!({
                "excludeByName": { "Time": true },
                "includeByName": {},
                "indexByName": { "instance": 0, "name": 1, "hook": 2, "Value": 3 },
                "renameByName": { "instance": "Node", "name": "Probe", "hook": "Hook",
                "Value": "There" },
            }),
        )
        .sorted("There", false)
        .only(
            "Value",
            &[
                ("mappings", yes_no),
                ("custom.cellOptions", json!({ "type": "color-text" })),
                ("custom.width", json!(100)),
            ],
        )
        .without_data("no figure"),
        table(
            "Build and uptime",
            (12, 12),
            "Version of each agent and how long it has run. Different versions outside of a \
             rollout, or a short time, are worth a look: the log says why it began anew.",
        )
        .query(
            "build",
            "max by (instance, version, arch) (tag52_build_info{@})",
        )
        .query(
            "up",
            format!(
                "max by (instance) (time() - process_start_time_seconds{{instance=~\"$instance\"}} \
                 {AGENTS})"
            ),
        )
        .transform("merge", json!({}))
        .transform(
            "organize",
            json!({
                "excludeByName": { "Time": true, "Value #A": true },
                "includeByName": {},
                "indexByName": { "instance": 0, "version": 1, "arch": 2, "Value #B": 3 },
                "renameByName": {
                    "instance": "Node", "version": "Version", "arch": "Machine",
                    "Value #B": "Runs for",
                },
            }),
        )
        .only("Value #B", &[("unit", json!("dtdurations"))])
        .without_data("no agent"),
    ]
}
