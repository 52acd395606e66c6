//! The names of this node's pods, from the Kubernetes API.
//!
//! A cgroup names a pod by its UID and a container by its id ([`crate::host`]); only the API knows
//! what people call them. It is asked for the pods of this node and for nothing else (field
//! selector `spec.nodeName`), and watched as long as the agent runs. Nothing waits for it: messages
//! are measured with ids, and names are published when they arrive.
//!
//! All of this runs on a thread of its own. A list of some hundred pods is megabytes of JSON, and a
//! new connection is a TLS handshake: on the run loop's only thread either would leave the ring
//! buffer unread for tens of milliseconds.

mod api_pod;
mod backoff;
mod client;
mod directory;
mod failure;
mod follow;
mod labels;
mod pod;
mod pod_table;
mod quantity;
mod selector;
mod setup;
mod shared;

pub use self::{
    directory::PodDirectory,
    labels::LabelSelector,
    selector::PodSelector,
    setup::{KubeAccess, KubeMode, KubeSetup, KubeTimeouts},
};
pub(crate) use self::{selector::SelectorMatch, setup::KubeSetupError};
