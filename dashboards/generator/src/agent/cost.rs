//! What the probes and the agent cost.

use serde_json::json;

use super::AGENTS;
use crate::panel::{Panel, lines, stack};
use crate::style::{self, BAD};

pub(super) fn panels() -> Vec<Panel> {
    vec![
        probe_cpu(),
        probe_run_time(),
        agent_cpu(),
        agent_memory(),
        open_files(),
    ]
}

fn probe_cpu() -> Panel {
    stack(
        "CPU of the probes",
        (12, 9),
        "CPU time of the probes in the kernel, in CPUs, by probe; the kernel accounts it to \
         the threads they run on. Normal is well below 1 % of a CPU. It grows with the \
         messages and the context switches of tracked threads.",
    )
    .query(
        "{{probe}}",
        "sum by (probe) (rate(tag52_probe_run_seconds_total{@}[$__rate_interval])) > 0",
    )
    .unit("percentunit")
    .calcs(&["mean", "max"])
    .without_data("not measured")
}

fn probe_run_time() -> Panel {
    lines(
        "Time of one run",
        (12, 9),
        "Mean run time of each probe. 100 ns to 1 us is normal, about 3 us for \
         sock_recv_length, which reads the headers; about 60 ns of it is the kernel's own \
         measurement. When probes get slower, the machine does.",
    )
    .query(
        "{{probe}}",
        "sum by (probe) (rate(tag52_probe_run_seconds_total{@}[$__rate_interval])) / (sum by \
         (probe) (rate(tag52_probe_runs_total{@}[$__rate_interval])) > 0)",
    )
    .unit("s")
    .at_least(0.0)
    .calcs(&["mean", "max"])
    .without_data("not measured")
}

fn agent_cpu() -> Panel {
    lines(
        "CPU of the agent",
        (8, 7),
        "CPU time of the agent's process, in CPUs, without the probes. It grows with the \
         messages per second and with the scrape rate. Flat is normal.",
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
    .without_data("no figure")
}

fn agent_memory() -> Panel {
    lines(
        "Memory of the agent",
        (8, 7),
        "Resident memory. Flat after the first minutes is normal, also when processes come \
         and go on the node.",
    )
    .query(
        "{{instance}}",
        format!("process_resident_memory_bytes{{instance=~\"$instance\"}} {AGENTS}"),
    )
    .unit("bytes")
    .at_least(0.0)
    .without_data("no figure")
}

fn open_files() -> Panel {
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
    .without_data("no figure")
}
