//! Follows the pods: lists them once, then watches them, and starts over after failures.
//!
//! The client library has a watcher of its own. This one differs where it matters here: it lists
//! again after a `410 Gone` as an answer (the library's would ask for ever), it gives up on a
//! server that accepts the connection and stays silent, and every answer says whether the API can
//! be reached at the moment.

use std::{
    collections::HashSet,
    pin::pin,
    sync::Mutex,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt as _;
use kube::{
    Client,
    api::{ListParams, Request, WatchEvent, WatchParams},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    api_pod::{ApiPod, ApiPodList},
    backoff::Backoff,
    client::{BearerToken, connect},
    failure::{ApiFailure, FailureKind},
    setup::KubeSetup,
    shared::{SharedPods, lock},
};

/// Pods asked for in one page of a list. Most servers answer from their cache, as a whole.
const PAGE_PODS: u32 = 100;

/// Makes the server answer a list from its cache, however old: a consistent list of one node's pods
/// may cost it a scan of the whole cluster's. The API allows that together with a limit; the client
/// library's parameters do not.
const FROM_CACHE: &str = "&resourceVersion=0&resourceVersionMatch=NotOlderThan";

/// How long a watch is asked to last, seconds. The server ends it, and the next one begins.
const WATCH_S: u32 = 290;

/// Follows the pods until `stopped` is sent or its sender dropped.
pub(super) fn run(setup: &KubeSetup, shared: &Mutex<SharedPods>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = ApiFailure::new(FailureKind::Config, error.to_string());
            lock(shared).count(&failure);
            return;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            () = follow(setup, shared) => {}
        }
    });
}

