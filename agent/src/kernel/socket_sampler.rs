//! Samples of sockets: a program of ours that the agent runs itself, once per socket.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{Ebpf, programs::RawTracePoint};

use super::{
    ProbeError,
    program::{program, refused},
};

const PROGRAM: &str = "sample_socket";

/// `BPF_PROG_TEST_RUN` of `enum bpf_cmd` (include/uapi/linux/bpf.h).
const TEST_RUN: libc::c_long = 10;

/// The `test` member of `union bpf_attr` (include/uapi/linux/bpf.h).
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program_fd: u32,
    result: u32,
    data_in_bytes: u32,
    data_out_bytes: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_in_bytes: u32,
    context_out_bytes: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch: u32,
    reserved: u32,
}

/// Has the kernel verify the program.
pub(super) fn load(ebpf: &mut Ebpf) -> Result<(), ProbeError> {
    let program: &mut RawTracePoint = program(ebpf, PROGRAM)?;
    program.load().map_err(refused(PROGRAM))
}

/// Runs the program on the socket at this address of the kernel: its record comes through the ring
/// buffer. Nothing happens when the socket is not tracked any more.
///
/// # Errors
/// When the program is not loaded, or this kernel does not run it (before 5.10).
pub(super) fn sample(ebpf: &Ebpf, sk: u64) -> io::Result<()> {
    let program = ebpf.program(PROGRAM).ok_or(io::ErrorKind::NotFound)?;
    let program: &RawTracePoint = program.try_into().map_err(io::Error::other)?;
    let fd = program.fd().map_err(io::Error::other)?;
    let arguments = [sk];
    let mut run = TestRun {
        program_fd: fd.as_fd().as_raw_fd().cast_unsigned(),
        context_in_bytes: size_of_val(&arguments) as u32,
        context_in: (&raw const arguments).addr() as u64,
        ..TestRun::default()
    };
    // SAFETY: `run` has the layout of the command's attributes, and what it points to outlives the
    // call; the kernel reads it and writes only to `result` and `duration`.
    let done =
        unsafe { libc::syscall(libc::SYS_bpf, TEST_RUN, &raw mut run, size_of::<TestRun>()) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
