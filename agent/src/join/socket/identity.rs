//! Whose socket it is: the process, both addresses and the session on it.

use std::{net::SocketAddr, sync::Arc};

use agent_common::SocketOpened;

use super::address::address;
use crate::{domain::SessionId, streams::fix::Header};

/// The process, the addresses and the session of one socket.
#[derive(Debug)]
pub(super) struct Identity {
    local: SocketAddr,
    remote: SocketAddr,
    /// The process that read it last.
    pid: u32,
    /// `None` before the first message.
    session: Option<Arc<SessionId>>,
}

impl Identity {
    pub(super) fn new(opened: &SocketOpened) -> Self {
        Self {
            local: address(opened.family, opened.local_address, opened.local_port),
            remote: address(opened.family, opened.remote_address, opened.remote_port),
            pid: opened.tgid,
            session: None,
        }
    }

    /// Whether the local or the remote port is `port`.
    pub(super) const fn has_port(&self, port: u16) -> bool {
        self.local.port() == port || self.remote.port() == port
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) const fn set_pid(&mut self, pid: u32) {
        self.pid = pid;
    }

    /// The session of the latest message.
    pub(super) const fn session(&self) -> Option<&Arc<SessionId>> {
        self.session.as_ref()
    }

    /// Ends the session.
    pub(super) const fn take_session(&mut self) -> Option<Arc<SessionId>> {
        self.session.take()
    }

    /// The session of a message: a new one when the CompIDs or the process have changed.
    pub(super) fn session_of(&mut self, header: &Header) -> Arc<SessionId> {
        if let Some(session) = &self.session
            && session.sender == header.sender.as_str()
            && session.target == header.target.as_str()
            && session.pid == self.pid
        {
            return Arc::clone(session);
        }
        let session = Arc::new(SessionId {
            sender: header.sender.as_str().to_owned(),
            target: header.target.as_str().to_owned(),
            local: self.local,
            remote: self.remote,
            pid: self.pid,
        });
        self.session = Some(Arc::clone(&session));
        session
    }
}
