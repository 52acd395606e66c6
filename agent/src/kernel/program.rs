//! Finding a program in the loaded object, and saying which one was refused.

use aya::{Ebpf, programs::ProgramError};

use super::ProbeError;

pub(super) fn refused(name: &'static str) -> impl FnOnce(ProgramError) -> ProbeError {
    move |source| ProbeError::Program {
        name,
        source: Box::new(source),
    }
}

pub(super) fn program<'a, T>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut T, ProbeError>
where
    &'a mut T: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or(ProgramError::NotLoaded)
        .and_then(TryInto::try_into)
        .map_err(refused(name))
}
