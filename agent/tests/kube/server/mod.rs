//! A Kubernetes API server that lists and watches pods on a port of this machine, with everything
//! that may be wrong with one.
//!
//! It uses plain sockets and a thread per connection: the tests are about streams that break off,
//! answers that do not come and lines that cannot be read, and an HTTP library would prevent most
//! of that.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// An answer that replaces the regular one.
#[derive(Clone, Debug)]
pub(crate) enum CannedAnswer {
    /// An error of the API.
    Status(u16, &'static str),
    /// Something that is not JSON.
    Garbage,
    /// Nothing for this long; then the connection ends.
    Silence(Duration),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest {
    pub(crate) watch: bool,
    /// The header of this name.
    pub(crate) authorization: Option<String>,
    pub(crate) query: BTreeMap<String, String>,
}

impl ApiRequest {
    pub(crate) fn is(&self, key: &str, value: &str) -> bool {
        self.query.get(key).map(String::as_str) == Some(value)
    }
}

#[derive(Default)]
struct ServerState {
    version: u64,
    /// The oldest version that can be watched from.
    oldest: u64,
    /// By UID.
    pods: BTreeMap<String, Value>,
    /// With the version that each one made.
    events: Vec<(u64, Value)>,
    answers: VecDeque<(bool, CannedAnswer)>,
    requests: Vec<ApiRequest>,
    /// Pods per page of a list.
    page: usize,
    /// Streams that began before this one break off.
    broken: u64,
    streams: u64,
    ended: bool,
    /// The tokens that are accepted; `None`: any, or none.
    tokens: Option<Vec<String>>,
}

/// A connection, with TLS or without.
trait ByteStream: Read + Write {}

impl<T: Read + Write> ByteStream for T {}

/// The server; it stops when this is dropped.
pub(crate) struct ApiServer {
    address: SocketAddr,
    state: Arc<(Mutex<ServerState>, Condvar)>,
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

/// A pod as the API sends it, with more fields than are decoded.
pub(crate) fn pod(
    uid: &str,
    namespace: &str,
    name: &str,
    node: &str,
    containers: &[(&str, &str)],
) -> Value {
    let spec: Vec<_> = containers
        .iter()
        .map(|(name, _)| json!({
            "name": name, "image": "registry.example/app:1",
            "env": [{"name": "A", "value": "x".repeat(200)}],
            "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"cpu": "2"}},
        }))
        .collect();
    let statuses: Vec<_> = containers
        .iter()
        .map(|(name, id)| {
            json!({
                "name": name, "containerID": format!("containerd://{id}"), "ready": true,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {},
            })
        })
        .collect();
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "uid": uid, "namespace": namespace, "name": name, "labels": {"app": name, "desk": "fx"},
            "annotations": {"kubernetes.io/config.source": "api"},
            "managedFields": [
                {"manager": "kubelet", "fieldsV1": {"f:status": {"f:x": "y".repeat(4000)}}},
            ],
        },
        "spec": {"nodeName": node, "containers": spec},
        "status": {"phase": "Running", "qosClass": "Burstable", "containerStatuses": statuses},
    })
}

fn serve(
    connection: &mut dyn ByteStream,
    shared: &(Mutex<ServerState>, Condvar),
) -> io::Result<()> {
    let request = read_request(connection)?;
    let (request, answer) = {
        let mut state = shared.0.lock().expect("state");
        state.requests.push(request.clone());
        let at = state
            .answers
            .iter()
            .position(|(watch, _)| *watch == request.watch);
        let is_accepted = match (&state.tokens, &request.authorization) {
            (None, _) => true,
            (Some(tokens), sent) => sent.as_ref().is_some_and(|sent| tokens.contains(sent)),
        };
        if !is_accepted {
            drop(state);
            return refuse(connection, 401, "Unauthorized");
        }
        (request, at.and_then(|at| state.answers.remove(at)))
    };
    match answer {
        Some((_, CannedAnswer::Status(code, why))) => return refuse(connection, code, why),
        Some((_, CannedAnswer::Garbage)) => return reply(connection, 200, "<html>sign in</html>"),
        Some((_, CannedAnswer::Silence(long))) => {
            thread::sleep(long);
            return Ok(());
        }
        None => {}
    }
    if request.watch {
        stream(connection, &request, shared)
    } else {
        let (code, body) = list(&request, &shared.0.lock().expect("state"));
        reply(connection, code, &body)
    }
}

