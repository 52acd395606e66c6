//! The labels that identify a session or a process, and how a label is written as text.

use super::metric::{Label, label};

/// The labels of a session.
pub(super) const SESSION_LABELS: [Label; 7] = [
    label(
        "sender",
        "SenderCompID (49) of the messages read: the counterparty; at most 32 characters, a longer \
         one is cut and ends in `~`",
    ),
    label("target", "TargetCompID (56): the process that reads"),
    label("pid", "the process id, as the host numbers it"),
    label(
        "port",
        "the port of the side that listens: it stays the same after a reconnect",
    ),
    label(
        "namespace",
        "the pod's namespace; absent outside of a pod, and until the Kubernetes API has answered",
    ),
    label(
        "pod",
        "the pod's name; its UID until the Kubernetes API has answered",
    ),
    label(
        "container",
        "the container's name; the first 12 characters of its id until the Kubernetes API has \
         answered",
    ),
];

/// The labels of a process.
pub(super) const PROCESS_LABELS: [Label; 4] = [
    SESSION_LABELS[2],
    SESSION_LABELS[4],
    SESSION_LABELS[5],
    SESSION_LABELS[6],
];

/// The labels of one session, one process or the agent; no value is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::outputs) struct BaseLabels {
    pairs: Vec<(&'static str, String)>,
    /// The same labels as the text formats write them.
    text: String,
}

impl BaseLabels {
    /// Takes the labels with a value: in Prometheus an empty label is no label.
    pub(super) fn new(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            if !value.is_empty() {
                push_label(&mut labels.text, name, &value);
                labels.pairs.push((name, value));
            }
        }
        labels
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }
}

/// Appends `name="value"`, with a comma before it unless it is the first.
pub(super) fn push_label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() && !text.ends_with('{') {
        text.push(',');
    }
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
}
