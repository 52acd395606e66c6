//! The Prometheus operator's objects against its schemas, which an npm package has as programs.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{cache, called};
use tools::containers::finish;

/// The pinned package; of the same name as the group's.
const PACKAGE: &str = "@kubernetes-models/prometheus-operator";
const VERSION: &str = "6.0.0";

/// Reads objects, writes what is wrong with each.
const PROGRAM: &str = "
import * as models from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { readFileSync } from 'node:fs';
const wrong = JSON.parse(readFileSync(0, 'utf8')).map(object => {
  const Model = models[object.kind];
  if (!Model) return 'no such kind';
  try { new Model(object).validate(); return null; } catch (error) { return error.message; }
});
console.log(JSON.stringify(wrong));
";

/// The fields that are used, by kind: a schema of the operator lets unknown ones pass, and its API
/// drops them.
const FIELDS: [(&str, &str, &[&str]); 5] = [
    (
        "PodMonitor",
        "/spec",
        &["jobLabel", "selector", "podMetricsEndpoints"],
    ),
    (
        "PodMonitor",
        "/spec/podMetricsEndpoints/*",
        &["port", "path", "interval", "honorLabels", "relabelings"],
    ),
    (
        "PodMonitor",
        "/spec/podMetricsEndpoints/*/relabelings/*",
        &["sourceLabels", "targetLabel", "action", "regex"],
    ),
    (
        "PrometheusRule",
        "/spec/groups/*",
        &["name", "interval", "rules"],
    ),
    (
        "PrometheusRule",
        "/spec/groups/*/rules/*",
        &[
            "record",
            "alert",
            "expr",
            "for",
            "keep_firing_for",
            "labels",
            "annotations",
        ],
    ),
];

/// The package.
#[derive(Debug)]
pub(super) struct OperatorSchemas(PathBuf);

impl OperatorSchemas {
    /// Fetches it from npm; does nothing when it is there.
    pub(super) fn ensure() -> Result<Self> {
        let folder = cache().join(format!("prometheus-operator-{VERSION}"));
        if !folder.is_dir() {
            std::fs::create_dir_all(cache())?;
            let building = tempfile::tempdir_in(cache()).context("cannot create a folder")?;
            let to = building.path().join("packages");
            eprintln!("fetching {PACKAGE} {VERSION} (from npm, once)");
            finish(
                Command::new("npm")
                    .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
                    .arg(&to)
                    .arg(format!("{PACKAGE}@{VERSION}")),
            )
            .context("npm is missing (apt-get install -y npm), or it failed")?;
            std::fs::rename(&to, &folder)?;
        }
        Ok(Self(folder))
    }

    /// What is wrong with the operator's objects among these.
    pub(super) fn check(&self, objects: &[Value]) -> Result<Vec<String>> {
        let is_custom = |object: &&Value| object["apiVersion"] == "monitoring.coreos.com/v1";
        let objects: Vec<&Value> = objects.iter().filter(is_custom).collect();
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let mut child = Command::new("node")
            .args(["--input-type=module", "--eval", PROGRAM])
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("Node.js is missing (apt-get install -y nodejs)")?;
        let mut input = child.stdin.take().context("its input")?;
        input.write_all(&serde_json::to_vec(&objects)?)?;
        drop(input);
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "the validator of {PACKAGE} failed");
        let answers: Vec<Option<String>> = serde_json::from_slice(&output.stdout)?;
        let mut wrong = Vec::new();
        for (object, answer) in objects.into_iter().zip(answers) {
            let name = called(object);
            wrong.extend(answer.map(|answer| format!("{name}: {answer}")));
            for (_, path, documented) in FIELDS.iter().filter(|(kind, ..)| object["kind"] == *kind)
            {
                for found in at(object, path) {
                    let fields = found.as_object().into_iter().flat_map(|map| map.keys());
                    let unknown = fields.filter(|field| !documented.contains(&field.as_str()));
                    wrong.extend(unknown.map(|field| format!("{name}: {path}: what is {field}?")));
                }
            }
        }
        Ok(wrong)
    }
}

/// The values at a path; `*` stands for every element of an array.
fn at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.fold(vec![value], |values, part| {
        let next = values.into_iter().flat_map(|value| match part {
            "*" => value.as_array().into_iter().flatten().collect(),
            name => value.get(name).into_iter().collect::<Vec<_>>(),
        });
        next.collect()
    })
}
