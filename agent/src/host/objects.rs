//! The objects of blocking system calls.

use std::{fs, path::Path};

use super::{pipes::PipePeers, proc::ProcRoot, sockets::SocketPeers, syscalls};
use crate::domain::CallObject;

/// Resolves file descriptors to the pipes, sockets and files behind them.
#[derive(Debug)]
pub(super) struct ObjectResolver {
    proc: ProcRoot,
    pipes: PipePeers,
    sockets: SocketPeers,
    /// Descriptors that had been closed already.
    closed: u64,
}

/// How often an object could not be resolved, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ObjectFailures {
    /// The descriptor had been closed, or its process had ended.
    pub(super) closed: u64,
    /// The search for a pipe's other end took too long; it is continued the next time.
    pub(super) pipes_cut_short: u64,
    /// A pipe's other end was not searched because the search before was too recent.
    pub(super) pipes_deferred: u64,
    /// The search for a socket took too long.
    pub(super) sockets_cut_short: u64,
}

impl ObjectResolver {
    pub(super) fn new(proc: ProcRoot) -> Self {
        Self {
            pipes: PipePeers::new(proc.clone()),
            sockets: SocketPeers::new(proc.clone()),
            proc,
            closed: 0,
        }
    }

    /// The name of a system call, and the object it is on. It is resolved after the wait: the
    /// descriptor may have been closed or reused by then.
    pub(super) fn resolve(&mut self, pid: u32, number: i64, argument: u64) -> (String, CallObject) {
        let name = syscalls::name(number);
        let object = match syscalls::descriptor(&name, argument) {
            Some(descriptor) => self.object(pid, descriptor),
            None => CallObject::None,
        };
        (name, object)
    }

    fn object(&mut self, pid: u32, descriptor: u32) -> CallObject {
        let link = self.proc.file(pid, &format!("fd/{descriptor}"));
        let Ok(target) = fs::read_link(link) else {
            self.closed += 1;
            return CallObject::None;
        };
        let text = target.to_string_lossy();
        if let Some(inode) = inode_of(&target, "pipe") {
            let others = self.pipes.others(pid, descriptor, inode);
            return CallObject::Pipe { inode, others };
        }
        if let Some(inode) = inode_of(&target, "socket") {
            return match self.sockets.peer(pid, inode) {
                Some(peer) => CallObject::Socket { peer },
                None => CallObject::Other(text.into_owned()),
            };
        }
        if target.is_absolute() {
            return CallObject::File {
                path: text.into_owned(),
            };
        }
        CallObject::Other(text.into_owned())
    }

    pub(super) fn failures(&self) -> ObjectFailures {
        ObjectFailures {
            closed: self.closed,
            pipes_cut_short: self.pipes.failures().cut_short,
            pipes_deferred: self.pipes.failures().deferred,
            sockets_cut_short: self.sockets.cut_short(),
        }
    }
}

/// The inode in the target of a link such as `pipe:[17]`.
fn inode_of(target: &Path, kind: &str) -> Option<u64> {
    let rest = target.to_str()?.strip_prefix(kind)?;
    rest.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        io::pipe,
        net::{TcpListener, TcpStream},
        os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    };

    use super::*;

    fn resolve(objects: &mut ObjectResolver, number: i64, descriptor: i32) -> (String, CallObject) {
        let argument = u64::try_from(descriptor).expect("positive");
        objects.resolve(std::process::id(), number, argument)
    }

    #[test]
    fn the_objects_of_real_descriptors() {
        let mut objects = ObjectResolver::new(ProcRoot::default());
        let (_read, write) = pipe().expect("a pipe");
        let fd = write.as_raw_fd();
        let inode = fs::metadata(format!("/proc/self/fd/{fd}"))
            .expect("it")
            .ino();
        let (name, object) = resolve(&mut objects, libc::SYS_write, fd);
        // Both ends are ours, and no other process has one.
        let others = Vec::new();
        assert_eq!(
            (name.as_str(), object),
            ("write", CallObject::Pipe { inode, others })
        );

        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_str().expect("text").to_owned();
        let fd = file.as_file().as_raw_fd();
        let (name, object) = resolve(&mut objects, libc::SYS_fsync, fd);
        assert_eq!(
            (name.as_str(), object),
            ("fsync", CallObject::File { path })
        );
        assert_eq!(
            resolve(&mut objects, libc::SYS_futex, fd).1,
            CallObject::None
        );

        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let at = listener.local_addr().expect("an address");
        let client = TcpStream::connect(at).expect("connected");
        let (name, object) = resolve(&mut objects, libc::SYS_recvfrom, client.as_raw_fd());
        let peer = at.to_string();
        assert_eq!(
            (name.as_str(), object),
            ("recvfrom", CallObject::Socket { peer })
        );

        // SAFETY: no pointers are passed; the descriptor is ours alone.
        let epoll = unsafe {
            use std::os::fd::FromRawFd as _;
            std::os::fd::OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC))
        };
        let (_, object) = resolve(&mut objects, libc::SYS_epoll_pwait, epoll.as_raw_fd());
        assert_eq!(
            object,
            CallObject::Other("anon_inode:[eventpoll]".to_owned())
        );

        assert_eq!(objects.failures().closed, 0);
        assert_eq!(
            resolve(&mut objects, libc::SYS_read, i32::MAX).1,
            CallObject::None
        );
        assert_eq!(objects.failures().closed, 1);
        let (name, object) = objects.resolve(std::process::id(), -1, 0);
        assert_eq!((name.as_str(), object), ("page fault", CallObject::None));
    }
}
