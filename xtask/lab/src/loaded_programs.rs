//! The eBPF programs that are loaded in the kernel.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use nix::errno::Errno;

/// Commands of bpf(2): `enum bpf_cmd`, include/uapi/linux/bpf.h.
const PROG_GET_NEXT_ID: libc::c_long = 11;
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;

/// The beginning of `union bpf_attr` for the three commands: the argument, then the resulting id or
/// the length, then a pointer.
#[repr(C)]
#[derive(Default)]
struct BpfAttribute {
    first: u32,
    second: u32,
    info: u64,
}

/// Returns the loaded programs by id, with the first 15 characters of their names. Needs root.
pub fn list() -> Result<BTreeMap<u32, String>> {
    let mut programs = BTreeMap::new();
    let mut id = 0;
    loop {
        let mut attribute = BpfAttribute {
            first: id,
            ..BpfAttribute::default()
        };
        match call(PROG_GET_NEXT_ID, &mut attribute) {
            Ok(_) => id = attribute.second,
            Err(Errno::ENOENT) => return Ok(programs),
            Err(error) => bail!("the kernel does not list its eBPF programs: {error}"),
        }
        // A program may have been unloaded in between.
        if let Some(name) = name(id) {
            programs.insert(id, name);
        }
    }
}

fn name(id: u32) -> Option<String> {
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

    let mut attribute = BpfAttribute {
        first: id,
        ..BpfAttribute::default()
    };
    let fd = call(PROG_GET_FD_BY_ID, &mut attribute).ok()?;
    // SAFETY: a descriptor just opened, owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).ok()?) };
    // struct bpf_prog_info, as far as its name: 64 bytes in, 16 long.
    let mut info = [0_u8; 80];
    let mut attribute = BpfAttribute {
        first: u32::try_from(fd.as_raw_fd()).ok()?,
        second: u32::try_from(info.len()).ok()?,
        info: info.as_mut_ptr() as u64,
    };
    call(OBJ_GET_INFO_BY_FD, &mut attribute).ok()?;
    let name = info[64..].split(|&byte| byte == 0).next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

fn call(command: libc::c_long, attribute: &mut BpfAttribute) -> Result<libc::c_long, Errno> {
    // SAFETY: the attribute lives through the call, its size is given, and `info` points to as many
    // bytes as its length says, or is not read by the command.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attribute),
            size_of::<BpfAttribute>(),
        )
    };
    Errno::result(result)
}
