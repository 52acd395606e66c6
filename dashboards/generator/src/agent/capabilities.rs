//! Capabilities of the kernel, versions and uptime.

use serde_json::json;

use super::AGENTS;
use crate::panel::{Panel, table};
use crate::style::{self, BAD};

pub(super) fn panels() -> Vec<Panel> {
    let yes_no = style::mapping(&[("0", "missing", BAD), ("1", "yes", style::GOOD)]);
    vec![
        table(
            "Capabilities of this kernel",
            (12, 12),
            "Each probe, its hook, and whether it is available. What is lost without one is in \
             the documentation's table of kernels.",
        )
        .query(
            "there",
            "max by (instance, name, hook) (tag52_capability{@})",
        )
        .transform(
            "organize",
            &json!({
                "excludeByName": { "Time": true },
                "includeByName": {},
                "indexByName": { "instance": 0, "name": 1, "hook": 2, "Value": 3 },
                "renameByName": { "instance": "Node", "name": "Probe", "hook": "Hook",
                "Value": "Available" },
            }),
        )
        .sorted("Available", false)
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
             rollout, or a short uptime, deserve a check: the log says why it restarted.",
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
        .transform("merge", &json!({}))
        .transform(
            "organize",
            &json!({
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
