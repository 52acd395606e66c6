//! The connection to the Kubernetes API.

use crate::panel::{Panel, lines, stat};
use crate::style::{self, BAD};

pub(super) fn panels() -> Vec<Panel> {
    vec![
        stat(
            "Kubernetes API",
            (6, 6),
            "Whether the agents can watch their node's pods. If not, sessions carry the pod's UID \
             instead of its name: check the ServiceAccount and the ClusterRole.",
        )
        .query("{{instance}}", "min by (instance) (tag52_kube_up{@})")
        .mappings(style::mapping(&[
            ("0", "no", BAD),
            ("1", "yes", style::GOOD),
        ]))
        .without_data("not used"),
        lines(
            "Pods resolved",
            (9, 6),
            "Pods of the node whose names the agent has from the API.",
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
