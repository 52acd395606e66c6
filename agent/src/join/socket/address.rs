//! Socket addresses as the probes write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// AF_INET6
const IPV6: u32 = 10;

/// An address and a port in host byte order. IPv4 connections of an IPv6 socket are shown as IPv4.
pub(super) fn address(family: u32, bytes: [u8; 16], port: u32) -> SocketAddr {
    let ip = if family == IPV6 {
        IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
    } else {
        IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]))
    };
    SocketAddr::new(ip, port as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families() {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[127, 0, 0, 1]);
        assert_eq!(address(2, bytes, 5002).to_string(), "127.0.0.1:5002");
        let mut mapped = [0; 16];
        mapped[10] = 0xff;
        mapped[11] = 0xff;
        mapped[12..].copy_from_slice(&[10, 0, 0, 7]);
        assert_eq!(address(10, mapped, 1).to_string(), "10.0.0.7:1");
    }
}