async fn follow(setup: &KubeSetup, shared: &Mutex<SharedPods>) {
    let mut backoff = Backoff::new(setup.timeouts);
    let mut client = None;
    let mut token = BearerToken::default();
    // The version to watch from; `None`: the pods have to be listed first.
    let mut version: Option<String> = None;
    loop {
        if token.has_changed(&setup.config) {
            client = None;
        }
        let connected = match client.take() {
            Some(connected) => Ok(connected),
            // Reads the certificates, which may be there only now.
            None => connect(&setup.config, &token),
        };
        let began = Instant::now();
        let stepped = match connected {
            Ok(connected) => {
                let follower = PodFollower {
                    client: connected,
                    setup,
                    shared,
                };
                let stepped = follower.step(&mut version).await;
                client = Some(follower.client);
                stepped
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = stepped {
            {
                let mut shared = lock(shared);
                shared.up = false;
                shared.count(&failure);
            }
            match failure.kind {
                FailureKind::Gone => version = None,
                // The files with the token and the CA may have been replaced by the next attempt.
                FailureKind::Unauthorized | FailureKind::Tls => client = None,
                _ => {}
            }
            sleep(backoff.next(began)).await;
        }
    }
}

/// One attempt to follow the pods, with a client.
struct PodFollower<'a> {
    client: Client,
    setup: &'a KubeSetup,
    shared: &'a Mutex<SharedPods>,
}

impl PodFollower<'_> {
    /// Makes one list, or one watch from its beginning to its end.
    async fn step(&self, version: &mut Option<String>) -> Result<(), ApiFailure> {
        match version {
            None => {
                *version = Some(self.list().await?);
                Ok(())
            }
            Some(version) => self.watch(version).await,
        }
    }

    fn field_selector(&self) -> String {
        format!("spec.nodeName={}", self.setup.node)
    }

    /// Lists all pods of the node; the version from which to watch them.
    async fn list(&self) -> Result<String, ApiFailure> {
        let mut params = ListParams::default()
            .fields(&self.field_selector())
            .limit(PAGE_PODS);
        let mut uids = HashSet::new();
        loop {
            let request = request().list(&params);
            let mut request =
                request.map_err(|e| ApiFailure::new(FailureKind::Config, e.to_string()))?;
            if params.continue_token.is_none()
                && let Ok(uri) = format!("{}{FROM_CACHE}", request.uri()).parse()
            {
                *request.uri_mut() = uri;
            }
            let page = self.client.request::<ApiPodList>(request);
            let page = self.within_timeout(page, "list").await?;
            let now = Instant::now();
            let mut shared = lock(self.shared);
            for pod in page.items.into_iter().flatten() {
                uids.insert(pod.uid().to_owned());
                apply(&mut shared, pod, now);
            }
            if page.metadata.next.is_empty() {
                if page.metadata.resource_version.is_empty() {
                    let detail = "a list without a resource version";
                    return Err(ApiFailure::new(FailureKind::Decode, detail));
                }
                shared.pods.retain_listed(&uids, now);
                (shared.up, shared.listed) = (true, true);
                return Ok(page.metadata.resource_version);
            }
            drop(shared);
            params.continue_token = Some(page.metadata.next);
        }
    }

    /// Applies the changes from a version on, until the server ends the watch.
    async fn watch(&self, version: &mut String) -> Result<(), ApiFailure> {
        let params = WatchParams::default()
            .fields(&self.field_selector())
            .timeout(WATCH_S);
        let request = request().watch(&params, version);
        let request = request.map_err(|e| ApiFailure::new(FailureKind::Config, e.to_string()))?;
        let began = Instant::now();
        let events = self.client.request_events::<ApiPod>(request);
        let mut events = pin!(self.within_timeout(events, "watch").await?);
        lock(self.shared).up = true;
        let mut any = false;
        // Nothing else reports that a connection is dead.
        let limit = Duration::from_secs(WATCH_S.into()) + self.setup.timeouts.response;
        while let Ok(next) = timeout(limit, events.try_next()).await {
            let event = match next.map_err(|error| ApiFailure::from_error(&error)) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                // One line that cannot be read. A watch from the same version would receive it
                // again.
                Err(failure) if failure.kind == FailureKind::Decode => {
                    lock(self.shared).count(&failure);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            any = true;
            self.apply_event(event, version)?;
        }
        if !any && began.elapsed() < Duration::from_secs(1) {
            let detail = "the server ended the watch within a second";
            return Err(ApiFailure::new(FailureKind::Unreachable, detail));
        }
        Ok(())
    }

    fn apply_event(
        &self,
        event: WatchEvent<ApiPod>,
        version: &mut String,
    ) -> Result<(), ApiFailure> {
        let now = Instant::now();
        let mut shared = lock(self.shared);
        match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                pod.resource_version().clone_into(version);
                apply(&mut shared, pod, now);
            }
            WatchEvent::Deleted(pod) => {
                pod.resource_version().clone_into(version);
                shared.pods.end(pod.uid(), now);
            }
            WatchEvent::Bookmark(mark) => *version = mark.metadata.resource_version,
            WatchEvent::Error(status) => return Err(ApiFailure::from_status(&status)),
        }
        Ok(())
    }

    /// The answer to a request, unless it takes too long.
    async fn within_timeout<T>(
        &self,
        answer: impl Future<Output = kube::Result<T>>,
        what: &str,
    ) -> Result<T, ApiFailure> {
        let limit = self.setup.timeouts.response;
        match timeout(limit, answer).await {
            Ok(answer) => answer.map_err(|error| ApiFailure::from_error(&error)),
            Err(_) => {
                let detail = format!("no answer to a {what} of pods within {limit:?}");
                Err(ApiFailure::new(FailureKind::Unreachable, detail))
            }
        }
    }
}

/// A request for the pods of all namespaces.
fn request() -> Request {
    Request::new("/api/v1/pods")
}

fn apply(shared: &mut SharedPods, pod: ApiPod, now: Instant) {
    if !shared.pods.apply(pod, now) {
        shared.count(&ApiFailure::new(FailureKind::Crowded, "the table is full"));
    }
}
