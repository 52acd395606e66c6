//! What can go wrong with the API, and what to do about it.

use std::error::Error;

use kube::core::Status;

use crate::tls;

/// The kinds of failures, each with a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// 403: the account may not read pods.
    Forbidden,
    /// 401, or there is no token.
    Unauthorized,
    /// 410: the version is too old to watch from. The pods are listed again.
    Gone,
    /// There is no connection, it breaks off, or there is no answer.
    Unreachable,
    /// The server's certificate is not trusted.
    Tls,
    /// Any other error as an answer.
    Server,
    /// The answer cannot be decoded.
    Decode,
    /// Certificates or addresses are unusable.
    Config,
    /// A pod does not fit into the table.
    Crowded,
}

impl FailureKind {
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

    /// The kind as outputs name it.
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

    /// What has happened and what to do; `None` when nothing has to be done.
    const fn advice(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Forbidden => (
                "tag52's account may not read pods",
                "grant its service account get, list and watch on pods (a ClusterRole)",
            ),
            Self::Unauthorized => (
                "the API server does not accept tag52's credentials",
                "check the service account's token, or the user in the kubeconfig",
            ),
            Self::Gone => return None,
            Self::Unreachable => (
                "the API server cannot be reached",
                "check its address and the network policies",
            ),
            Self::Tls => (
                "the API server's certificate is not trusted",
                "provide the CA that signed it: in a pod the service account's ca.crt, else \
                 certificate-authority in the kubeconfig",
            ),
            Self::Server => ("the API server fails", "check its log"),
            Self::Decode => (
                "the API server's answer cannot be decoded",
                "check that the address is an API server's, not a proxy's",
            ),
            Self::Config => (
                "the API server cannot be asked",
                "check the certificates and addresses of its configuration",
            ),
            Self::Crowded => (
                "this node has more pods than fit into its table",
                "nothing else is affected",
            ),
        })
    }
}

/// One failure.
#[derive(Debug)]
pub(super) struct ApiFailure {
    pub(super) kind: FailureKind,
    /// What the request was answered, or what failed.
    detail: String,
    /// What to do, where that is more exact than the kind's advice.
    advice: Option<String>,
}

impl ApiFailure {
    pub(super) fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            kind,
            detail,
            advice: None,
        }
    }

    /// The failure of a request.
    pub(super) fn from_error(error: &kube::Error) -> Self {
        use kube::Error as E;
        if let Some(failure) = tls::failure(error) {
            let authority = FailureKind::Tls.advice().map_or("", |(_, advice)| advice);
            return Self {
                advice: Some(tls::advice(failure, authority)),
                ..Self::new(FailureKind::Tls, causes(error))
            };
        }
        let kind = match error {
            E::Api(status) => return Self::from_status(status),
            E::Auth(_) => FailureKind::Unauthorized,
            E::SerdeError(_) | E::FromUtf8(_) => FailureKind::Decode,
            E::HyperError(_) | E::Service(_) | E::ReadEvents(_) => FailureKind::Unreachable,
            _ => FailureKind::Config,
        };
        Self::new(kind, causes(error))
    }

    /// The failure that an answer stands for.
    pub(super) fn from_status(status: &Status) -> Self {
        let kind = match status.code {
            401 => FailureKind::Unauthorized,
            403 => FailureKind::Forbidden,
            410 => FailureKind::Gone,
            _ => FailureKind::Server,
        };
        Self::new(kind, format!("{} {}", status.code, status.message.trim()))
    }

    /// The log line; `None` when nothing has to be done.
    pub(super) fn message(&self) -> Option<String> {
        let (what, advice) = self.kind.advice()?;
        let advice = self.advice.as_deref().unwrap_or(advice);
        let detail: String = self.detail.chars().take(300).collect();
        Some(format!(
            "pods are shown with ids instead of names, as {what} ({detail}); {advice}; tag52 \
             tries again by itself"
        ))
    }
}

/// The text of an error and of its causes, without repetitions.
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
        let why = "pods is forbidden: User \"system:serviceaccount:m:tag52\" cannot list resource \
                   \"pods\"";
        let status = Status {
            code: 403,
            message: why.to_owned(),
            ..Status::default()
        };
        let failure = ApiFailure::from_status(&status);
        assert_eq!(failure.kind, FailureKind::Forbidden);
        let message = failure.message().expect("a message");
        for words in [
            "system:serviceaccount:m:tag52",
            "get, list and watch on pods",
        ] {
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn messages_are_short_and_an_outdated_version_has_none() {
        let long = ApiFailure::new(FailureKind::Decode, "x".repeat(10_000));
        assert!(long.message().expect("a message").len() < 500);
        assert_eq!(ApiFailure::new(FailureKind::Gone, "410").message(), None);
    }

    #[test]
    fn kinds_are_in_the_order_of_their_numbers() {
        for (at, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }
}
