//! The sockets that were open before the probes were attached.

use std::io::Read as _;

use aya::{Btf, Ebpf, programs::Iter};

use super::{
    ProbeError,
    program::{program, refused},
};

/// Runs the iterator once: it puts the open sockets of the targets on the probes' list and writes a
/// record for each.
pub(super) fn walk(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
    const NAME: &str = "present_sockets";
    let iter: &mut Iter = program(ebpf, NAME)?;
    iter.load("task_file", btf).map_err(refused(NAME))?;
    let link = iter.attach().map_err(refused(NAME))?;
    let link = iter.take_link(link).map_err(refused(NAME))?;
    let mut file = link.into_file().map_err(|source| ProbeError::Io {
        what: "opening the file iterator".to_owned(),
        source: std::io::Error::other(source),
    })?;
    let mut nothing = Vec::new();
    file.read_to_end(&mut nothing)
        .map_err(|source| ProbeError::Io {
            what: "running the file iterator".to_owned(),
            source,
        })?;
    Ok(())
}
