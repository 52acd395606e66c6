//! A wire of a known length: two network namespaces with a TUN device each, and a queue between the
//! two that keeps every packet for a set time. Real TCP, with its round trips, runs over it.
//!
//! The wire keeps a log of the TCP packets it carries. Nothing is left behind: a namespace goes
//! with its last socket.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::background::Background;
use crate::poll::{self, STOP_CHECK};
use crate::{clock, cpu};

/// The venue's end.
pub const VENUE: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);
/// The victim's end.
pub const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 2);

/// Moves the calling thread, and whatever it starts from now on, into a network namespace of its
/// own with this address; returns the device through which its packets come and go. Needs root.
pub fn enter(address: Ipv4Addr) -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace")?;
    let device = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .context("/dev/net/tun")?;
    let mut request = named("wire0");
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    set(&device, libc::TUNSETIFF, &request).context("TUNSETIFF")?;
    let control = control_socket()?;
    request.ifr_ifru.ifru_addr = ipv4(address);
    set(&control, libc::SIOCSIFADDR, &request).context("SIOCSIFADDR")?;
    request.ifr_ifru.ifru_netmask = ipv4(Ipv4Addr::new(255, 255, 255, 0));
    set(&control, libc::SIOCSIFNETMASK, &request).context("SIOCSIFNETMASK")?;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    set(&control, libc::SIOCSIFFLAGS, &request).context("SIOCSIFFLAGS")?;
    Ok(device)
}

/// Moves the calling thread, and whatever it starts from now on, into a network namespace of its
/// own with nothing in it but loopback; returns a handle that keeps it. Needs root.
pub fn enter_alone() -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace")?;
    let control = control_socket()?;
    let mut request = named("lo");
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    set(&control, libc::SIOCSIFFLAGS, &request).context("SIOCSIFFLAGS")?;
    File::open("/proc/thread-self/ns/net").context("the thread's network namespace")
}

/// A socket through which the namespace's devices are set up.
fn control_socket() -> Result<OwnedFd> {
    Ok(socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?)
}

/// A request about a device of the namespace.
fn named(name: &str) -> libc::ifreq {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = *from as libc::c_char;
    }
    request
}

fn ipv4(address: Ipv4Addr) -> libc::sockaddr {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut plain: libc::sockaddr = unsafe { std::mem::zeroed() };
    plain.sa_family = libc::AF_INET as libc::sa_family_t;
    // struct sockaddr_in: two bytes of port, then the address.
    for (to, from) in plain.sa_data[2..].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    plain
}

fn set(on: &impl std::os::fd::AsFd, what: libc::Ioctl, request: &libc::ifreq) -> Result<()> {
    // SAFETY: these requests read one struct ifreq, which outlives the call.
    let result = unsafe { libc::ioctl(on.as_fd().as_raw_fd(), what, std::ptr::from_ref(request)) };
    Errno::result(result)?;
    Ok(())
}

/// A TCP packet as the wire carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WirePacket {
    /// Towards the victim, or from it.
    pub to_victim: bool,
    /// Of its first byte.
    pub seq: u32,
    /// What it acknowledges; `None` without ACK.
    pub ack: Option<u32>,
    /// It opens the connection: SYN.
    pub syn: bool,
    /// Bytes of the stream.
    pub payload: u32,
    /// When the wire got it, monotonic, nanoseconds.
    pub in_ns: i64,
    /// When the wire gave it to the other end: after that call, monotonic, nanoseconds.
    pub out_ns: i64,
}

impl WirePacket {
    /// Reads the headers; `None` when it is not TCP over IPv4.
    fn of(bytes: &[u8]) -> Option<Self> {
        const TCP: u8 = 6;
        const SYN: u8 = 0x02;
        const ACK: u8 = 0x10;
        if bytes.first()? >> 4 != 4 || *bytes.get(9)? != TCP {
            return None;
        }
        let whole = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        let start = usize::from(bytes[0] & 0x0f) * 4;
        let tcp = bytes.get(start..whole)?;
        let word = |at: usize| Some(u32::from_be_bytes(tcp.get(at..at + 4)?.try_into().ok()?));
        let (seq, ack) = (word(4)?, word(8)?);
        let (header, flags) = (usize::from(tcp.get(12)? >> 4) * 4, *tcp.get(13)?);
        Some(Self {
            to_victim: false,
            seq,
            ack: (flags & ACK != 0).then_some(ack),
            syn: flags & SYN != 0,
            payload: tcp.len().checked_sub(header)? as u32,
            in_ns: 0,
            out_ns: 0,
        })
    }
}

/// A running wire between two devices; dropping it ends it.
#[derive(Debug)]
pub struct Wire {
    thread: Background<Result<Vec<WirePacket>>>,
}

impl Wire {
    /// Carries packets both ways, each for `delay`.
    pub fn start(venue: File, victim: File, delay: Duration) -> Result<Self> {
        let thread = Background::spawn("wire", move |stop| {
            cpu::precise_sleeps();
            carry([venue, victim], delay, stop)
        })?;
        Ok(Self { thread })
    }

    /// Cuts it, and returns what it carried, in the order in which it came out.
    pub fn stop(self) -> Result<WireLog> {
        let packets = self.thread.stop()??;
        Ok(WireLog { packets })
    }
}

struct PacketInFlight {
    bytes: Vec<u8>,
    in_ns: i64,
}

