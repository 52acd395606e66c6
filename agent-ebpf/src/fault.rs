//! Faults that the live tests inject; without the feature `fault-injection` there are none.

/// Whether the `sched_switch` probe is to miss this switch to a tracked thread.
#[cfg(feature = "fault-injection")]
#[inline(always)]
pub(crate) fn skips_switch() -> bool {
    let one_in = crate::globals::SKIP_SWITCH_ONE_IN.load();
    // SAFETY: the helper takes no arguments.
    one_in != 0 && unsafe { aya_ebpf::helpers::generated::bpf_get_prandom_u32() } % one_in == 0
}

/// Whether the `sched_switch` probe is to miss this switch to a tracked thread.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) const fn skips_switch() -> bool {
    false
}