fn read_request(connection: &mut dyn ByteStream) -> io::Result<ApiRequest> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    let mut authorization = None;
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                authorization = Some(value.to_owned());
            }
            Some(_) => {}
            None => break,
        }
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    assert_eq!(path, "/api/v1/pods");
    let query: BTreeMap<_, _> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), decoded(value)))
        .collect();
    let watch = query.get("watch").is_some_and(|watch| watch == "true");
    Ok(ApiRequest {
        watch,
        authorization,
        query,
    })
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = u8::from_str_radix(&part[..2], 16).expect("a code");
        decoded.push(code.into());
        decoded.push_str(&part[2..]);
    }
    decoded
}

/// Whether a pod matches the field selector, if there is one.
fn selected(request: &ApiRequest, pod: &Value) -> bool {
    let Some(selector) = request.query.get("fieldSelector") else {
        return true;
    };
    let node = selector.strip_prefix("spec.nodeName=").expect("of a node");
    pod["spec"]["nodeName"] == node
}

fn list(request: &ApiRequest, state: &ServerState) -> (u16, String) {
    let from: usize = request
        .query
        .get("continue")
        .map_or(0, |next| next.parse().expect("a position"));
    assert!(
        from == 0 || !request.query.contains_key("resourceVersion"),
        "a page is as old as the first"
    );
    let all: Vec<_> = state
        .pods
        .values()
        .filter(|pod| selected(request, pod))
        .collect();
    let page: Vec<_> = all.iter().skip(from).take(state.page).collect();
    let next = from + page.len();
    let mut metadata = json!({"resourceVersion": state.version.to_string()});
    if next < all.len() {
        metadata["continue"] = json!(next.to_string());
    }
    let body = json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": page});
    (200, body.to_string())
}

fn stream(
    connection: &mut dyn ByteStream,
    request: &ApiRequest,
    shared: &(Mutex<ServerState>, Condvar),
) -> io::Result<()> {
    let from = request
        .query
        .get("resourceVersion")
        .and_then(|from| from.parse().ok());
    let mut from: u64 = from.expect("a version to watch from");
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut state = shared.0.lock().expect("state");
    state.streams += 1;
    let number = state.streams;
    if from < state.oldest {
        let status = status(410, "too old resource version");
        chunk(connection, &json!({"type": "ERROR", "object": status}))?;
        return write!(connection, "0\r\n\r\n");
    }
    loop {
        // Without the last chunk: the stream breaks off.
        if state.ended || state.broken >= number {
            return Ok(());
        }
        let since = from;
        for (version, event) in state.events.iter().filter(|(version, _)| *version > since) {
            let is_pod = event["object"]["spec"].is_object();
            if !is_pod || selected(request, &event["object"]) {
                chunk(connection, event)?;
            }
            from = *version;
        }
        state = shared.1.wait(state).expect("state");
    }
}

fn chunk(connection: &mut dyn ByteStream, event: &Value) -> io::Result<()> {
    let line = format!("{event}\n");
    write!(connection, "{:x}\r\n{line}\r\n", line.len())
}

fn status(code: u16, why: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": why,
        "reason": "Failed", "code": code,
    })
}

fn refuse(connection: &mut dyn ByteStream, code: u16, why: &str) -> io::Result<()> {
    reply(connection, code, &status(code, why).to_string())
}

fn reply(connection: &mut dyn ByteStream, code: u16, body: &str) -> io::Result<()> {
    write!(
        connection,
        "HTTP/1.1 {code} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
