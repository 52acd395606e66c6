//! Why a run could not begin, or had to end.

use std::io;

use thiserror::Error;

use crate::{
    kernel::ProbeError,
    kube::KubeSetupError,
    outputs::{BindError, OtlpError, OutputError},
    recording::WriteError,
    targets::target::TargetError,
};

/// Why a run could not begin, or had to end.
#[derive(Debug, Error)]
pub enum RunError {
    /// The process.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The probes.
    #[error(transparent)]
    Probes(#[from] ProbeError),
    /// The Kubernetes API.
    #[error(transparent)]
    Kube(#[from] KubeSetupError),
    /// The metrics endpoint.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The export of metrics.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// Standard output.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The probes' log.
    #[error("the log of the probes cannot be read: {0}")]
    ProbeLog(#[source] aya_log::Error),
    /// The recording; the watch went on to its end.
    #[error(transparent)]
    Record(#[from] WriteError),
    /// Pods are to be selected, and the API is not asked.
    #[error(
        "--namespace and --pod-selector need the Kubernetes API: run in a pod with a service account, or give \
         --kube on (see --kubeconfig and --node-name)"
    )]
    NoPods,
    /// A live view was asked for, and there is nothing to draw it on.
    #[error("the live view needs a terminal and standard output is not one: use `tag52 run` here")]
    NoTerminal,
    /// The live view.
    #[error("the live view has failed: {0}")]
    Screen(#[source] io::Error),
    /// Timers, signals, descriptors.
    #[error("the run loop could not be set up: {0}")]
    Runtime(#[source] io::Error),
}

impl RunError {
    /// Whether the run could not begin as it was requested: with other arguments, or on another
    /// machine, it can. The other errors are failures in the course of a run.
    #[must_use]
    pub const fn is_bad_use(&self) -> bool {
        matches!(
            self,
            Self::Target(_)
                | Self::Probes(_)
                | Self::Kube(_)
                | Self::Bind(_)
                | Self::Otlp(_)
                | Self::NoTerminal
                | Self::NoPods
                | Self::Record(WriteError::Foreign(_))
        )
    }
}
