//! A Kubernetes API server that lists and watches pods on a port of this machine, with everything
//! that may be wrong with one.
//!
//! It uses plain sockets and a thread per connection: the tests are about streams that break off,
//! answers that do not come and lines that cannot be read, and an HTTP library would prevent most
//! of that.

mod connection;
mod pod;
mod state;

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use connection::serve;
use state::{ServerState, SharedState};

pub(crate) use pod::pod;
pub(crate) use state::{ApiRequest, CannedAnswer};

/// The server; it stops when this is dropped.
pub(crate) struct ApiServer {
    address: SocketAddr,
    state: Arc<SharedState>,
}

impl ApiServer {
    pub(crate) fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// On an address that another server may have had before.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self::with(address, None)
    }

    /// On a free port, over TLS.
    pub(crate) fn secure(tls: Arc<ServerConfig>) -> Self {
        Self::with(SocketAddr::from(([127, 0, 0, 1], 0)), Some(tls))
    }

    fn with(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = ServerState {
            version: 100,
            page: usize::MAX,
            ..ServerState::default()
        };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.0.lock().expect("state").ended {
                    return;
                }
                let (Ok(mut connection), shared) = (connection, Arc::clone(&shared)) else {
                    continue;
                };
                let tls = tls.clone();
                // The client may be gone at any time.
                thread::spawn(move || match tls {
                    None => drop(serve(&mut connection, &shared)),
                    Some(tls) => {
                        let session = ServerConnection::new(tls).expect("TLS");
                        let mut secure = StreamOwned::new(session, connection);
                        drop(serve(&mut secure, &shared));
                        secure.conn.send_close_notify();
                        let _gone = secure.flush();
                    }
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.0.lock().expect("state")
    }

    fn change(&self, change: impl FnOnce(&mut ServerState)) {
        change(&mut self.state());
        self.state.1.notify_all();
    }

    /// Adds a pod, or changes it.
    pub(crate) fn put(&self, mut pod: Value) {
        self.change(|state| {
            state.version += 1;
            pod["metadata"]["resourceVersion"] = json!(state.version.to_string());
            let uid = pod["metadata"]["uid"].as_str().expect("a UID").to_owned();
            let existed = state.pods.insert(uid, pod.clone()).is_some();
            let kind = if existed { "MODIFIED" } else { "ADDED" };
            let event = json!({"type": kind, "object": pod});
            state.events.push((state.version, event));
        });
    }

    pub(crate) fn delete(&self, uid: &str) {
        self.change(|state| {
            state.version += 1;
            let mut pod = state.pods.remove(uid).expect("a pod");
            pod["metadata"]["resourceVersion"] = json!(state.version.to_string());
            let event = json!({"type": "DELETED", "object": pod});
            state.events.push((state.version, event));
        });
    }

    /// Sends a bookmark to every watch. Pods of other nodes have raised the version.
    pub(crate) fn bookmark(&self) -> u64 {
        self.change(|state| {
            state.version += 10;
            let version = state.version.to_string();
            let object = json!({
                "kind": "Pod", "apiVersion": "v1",
                "metadata": {"resourceVersion": version, "creationTimestamp": null},
            });
            let event = json!({"type": "BOOKMARK", "object": object});
            state.events.push((state.version, event));
        });
        self.state().version
    }

    /// Sends a line that is no event to every watch.
    pub(crate) fn garble(&self) {
        self.change(|state| {
            state.version += 1;
            state.events.push((state.version, json!("what?")));
        });
    }

    /// Answers the next list, or watch, with this.
    pub(crate) fn answer(&self, watch: bool, answer: CannedAnswer) {
        self.state().answers.push_back((watch, answer));
    }

    /// Accepts only these tokens from now on; all streams break off.
    pub(crate) fn set_tokens(&self, tokens: &[&str]) {
        let tokens = tokens.iter().map(|token| format!("Bearer {token}"));
        let tokens = Some(tokens.collect());
        self.change(|state| {
            state.tokens = tokens;
            state.broken = state.streams;
        });
    }

    /// Limits the pods per page of a list.
    pub(crate) fn set_page(&self, page: usize) {
        self.state().page = page;
    }

    /// Breaks all streams off.
    pub(crate) fn break_off(&self) {
        self.change(|state| state.broken = state.streams);
    }

    /// Makes all versions so far too old to watch from; all streams break off.
    pub(crate) fn forget(&self) {
        self.change(|state| {
            state.version += 1;
            state.oldest = state.version;
            state.events.clear();
            state.broken = state.streams;
        });
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<ApiRequest> {
        self.state().requests.clone()
    }

    pub(crate) fn lists(&self) -> usize {
        self.requests()
            .iter()
            .filter(|request| !request.watch)
            .count()
    }

    pub(crate) fn watches(&self) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.watch)
            .count()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.change(|state| {
            state.ended = true;
            state.broken = state.streams;
        });
        // The accepting thread waits for a connection.
        let _last = TcpStream::connect(self.address);
    }
}
