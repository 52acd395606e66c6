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
enum Way {
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
pub(super) struct Place {
    program: &'static str,
    way: Way,
    /// The tracepoint or function.
    target: &'static str,
    /// How many arguments the program reads: a tracepoint must pass at least as many, a function
    /// exactly as many (its result follows them).
    arguments: usize,
}

/// A concept and the places that serve it, best first.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) what: &'static str,
    places: &'static [Place],
    since: &'static str,
}

const fn tracepoint(program: &'static str, target: &'static str, arguments: usize) -> Place {
    place(program, Way::TpBtf, target, arguments)
}

const fn place(program: &'static str, way: Way, target: &'static str, arguments: usize) -> Place {
    Place {
        program,
        way,
        target,
        arguments,
    }
}

/// A concept whose tracepoint is older than BTF.
const fn everywhere(what: &'static str, places: &'static [Place]) -> Hook {
    Hook {
        what,
        places,
        since: "every kernel with BTF has it",
    }
}

/// In this order: states before the sockets that make threads tracked.
pub(super) const HOOKS: &[Hook] = &[
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
    Hook {
        what: "arrivals",
        places: &[
            tracepoint("sk_data_ready", "sk_data_ready", 1),
            place("sock_def_readable", Way::FEntry, "sock_def_readable", 1),
        ],
        since: "a tracepoint since Linux 6.3",
    },
    Hook {
        what: "receive calls",
        places: &[
            tracepoint(RECEIVES, "sock_recv_length", 3),
            place("tcp_recvmsg", Way::FExit, "tcp_recvmsg", 5),
            place("tcp_recvmsg_old", Way::FExit, "tcp_recvmsg", 6),
        ],
        since: "a tracepoint since Linux 6.3",
    },
];

/// The first look at receive calls, and the second one.
pub(super) const RECEIVES: &str = "sock_recv_length";
pub(super) const RECEIVE_AGAIN: &str = "sock_recv_length_again";

/// The second look at receive calls: where the first one is left out.
pub(super) const SECOND_LOOK: Place = tracepoint(RECEIVE_AGAIN, "sock_recv_length", 3);

/// The entry of every system call: on demand only.
pub(super) const CALL_ENTRY: Place = tracepoint("sys_enter", "sys_enter", 2);

impl Hook {
    /// The best place this kernel has.
    pub(super) fn choose(&self, kernel: &KernelTypes) -> Result<Place, ProbeError> {
        self.places
            .iter()
            .find(|place| place.is_there(kernel))
            .copied()
            .ok_or(ProbeError::MissingHook {
                name: self.places[0].target,
                what: self.what,
                since: self.since,
            })
    }
}

impl Place {
    fn is_there(&self, kernel: &KernelTypes) -> bool {
        match self.way {
            Way::TpBtf => kernel
                .tracepoint_arguments(self.target)
                .is_some_and(|n| n >= self.arguments),
            Way::FEntry | Way::FExit => {
                kernel.function_arguments(self.target) == Some(self.arguments)
            }
        }
    }

    /// Whether [`SECOND_LOOK`] is one after this.
    pub(super) fn has_second_look(&self) -> bool {
        self.program == RECEIVES
    }

    /// Has the kernel check the program and take it in.
    pub(super) fn load(&self, ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
        let name = self.program;
        let mut attempts = 1..ATTEMPTS;
        loop {
            let loaded = match self.way {
                Way::TpBtf => program::<BtfTracePoint>(ebpf, name)?.load(self.target, btf),
                Way::FEntry => program::<FEntry>(ebpf, name)?.load(self.target, btf),
                Way::FExit => program::<FExit>(ebpf, name)?.load(self.target, btf),
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
        match self.way {
            Way::TpBtf => program::<BtfTracePoint>(ebpf, name)?.attach().map(drop),
            Way::FEntry => program::<FEntry>(ebpf, name)?.attach().map(drop),
            Way::FExit => program::<FExit>(ebpf, name)?.attach().map(drop),
        }
        .map_err(refused(name))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::TpBtf => "tp_btf",
            Way::FEntry => "fentry",
            Way::FExit => "fexit",
        };
        write!(f, "{way} {}", self.target)
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
        assert!(tracepoint("x", "sched_waking", 1).is_there(&kernel));
        assert!(!tracepoint("x", "sched_waking", 2).is_there(&kernel));
        assert!(!tracepoint("x", "no_such_tracepoint", 0).is_there(&kernel));
        assert!(place("x", Way::FEntry, "sock_def_readable", 1).is_there(&kernel));
        assert!(!place("x", Way::FEntry, "sock_def_readable", 2).is_there(&kernel));
    }

    #[test]
    fn helpers_are_told_by_name() {
        let kernel = KernelTypes::read("/sys/kernel/btf/vmlinux").expect("BTF");
        assert!(kernel.has_enumerator("bpf_func_id", "BPF_FUNC_loop"));
        assert!(!kernel.has_enumerator("bpf_func_id", "BPF_FUNC_no_such"));
    }
}
