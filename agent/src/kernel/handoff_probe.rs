//! The uprobe at the function named with `--handoff`.

use std::num::NonZeroU32;

use aya::{
    Ebpf,
    programs::{UProbe, uprobe::UProbeScope},
};

use super::{
    CallSide, FunctionLocation, FunctionSpec, ProbeError,
    program::{program, refused},
};

const fn program_name(function: &FunctionSpec) -> &'static str {
    match function.side {
        CallSide::Entry => "function_entered",
        CallSide::Return => "function_returned",
    }
}

/// Has the kernel verify the probe for the function.
pub(super) fn load(ebpf: &mut Ebpf, function: &FunctionSpec) -> Result<(), ProbeError> {
    let name = program_name(function);
    let program: &mut UProbe = program(ebpf, name)?;
    program.load().map_err(refused(name))
}

/// Lets the probe run at the function in one process.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    pid: NonZeroU32,
    function: &FunctionSpec,
    location: &FunctionLocation,
) -> Result<(), ProbeError> {
    let name = program_name(function);
    let program: &mut UProbe = program(ebpf, name)?;
    program
        .attach(
            location.file_offset,
            &location.module,
            UProbeScope::OneProcess(pid),
        )
        .map_err(refused(name))?;
    Ok(())
}
