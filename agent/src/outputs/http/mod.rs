//! The HTTP server of `/metrics` and `/healthz`.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use tokio::{net::TcpListener, sync::Semaphore};

use super::metrics::{self, Exposition};

/// How long the run loop may go without a heartbeat before the agent counts as unhealthy.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// How long open requests may take to finish once a shutdown was requested.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// When the run loop was last alive. It is separate from the model, so that a loop that is stuck
/// with the model's lock held is noticed.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    started: Instant,
    last_ms: AtomicU64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

impl Heartbeat {
    /// Creates a heartbeat; its creation counts as the first beat.
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }

    /// Records that the loop is alive. The loop must call it at least every ten seconds.
    pub(crate) fn beat(&self) {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last) < MAX_SILENCE
    }
}

/// Why the endpoint cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens on the address.
    #[error("cannot listen on {0}: another process does, choose another port")]
    InUse(SocketAddr),
    /// The port needs a privilege that the agent does not have.
    #[error(
        "cannot listen on {0}: no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE"
    )]
    Denied(SocketAddr),
    /// The address belongs to another machine.
    #[error("cannot listen on {0}: it is not an address of this machine")]
    NotOurs(SocketAddr),
    /// The system refused for another reason.
    #[error("cannot listen on {0}: {1}")]
    Failed(SocketAddr, #[source] io::Error),
}

/// The HTTP endpoint, bound and not yet served.
#[derive(Debug)]
pub(crate) struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Binds an address; port 0 takes a free port.
    ///
    /// # Errors
    /// [`BindError`] when the address cannot be bound, by its usual reasons.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(address),
            io::ErrorKind::PermissionDenied => BindError::Denied(address),
            io::ErrorKind::AddrNotAvailable => BindError::NotOurs(address),
            _ => BindError::Failed(address, e),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The address that it listens on.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then lets open requests finish for up to a second.
    ///
    /// # Errors
    /// When accepting connections fails for good.
    pub(crate) async fn serve(
        self,
        exposition: Exposition,
        heartbeat: Arc<Heartbeat>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = Router::new()
            .route("/metrics", get(scrape))
            .with_state(Arc::new(ScrapeState {
                exposition,
                one_at_a_time: Semaphore::new(1),
            }))
            .route("/healthz", get(health).with_state(heartbeat));
        let (shutting_down, mut drain) = tokio::sync::watch::channel(());
        let serving = axum::serve(self.listener, app).with_graceful_shutdown(async move {
            shutdown.await;
            drop(shutting_down);
        });
        tokio::select! {
            ended = serving.into_future() => ended,
            // A client that never finishes its request must not keep the agent from ending.
            () = async {
                while drain.changed().await.is_ok() {}
                tokio::time::sleep(DRAIN_TIMEOUT).await;
            } => Ok(()),
        }
    }
}

/// The state that scrapes share. They run one at a time, as each takes some MiB of memory with
/// hundreds of sessions.
struct ScrapeState {
    exposition: Exposition,
    one_at_a_time: Semaphore,
}

async fn scrape(State(state): State<Arc<ScrapeState>>, headers: HeaderMap) -> Response {
    let waiting = Arc::clone(&state);
    let Ok(_permit) = waiting.one_at_a_time.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let format = metrics::negotiate_format(&list(&headers, &ACCEPT));
    let gzip = metrics::accepts_gzip(&list(&headers, &ACCEPT_ENCODING));
    // On a thread of its own, as the run loop runs on this one.
    let rendered = tokio::task::spawn_blocking(move || {
        let body = state.exposition.render(format);
        if gzip { compress(&body) } else { Ok(body) }
    });
    let Ok(Ok(body)) = rendered.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (CONTENT_TYPE, format.content_type()),
        (VARY, "accept, accept-encoding"),
    ];
    if gzip {
        (headers, [(CONTENT_ENCODING, "gzip")], body).into_response()
    } else {
        (headers, body).into_response()
    }
}

/// All values of a header as one comma-separated list (RFC 9110, section 5.3).
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn compress(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    gzip.write_all(body)?;
    gzip.finish()
}

async fn health(State(heartbeat): State<Arc<Heartbeat>>) -> (StatusCode, &'static str) {
    if heartbeat.is_alive() {
        (StatusCode::OK, "ok")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the run loop has not responded for 10 s",
        )
    }
}

#[cfg(test)]
mod tests;
