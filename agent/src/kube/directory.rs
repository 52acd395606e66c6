//! What the rest of the agent asks about pods.

use std::{
    io,
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use tokio::sync::oneshot;

use super::{
    failure::FailureKind,
    follow,
    pod::PodFacts,
    setup::KubeSetup,
    shared::{SharedPods, lock},
};
use crate::domain::{KubeHealth, ProcessInfo};

/// The pods of this node, kept up to date by a thread of its own until this is dropped.
#[derive(Debug)]
pub struct PodDirectory {
    shared: Arc<Mutex<SharedPods>>,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl PodDirectory {
    /// Starts to follow the pods of a node.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(setup: KubeSetup) -> io::Result<Self> {
        let shared = Arc::new(Mutex::new(SharedPods::default()));
        let (stop, stopped) = oneshot::channel();
        let followed = Arc::clone(&shared);
        thread::Builder::new()
            .name("tag52-kube".to_owned())
            .spawn(move || follow::run(&setup, &followed, stopped))?;
        Ok(Self {
            shared,
            _stop: stop,
        })
    }

    /// A number that changes whenever the names, labels or containers of a pod have changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        lock(&self.shared).pods.generation()
    }

    /// The pod with this UID, as cgroups are named after it; also for two minutes after its end.
    #[must_use]
    pub fn pod(&self, uid: &str) -> Option<Arc<PodFacts>> {
        lock(&self.shared).pods.get(uid)
    }

    /// Whether all pods of the node have been listed at least once. A pod that is not in the
    /// directory by then may not exist in the API at all.
    #[must_use]
    pub fn has_listed(&self) -> bool {
        lock(&self.shared).listed
    }

    /// Adds to a process's facts what the API knows of its pod and container.
    pub fn add_names(&self, facts: &mut ProcessInfo) {
        let Some(pod) = &mut facts.pod else {
            return;
        };
        let Some(api) = self.pod(&pod.uid) else {
            return;
        };
        pod.namespace = Some(api.namespace.clone());
        pod.name = Some(api.name.clone());
        let Some(container) = &mut facts.container else {
            return;
        };
        if let Some(api) = api.container(&container.id) {
            container.name = Some(api.name.clone());
            facts.cpu_limit_millis = api.cpu_limit_millis;
            facts.cpu_request_millis = api.cpu_request_millis;
            facts.cpu_request_between = None;
        }
    }

    /// The state of the connection to the API, for the agent's health report.
    #[must_use]
    pub fn health(&self) -> KubeHealth {
        let mut shared = lock(&self.shared);
        shared.pods.forget_ended(Instant::now());
        let counted = FailureKind::ALL.iter().zip(shared.failures);
        KubeHealth {
            up: shared.up,
            pods: shared.pods.running() as u64,
            errors: counted
                .map(|(kind, n)| (kind.name().to_owned(), n))
                .collect(),
        }
    }
}
