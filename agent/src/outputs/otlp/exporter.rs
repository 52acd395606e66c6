//! Exports again and again, and a last time at the end.

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
    client::{Answer, Client},
    config::{OtlpConfig, OtlpError},
    points::Otlp,
};
use crate::{
    model::Model,
    outputs::metrics::{Account, Outcome, Snapshot},
};

/// How long the last export may take: within what SIGTERM allows.
const LAST: Duration = Duration::from_millis(1200);
/// The wait before the second attempt; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Exports a model's metrics until it is stopped.
#[derive(Debug)]
pub struct Exporter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Begins to export. What is sent is made on a thread of its own and holds the model's lock
    /// only to copy its figures.
    ///
    /// # Errors
    /// [`OtlpError`] when TLS or the headers cannot be set up. That nobody listens is none: it is
    /// told on standard error, once, and counted.
    pub fn start(
        config: OtlpConfig,
        model: &Arc<Mutex<Model>>,
        account: Account,
    ) -> Result<Self, OtlpError> {
        let config = Arc::new(config);
        account.export();
        let work = Work {
            client: Client::new(&config)?,
            config,
            model: Arc::clone(model),
            account,
            fails: false,
        };
        log::warn!(
            "exporting metrics to {} every {:?}",
            work.config.url,
            work.config.interval
        );
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            stop,
            task: tokio::spawn(work.run(stopped)),
        })
    }

    /// Exports a last time, and ends: within one and a half seconds.
    pub async fn stop(self) {
        // It may have ended by itself.
        let _ended = self.stop.send(());
        let _late = timeout(LAST + LAST / 4, self.task).await;
    }
}

struct Work {
    client: Client,
    config: Arc<OtlpConfig>,
    model: Arc<Mutex<Model>>,
    account: Account,
    /// The latest export failed, and that was said.
    fails: bool,
}

impl Work {
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
                // The last export says all that this one would.
                _ = &mut stopped => break,
                // The next one says more: no attempt outlasts its beginning.
                () = self.export(every.max(FIRST_WAIT)) => {}
            }
        }
        self.export(LAST).await;
    }

    async fn export(&mut self, within: Duration) {
        let until = Instant::now() + within;
        let answer = match self.body().await {
            Some(body) => self.deliver(body, until).await,
            None => Answer::Refused("it could not be written".to_owned()),
        };
        let (outcome, said) = match answer {
            Answer::Taken => (Outcome::Sent, None),
            Answer::Partly(points, why) => (
                Outcome::Partial,
                Some(format!("{points} points were refused: {why}")),
            ),
            Answer::Later(why, _) | Answer::Refused(why) => (Outcome::Failed, Some(why)),
        };
        self.account.exported(outcome);
        let url = &self.config.url;
        match (&said, self.fails) {
            (Some(why), false) => log::warn!("the export to {url} fails, and goes on: {why}"),
            (None, true) => log::warn!("the export to {url} works again"),
            _ => {}
        }
        self.fails = said.is_some();
    }

    /// Until it is taken or refused, or time is over.
    async fn deliver(&self, body: Bytes, until: Instant) -> Answer {
        let mut wait = FIRST_WAIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = self
                .client
                .send(body.clone(), self.config.timeout.min(left))
                .await;
            let Answer::Later(why, after) = answer else {
                return answer;
            };
            let pause = after.unwrap_or_else(|| jittered(wait));
            if Instant::now() + pause >= until {
                return Answer::Later(why, after);
            }
            sleep(pause).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn body(&self) -> Option<Bytes> {
        let (model, account) = (Arc::clone(&self.model), self.account.clone());
        let config = Arc::clone(&self.config);
        // On a thread of its own: the run loop shares this one.
        let made = tokio::task::spawn_blocking(move || body(&model, account, &config));
        made.await.ok()?.ok().map(Bytes::from)
    }
}

/// A request as it goes over the wire.
pub(super) fn body(
    model: &Mutex<Model>,
    account: Account,
    config: &OtlpConfig,
) -> io::Result<Vec<u8>> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let mut otlp = Otlp::new(config.histograms, now_ns);
    Snapshot::of(model, account).tell(&mut otlp);
    let bytes = otlp.finish(config).encode_to_vec();
    if !config.gzip {
        return Ok(bytes);
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&bytes)?;
    gzip.finish()
}

/// Between half of it and all of it, so that the agents of a cluster do not come back all at once.
fn jittered(wait: Duration) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(0_u8) % 1000;
    wait / 2 + wait.mul_f64(random as f64 / 2000.0)
}
