//! Programs on the function named with `--handoff` (user space, in the targets only).

use aya_ebpf::{
    macros::{uprobe, uretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use crate::handoff;

/// The function named with `--handoff SYMBOL@entry` is entered.
///
/// Binds to its first instruction (uprobe).
#[uprobe]
fn function_entered(_ctx: ProbeContext) -> u32 {
    handoff::function_called();
    0
}

/// The function named with `--handoff` returns.
///
/// Binds to its return (uretprobe).
#[uretprobe]
fn function_returned(_ctx: RetProbeContext) -> u32 {
    handoff::function_called();
    0
}
