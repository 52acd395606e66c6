//! The variables of the dashboards, by which series are selected.

use serde_json::{Value, json};

use crate::panel::source;

/// A variable whose values are those of a label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variable {
    /// Its name, the same as the label's.
    pub(super) name: &'static str,
    /// Its title on the dashboard.
    pub(super) label: &'static str,
    /// The metric whose series have the label.
    pub(super) of: &'static str,
    /// Its tooltip.
    pub(super) description: &'static str,
}

/// The node.
pub(super) const NODE: Variable = of_messages("instance", "Node", "The node an agent runs on");

/// The namespace of the pod.
pub(super) const NAMESPACE: Variable = of_messages(
    "namespace",
    "Namespace",
    "Of the pod; empty outside of a cluster",
);

/// The pod.
pub(super) const POD: Variable = of_messages(
    "pod",
    "Pod",
    "The pod that reads the messages; empty outside of a cluster",
);

/// The venue.
pub(super) const SENDER: Variable = of_messages("sender", "Sender", "SenderCompID (49): the venue");

/// Our side.
pub(super) const TARGET: Variable = of_messages("target", "Target", "TargetCompID (56): our side");

/// The reading process.
pub(super) const PID: Variable =
    of_messages("pid", "PID", "The reading process, as the node numbers it");

/// A variable whose values are those of the sessions that have messages.
const fn of_messages(
    name: &'static str,
    label: &'static str,
    description: &'static str,
) -> Variable {
    Variable {
        name,
        label,
        of: "tag52_messages_total",
        description,
    }
}

impl Variable {
    /// Returns the PromQL matcher that filters series by the variable.
    pub(super) fn matcher(&self) -> String {
        format!("{0}=~\"${0}\"", self.name)
    }

    /// Returns the variable in Grafana's JSON model; `before` has the matchers of the variables
    /// before it, which narrow its values.
    pub(super) fn json(&self, before: &str) -> Value {
        let query = format!("label_values({}{{{before}}}, {})", self.of, self.name);
        json!({
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "type": "query",
            "datasource": source(),
            "query": {
                "qryType": 1,
                "query": query,
                "refId": "PrometheusVariableQueryEditor-VariableQuery",
            },
            // A series without the label has to stay: outside of a cluster there are no pods.
            "allValue": ".*",
            "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
            "hide": 0,
            "includeAll": true,
            "multi": true,
            "options": [],
            "refresh": 2,
            "regex": "",
            "skipUrlSync": false,
            "sort": 1,
        })
    }
}
