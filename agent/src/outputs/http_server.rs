//! The metrics endpoint beside a run or a replay.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, task::JoinHandle};

use super::{Endpoint, Exposition, Heartbeat};

/// How long open requests may delay the end of a run.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// A task that serves `/metrics` and `/healthz` until it is stopped.
pub(crate) struct MetricsServer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl MetricsServer {
    /// Starts the task on the current runtime.
    pub(crate) fn start(
        endpoint: Endpoint,
        exposition: Exposition,
        heartbeat: &Arc<Heartbeat>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        log::info!("metrics on http://{}/metrics", endpoint.address());
        let heartbeat = Arc::clone(heartbeat);
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _stopped = stopped.await;
            };
            if let Err(error) = endpoint.serve(exposition, heartbeat, shutdown).await {
                log::error!(
                    "the metrics endpoint has stopped, scrapes fail from now on, and the run \
                     goes on: {error}"
                );
            }
        });
        Self { stop, task }
    }

    /// Stops the task and waits for it, two seconds at most.
    pub(crate) async fn stop(self) {
        // The task may have ended by itself.
        let _ended = self.stop.send(());
        let _late = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.task).await;
    }
}
