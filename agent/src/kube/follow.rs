//! List, then watch, for ever.
//!
//! The client library has a watcher of its own. This one differs where it matters here: a `410
//! Gone` as an answer makes it list again (that one would ask for ever), a server that takes the
//! connection and stays silent is given up on, and every answer tells whether the API is there at
//! the moment.

use std::{
    collections::HashSet,
    pin::pin,
    sync::Mutex,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt as _;
use kube::{
    Client, Config,
    api::{ListParams, Request, WatchEvent, WatchParams},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    Setup, Shared,
    api_pod::{PodList, RawPod},
    failure::{Kind, Trouble},
    lock,
};

/// How much of a list is asked for at once. Servers answer lists from their cache as a whole,
/// mostly.
const PAGE: u32 = 100;

/// Whatever the server has at hand is good enough, and much less work for it: a consistent list of
/// one node's pods may cost it a scan of the whole cluster's. The API allows that together with a
/// limit, the client library's parameters do not.
const CACHED: &str = "&resourceVersion=0&resourceVersionMatch=NotOlderThan";

/// How long a watch is asked to last, seconds; the server ends it, the next one begins.
const WATCH_S: u32 = 290;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between a failure and the next attempt, at first; twice as long each time, and a random
    /// part.
    pub first: Duration,
    /// The longest of these.
    pub longest: Duration,
    /// For an answer to begin, and for a page of a list to be there.
    pub answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            answer: Duration::from_secs(30),
        }
    }
}

/// Follows the pods until `stopped` is told or dropped.
pub(super) fn run(setup: Setup, shared: &Mutex<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            failed(shared, &Trouble::new(Kind::Config, error.to_string()));
            return;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            () = follow(&setup, shared) => {}
        }
    });
}

async fn follow(setup: &Setup, shared: &Mutex<Shared>) {
    let mut pause = Pause::new(setup.timing);
    let mut client = None;
    let mut token = Token::default();
    // From where to watch; nothing: all has to be listed first.
    let mut version: Option<String> = None;
    loop {
        if token.has_changed(&setup.config) {
            client = None;
        }
        let connected = match client.take() {
            Some(connected) => Ok(connected),
            // It reads certificates, which may come later.
            None => connect(&setup.config, &token),
        };
        let began = Instant::now();
        let done = match connected {
            Ok(connected) => {
                let follower = Follower {
                    client: connected,
                    setup,
                    shared,
                };
                let done = follower.step(&mut version).await;
                client = Some(follower.client);
                done
            }
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = done {
            failed(shared, &trouble);
            match trouble.kind {
                Kind::Gone => version = None,
                // The files that say who asks, and who may be trusted, may be others by the next
                // attempt.
                Kind::Unauthorized | Kind::Tls => client = None,
                _ => {}
            }
            sleep(pause.next(began)).await;
        }
    }
}

/// A client that shows this token, if there is one.
fn connect(config: &Config, token: &Token) -> Result<Client, Trouble> {
    let mut config = config.clone();
    if let Some(token) = &token.0 {
        config.auth_info.token_file = None;
        config.auth_info.token = Some(token.clone().into());
    }
    Client::try_from(config).map_err(|error| Trouble::of(&error))
}

/// The token from the file that the configuration names. The client library reads such a file as
/// well: it goes on with an old token for a minute, and fails where the file ends with a line feed.
#[derive(Default)]
struct Token(Option<String>);

impl Token {
    /// Reads the file; what it cannot read does not change: kubelets replace such files, and an old
    /// token is good for some time yet.
    fn has_changed(&mut self, config: &Config) -> bool {
        let file = config.auth_info.token_file.as_ref();
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        let token = text.map(|text| text.trim().to_owned());
        let token = token.filter(|token| !token.is_empty());
        if token.is_none() || token == self.0 {
            return false;
        }
        self.0 = token;
        true
    }
}

/// Counts a failure, and tells of the first of its kind.
fn failed(shared: &Mutex<Shared>, trouble: &Trouble) {
    let mut shared = lock(shared);
    shared.up = false;
    count(&mut shared, trouble);
}

fn count(shared: &mut Shared, trouble: &Trouble) {
    let at = trouble.kind as usize;
    shared.errors[at] += 1;
    if !std::mem::replace(&mut shared.said[at], true)
        && let Some(told) = trouble.told()
    {
        log::warn!("{told}");
    }
}

struct Follower<'a> {
    client: Client,
    setup: &'a Setup,
    shared: &'a Mutex<Shared>,
}

