//! Under which labels a session appears in the metrics.
//!
//! A reconnect has the labels of the connection before it. Sessions with the same CompIDs and process
//! are distinguished by the port of the listening side: the other side's port is a new one for every
//! connection.

use super::figures::SessionName;
use crate::domain::SessionId;

/// How a session appears in the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionSeries {
    /// Port of the listening side; `None` for groups.
    pub(crate) port: Option<u16>,
    /// Whether it has no series of its own and counts under [`SessionName::Other`] there.
    pub(crate) aggregated: bool,
    /// When the session was first observed, nanoseconds since 1970 UTC.
    pub(crate) since_ns: i64,
}

/// The labels that distinguish sessions in the metrics: sender, target, pid, port.
pub(crate) type SessionLabels<'a> = (&'a str, &'a str, Option<u32>, Option<u16>);

pub(super) fn labels(name: &SessionName, port: Option<u16>) -> SessionLabels<'_> {
    let pid = name.id().map(|id| id.pid);
    (name.sender(), name.target(), pid, port)
}

/// The ports that Linux assigns to connecting sockets by default (net.ipv4.ip_local_port_range).
const EPHEMERAL_PORTS: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// The port of the listening side. Where an earlier connection of the same CompIDs and process has
/// one end in common with this one, that end listens; otherwise the one whose port is not ephemeral;
/// otherwise the counterparty, since most targets connect to a venue.
pub(super) fn listening_port<'a>(
    id: &SessionId,
    earlier: impl Iterator<Item = &'a SessionId>,
) -> u16 {
    let (local, remote) = (id.local, id.remote);
    let mut related = earlier.filter(|other| {
        (&other.sender, &other.target, other.pid) == (&id.sender, &id.target, id.pid)
            && *other != id
    });
    let common = related.find_map(
        |other| match (other.local == local, other.remote == remote) {
            (true, false) => Some(local.port()),
            (false, true) => Some(remote.port()),
            _ => None,
        },
    );
    common.unwrap_or_else(|| {
        let is_ephemeral = |port| EPHEMERAL_PORTS.contains(&port);
        match (is_ephemeral(local.port()), is_ephemeral(remote.port())) {
            (false, true) => local.port(),
            _ => remote.port(),
        }
    })
}