/// `devices`: the venue's and the victim's.
fn carry(mut devices: [File; 2], delay: Duration, stop: &AtomicBool) -> Result<Vec<WirePacket>> {
    let delay_ns = delay.as_nanos() as i64;
    let mut ways = [const { VecDeque::<PacketInFlight>::new() }; 2];
    let mut log = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while !stop.load(Ordering::Acquire) {
        let next = ways
            .iter()
            .filter_map(VecDeque::front)
            .map(|p| p.in_ns)
            .min();
        let left = next.map_or(STOP_CHECK, |in_ns| {
            let left = (in_ns + delay_ns - clock::monotonic_ns()).max(0);
            STOP_CHECK.min(Duration::from_nanos(left.cast_unsigned()))
        });
        let mut fds = devices
            .each_ref()
            .map(|device| PollFd::new(device.as_fd(), PollFlags::POLLIN));
        poll::wait_for(&mut fds, left)?;
        for (device, way) in devices.iter_mut().zip(&mut ways) {
            loop {
                match device.read(&mut buffer) {
                    Ok(length) => way.push_back(PacketInFlight {
                        bytes: buffer[..length].to_vec(),
                        in_ns: clock::monotonic_ns(),
                    }),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).context("the wire cannot read"),
                }
            }
        }
        for from in 0..2 {
            while ways[from]
                .front()
                .is_some_and(|p| p.in_ns + delay_ns <= clock::monotonic_ns())
            {
                let Some(PacketInFlight { bytes, in_ns }) = ways[from].pop_front() else {
                    break;
                };
                // A full queue drops packets, as networks do.
                let _ = devices[1 - from].write(&bytes);
                if let Some(packet) = WirePacket::of(&bytes) {
                    log.push(WirePacket {
                        to_victim: from == 0,
                        in_ns,
                        out_ns: clock::monotonic_ns(),
                        ..packet
                    });
                }
            }
        }
    }
    Ok(log)
}

/// What a wire carried between one venue and one victim.
#[derive(Clone, Debug)]
pub struct WireLog {
    /// In the order in which they came out.
    pub packets: Vec<WirePacket>,
}

impl WireLog {
    /// When the venue's stream had come out up to which position, each further than the one before.
    pub fn delivered(&self) -> Vec<(u64, i64)> {
        let start = self.start();
        let mut delivered: Vec<(u64, i64)> = Vec::new();
        for packet in self
            .packets
            .iter()
            .filter(|packet| packet.to_victim && packet.payload > 0)
        {
            let end = u64::from(packet.seq.wrapping_sub(start)) + u64::from(packet.payload);
            if delivered.last().is_none_or(|last| last.0 < end) {
                delivered.push((end, packet.out_ns));
            }
        }
        delivered
    }

    /// When the victim's machine had acknowledged it up to which position, each further than the
    /// one before.
    pub fn acknowledged(&self) -> Vec<(u64, i64)> {
        let start = self.start();
        let mut acknowledged: Vec<(u64, i64)> = Vec::new();
        let from_victim = self
            .packets
            .iter()
            .filter(|packet| !packet.to_victim && !packet.syn);
        for (ack, in_ns) in from_victim.filter_map(|packet| Some((packet.ack?, packet.in_ns))) {
            let end = u64::from(ack.wrapping_sub(start));
            if acknowledged.last().is_none_or(|last| last.0 < end) {
                acknowledged.push((end, in_ns));
            }
        }
        acknowledged
    }

    /// The sequence number of the first byte of the venue's stream.
    fn start(&self) -> u32 {
        let syn = self
            .packets
            .iter()
            .find(|packet| packet.to_victim && packet.syn);
        syn.map_or(0, |packet| packet.seq.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let mut bytes = vec![
            0x45, 0, 0, 57, 0, 0, 0, 0, 64, 6, 0, 0, 10, 98, 0, 1, 10, 98, 0, 2,
        ];
        bytes.extend([
            0x13, 0x88, 0x9c, 0xb0, 0, 0, 1, 0, 0, 0, 2, 0, 0x80, 0x18, 1, 0, 0, 0, 0, 0,
        ]);
        bytes.extend([1; 12]);
        bytes.extend(*b"8=FIX");
        let packet = WirePacket::of(&bytes).expect("TCP");
        assert_eq!(
            (packet.seq, packet.ack, packet.payload),
            (256, Some(512), 5)
        );
        assert!(!packet.syn);
        assert_eq!(WirePacket::of(&bytes[..30]), None);
        bytes[9] = 17;
        assert_eq!(WirePacket::of(&bytes), None);
    }

    #[test]
    fn positions_count_from_the_first_byte() {
        let packet = |to_victim, seq, ack, syn, payload, at| WirePacket {
            to_victim,
            seq,
            ack,
            syn,
            payload,
            in_ns: at,
            out_ns: at + 5,
        };
        let log = WireLog {
            packets: vec![
                packet(false, 7, None, true, 0, 0),
                packet(true, u32::MAX - 1, Some(8), true, 0, 10),
                packet(false, 8, Some(u32::MAX), false, 0, 20),
                packet(true, u32::MAX, Some(8), false, 100, 30),
                packet(true, u32::MAX, Some(8), false, 100, 40),
                packet(true, 99, Some(8), false, 50, 50),
                packet(false, 8, Some(149), false, 0, 60),
            ],
        };
        assert_eq!(log.delivered(), [(100, 35), (150, 55)]);
        assert_eq!(log.acknowledged(), [(0, 20), (150, 60)]);
    }
}
