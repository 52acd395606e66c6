//! `/metrics` and `/healthz`.

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

/// How long the run loop may be silent before the agent counts as not healthy.
const SILENCE: Duration = Duration::from_secs(10);
/// How long open requests may take to end after the shutdown was asked for.
const LAST_ORDERS: Duration = Duration::from_secs(1);

/// The run loop's sign of life. Apart from the model, so that a loop stuck with the model's lock
/// held is noticed.
#[derive(Debug)]
pub struct Heartbeat {
    started: Instant,
    last_ms: AtomicU64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

impl Heartbeat {
    /// Counts as a first beat.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }

    /// The loop is alive. To be called more often than every ten seconds.
    pub fn beat(&self) {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last) < SILENCE
    }
}

/// Why the endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("{0} is in use by another process")]
    InUse(SocketAddr),
    /// The port needs a right that is missing.
    #[error("no permission to listen on {0}")]
    Denied(SocketAddr),
    /// The address is none of this machine's.
    #[error("{0} is not an address of this machine")]
    NotOurs(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Failed(SocketAddr, #[source] io::Error),
}

/// The endpoint, bound and not yet served.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`BindError`] says which of the usual reasons it is.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
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

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then lets open requests end for up to a second.
    ///
    /// # Errors
    /// When accepting connections fails for good.
    pub async fn serve(
        self,
        exposition: Exposition,
        heartbeat: Arc<Heartbeat>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = Router::new()
            .route("/metrics", get(scrape))
            .with_state(Arc::new(Scrapes {
                exposition,
                turns: Semaphore::new(1),
            }))
            .route("/healthz", get(health).with_state(heartbeat));
        let (told, mut asked) = tokio::sync::watch::channel(());
        let serving = axum::serve(self.listener, app).with_graceful_shutdown(async move {
            shutdown.await;
            drop(told);
        });
        tokio::select! {
            ended = serving.into_future() => ended,
            // A client that never ends its request must not keep the agent from ending.
            () = async {
                while asked.changed().await.is_ok() {}
                tokio::time::sleep(LAST_ORDERS).await;
            } => Ok(()),
        }
    }
}

/// What scrapes read, one at a time: each takes some MiB when there are hundreds of sessions.
struct Scrapes {
    exposition: Exposition,
    turns: Semaphore,
}

async fn scrape(State(scrapes): State<Arc<Scrapes>>, headers: HeaderMap) -> Response {
    let turn = Arc::clone(&scrapes);
    let Ok(_turn) = turn.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let format = metrics::format(&all(&headers, &ACCEPT));
    let gzip = metrics::takes_gzip(&all(&headers, &ACCEPT_ENCODING));
    // On a thread of its own: the run loop shares this one.
    let rendered = tokio::task::spawn_blocking(move || {
        let body = scrapes.exposition.render(format);
        if gzip { packed(&body) } else { Ok(body) }
    });
    let Ok(Ok(body)) = rendered.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let what = [
        (CONTENT_TYPE, format.content_type()),
        (VARY, "accept, accept-encoding"),
    ];
    let packed = gzip.then_some([(CONTENT_ENCODING, "gzip")]);
    match packed {
        Some(packed) => (what, packed, body).into_response(),
        None => (what, body).into_response(),
    }
}

/// All values of a header, as one list.
fn all(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn packed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    gzip.write_all(body)?;
    gzip.finish()
}

async fn health(State(heartbeat): State<Arc<Heartbeat>>) -> (StatusCode, &'static str) {
    if heartbeat.is_alive() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the run loop is silent")
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpStream, sync::Mutex};

    use flate2::read::GzDecoder;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        model::Model,
        outputs::{Account, MetricsFormat},
    };

    fn ask(address: SocketAddr, path: &str) -> String {
        String::from_utf8(ask_for(address, path, "")).expect("text")
    }

    fn ask_for(address: SocketAddr, path: &str, headers: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        answer
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(test);
    }

    #[test]
    fn serves_both_and_ends_when_asked() {
        run(async {
            let endpoint = Endpoint::bind(([127, 0, 0, 1], 0).into())
                .await
                .expect("binds");
            let address = endpoint.address();
            let taken = Endpoint::bind(address).await;
            assert!(matches!(taken, Err(BindError::InUse(a)) if a == address));
            let mut silent = Heartbeat::new();
            silent.started = Instant::now()
                .checked_sub(SILENCE)
                .expect("up for ten seconds");
            let heartbeat = Arc::new(silent);
            let (end, ended) = oneshot::channel::<()>();
            let served = tokio::spawn(endpoint.serve(
                Exposition::new(Arc::new(Mutex::new(Model::at_zero())), Account::default()),
                Arc::clone(&heartbeat),
                async {
                    let _ = ended.await;
                },
            ));
            let asked = tokio::task::spawn_blocking(move || {
                let silent = ask(address, "/healthz");
                heartbeat.beat();
                let alive = ask(address, "/healthz");
                // A request that never ends.
                let mut open = TcpStream::connect(address).expect("it listens");
                open.write_all(b"GET /metrics HTTP/1.1\r\nHost:")
                    .expect("it reads");
                let open_metrics =
                    "Accept: text/plain;q=0.5\r\nAccept: application/openmetrics-text\r\n";
                let metrics = ask_for(address, "/metrics", open_metrics);
                let metrics = String::from_utf8(metrics).expect("text");
                let packed = ask_for(address, "/metrics", "Accept-Encoding: gzip\r\n");
                (silent, alive, metrics, packed, ask(address, "/"), open)
            });
            let (silent, alive, metrics, packed, none, _open) = asked.await.expect("asks");
            assert!(silent.starts_with("HTTP/1.1 503"), "{silent}");
            assert!(
                alive.starts_with("HTTP/1.1 200") && alive.ends_with("\r\n\r\nok"),
                "{alive}"
            );
            let content_type = MetricsFormat::OpenMetrics.content_type();
            assert!(metrics.contains(&format!("content-type: {content_type}\r\n")));
            let start = packed
                .windows(4)
                .position(|w| w == b"\r\n\r\n")
                .expect("a head")
                + 4;
            let head = String::from_utf8_lossy(&packed[..start]);
            assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
            let content_type = MetricsFormat::Text.content_type();
            assert!(
                head.contains(&format!("content-type: {content_type}\r\n")),
                "{head}"
            );
            let mut text = String::new();
            let unpacked = GzDecoder::new(&packed[start..]).read_to_string(&mut text);
            unpacked.expect("gzip");
            assert!(
                text.contains("tag52_sessions 0\n") && !text.contains("# EOF"),
                "{text}"
            );
            assert!(metrics.contains("tag52_sessions 0\n") && metrics.ends_with("# EOF\n"));
            assert!(none.starts_with("HTTP/1.1 404"));
            end.send(()).expect("it still serves");
            let in_time = tokio::time::timeout(LAST_ORDERS * 3, served).await;
            in_time
                .expect("in time")
                .expect("no panic")
                .expect("no error");
        });
    }

    #[test]
    fn an_address_of_another_machine_is_named_as_such() {
        run(async {
            let address = ([192, 0, 2, 1], 9452).into();
            let error = Endpoint::bind(address).await.expect_err("not ours");
            assert_eq!(
                error.to_string(),
                "192.0.2.1:9452 is not an address of this machine"
            );
        });
    }
}
