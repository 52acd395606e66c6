//! The process of a session as its container knows it.

use std::fmt::{self, Write as _};

use crate::domain::{ProcessInfo, units::sanitize_name};

/// A line about the container and pod of a process; `None` on the host.
pub(super) fn container_line(process: &ProcessInfo) -> Option<String> {
    let container = process.container.as_ref();
    if container.is_none() && process.pod.is_none() {
        return None;
    }
    let mut text = format!(
        "{} is pid {} in its container",
        sanitize_name(&process.comm),
        process.inner_pid
    );
    if let Some(container) = container {
        let id = container.id.get(..12).unwrap_or(&container.id);
        let runtime = container.runtime.as_deref().unwrap_or("container");
        let _ = write!(text, " ({} {})", sanitize_name(runtime), sanitize_name(id));
    }
    if let Some(pod) = &process.pod {
        let _ = write!(text, ", pod {}", sanitize_name(&pod.uid));
        if let Some(qos) = pod.qos {
            let _ = write!(text, ", {}", qos.name());
        }
    }
    match (process.cpu_request_millis, process.cpu_request_between) {
        (Some(millis), _) => {
            let _ = write!(text, ", CPU request {}", Cpus(millis));
        }
        (None, Some((least, most))) => {
            let _ = write!(text, ", CPU request {} to {}", Cpus(least), Cpus(most));
        }
        (None, None) => {}
    }
    if let Some(millis) = process.cpu_limit_millis {
        let _ = write!(text, ", CPU limit {}", Cpus(millis));
    }
    Some(text)
}

/// Thousandths of a CPU: `0.25`, `2`.
struct Cpus(u64);

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as f64 / 1000.0)
    }
}
