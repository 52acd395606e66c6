//! Why the probes could not be put in place.

use std::io;

use aya::{EbpfError, maps::MapError, programs::ProgramError};
use thiserror::Error;

/// What stands in the way, and what to do about it.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// No BTF.
    #[error(
        "this kernel does not publish its types ({path}: {source}): tag52 needs a kernel built \
         with CONFIG_DEBUG_INFO_BTF=y"
    )]
    NoBtf {
        /// The path that was read.
        path: &'static str,
        /// What the reader said.
        source: btf_rs::Error,
    },
    /// A struct field that the probes read is not there.
    #[error("this kernel has no field {0}: this version of tag52 does not know its layout")]
    MissingField(&'static str),
    /// A tracepoint that the probes need is not there.
    #[error("this kernel has no tracepoint {name}: {what} cannot be observed ({since})")]
    MissingHook {
        /// The tracepoint.
        name: &'static str,
        /// What it is for.
        what: &'static str,
        /// Since when kernels have it.
        since: &'static str,
    },
    /// A helper function that the probes call is not there.
    #[error("this kernel's eBPF has no {name} ({since})")]
    MissingHelper {
        /// The helper.
        name: &'static str,
        /// Since when kernels have it.
        since: &'static str,
    },
    /// Not allowed to load probes.
    #[error(
        "no right to load eBPF programs: run as root, or with CAP_BPF, CAP_PERFMON and \
         CAP_SYS_PTRACE (source: {0})"
    )]
    NoRight(String),
    /// The object could not be loaded.
    #[error("loading the probes failed: {0}")]
    Load(#[from] EbpfError),
    /// A program was refused.
    #[error("the kernel refused the probe {name}: {}", reason(source))]
    Program {
        /// Which.
        name: &'static str,
        /// Why.
        source: Box<ProgramError>,
    },
    /// A map could not be used.
    #[error("a map of the probes is not usable: {0}")]
    Map(#[from] MapError),
    /// The function named with `--handoff` was not found.
    #[error("--handoff {symbol}: {why}")]
    Function {
        /// As given.
        symbol: String,
        /// What is wrong with it.
        why: String,
    },
    /// Anything else the system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What came back.
        source: io::Error,
    },
}

/// One line of a program's refusal: of the verifier's log, which can be thousands of lines long,
/// the last that is a finding.
fn reason(error: &ProgramError) -> String {
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return error.to_string();
    };
    const FIGURES: [&str; 3] = ["processed ", "verification time ", "stack depth "];
    let log = verifier_log.to_string();
    let finding = log
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty() && !FIGURES.iter().any(|f| line.starts_with(f)));
    match finding {
        Some(finding) => format!("{io_error}: {finding}"),
        None => io_error.to_string(),
    }
}
