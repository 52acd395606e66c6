//! What a blocking call was on.

use std::{fs, path::Path};

use super::{
    pipes::{Missed, Pipes},
    proc::Proc,
    sockets::Sockets,
    syscalls,
};
use crate::domain::CallObject;

/// Descriptors and what is behind them.
#[derive(Debug)]
pub(super) struct Objects {
    proc: Proc,
    pipes: Pipes,
    sockets: Sockets,
    /// Descriptors that were closed when they were looked at.
    closed: u64,
}

/// How often an object could not be found out, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectCounts {
    /// The descriptor was closed already, or its process had ended.
    pub closed: u64,
    /// Looking for a pipe's other end took too long; it goes on the next time.
    pub pipes_cut_short: u64,
    /// A pipe's other end was asked for too soon after another's.
    pub pipes_put_off: u64,
    /// Looking for a socket took too long.
    pub sockets_cut_short: u64,
}

impl Objects {
    pub(super) fn new(proc: Proc) -> Self {
        Self {
            pipes: Pipes::new(proc.clone()),
            sockets: Sockets::new(proc.clone()),
            proc,
            closed: 0,
        }
    }

    /// The name of a system call, and what it is on. By now the descriptor may have been closed, or
    /// be another: it is looked at after the wait.
    pub(super) fn resolve(&mut self, pid: u32, number: i64, argument: u64) -> (String, CallObject) {
        let name = syscalls::name(number);
        let object = match syscalls::descriptor(&name, argument) {
            Some(descriptor) => self.behind(pid, descriptor),
            None => CallObject::None,
        };
        (name, object)
    }

    fn behind(&mut self, pid: u32, descriptor: u32) -> CallObject {
        let link = self.proc.of(pid, &format!("fd/{descriptor}"));
        let Ok(target) = fs::read_link(link) else {
            self.closed += 1;
            return CallObject::None;
        };
        let text = target.to_string_lossy();
        if let Some(inode) = numbered(&target, "pipe") {
            let others = self.pipes.others(pid, descriptor, inode);
            return CallObject::Pipe { inode, others };
        }
        if let Some(inode) = numbered(&target, "socket") {
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

    pub(super) fn counts(&self) -> ObjectCounts {
        let Missed { cut_short, put_off } = self.pipes.missed;
        ObjectCounts {
            closed: self.closed,
            pipes_cut_short: cut_short,
            pipes_put_off: put_off,
            sockets_cut_short: self.sockets.cut_short,
        }
    }
}

/// The inode in `pipe:[17]`.
fn numbered(target: &Path, kind: &str) -> Option<u64> {
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

    fn resolve(objects: &mut Objects, number: i64, descriptor: i32) -> (String, CallObject) {
        let argument = u64::try_from(descriptor).expect("positive");
        objects.resolve(std::process::id(), number, argument)
    }

    #[test]
    fn real_descriptors() {
        let mut objects = Objects::new(Proc::default());
        let (_read, write) = pipe().expect("a pipe");
        let fd = write.as_raw_fd();
        let inode = fs::metadata(format!("/proc/self/fd/{fd}"))
            .expect("it")
            .ino();
        let (name, object) = resolve(&mut objects, libc::SYS_write, fd);
        // Both ends are ours: nobody else.
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

        assert_eq!(objects.counts().closed, 0);
        assert_eq!(
            resolve(&mut objects, libc::SYS_read, i32::MAX).1,
            CallObject::None
        );
        assert_eq!(objects.counts().closed, 1);
        let (name, object) = objects.resolve(std::process::id(), -1, 0);
        assert_eq!((name.as_str(), object), ("page fault", CallObject::None));
    }
}
