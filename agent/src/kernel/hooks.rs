//! Which hook of the kernel serves each concept: BTF tracepoints first, then functions.

use std::{fmt, io};

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, FEntry, FExit, ProgramError},
};

use super::{
    ProbeError,
    btf::KernelTypes,
    program::{program, refused},
};

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttachKind {
    TpBtf,
    FEntry,
    FExit,
}

/// How often a program is given to the kernel that is interrupted while it checks it.
const ATTEMPTS: u32 = 5;

/// A signal came while the kernel checked the program (kernel/bpf/verifier.c `do_check`).
fn was_interrupted(error: &ProgramError) -> bool {
    matches!(error, ProgramError::LoadError { io_error, .. } if is_again(io_error))
}

fn is_again(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// A program and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AttachPoint {
    program: &'static str,
    kind: AttachKind,
    /// The tracepoint or function.
    target: &'static str,
    /// How many arguments the program reads: a tracepoint must pass at least as many, a function
    /// exactly as many (its result follows them).
    arguments: usize,
}

/// A concept and the points that serve it, best first.
#[derive(Debug)]
pub(super) struct HookChoice {
    pub(super) concept: &'static str,
    points: &'static [AttachPoint],
    since: &'static str,
}

const fn tracepoint(program: &'static str, target: &'static str, arguments: usize) -> AttachPoint {
    point(program, AttachKind::TpBtf, target, arguments)
}

const fn point(
    program: &'static str,
    kind: AttachKind,
    target: &'static str,
    arguments: usize,
) -> AttachPoint {
    AttachPoint {
        program,
        kind,
        target,
        arguments,
    }
}

/// A concept whose tracepoint is older than BTF.
const fn everywhere(concept: &'static str, points: &'static [AttachPoint]) -> HookChoice {
    HookChoice {
        concept,
        points,
        since: "every kernel with BTF has it",
    }
}

/// In this order: states before the sockets that make threads tracked.
pub(super) const HOOKS: &[HookChoice] = &[
    everywhere(
        "thread states",
        &[
            tracepoint("sched_switch", "sched_switch", 4),
            tracepoint("sched_switch_old", "sched_switch", 3),
        ],
    ),
    everywhere(
        "wake-ups, by whom",
        &[tracepoint("sched_waking", "sched_waking", 1)],
    ),
    everywhere(
        "wake-ups, on which run queue",
        &[tracepoint("sched_wakeup", "sched_wakeup", 1)],
    ),
    everywhere(
        "throttling across CPUs",
        &[tracepoint("sched_migrate_task", "sched_migrate_task", 2)],
    ),
    everywhere(
        "the end of threads",
        &[tracepoint("sched_process_exit", "sched_process_exit", 1)],
    ),
    everywhere(
        "the end of sockets",
        &[tracepoint("tcp_destroy_sock", "tcp_destroy_sock", 1)],
    ),
    everywhere(
        "new connections",
        &[tracepoint("inet_sock_set_state", "inet_sock_set_state", 3)],
    ),
    HookChoice {
        concept: "arrivals",
        points: &[
            tracepoint("sk_data_ready", "sk_data_ready", 1),
            point(
                "sock_def_readable",
                AttachKind::FEntry,
                "sock_def_readable",
                1,
            ),
        ],
        since: "a tracepoint since Linux 6.3",
    },
    HookChoice {
        concept: "receive calls",
        points: &[
            tracepoint(RECEIVES, "sock_recv_length", 3),
            point("tcp_recvmsg", AttachKind::FExit, "tcp_recvmsg", 5),
            point("tcp_recvmsg_old", AttachKind::FExit, "tcp_recvmsg", 6),
        ],
        since: "a tracepoint since Linux 6.3",
    },
];

/// The programs of the first pass over receive calls and of the second.
pub(super) const RECEIVES: &str = "sock_recv_length";
pub(super) const RECEIVES_AGAIN: &str = "sock_recv_length_again";

