//! The metrics endpoint beside a run or a replay.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, task::JoinHandle};

use crate::outputs::{Endpoint, Exposition, Heartbeat};

/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Serves metrics until it is stopped.
pub(crate) struct Server {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
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
                log::error!("the metrics endpoint has ended: {error}");
            }
        });
        Self { stop, task }
    }

    pub(crate) async fn stop(self) {
        // It may have ended by itself.
        let _ended = self.stop.send(());
        let _late = tokio::time::timeout(GRACE, self.task).await;
    }
}
