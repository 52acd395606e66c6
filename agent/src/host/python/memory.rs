//! Reads the memory of another process without stopping it.

use std::io;

/// Fills `into` from an address of the process (process_vm_readv(2)).
///
/// # Errors
/// When the process or a part of the memory is not there, or may not be read.
pub(super) fn read(pid: u32, address: u64, into: &mut [u8]) -> io::Result<()> {
    let out_of_range = || io::Error::from(io::ErrorKind::InvalidInput);
    let pid = libc::pid_t::try_from(pid).map_err(|_| out_of_range())?;
    let from = usize::try_from(address).map_err(|_| out_of_range())?;
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(from),
        iov_len: into.len(),
    };
    // SAFETY: `local` is one vector over `into`, which is borrowed exclusively for the call; the
    // kernel checks the remote addresses and does not write there.
    let n = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(n) {
        Ok(n) if n == into.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Reads an array.
pub(in crate::host) fn bytes<const N: usize>(pid: u32, address: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    read(pid, address, &mut bytes)?;
    Ok(bytes)
}

/// Reads a machine word: a pointer or a `long`.
pub(super) fn word(pid: u32, address: u64) -> io::Result<u64> {
    bytes(pid, address).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mapped_memory_is_read() {
        let here = std::process::id();
        let value = 0x1122_3344_5566_7788_u64;
        let address = (&raw const value).addr() as u64;
        assert_eq!(word(here, address).expect("read"), value);
        assert!(word(here, 8).is_err());
        assert!(word(here, u64::MAX - 3).is_err());
        assert!(word(u32::MAX, address).is_err());
    }
}
