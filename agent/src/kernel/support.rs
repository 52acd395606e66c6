//! What this kernel lets the probes observe.

use aya::{Btf, EbpfError};

use super::{
    ProbeError,
    btf::KernelTypes,
    hooks::{AttachPoint, HOOKS},
    layout::Layout,
};

/// Where kernels publish their types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The fields and hooks of the running kernel that the probes need: the first stage. Nothing is
/// loaded yet, so a kernel that lacks one is left untouched.
pub(crate) struct KernelSupport {
    pub(super) btf: Btf,
    pub(super) layout: Layout,
    /// Each concept with the hook chosen for it, in the order in which they are attached.
    pub(super) hooks: Vec<(&'static str, AttachPoint)>,
}

impl KernelSupport {
    /// Reads the kernel's types and chooses the best hook for each concept.
    ///
    /// # Errors
    /// [`ProbeError`]: no BTF, or a helper, field or hook that this kernel lacks.
    pub(crate) fn probe() -> Result<Self, ProbeError> {
        let kernel = KernelTypes::read(VMLINUX).map_err(|source| ProbeError::NoBtf {
            path: VMLINUX,
            source,
        })?;
        if !kernel.has_enumerator("bpf_func_id", "BPF_FUNC_loop") {
            return Err(ProbeError::MissingHelper {
                name: "bpf_loop",
                since: "Linux 5.17 and later",
            });
        }
        let layout = Layout::resolve(&kernel).map_err(|f| ProbeError::MissingField(f.0))?;
        let hooks = HOOKS
            .iter()
            .map(|hook| Ok((hook.concept, hook.choose(&kernel)?)))
            .collect::<Result<Vec<_>, ProbeError>>()?;
        let btf = Btf::from_sys_fs().map_err(EbpfError::BtfError)?;
        Ok(Self { btf, layout, hooks })
    }
}
