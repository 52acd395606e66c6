//! The pods of this node by name, from the Kubernetes API.
//!
//! Cgroups tell a pod's UID and a container's id ([`crate::host`]); what people call them is known
//! to the API alone. It is asked for the pods of this node and nothing else (field selector
//! `spec.nodeName`), and told of changes as long as the agent runs. Nothing waits for it: what is
//! measured is measured with ids, and the names are told when they are known.
//!
//! All of it runs on a thread of its own. A list of some hundred pods is megabytes of JSON and a
//! new connection is a TLS handshake: on the run loop's only thread either would keep the ring from
//! being drained for tens of milliseconds.

mod api_pod;
mod failure;
mod follow;
mod pod_table;
mod quantity;
pub mod selector;
mod setup;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use tokio::sync::oneshot;

use crate::domain::ProcessInfo;

use self::{failure::Kind, pod_table::Pods};
pub use self::{
    api_pod::{PodContainer, PodFacts},
    failure::KubeError,
    follow::Timing,
    setup::{Mode, Setup},
};

/// What the thread and everybody else share.
#[derive(Debug, Default)]
struct Shared {
    pods: Pods,
    /// Whether the pods are being followed now.
    up: bool,
    /// All have been listed once.
    listed: bool,
    errors: [u64; Kind::ALL.len()],
    /// Kinds that have been told of.
    said: [bool; Kind::ALL.len()],
}

/// The pods of this node, kept up to date until this is dropped.
#[derive(Debug)]
pub struct Kube {
    shared: Arc<Mutex<Shared>>,
    /// Its end is the thread's.
    _stop: oneshot::Sender<()>,
}

impl Kube {
    /// Begins to follow the pods of a node.
    ///
    /// # Errors
    /// When there is no room for a thread.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (stop, stopped) = oneshot::channel();
        let follower = Arc::clone(&shared);
        thread::Builder::new()
            .name("tag52-kube".to_owned())
            .spawn(move || follow::run(setup, &follower, stopped))?;
        Ok(Self {
            shared,
            _stop: stop,
        })
    }

    /// Changes whenever something else is known of the pods.
    #[must_use]
    pub fn generation(&self) -> u64 {
        lock(&self.shared).pods.generation()
    }

    /// What is known of the pod of this UID, as a cgroup has it. For two minutes after its end,
    /// too.
    #[must_use]
    pub fn pod(&self, uid: &str) -> Option<Arc<PodFacts>> {
        lock(&self.shared).pods.get(uid)
    }

    /// Whether all pods have been listed once: of one that is not known then, nothing may come any
    /// more.
    #[must_use]
    pub fn has_listed(&self) -> bool {
        lock(&self.shared).listed
    }

    /// Fills in what the API knows of a process's pod and container.
    pub fn name(&self, facts: &mut ProcessInfo) {
        let Some(pod) = &mut facts.pod else {
            return;
        };
        let Some(known) = self.pod(&pod.uid) else {
            return;
        };
        pod.namespace = Some(known.namespace.clone());
        pod.name = Some(known.name.clone());
        let Some(container) = &mut facts.container else {
            return;
        };
        if let Some(known) = known.container(&container.id) {
            container.name = Some(known.name.clone());
            facts.cpu_limit_millis = known.cpu_limit_millis;
            facts.cpu_request_millis = known.cpu_request_millis;
            facts.cpu_request_between = None;
        }
    }

    /// How it is doing, for the agent's account of itself.
    #[must_use]
    pub fn health(&self) -> crate::domain::KubeHealth {
        let mut shared = lock(&self.shared);
        shared.pods.forget_gone(Instant::now());
        let counted = Kind::ALL.iter().zip(shared.errors);
        crate::domain::KubeHealth {
            up: shared.up,
            pods: shared.pods.len() as u64,
            errors: counted
                .map(|(kind, n)| (kind.name().to_owned(), n))
                .collect(),
        }
    }
}

/// A panic elsewhere leaves names that are still the best there are.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
