//! Exports the metrics once per interval, and a last time when the run ends.

use std::{
    io::{self, Write as _},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use prost::Message as _;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

use super::{
    client::{OtlpClient, SendOutcome},
    config::OtlpConfig,
    error::OtlpError,
    points::RequestBuilder,
};
use crate::{
    domain::units::counted,
    model::Model,
    outputs::metrics::{ExportOutcome, MetricsSnapshot, OutputStatus},
};

/// How long the last export may take: less than SIGTERM allows for the whole shutdown.
const FINAL_EXPORT_TIMEOUT: Duration = Duration::from_millis(1200);
/// The delay before the second attempt; it doubles with each attempt.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Exports the metrics of a model until it is stopped.
#[derive(Debug)]
pub(crate) struct Exporter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Starts to export. Requests are built on a thread of their own, which holds the model's lock
    /// only while it copies the figures.
    ///
    /// # Errors
    /// [`OtlpError`] when TLS or the headers cannot be set up. A receiver that cannot be reached is
    /// no error: it is logged once, and counted.
    pub(crate) fn start(
        config: OtlpConfig,
        model: &Arc<Mutex<Model>>,
        status: OutputStatus,
    ) -> Result<Self, OtlpError> {
        let config = Arc::new(config);
        status.enable_exports();
        let task = ExportTask {
            client: OtlpClient::new(&config)?,
            config,
            model: Arc::clone(model),
            status,
            failing: false,
        };
        log::info!(
            "exporting metrics to {} every {:?}",
            task.config.url,
            task.config.interval
        );
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            stop,
            task: tokio::spawn(task.run(stopped)),
        })
    }

    /// Exports a last time and ends, within one and a half seconds.
    pub(crate) async fn stop(self) {
        // The task may have ended by itself.
        let _ended = self.stop.send(());
        let _late = timeout(FINAL_EXPORT_TIMEOUT + FINAL_EXPORT_TIMEOUT / 4, self.task).await;
    }
}

struct ExportTask {
    client: OtlpClient,
    config: Arc<OtlpConfig>,
    model: Arc<Mutex<Model>>,
    status: OutputStatus,
    /// The latest export failed, and that was logged.
    failing: bool,
}

impl ExportTask {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let every = self.config.interval;
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                biased;
                // The last export contains all that this one would.
                _ = &mut stopped => break,
                // The next export contains more: this one ends when that begins.
                () = self.export(every.max(FIRST_DELAY)) => {}
            }
        }
        self.export(FINAL_EXPORT_TIMEOUT).await;
    }

    async fn export(&mut self, within: Duration) {
        let until = Instant::now() + within;
        let sent = match self.body().await {
            Some(body) => self.deliver(body, until).await,
            None => SendOutcome::Rejected("the request could not be encoded".to_owned()),
        };
        let (outcome, failure) = match sent {
            SendOutcome::Accepted => (ExportOutcome::Sent, None),
            SendOutcome::PartiallyAccepted(points, why) => (
                ExportOutcome::Partial,
                Some(format!("{} rejected: {why}", counted(points, "point"))),
            ),
            SendOutcome::Retryable(why, _) | SendOutcome::Rejected(why) => {
                (ExportOutcome::Failed, Some(why))
            }
        };
        self.status.record_export(outcome);
        let url = &self.config.url;
        match (&failure, self.failing) {
            (Some(why), false) => log::warn!(
                "the export of metrics to {url} fails and is tried again every {:?}; \
                 tag52_otlp_exports_total counts the failures: {why}",
                self.config.interval
            ),
            (None, true) => log::info!("the export of metrics to {url} works again"),
            _ => {}
        }
        self.failing = failure.is_some();
    }

    /// Sends the request until it is accepted or rejected, or until the time is over.
    async fn deliver(&self, body: Bytes, until: Instant) -> SendOutcome {
        let mut delay = FIRST_DELAY;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let outcome = self
                .client
                .send(body.clone(), self.config.timeout.min(left))
                .await;
            let SendOutcome::Retryable(why, after) = outcome else {
                return outcome;
            };
            let pause = after.unwrap_or_else(|| jittered(delay));
            if Instant::now() + pause >= until {
                return SendOutcome::Retryable(why, after);
            }
            sleep(pause).await;
            delay = (delay * 2).min(MAX_DELAY);
        }
    }

    /// Builds the request; `None` when it cannot be encoded.
    async fn body(&self) -> Option<Bytes> {
        let (model, status) = (Arc::clone(&self.model), self.status.clone());
        let config = Arc::clone(&self.config);
        // On a thread of its own, as the run loop runs on this one.
        let built = tokio::task::spawn_blocking(move || body(&model, status, &config));
        built.await.ok()?.ok().map(Bytes::from)
    }
}

/// The body of a request: encoded and, if so configured, compressed.
pub(super) fn body(
    model: &Mutex<Model>,
    status: OutputStatus,
    config: &OtlpConfig,
) -> io::Result<Vec<u8>> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let mut request = RequestBuilder::new(config.histograms, now_ns);
    MetricsSnapshot::of(model, status).emit(&mut request);
    let bytes = request.finish(config).encode_to_vec();
    if !config.gzip {
        return Ok(bytes);
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&bytes)?;
    gzip.finish()
}

/// A random duration between half of the delay and all of it, so that the agents of a cluster do
/// not come back all at once.
fn jittered(delay: Duration) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(0_u8) % 1000;
    delay / 2 + delay.mul_f64(random as f64 / 2000.0)
}
