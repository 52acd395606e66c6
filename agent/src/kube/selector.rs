//! Which pods are selected: by namespace and by labels.

use super::{directory::PodDirectory, labels::LabelSelector, pod::PodFacts};
use crate::domain::ProcessInfo;

/// Whether a selector matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelectorMatch {
    /// It matches.
    Yes,
    /// It does not match.
    No,
    /// The API has not reported enough yet: to be asked again when
    /// [`PodDirectory::generation`] has changed.
    Undecided,
}

impl From<bool> for SelectorMatch {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

impl SelectorMatch {
    /// Whether both match.
    pub(crate) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Undecided, _) | (_, Self::Undecided) => Self::Undecided,
            _ => Self::Yes,
        }
    }
}

/// Conditions on a pod. Without any, every process matches, whether in a pod or not.
#[derive(Clone, Debug, Default)]
pub struct PodSelector {
    /// The namespaces, one of which must be the pod's; empty: any.
    pub namespaces: Vec<String>,
    /// The label selectors, one of which must match the pod; empty: any labels.
    pub labels: Vec<LabelSelector>,
}

impl PodSelector {
    /// Whether there is no condition at all. With one, the API must be asked.
    pub(crate) const fn is_any(&self) -> bool {
        self.namespaces.is_empty() && self.labels.is_empty()
    }

    /// Whether a process matches, by what the Kubernetes API, when the agent asks it, has reported
    /// of its pod.
    pub(crate) fn matches(
        &self,
        process: &ProcessInfo,
        kube: Option<&PodDirectory>,
    ) -> SelectorMatch {
        if self.is_any() {
            return SelectorMatch::Yes;
        }
        let Some(pod) = &process.pod else {
            return SelectorMatch::No;
        };
        match kube.and_then(|kube| kube.pod(&pod.uid)) {
            Some(facts) => self.matches_pod(&facts).into(),
            // The API reported it before, and it has been forgotten since.
            None if pod
                .namespace
                .as_ref()
                .is_some_and(|n| !self.has_namespace(n)) =>
            {
                SelectorMatch::No
            }
            None => SelectorMatch::Undecided,
        }
    }

    fn matches_pod(&self, pod: &PodFacts) -> bool {
        let labels = &self.labels;
        self.has_namespace(&pod.namespace)
            && (labels.is_empty() || labels.iter().any(|one| one.matches(&pod.labels)))
    }

    fn has_namespace(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|one| one == namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Pod;

    fn pod(namespace: &str, labels: &[(&str, &str)]) -> PodFacts {
        let labels = labels.iter();
        PodFacts {
            namespace: namespace.to_owned(),
            name: "p".to_owned(),
            labels: labels.map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
            containers: Vec::new(),
        }
    }

    #[test]
    fn repeated_selectors_are_ored() {
        let selector = PodSelector {
            namespaces: vec!["fx".to_owned(), "rates".to_owned()],
            labels: ["app=oms", "app=gateway"]
                .map(|s| s.parse().expect("valid"))
                .to_vec(),
        };
        assert!(selector.matches_pod(&pod("rates", &[("app", "gateway")])));
        assert!(!selector.matches_pod(&pod("other", &[("app", "gateway")])));
        assert!(!selector.matches_pod(&pod("fx", &[("app", "web")])));
    }

    #[test]
    fn a_pod_that_the_api_has_not_reported_is_undecided() {
        let in_pod = |namespace: Option<&str>| ProcessInfo {
            pod: Some(Pod {
                uid: "u".to_owned(),
                namespace: namespace.map(str::to_owned),
                ..Pod::default()
            }),
            ..ProcessInfo::default()
        };
        let selector = PodSelector {
            namespaces: vec!["fx".to_owned()],
            ..PodSelector::default()
        };
        assert_eq!(
            selector.matches(&in_pod(None), None),
            SelectorMatch::Undecided
        );
        assert_eq!(
            selector.matches(&in_pod(Some("fx")), None),
            SelectorMatch::Undecided
        );
        assert_eq!(
            selector.matches(&in_pod(Some("rates")), None),
            SelectorMatch::No
        );
        assert_eq!(
            selector.matches(&ProcessInfo::default(), None),
            SelectorMatch::No
        );
        let any = PodSelector::default();
        assert_eq!(
            any.matches(&ProcessInfo::default(), None),
            SelectorMatch::Yes
        );
    }
}
