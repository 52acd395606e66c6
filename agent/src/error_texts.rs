//! A golden file of the lines that errors print: `snapshots/`.

use std::{io, path::PathBuf};

use crate::{
    engine::RunError,
    kernel::ProbeError,
    kube::KubeSetupError,
    outputs::{BindError, OtlpError, OutputError},
    recording::{ReadError, WriteError, export::ExportError, replay::ReplayError},
    targets::target::TargetError,
};

fn denied() -> io::Error {
    io::Error::from_raw_os_error(libc::EACCES)
}

fn disk_full() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

/// The errors of starting and ending a run.
fn run_errors() -> Vec<RunError> {
    let address = ([127, 0, 0, 1], 9752).into();
    vec![
        TargetError::NotRunning(4711).into(),
        TargetError::Thread {
            tid: 4712,
            pid: 4711,
        }
        .into(),
        TargetError::Twice(4711).into(),
        TargetError::TooMany(65).into(),
        TargetError::Namespace.into(),
        TargetError::Io {
            pid: 4711,
            source: denied(),
        }
        .into(),
        KubeSetupError::NoApi("no service account".to_owned()).into(),
        KubeSetupError::Kubeconfig {
            file: PathBuf::from("/etc/kubeconfig"),
            reason: "no cluster in it".to_owned(),
        }
        .into(),
        KubeSetupError::NoNode.into(),
        KubeSetupError::NodeName("node 7".to_owned()).into(),
        BindError::InUse(address).into(),
        BindError::Denied(address).into(),
        BindError::NotOurs(address).into(),
        BindError::Failed(address, disk_full()).into(),
        OtlpError::Url("collector".to_owned()).into(),
        OtlpError::Credentials.into(),
        OtlpError::Variable {
            variable: "OTEL_EXPORTER_OTLP_TIMEOUT".to_owned(),
            value: "soon".to_owned(),
            why: "write milliseconds, such as 10000",
        }
        .into(),
        OtlpError::Certificates("https://collector:4318".to_owned()).into(),
        OtlpError::CertificateFile {
            path: "/etc/ca.pem".to_owned(),
            why: "no certificate in it".to_owned(),
        }
        .into(),
        OtlpError::Tls("no usable cipher suite".to_owned()).into(),
        OutputError::Closed.into(),
        OutputError::Failed(disk_full()).into(),
        WriteError::Foreign(PathBuf::from("notes.txt")).into(),
        WriteError::Io {
            path: PathBuf::from("drop.tag52"),
            source: disk_full(),
        }
        .into(),
        WriteError::Thread(denied()).into(),
        RunError::NoPods,
        RunError::NoTerminal,
        RunError::Screen(denied()),
        RunError::Runtime(denied()),
    ]
}

fn probe_errors() -> Vec<ProbeError> {
    vec![
        ProbeError::NoBtf {
            path: "/sys/kernel/btf/vmlinux",
            source: btf_rs::Error::Format("not a BTF file".to_owned()),
        },
        ProbeError::MissingField("task_struct.sched_info"),
        ProbeError::MissingHook {
            name: "sched_switch",
            what: "waiting for a CPU",
            since: "a tracepoint since Linux 6.3",
        },
        ProbeError::MissingHelper {
            name: "bpf_loop",
            since: "Linux 5.17 and later",
        },
        ProbeError::NoRight("EPERM".to_owned()),
        ProbeError::Program {
            name: "sched_switch",
            source: Box::new(aya::programs::ProgramError::NotLoaded),
        },
        ProbeError::Function {
            symbol: "OnMessage".to_owned(),
            why: "no such symbol".to_owned(),
        },
        ProbeError::Io {
            what: "the number of CPUs".to_owned(),
            source: denied(),
        },
    ]
}

fn read_errors() -> Vec<ReadError> {
    vec![
        ReadError::Io(denied()),
        ReadError::NotARecording,
        ReadError::Version(3),
        ReadError::Truncated { bytes: 17 },
        ReadError::Damaged { offset: 4096 },
    ]
}

#[test]
fn errors() {
    let mut lines = Vec::new();
    let mut add = |heading: &str, texts: Vec<String>| {
        lines.push(format!("# {heading}"));
        lines.extend(texts.into_iter().map(|text| format!("tag52: {text}")));
        lines.push(String::new());
    };
    let texts = |errors: Vec<RunError>| errors.iter().map(ToString::to_string).collect();
    add("run, top, record", texts(run_errors()));
    add(
        "probes",
        probe_errors().iter().map(ToString::to_string).collect(),
    );
    let path = || "drop.tag52".to_owned();
    let replay = read_errors()
        .into_iter()
        .map(|source| {
            ReplayError::Read {
                path: path(),
                source,
            }
            .to_string()
        })
        .chain([
            ReplayError::Rest(ReadError::Damaged { offset: 4096 }).to_string(),
            ReplayError::NoTerminal.to_string(),
            ReplayError::Screen(denied()).to_string(),
            ReplayError::Runtime(denied()).to_string(),
        ]);
    add("replay", replay.collect());
    let export = [
        ExportError::Read {
            path: path(),
            source: ReadError::NotARecording,
        },
        ExportError::Rest(ReadError::Damaged { offset: 4096 }),
        ExportError::Write {
            path: "trace.pftrace".to_owned(),
            source: disk_full(),
        },
    ];
    add("export", export.iter().map(ToString::to_string).collect());
    insta::assert_snapshot!(lines.join("\n"));
}
