//! How sessions and processes are called in text.

use std::fmt::Write as _;

use crate::{
    domain::{ProcessInfo, units::sanitize_name},
    model::{SessionFigures, SessionName},
};

/// A session in one word group: `VENUE>DROP :5002 411/412` (CompIDs, our port, pid/tid), and in a
/// container its location: `VENUE>DROP :5002 411/412 trading/oms-0/engine`.
pub(super) fn session_label(s: &SessionFigures) -> String {
    let SessionName::One(id) = &s.name else {
        return format!("{} sessions", s.name.sender());
    };
    let mut text = format!(
        "{}>{} :{} {}",
        sanitize_name(&id.sender),
        sanitize_name(&id.target),
        id.local.port(),
        id.pid
    );
    if let Some(tid) = s.tid {
        let _ = write!(text, "/{tid}");
    }
    if let Some(location) = s.process.as_deref().and_then(process_location) {
        let _ = write!(text, " {location}");
    }
    text
}

/// Where a process runs: `namespace/pod/container`, with ids where there are no names; a container
/// outside of Kubernetes by its runtime: `podman/1a2b3c4d5e6f`. `None` on the host.
pub(crate) fn process_location(process: &ProcessInfo) -> Option<String> {
    let container = process.container.as_ref();
    let Some(pod) = &process.pod else {
        let container = container?;
        let runtime = container.runtime.as_deref().unwrap_or("container");
        return Some(format!(
            "{}/{}",
            sanitize_name(runtime),
            sanitize_name(container.label())
        ));
    };
    let mut text = String::new();
    if let Some(namespace) = &pod.namespace {
        let _ = write!(text, "{}/", sanitize_name(namespace));
    }
    let _ = write!(text, "{}", sanitize_name(pod.label()));
    if let Some(container) = container {
        let _ = write!(text, "/{}", sanitize_name(container.label()));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Container, Pod};

    #[test]
    fn a_location_has_names_where_they_are_resolved_and_ids_elsewhere() {
        let id = "09d185410c4e25236cc24717f881589bb0978b24eafd101624e627a4dd8d3439";
        let container = |name: Option<&str>, runtime: Option<&str>| Container {
            id: id.to_owned(),
            runtime: runtime.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        let mut process = ProcessInfo::default();
        assert_eq!(process_location(&process), None);
        let location = |process: &ProcessInfo| process_location(process).expect("a container");
        process.container = Some(container(None, Some("podman")));
        assert_eq!(location(&process), "podman/09d185410c4e");
        process.container = Some(container(None, None));
        assert_eq!(location(&process), "container/09d185410c4e");
        process.pod = Some(Pod {
            uid: "03f3f104".to_owned(),
            ..Pod::default()
        });
        assert_eq!(location(&process), "03f3f104/09d185410c4e");
        process.pod = Some(Pod {
            uid: "03f3f104".to_owned(),
            namespace: Some("trading".to_owned()),
            name: Some("oms-0".to_owned()),
            qos: None,
        });
        process.container = Some(container(Some("engine"), None));
        assert_eq!(location(&process), "trading/oms-0/engine");
        process.container = None;
        assert_eq!(location(&process), "trading/oms-0");
    }
}
