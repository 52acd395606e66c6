//! The peer of a socket.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufRead as _, BufReader},
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use lru::LruCache;
use procfs::{
    FromBufReadSI as _,
    net::{TcpNetEntries, TcpState},
};

use super::proc::Proc;

/// So many sockets are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// So long they are not looked at again.
const FRESH: Duration = Duration::from_secs(5);

/// So long the tables are looked through, at the most.
const BUDGET: Duration = Duration::from_millis(20);

/// Peers by socket.
#[derive(Debug)]
pub(super) struct Sockets {
    proc: Proc,
    known: LruCache<u64, (Option<String>, Instant)>,
    /// How often the time was up before a socket was found.
    pub(super) cut_short: u64,
}

impl Sockets {
    pub(super) fn new(proc: Proc) -> Self {
        Self {
            proc,
            known: LruCache::new(KEPT),
            cut_short: 0,
        }
    }

    /// The peer of a process's socket (`127.0.0.1:5432`, `unix`); `None` for another family, or
    /// when it cannot be found.
    pub(super) fn peer(&mut self, pid: u32, inode: u64) -> Option<String> {
        let now = Instant::now();
        if let Some((peer, looked)) = self.known.get(&inode)
            && now.saturating_duration_since(*looked) < FRESH
        {
            return peer.clone();
        }
        let peer = self.find(pid, inode, now);
        self.known.put(inode, (peer.clone(), now));
        peer
    }

    fn find(&mut self, pid: u32, inode: u64, begun: Instant) -> Option<String> {
        let number = inode.to_string();
        // In the process's own network namespace. The inode's column, and how to read the line.
        type Read = fn(&str) -> Option<String>;
        let tables: [(&str, usize, Read); 5] = [
            ("tcp", 9, internet),
            ("tcp6", 9, internet),
            ("unix", 6, unix),
            ("udp", 9, internet),
            ("udp6", 9, internet),
        ];
        for (table, column, read) in tables {
            let Ok(file) = File::open(self.proc.of(pid, &format!("net/{table}"))) else {
                continue;
            };
            let lines = BufReader::with_capacity(1 << 16, file).split(b'\n');
            for (n, line) in lines.map_while(Result::ok).enumerate() {
                let line = String::from_utf8_lossy(&line);
                if line.split_ascii_whitespace().nth(column) == Some(&number) {
                    return read(&line);
                }
                if n % 256 == 255 && begun.elapsed() >= BUDGET {
                    self.cut_short += 1;
                    return None;
                }
            }
        }
        None
    }
}

/// From a line of `tcp`, `tcp6`, `udp` or `udp6`.
fn internet(line: &str) -> Option<String> {
    let table = format!("\n{line}\n");
    let entries = TcpNetEntries::from_buf_read(table.as_bytes(), procfs::current_system_info());
    let entry = entries.ok()?.0.pop()?;
    if entry.state == TcpState::Listen {
        return Some(format!("listening on {}", plain(entry.local_address)));
    }
    Some(plain(entry.remote_address).to_string())
}

/// IPv4 addresses as such in IPv6 sockets too.
fn plain(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = address.ip().to_canonical();
    SocketAddr::new(ip, address.port())
}

/// From a line of `unix`: the kernel names no peers there, but what the socket is bound to.
fn unix(line: &str) -> Option<String> {
    let mut peer = "unix".to_owned();
    if let Some(path) = line.split_ascii_whitespace().nth(7) {
        let _ = write!(peer, ":{path}");
    }
    Some(peer)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        net::{TcpListener, TcpStream, UdpSocket},
        os::{
            fd::AsRawFd,
            unix::{
                fs::MetadataExt as _,
                net::{UnixListener, UnixStream},
            },
        },
    };

    use super::*;

    fn peer(sockets: &mut Sockets, socket: &impl AsRawFd) -> Option<String> {
        let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let inode = fs::metadata(path).expect("it").ino();
        sockets.peer(std::process::id(), inode)
    }

    #[test]
    fn peers_of_real_sockets() {
        let mut sockets = Sockets::new(Proc::default());
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let at = listener.local_addr().expect("an address");
        let client = TcpStream::connect(at).expect("connected");
        let (server, from) = listener.accept().expect("accepted");
        assert_eq!(peer(&mut sockets, &client), Some(at.to_string()));
        assert_eq!(peer(&mut sockets, &server), Some(from.to_string()));
        assert_eq!(
            peer(&mut sockets, &listener),
            Some(format!("listening on {at}"))
        );

        let udp = UdpSocket::bind("127.0.0.1:0").expect("bound");
        udp.connect("127.0.0.1:53").expect("connected");
        assert_eq!(peer(&mut sockets, &udp).as_deref(), Some("127.0.0.1:53"));

        let (one, _other) = UnixStream::pair().expect("a pair");
        assert_eq!(peer(&mut sockets, &one).as_deref(), Some("unix"));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let bound = UnixListener::bind(&path).expect("bound");
        let name = format!("unix:{}", path.display());
        assert_eq!(peer(&mut sockets, &bound), Some(name));
        assert_eq!(sockets.peer(std::process::id(), 1), None);
        assert_eq!(sockets.cut_short, 0);
    }

    #[test]
    fn an_ipv4_peer_of_an_ipv6_socket_looks_like_one() {
        let Ok(listener) = TcpListener::bind("[::]:0") else {
            return; // no IPv6 here
        };
        let port = listener.local_addr().expect("an address").port();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        let (server, _) = listener.accept().expect("accepted");
        let from = client.local_addr().expect("an address");
        let mut sockets = Sockets::new(Proc::default());
        assert_eq!(peer(&mut sockets, &server), Some(from.to_string()));
    }
}
