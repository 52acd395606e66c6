//! The peers of sockets.

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

use super::proc::ProcRoot;

/// Sockets retained, at most.
const MAX_SOCKETS: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// How long a result is valid.
const VALIDITY: Duration = Duration::from_secs(5);

/// How long a search takes, at most.
const SEARCH_BUDGET: Duration = Duration::from_millis(20);

/// The peers of sockets, by inode.
#[derive(Debug)]
pub(super) struct SocketPeers {
    proc: ProcRoot,
    /// With the time of the search.
    peers: LruCache<u64, (Option<String>, Instant)>,
    cut_short: u64,
}

impl SocketPeers {
    pub(super) fn new(proc: ProcRoot) -> Self {
        Self {
            proc,
            peers: LruCache::new(MAX_SOCKETS),
            cut_short: 0,
        }
    }

    /// How often a search took too long, since the start.
    pub(super) const fn cut_short(&self) -> u64 {
        self.cut_short
    }

    /// The peer of a process's socket (`127.0.0.1:5432`, `unix`); `None` for sockets of other
    /// families, or when it is not found.
    pub(super) fn peer(&mut self, pid: u32, inode: u64) -> Option<String> {
        let now = Instant::now();
        if let Some((peer, searched)) = self.peers.get(&inode)
            && now.saturating_duration_since(*searched) < VALIDITY
        {
            return peer.clone();
        }
        let peer = self.search(pid, inode, now);
        self.peers.put(inode, (peer.clone(), now));
        peer
    }

    fn search(&mut self, pid: u32, inode: u64, begun: Instant) -> Option<String> {
        let number = inode.to_string();
        // The tables of the process's network namespace, with the column of the inode and the
        // parser of a line.
        type ParseLine = fn(&str) -> Option<String>;
        let tables: [(&str, usize, ParseLine); 5] = [
            ("tcp", 9, inet_peer),
            ("tcp6", 9, inet_peer),
            ("unix", 6, unix_name),
            ("udp", 9, inet_peer),
            ("udp6", 9, inet_peer),
        ];
        for (table, column, parse) in tables {
            let Ok(file) = File::open(self.proc.file(pid, &format!("net/{table}"))) else {
                continue;
            };
            let lines = BufReader::with_capacity(1 << 16, file).split(b'\n');
            for (n, line) in lines.map_while(Result::ok).enumerate() {
                let line = String::from_utf8_lossy(&line);
                if line.split_ascii_whitespace().nth(column) == Some(&number) {
                    return parse(&line);
                }
                if n % 256 == 255 && begun.elapsed() >= SEARCH_BUDGET {
                    self.cut_short += 1;
                    return None;
                }
            }
        }
        None
    }
}

/// The peer in a line of `tcp`, `tcp6`, `udp` or `udp6`.
fn inet_peer(line: &str) -> Option<String> {
    let table = format!("\n{line}\n");
    let entries = TcpNetEntries::from_buf_read(table.as_bytes(), procfs::current_system_info());
    let entry = entries.ok()?.0.pop()?;
    if entry.state == TcpState::Listen {
        return Some(format!("listening on {}", canonical(entry.local_address)));
    }
    Some(canonical(entry.remote_address).to_string())
}

/// An address, with an IPv4-mapped IPv6 address turned into the IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = address.ip().to_canonical();
    SocketAddr::new(ip, address.port())
}

/// `unix`, with the path that the socket in a line of `unix` is bound to, if it is: the kernel does
/// not name the peer.
#[expect(
    clippy::unnecessary_wraps,
    reason = "one of the functions for each kind of socket"
)]
fn unix_name(line: &str) -> Option<String> {
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

    fn peer(sockets: &mut SocketPeers, socket: &impl AsRawFd) -> Option<String> {
        let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let inode = fs::metadata(path).expect("it").ino();
        sockets.peer(std::process::id(), inode)
    }

    #[test]
    fn peers_of_real_sockets() {
        let mut sockets = SocketPeers::new(ProcRoot::default());
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
        assert_eq!(sockets.cut_short(), 0);
    }

    #[test]
    fn an_ipv4_peer_of_an_ipv6_socket_is_shown_as_ipv4() {
        let Ok(listener) = TcpListener::bind("[::]:0") else {
            return; // no IPv6 here
        };
        let port = listener.local_addr().expect("an address").port();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        let (server, _) = listener.accept().expect("accepted");
        let from = client.local_addr().expect("an address");
        let mut sockets = SocketPeers::new(ProcRoot::default());
        assert_eq!(peer(&mut sockets, &server), Some(from.to_string()));
    }
}
