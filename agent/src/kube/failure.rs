//! What can go wrong, and what to do about it.

use std::{error::Error, path::PathBuf};

use kube::core::Status;

use crate::tls;

/// Why the pods cannot be followed at all.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    /// Asked for, and nothing says where the API is.
    #[error(
        "--kube on: nothing says where the Kubernetes API is ({0}): give --kubeconfig FILE, set KUBECONFIG, \
         or run in a pod with a service account"
    )]
    NoApi(String),
    /// A file was given.
    #[error("--kubeconfig {}: {why}", file.display())]
    Kubeconfig {
        /// Which.
        file: PathBuf,
        /// Why it is of no use.
        why: String,
    },
    /// Asked for, and nothing says which node this is.
    #[error(
        "--kube on: whose pods? Give --node-name NODE, or set NODE_NAME (in a DaemonSet from the field \
         spec.nodeName)"
    )]
    NoNode,
    /// No object has such a name.
    #[error("--node-name {0:?} is no node's name: `kubectl get nodes` lists them")]
    NodeName(String),
}

/// Kinds of failures, counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 403
    Forbidden,
    /// 401, or no token.
    Unauthorized,
    /// 410: what was known is too old to go on from. All is listed again.
    Gone,
    /// No connection, none that lasts, or no answer.
    Unreachable,
    /// It is not who it should be: its certificate is not trusted.
    Tls,
    /// Any other answer that is an error.
    Server,
    /// No answer as it should be.
    Decode,
    /// Certificates or addresses that are of no use.
    Config,
    /// A pod too many to be kept.
    Crowded,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Forbidden,
        Self::Unauthorized,
        Self::Gone,
        Self::Unreachable,
        Self::Tls,
        Self::Server,
        Self::Decode,
        Self::Config,
        Self::Crowded,
    ];

    /// As in outputs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::Gone => "gone",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Server => "server",
            Self::Decode => "decode",
            Self::Config => "config",
            Self::Crowded => "crowded",
        }
    }

    /// What it means and what to do, for people; `None`: nothing, it happens.
    const fn advice(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Forbidden => (
                "it is not allowed to read the pods",
                "grant its service account get, list and watch on pods (a ClusterRole)",
            ),
            Self::Unauthorized => (
                "the API server does not know who asks",
                "look at the service account's token, or the kubeconfig's user",
            ),
            Self::Gone => return None,
            Self::Unreachable => (
                "the API server cannot be reached",
                "look at the address and at network policies",
            ),
            Self::Tls => (
                "the API server's certificate is not trusted",
                "give it the CA that signed it: in a pod the service account's ca.crt, else certificate-authority \
                 in the kubeconfig",
            ),
            Self::Server => ("the API server fails", "look at its log"),
            Self::Decode => (
                "the API server's answer is not understood",
                "look whether it is one, and not a proxy",
            ),
            Self::Config => (
                "the API server cannot be asked",
                "look at certificates and addresses",
            ),
            Self::Crowded => (
                "there are more pods on this node than are kept",
                "the others keep their ids",
            ),
        })
    }
}

/// A failure.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    /// What was being done, and what came of it.
    detail: String,
    /// What to do, where more is known than the kind says.
    advice: Option<String>,
}

impl Trouble {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            kind,
            detail,
            advice: None,
        }
    }

    /// Of a request.
    pub(super) fn of(error: &kube::Error) -> Self {
        use kube::Error as E;
        if let Some(failure) = tls::failure(error) {
            let authority = Kind::Tls.advice().map_or("", |(_, advice)| advice);
            return Self {
                advice: Some(tls::advice(failure, authority)),
                ..Self::new(Kind::Tls, causes(error))
            };
        }
        let kind = match error {
            E::Api(status) => return Self::of_status(status),
            E::Auth(_) => Kind::Unauthorized,
            E::SerdeError(_) | E::FromUtf8(_) => Kind::Decode,
            E::HyperError(_) | E::Service(_) | E::ReadEvents(_) => Kind::Unreachable,
            _ => Kind::Config,
        };
        Self::new(kind, causes(error))
    }

    /// Of an answer.
    pub(super) fn of_status(status: &Status) -> Self {
        let kind = match status.code {
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            410 => Kind::Gone,
            _ => Kind::Server,
        };
        Self::new(kind, format!("{} {}", status.code, status.message.trim()))
    }

    /// For people; `None`: it happens.
    pub(super) fn told(&self) -> Option<String> {
        let (what, advice) = self.kind.advice()?;
        let advice = self.advice.as_deref().unwrap_or(advice);
        let detail: String = self.detail.chars().take(300).collect();
        Some(format!(
            "names of pods: {what} ({detail}): {advice}; trying again from time to time"
        ))
    }
}

/// An error and what it came from, without saying anything twice.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_grant_and_to_whom() {
        let why = "pods is forbidden: User \"system:serviceaccount:m:tag52\" cannot list resource \"pods\"";
        let status = Status {
            code: 403,
            message: why.to_owned(),
            ..Status::default()
        };
        let trouble = Trouble::of_status(&status);
        assert_eq!(trouble.kind, Kind::Forbidden);
        let told = trouble.told().expect("told");
        for words in [
            "system:serviceaccount:m:tag52",
            "get, list and watch on pods",
        ] {
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn what_is_told_is_short_and_what_happens_is_not_told() {
        let long = Trouble::new(Kind::Decode, "x".repeat(10_000));
        assert!(long.told().expect("told").len() < 500);
        assert_eq!(Trouble::new(Kind::Gone, "410").told(), None);
    }

    #[test]
    fn kinds_are_counted_where_they_belong() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }
}