impl Follower<'_> {
    /// One list, or one watch from its beginning to its end.
    async fn step(&self, version: &mut Option<String>) -> Result<(), Trouble> {
        match version {
            None => {
                *version = Some(self.list().await?);
                Ok(())
            }
            Some(version) => self.watch(version).await,
        }
    }

    fn selector(&self) -> String {
        format!("spec.nodeName={}", self.setup.node)
    }

    /// All pods of the node; gives the version from which to watch.
    async fn list(&self) -> Result<String, Trouble> {
        let mut params = ListParams::default().fields(&self.selector()).limit(PAGE);
        let mut seen = HashSet::new();
        loop {
            let request = request().list(&params);
            let mut request = request.map_err(|e| Trouble::new(Kind::Config, e.to_string()))?;
            if params.continue_token.is_none()
                && let Ok(uri) = format!("{}{CACHED}", request.uri()).parse()
            {
                *request.uri_mut() = uri;
            }
            let page = self.client.request::<PodList>(request);
            let page = self.in_time(page, "list").await?;
            let now = Instant::now();
            let mut shared = lock(self.shared);
            for pod in page.items.into_iter().flatten() {
                seen.insert(pod.uid().to_owned());
                apply(&mut shared, pod, now);
            }
            if page.metadata.next.is_empty() {
                if page.metadata.resource_version.is_empty() {
                    return Err(Trouble::new(Kind::Decode, "a list without a version"));
                }
                shared.pods.only(&seen, now);
                (shared.up, shared.listed) = (true, true);
                return Ok(page.metadata.resource_version);
            }
            drop(shared);
            params.continue_token = Some(page.metadata.next);
        }
    }

    /// What changes from a version on, until the server has enough of it.
    async fn watch(&self, version: &mut String) -> Result<(), Trouble> {
        let params = WatchParams::default()
            .fields(&self.selector())
            .timeout(WATCH_S);
        let request = request().watch(&params, version);
        let request = request.map_err(|e| Trouble::new(Kind::Config, e.to_string()))?;
        let began = Instant::now();
        let events = self.client.request_events::<RawPod>(request);
        let mut events = pin!(self.in_time(events, "watch").await?);
        lock(self.shared).up = true;
        let mut any = false;
        // Over a connection that is dead nobody would tell.
        let longest = Duration::from_secs(WATCH_S.into()) + self.setup.timing.answer;
        while let Ok(next) = timeout(longest, events.try_next()).await {
            let event = match next.map_err(|error| Trouble::of(&error)) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                // One line. To ask from the same version again would get it again.
                Err(trouble) if trouble.kind == Kind::Decode => {
                    count(&mut lock(self.shared), &trouble);
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            any = true;
            let now = Instant::now();
            let mut shared = lock(self.shared);
            match event {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                    pod.resource_version().clone_into(version);
                    apply(&mut shared, pod, now);
                }
                WatchEvent::Deleted(pod) => {
                    pod.resource_version().clone_into(version);
                    shared.pods.gone(pod.uid(), now);
                }
                WatchEvent::Bookmark(mark) => *version = mark.metadata.resource_version,
                WatchEvent::Error(status) => return Err(Trouble::of_status(&status)),
            }
        }
        if !any && began.elapsed() < Duration::from_secs(1) {
            return Err(Trouble::new(Kind::Unreachable, "the watch ended at once"));
        }
        Ok(())
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = kube::Result<T>>,
        what: &str,
    ) -> Result<T, Trouble> {
        match timeout(self.setup.timing.answer, answer).await {
            Ok(answer) => answer.map_err(|error| Trouble::of(&error)),
            Err(_) => {
                let limit = self.setup.timing.answer;
                let detail = format!("no answer to a {what} of pods within {limit:?}");
                Err(Trouble::new(Kind::Unreachable, detail))
            }
        }
    }
}

/// Pods of all namespaces.
fn request() -> Request {
    Request::new("/api/v1/pods")
}

fn apply(shared: &mut Shared, pod: RawPod, now: Instant) {
    if !shared.pods.apply(pod, now) {
        count(shared, &Trouble::new(Kind::Crowded, "no room"));
    }
}

/// How long to wait before the next attempt.
struct Pause {
    timing: Timing,
    next: Duration,
    random: std::hash::RandomState,
}

impl Pause {
    fn new(timing: Timing) -> Self {
        Self {
            timing,
            next: timing.first,
            random: std::hash::RandomState::new(),
        }
    }

    /// After an attempt that began then: one that went well for long enough makes the next failure
    /// a first.
    fn next(&mut self, began: Instant) -> Duration {
        if began.elapsed() > 2 * self.timing.longest {
            self.next = self.timing.first;
        }
        let wait = self.next;
        self.next = (wait * 2).min(self.timing.longest);
        // A fifth more at the most: a cluster's agents shall not all come back at once.
        let spread = std::hash::BuildHasher::hash_one(&self.random, began) % 200;
        wait + wait * u32::try_from(spread).unwrap_or(0) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let timing = Timing {
            first: Duration::from_millis(100),
            longest: Duration::from_millis(800),
            answer: Duration::from_secs(1),
        };
        let mut pause = Pause::new(timing);
        let waits: Vec<_> = (0..6).map(|_| pause.next(Instant::now())).collect();
        for (wait, least) in waits.iter().zip([100, 200, 400, 800, 800, 800]) {
            let least = Duration::from_millis(least);
            assert!((least..=least * 6 / 5).contains(wait), "{wait:?}");
        }
    }
}
