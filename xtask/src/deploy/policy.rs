//! What a schema does not say: that the parts fit each other, and that nothing has more rights than
//! documented.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{called, folder};
use tools::rights::CAPABILITIES;

/// Where the agent serves, in all of this.
const PORT: u64 = 9752;

/// What is wrong with a build's objects.
#[derive(Debug, Default)]
struct PolicyViolations(Vec<String>);

impl PolicyViolations {
    /// Notes `wrong` unless it holds.
    fn expect(&mut self, holds: bool, wrong: &str) {
        if !holds {
            self.0.push(wrong.to_owned());
        }
    }
}

/// Returns what is wrong with a build's objects.
pub(super) fn check(name: &str, objects: &[Value]) -> Result<Vec<String>> {
    let mut violations = PolicyViolations::default();
    let set = the_only(objects, "DaemonSet")?;
    let spec = &set["spec"]["template"];
    let pod = &spec["spec"];
    check_rights(&mut violations, objects, pod)?;
    violations.expect(
        set["spec"]["selector"]["matchLabels"] == spec["metadata"]["labels"],
        "the DaemonSet does not select its pods",
    );
    violations.expect(
        pod["hostPID"] == true,
        "without hostPID the agent ends at once",
    );
    violations.expect(
        pod["hostNetwork"].is_null() && pod["hostIPC"].is_null(),
        "the host's network or IPC is not needed",
    );

    let containers = pod["containers"].as_array().context("containers")?;
    violations.expect(containers.len() == 1, "there is not one container");
    let container = containers.first().context("there is no container")?;
    check_ports(&mut violations, container, spec);
    check_container(&mut violations, container)?;
    check_security(&mut violations, &container["securityContext"], name);

    let PolicyViolations(mut wrong) = violations;
    wrong.extend(table()?);
    if let Ok(monitor) = the_only(objects, "PodMonitor") {
        wrong.extend(monitored(monitor, spec));
        wrong.extend(dashboards(objects)?);
    }
    Ok(wrong)
}

/// The object of a kind that there must be one of.
fn the_only<'a>(objects: &'a [Value], kind: &str) -> Result<&'a Value> {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    match (found.next(), found.next()) {
        (Some(object), None) => Ok(object),
        _ => Err(anyhow::anyhow!("there is not one {kind}")),
    }
}

/// The role reads pods, and is the pod's.
fn check_rights(violations: &mut PolicyViolations, objects: &[Value], pod: &Value) -> Result<()> {
    let role = the_only(objects, "ClusterRole")?;
    violations.expect(
        role["rules"]
            == json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]),
        "the role is for more or less than reading pods",
    );
    let account = &the_only(objects, "ServiceAccount")?["metadata"];
    let binding = the_only(objects, "ClusterRoleBinding")?;
    violations.expect(
        binding["subjects"]
            == json!([{"kind": "ServiceAccount", "name": account["name"],
                "namespace": account["namespace"]}])
            && binding["roleRef"]["name"] == role["metadata"]["name"]
            && pod["serviceAccountName"] == account["name"],
        "role, account and pod do not belong together",
    );
    Ok(())
}

/// Ports, probes and annotation agree.
fn check_ports(violations: &mut PolicyViolations, container: &Value, spec: &Value) {
    violations.expect(
        container["ports"]
            == json!([{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}]),
        "the port is another",
    );
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        violations.expect(
            get["port"] == "metrics" && get["path"] == "/healthz",
            &format!("the {probe} asks elsewhere"),
        );
    }
    let annotated = &spec["metadata"]["annotations"]["prometheus.io/port"];
    violations.expect(
        annotated.is_null() || annotated.as_str().and_then(|port| port.parse().ok()) == Some(PORT),
        "the annotation names another port",
    );
}

/// Environment, resources and arguments.
fn check_container(violations: &mut PolicyViolations, container: &Value) -> Result<()> {
    violations.expect(
        container["env"]
            == json!([{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]),
        "it does not get its node's name",
    );
    let limits = &container["resources"]["limits"];
    violations.expect(
        limits["cpu"].is_null() && limits["memory"].is_string(),
        "CPU is limited, or memory is not",
    );
    violations.expect(
        container["args"] == image_arguments()?,
        "the DaemonSet's arguments are not the image's default ones",
    );
    Ok(())
}

/// No more rights than documented for a build of this name.
fn check_security(violations: &mut PolicyViolations, security: &Value, name: &str) {
    violations.expect(
        security["readOnlyRootFilesystem"] == true,
        "the root file system can be written",
    );
    if name.ends_with("unprivileged") {
        let names = CAPABILITIES.map(|(name, _)| name);
        violations.expect(
            security["privileged"] == false
                && security["allowPrivilegeEscalation"] == false
                && security["capabilities"] == json!({"add": names, "drop": ["ALL"]}),
            "the capabilities are not those of the table",
        );
    } else {
        violations.expect(security["privileged"] == true, "it is not privileged");
    }
}

/// `CMD` of the Containerfile.
fn image_arguments() -> Result<Value> {
    let path = folder().join("Containerfile");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let command = text.lines().find_map(|line| line.strip_prefix("CMD "));
    serde_json::from_str(command.context("the Containerfile has no CMD")?)
        .context("its CMD is no list")
}

/// The README's table of capabilities.
fn table() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(folder().join("README.md"))
        .context("cannot read deploy/README.md")?;
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `CAP_")?.split('`').next())
        .collect();
    let names = CAPABILITIES.map(|(name, _)| name);
    Ok(if rows == names {
        Vec::new()
    } else {
        vec![format!("deploy/README.md has {rows:?}, not {names:?}")]
    })
}

fn monitored(monitor: &Value, pod: &Value) -> Vec<String> {
    let spec = &monitor["spec"];
    let endpoint = &spec["podMetricsEndpoints"][0];
    let mut wrong = Vec::new();
    if spec["selector"]["matchLabels"] != pod["metadata"]["labels"] {
        wrong.push("the PodMonitor selects other pods".to_owned());
    }
    if endpoint["port"] != "metrics" || endpoint["honorLabels"] != true {
        wrong.push("the PodMonitor scrapes another port, or overwrites labels".to_owned());
    }
    if !pod["metadata"]["annotations"]["prometheus.io/scrape"].is_null() {
        wrong.push("with annotations and a PodMonitor it is scraped twice".to_owned());
    }
    wrong
}

/// Every dashboard is in a ConfigMap that the sidecar finds.
fn dashboards(objects: &[Value]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join("dashboards"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let found = objects
            .iter()
            .find(|object| object["kind"] == "ConfigMap" && object["data"].get(&*file).is_some());
        let Some(found) = found else {
            wrong.push(format!(
                "dashboards/{file} is in no ConfigMap: dashboards/kustomization.yaml"
            ));
            continue;
        };
        let name = called(found);
        let text = found["data"][&*file].as_str().unwrap_or_default();
        if serde_json::from_str::<Value>(text).is_err() {
            wrong.push(format!("{name}: {file} is no JSON"));
        }
        // etcd takes 1 MiB.
        if text.len() > 900 << 10 || found["metadata"]["labels"]["grafana_dashboard"] != "1" {
            wrong.push(format!(
                "{name} is too large, or the sidecar does not find it"
            ));
        }
    }
    Ok(wrong)
}