/// The second pass over receive calls: where a run of the first is missed.
pub(super) const SECOND_PASS: AttachPoint = tracepoint(RECEIVES_AGAIN, "sock_recv_length", 3);

/// The entry of every system call: on demand only.
pub(super) const SYS_ENTER: AttachPoint = tracepoint("sys_enter", "sys_enter", 2);

impl HookChoice {
    /// The best point this kernel has.
    pub(super) fn choose(&self, kernel: &KernelTypes) -> Result<AttachPoint, ProbeError> {
        self.points
            .iter()
            .find(|point| point.exists_in(kernel))
            .copied()
            .ok_or(ProbeError::MissingHook {
                name: self.points[0].target,
                what: self.concept,
                since: self.since,
            })
    }
}

impl AttachPoint {
    fn exists_in(&self, kernel: &KernelTypes) -> bool {
        match self.kind {
            AttachKind::TpBtf => kernel
                .tracepoint_arguments(self.target)
                .is_some_and(|n| n >= self.arguments),
            AttachKind::FEntry | AttachKind::FExit => {
                kernel.function_arguments(self.target) == Some(self.arguments)
            }
        }
    }

    /// Whether [`SECOND_PASS`] is one after this.
    pub(super) fn has_second_pass(&self) -> bool {
        self.program == RECEIVES
    }

    /// Has the kernel check the program and take it in.
    pub(super) fn load(&self, ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
        let name = self.program;
        let mut attempts = 1..ATTEMPTS;
        loop {
            let loaded = match self.kind {
                AttachKind::TpBtf => program::<BtfTracePoint>(ebpf, name)?.load(self.target, btf),
                AttachKind::FEntry => program::<FEntry>(ebpf, name)?.load(self.target, btf),
                AttachKind::FExit => program::<FExit>(ebpf, name)?.load(self.target, btf),
            };
            match loaded {
                Err(error) if was_interrupted(&error) && attempts.next().is_some() => {}
                loaded => return loaded.map_err(refused(name)),
            }
        }
    }

    /// From now on the program, loaded before, is run.
    pub(super) fn attach(&self, ebpf: &mut Ebpf) -> Result<(), ProbeError> {
        let name = self.program;
        match self.kind {
            AttachKind::TpBtf => program::<BtfTracePoint>(ebpf, name)?.attach().map(drop),
            AttachKind::FEntry => program::<FEntry>(ebpf, name)?.attach().map(drop),
            AttachKind::FExit => program::<FExit>(ebpf, name)?.attach().map(drop),
        }
        .map_err(refused(name))
    }
}

impl fmt::Display for AttachPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            AttachKind::TpBtf => "tp_btf",
            AttachKind::FEntry => "fentry",
            AttachKind::FExit => "fexit",
        };
        write!(f, "{kind} {}", self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_signal_interrupted_is_tried_again() {
        let error = io::Error::from_raw_os_error;
        assert!(is_again(&error(libc::EAGAIN)));
        assert!(!is_again(&error(libc::EACCES)));
    }

    #[test]
    fn a_place_with_other_arguments_is_not_taken() {
        let kernel = KernelTypes::read("/sys/kernel/btf/vmlinux").expect("BTF");
        assert!(tracepoint("x", "sched_waking", 1).exists_in(&kernel));
        assert!(!tracepoint("x", "sched_waking", 2).exists_in(&kernel));
        assert!(!tracepoint("x", "no_such_tracepoint", 0).exists_in(&kernel));
        assert!(point("x", AttachKind::FEntry, "sock_def_readable", 1).exists_in(&kernel));
        assert!(!point("x", AttachKind::FEntry, "sock_def_readable", 2).exists_in(&kernel));
    }

    #[test]
    fn helpers_are_told_by_name() {
        let kernel = KernelTypes::read("/sys/kernel/btf/vmlinux").expect("BTF");
        assert!(kernel.has_enumerator("bpf_func_id", "BPF_FUNC_loop"));
        assert!(!kernel.has_enumerator("bpf_func_id", "BPF_FUNC_no_such"));
    }
}
