//! What the server has, and what it was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex},
    time::Duration,
};

use serde_json::Value;

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

/// What the server has and how it answers.
#[derive(Default)]
pub(super) struct ServerState {
    pub(super) version: u64,
    /// The oldest version that can be watched from.
    pub(super) oldest: u64,
    /// By UID.
    pub(super) pods: BTreeMap<String, Value>,
    /// With the version that each one made.
    pub(super) events: Vec<(u64, Value)>,
    pub(super) answers: VecDeque<(bool, CannedAnswer)>,
    pub(super) requests: Vec<ApiRequest>,
    /// Pods per page of a list.
    pub(super) page: usize,
    /// Streams that began before this one break off.
    pub(super) broken: u64,
    pub(super) streams: u64,
    pub(super) ended: bool,
    /// The tokens that are accepted; `None`: any, or none.
    pub(super) tokens: Option<Vec<String>>,
}

/// The state, and what is notified when it changes.
pub(super) type SharedState = (Mutex<ServerState>, Condvar);
