//! What was there before the probes were attached: threads and open sockets.

use std::io::Read as _;

use aya::{Btf, Ebpf, programs::Iter};

use super::{
    ProbeError,
    program::{program, refused},
};

/// Puts the open sockets of the targets on the probes' list, with a record for each.
pub(super) fn sockets(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
    walk(ebpf, btf, "present_sockets", "task_file")
}

/// Puts the threads of the targets on the probes' list, as they are now.
pub(super) fn threads(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
    walk(ebpf, btf, "present_threads", "task")
}

/// Runs a program once for everything that an iterator of the kernel visits.
fn walk(ebpf: &mut Ebpf, btf: &Btf, name: &'static str, iterator: &str) -> Result<(), ProbeError> {
    let iter: &mut Iter = program(ebpf, name)?;
    iter.load(iterator, btf).map_err(refused(name))?;
    let link = iter.attach().map_err(refused(name))?;
    let link = iter.take_link(link).map_err(refused(name))?;
    let mut file = link.into_file().map_err(|source| ProbeError::Io {
        what: format!("opening the iterator {iterator}"),
        source: std::io::Error::other(source),
    })?;
    let mut nothing = Vec::new();
    file.read_to_end(&mut nothing)
        .map_err(|source| ProbeError::Io {
            what: format!("running the iterator {iterator}"),
            source,
        })?;
    Ok(())
}
