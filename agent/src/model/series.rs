//! Which sessions have series of their own in the metrics, and under which labels.
//!
//! A reconnect bears the labels of the connection before it. What tells two sessions of the same
//! CompIDs and process apart is the port of the side that listens: the other side's is another one
//! each time.

use super::{figures::SessionName, session::Session};
use crate::domain::{Moment, SessionId};

/// How a session appears in the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Series {
    /// The port of the side that listens; `None` for groups.
    pub(crate) port: Option<u16>,
    /// It has no series of its own: it counts under [`SessionName::Other`] there.
    pub(crate) folded: bool,
    /// When the session was first seen, nanoseconds since 1970 UTC.
    pub(crate) since_ns: i64,
}

/// What tells sessions apart in the metrics: sender, target, pid, port.
pub(crate) type Labels<'a> = (&'a str, &'a str, Option<u32>, Option<u16>);

impl Session {
    /// Its labels in the metrics.
    pub(crate) fn labels(&self) -> Labels<'_> {
        labels(&self.name, self.series.port)
    }

    /// Whether it ended at least `grace` ago.
    pub(super) fn ended_before(&self, now: Moment, grace: std::time::Duration) -> bool {
        self.ended.is_some_and(|ended| now.since(ended) > grace)
    }
}

pub(super) fn labels(name: &SessionName, port: Option<u16>) -> Labels<'_> {
    let pid = name.id().map(|id| id.pid);
    (name.sender(), name.target(), pid, port)
}

/// The ports that Linux gives to those who connect, unless set otherwise
/// (net.ipv4.ip_local_port_range).
const GIVEN: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// The port of the side that listens. Where an earlier connection of the same CompIDs shares one
/// end with this one, that is the end; else the one that is no port Linux gives by itself; else the
/// counterparty's, as most who are watched connect to a venue.
pub(super) fn port<'a>(id: &SessionId, known: impl Iterator<Item = &'a Session>) -> u16 {
    let (local, remote) = (id.local, id.remote);
    let mut kin = known
        .filter_map(|s| s.name.id())
        .filter(|k| (&k.sender, &k.target, k.pid) == (&id.sender, &id.target, id.pid) && *k != id);
    let shared = kin.find_map(|k| match (k.local == local, k.remote == remote) {
        (true, false) => Some(local.port()),
        (false, true) => Some(remote.port()),
        _ => None,
    });
    shared.unwrap_or_else(|| {
        match (
            GIVEN.contains(&local.port()),
            GIVEN.contains(&remote.port()),
        ) {
            (false, true) => local.port(),
            _ => remote.port(),
        }
    })
}
