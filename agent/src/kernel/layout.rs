//! The kernel struct offsets the probes need, and what a missing one costs.
//!
//! The names are the globals of `agent-ebpf/src/globals.rs`.

use agent_common::ABSENT;

use crate::domain::Capability;

use super::btf::KernelTypes;

/// One offset.
struct WantedField {
    global: &'static str,
    /// The paths of the field, tried in order: kernels rename fields.
    paths: &'static [&'static str],
    /// The size the probe reads, in bytes; 0: not read as such (an address is taken).
    size: u32,
    /// Without it there is no product.
    required: bool,
}

const fn must(global: &'static str, paths: &'static [&'static str], size: u32) -> WantedField {
    WantedField {
        global,
        paths,
        size,
        required: true,
    }
}

const fn may(global: &'static str, paths: &'static [&'static str], size: u32) -> WantedField {
    WantedField {
        global,
        paths,
        size,
        required: false,
    }
}

const WANTED: &[WantedField] = &[
    must("TASK_PID", &["task_struct.pid"], 4),
    must("TASK_TGID", &["task_struct.tgid"], 4),
    may(
        "TASK_CPU",
        &["task_struct.thread_info.cpu", "task_struct.cpu"],
        4,
    ),
    must(
        "TASK_STATE",
        &["task_struct.__state", "task_struct.state"],
        0,
    ),
    may("TASK_ON_CPU", &["task_struct.on_cpu"], 4),
    must("TASK_POLICY", &["task_struct.policy"], 4),
    must("TASK_FILES", &["task_struct.files"], 8),
    may("TASK_CFS_RQ", &["task_struct.se.cfs_rq"], 8),
    may("CFS_RQ_RQ", &["cfs_rq.rq"], 8),
    may("RQ_CURR", &["rq.curr"], 8),
    may("CFS_RQ_TG", &["cfs_rq.tg"], 8),
    may("TASK_GROUP_CFS_RQ", &["task_group.cfs_rq"], 8),
    must("TCP_RCV_NXT", &["tcp_sock.rcv_nxt"], 4),
    must("TCP_COPIED_SEQ", &["tcp_sock.copied_seq"], 4),
    must("TCP_RCV_WND", &["tcp_sock.rcv_wnd"], 4),
    must("TCP_RCV_WUP", &["tcp_sock.rcv_wup"], 4),
    may("TCP_BYTES_RECEIVED", &["tcp_sock.bytes_received"], 8),
    may("TCP_WSTAMP", &["tcp_sock.tcp_wstamp_ns"], 8),
    may("TCP_SEGS_OUT", &["tcp_sock.segs_out"], 4),
    must("TCP_ADVMSS", &["tcp_sock.advmss"], 2),
    must("TCP_WINDOW_CLAMP", &["tcp_sock.window_clamp"], 4),
    must("SOCK_FAMILY", &["sock.__sk_common.skc_family"], 2),
    must("SOCK_STATE", &["sock.__sk_common.skc_state"], 1),
    must("SOCK_NUM", &["sock.__sk_common.skc_num"], 2),
    must("SOCK_DPORT", &["sock.__sk_common.skc_dport"], 2),
    must("SOCK_RCV_SADDR", &["sock.__sk_common.skc_rcv_saddr"], 4),
    must("SOCK_DADDR", &["sock.__sk_common.skc_daddr"], 4),
    may(
        "SOCK_V6_RCV_SADDR",
        &["sock.__sk_common.skc_v6_rcv_saddr"],
        0,
    ),
    may("SOCK_V6_DADDR", &["sock.__sk_common.skc_v6_daddr"], 0),
    must("SOCK_SOCKET", &["sock.sk_socket"], 8),
    must("SOCKET_SK", &["socket.sk"], 8),
    must("SOCKET_FILE", &["socket.file"], 8),
    must("FILE_PRIVATE", &["file.private_data"], 8),
    may("FILE_EP", &["file.f_ep"], 8),
    may("EPITEM_LINK", &["epitem.fllink"], 0),
    may("EPITEM_EP", &["epitem.ep"], 8),
    must("FILES_FDT", &["files_struct.fdt"], 8),
    must("FDTABLE_FD", &["fdtable.fd"], 8),
    must("FDTABLE_MAX", &["fdtable.max_fds"], 4),
];

/// One way a kernel keeps the throttle clock of a `cfs_rq` (kernel/sched/sched.h).
struct ThrottleClock {
    name: &'static str,
    total: &'static str,
    start: &'static str,
    /// Says whether the start is valid; `None`: the start is 0 when it is not.
    count: Option<&'static str>,
    clock: &'static str,
}

/// Best first.
const THROTTLE_CLOCKS: &[ThrottleClock] = &[
    ThrottleClock {
        name: "cfs_rq.throttled_clock_self_time",
        total: "cfs_rq.throttled_clock_self_time",
        start: "cfs_rq.throttled_clock_self",
        count: None,
        clock: "rq.clock",
    },
    ThrottleClock {
        name: "cfs_rq.throttled_clock_pelt_time",
        total: "cfs_rq.throttled_clock_pelt_time",
        start: "cfs_rq.throttled_clock_pelt",
        count: Some("cfs_rq.throttle_count"),
        clock: "rq.clock_pelt",
    },
    ThrottleClock {
        name: "cfs_rq.throttled_clock_task_time",
        total: "cfs_rq.throttled_clock_task_time",
        start: "cfs_rq.throttled_clock_task",
        count: Some("cfs_rq.throttle_count"),
        clock: "rq.clock_task",
    },
];

/// Offsets to patch in, and what they make possible.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// (global, offset)
    pub(super) offsets: Vec<(&'static str, u32)>,
    /// What these offsets make possible.
    pub(super) capabilities: Vec<Capability>,
}

/// A field without which the probes cannot work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MissingField(pub(super) &'static str);

impl Layout {
    pub(super) fn resolve(kernel: &KernelTypes) -> Result<Self, MissingField> {
        let mut layout = Self::default();
        for wanted in WANTED {
            let found = wanted
                .paths
                .iter()
                .find_map(|path| checked(kernel, path, wanted.size));
            if found.is_none() && wanted.required {
                return Err(MissingField(wanted.paths[0]));
            }
            layout
                .offsets
                .push((wanted.global, found.unwrap_or(ABSENT)));
        }
        layout.throttle(kernel);
        layout.rebuilt(kernel);
        layout.epoll();
        layout.acknowledgements();
        Ok(layout)
    }

    fn offset(&self, global: &str) -> Option<u32> {
        self.offsets
            .iter()
            .find(|(name, offset)| *name == global && *offset != ABSENT)
            .map(|(_, offset)| *offset)
    }

    fn throttle(&mut self, kernel: &KernelTypes) {
        let groups = ["TASK_CFS_RQ", "CFS_RQ_RQ", "CFS_RQ_TG"]
            .iter()
            .all(|name| self.offset(name).is_some());
        let chosen = THROTTLE_CLOCKS.iter().filter(|_| groups).find_map(|c| {
            Some((
                c,
                checked(kernel, c.total, 8)?,
                checked(kernel, c.start, 8)?,
                match c.count {
                    Some(path) => checked(kernel, path, 4)?,
                    None => ABSENT,
                },
                checked(kernel, c.clock, 8)?,
            ))
        });
        let (total, start, count, clock) = match chosen {
            Some((c, total, start, count, clock)) => {
                self.capabilities
                    .push(Capability::observed("throttle", c.name));
                (total, start, count, clock)
            }
            None => {
                let why = "this kernel has no CFS bandwidth control, so nothing is throttled";
                self.capabilities
                    .push(Capability::unavailable("throttle", why));
                (ABSENT, ABSENT, ABSENT, ABSENT)
            }
        };
        self.offsets.extend([
            ("CFS_RQ_THROTTLED_TOTAL", total),
            ("CFS_RQ_THROTTLED_START", start),
            ("CFS_RQ_THROTTLE_COUNT", count),
            ("RQ_CLOCK", clock),
        ]);
    }

    /// The scheduler's own account of a task, and its clock.
    fn rebuilt(&mut self, kernel: &KernelTypes) {
        const FIELDS: [(&str, &str); 4] = [
            ("TASK_RUN_DELAY", "task_struct.sched_info.run_delay"),
            ("TASK_QUEUED", "task_struct.sched_info.last_queued"),
            ("TASK_ARRIVED", "task_struct.sched_info.last_arrival"),
            ("RQ_SCHED_CLOCK", "rq.clock"),
        ];
        let groups = ["TASK_CFS_RQ", "CFS_RQ_RQ"]
            .iter()
            .all(|name| self.offset(name).is_some());
        let found = FIELDS.map(|(_, path)| checked(kernel, path, 8).filter(|_| groups));
        let whole = found.iter().all(Option::is_some);
        for ((global, _), offset) in FIELDS.into_iter().zip(found) {
            self.offsets
                .push((global, offset.filter(|_| whole).unwrap_or(ABSENT)));
        }
        self.capabilities.push(Capability::when(
            whole,
            "switches no probe saw",
            "task_struct.sched_info",
            "what a thread did around an unobserved switch is unknown",
        ));
    }

    fn epoll(&mut self) {
        let whole = ["FILE_EP", "EPITEM_LINK", "EPITEM_EP"]
            .iter()
            .all(|name| self.offset(name).is_some());
        if !whole {
            for (name, offset) in &mut self.offsets {
                if *name == "FILE_EP" {
                    *offset = ABSENT;
                }
            }
        }
        self.capabilities.push(Capability::when(
            whole,
            "epoll hand-off",
            "file.f_ep",
            "a thread that sleeps in epoll_wait hands off at its next receive",
        ));
    }

    fn acknowledgements(&mut self) {
        let whole = ["TCP_WSTAMP", "TCP_SEGS_OUT"]
            .iter()
            .all(|name| self.offset(name).is_some());
        self.capabilities.push(Capability::when(
            whole,
            "acknowledgements",
            "tcp_sock.tcp_wstamp_ns",
            "this kernel does not record when a segment was last sent",
        ));
    }
}

/// The field's offset, when it is as large as the probe reads.
fn checked(kernel: &KernelTypes, path: &str, size: u32) -> Option<u32> {
    let field = kernel.field(path)?;
    (size == 0 || field.size == Some(size)).then_some(field.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel() -> KernelTypes {
        KernelTypes::read("/sys/kernel/btf/vmlinux").expect("the running kernel's BTF")
    }

    #[test]
    fn anonymous_members_and_nested_structs_are_found() {
        let kernel = kernel();
        let se = kernel.field("task_struct.se").expect("se");
        let cfs_rq = kernel.field("sched_entity.cfs_rq").expect("cfs_rq");
        let both = kernel.field("task_struct.se.cfs_rq").expect("both");
        assert_eq!(both.offset, se.offset + cfs_rq.offset);
        assert_eq!(both.size, Some(8));
        assert!(
            kernel
                .field("tcp_sock.inet_conn.icsk_ack.rcv_mss")
                .is_some()
        );
        assert!(kernel.field("sock.__sk_common.skc_num").is_some());
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        let kernel = kernel();
        assert_eq!(kernel.field("task_struct.no_such_member"), None);
        assert_eq!(kernel.field("no_such_struct.pid"), None);
        assert_eq!(kernel.field("task_struct.pid.deeper"), None);
        assert_eq!(kernel.tracepoint_arguments("no_such_tracepoint"), None);
        // Right name, wrong size: a kernel that changed the type.
        assert_eq!(checked(&kernel, "task_struct.pid", 8), None);
    }

    #[test]
    fn tracepoint_arguments_are_counted_without_the_data_pointer() {
        assert_eq!(kernel().tracepoint_arguments("sched_waking"), Some(1));
    }
}
