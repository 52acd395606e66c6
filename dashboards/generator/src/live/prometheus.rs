//! A Prometheus server as a child process, and its API.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use workspace::child::Guarded;

/// Seconds between two scrapes, and between two evaluations of the rules.
pub(super) const SCRAPE_S: u64 = 1;

/// A running Prometheus server. Dropping it ends it and removes its data.
#[derive(Debug)]
pub(super) struct Prometheus {
    process: Guarded,
    http: ureq::Agent,
    address: String,
    folder: TempDir,
}

/// One series of an answer.
#[derive(Clone, Debug)]
pub(super) struct PrometheusSeries {
    pub(super) labels: BTreeMap<String, String>,
    /// Seconds since 1970, and the value.
    pub(super) samples: Vec<(f64, f64)>,
}

impl Prometheus {
    /// Starts it on the address `target` with these rules, whose alerts fire after a second instead
    /// of minutes.
    pub(super) fn start(programs: &Path, target: &str, rules: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::write(at("rules.yaml"), with_short_delays(rules))?;
        fs::write(at("prometheus.yaml"), configuration(target))?;
        // Free now, and hardly taken within the next moment.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new(programs.join("prometheus"));
        command
            .arg(format!("--config.file={}", at("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", at("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--enable-feature=exemplar-storage")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(at("log"))?);
        let process = Guarded::spawn(&mut command, "Prometheus")?;
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        let mut prometheus = Self {
            process,
            http,
            address,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !prometheus.is_ready() {
            if let Some(status) = prometheus.process.ended() {
                bail!("Prometheus ended early ({status}): {}", prometheus.log());
            }
            ensure!(
                Instant::now() < deadline,
                "Prometheus did not become ready: {}",
                prometheus.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(prometheus)
    }

    fn is_ready(&self) -> bool {
        let answer = self
            .http
            .get(format!("http://{}/-/ready", self.address))
            .call();
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// Returns the last five lines of its log.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }

    /// Requests `path` of its API and returns `data` of the answer.
    pub(super) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let mut answer = self
            .http
            .get(format!("http://{}/api/v1/{path}", self.address))
            .query_pairs(parameters.iter().copied())
            .call()
            .with_context(|| format!("Prometheus did not answer {path}"))?;
        let text = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .with_context(|| format!("the answer of Prometheus to {path} ended early"))?;
        let mut answer: Value = serde_json::from_str(&text)
            .with_context(|| format!("the answer of Prometheus to {path} is not JSON"))?;
        ensure!(
            answer["status"] == "success",
            "{}",
            answer["error"].as_str().unwrap_or("refused")
        );
        Ok(answer["data"].take())
    }

    /// Evaluates an expression at an instant.
    pub(super) fn query(&self, expr: &str, at: f64) -> Result<Value> {
        self.get("query", &[("query", expr), ("time", &at.to_string())])
    }

    /// Evaluates an expression over a time range.
    pub(super) fn query_range(
        &self,
        expr: &str,
        (from, to): (f64, f64),
        step_s: u64,
    ) -> Result<Value> {
        let (from, to, step) = (from.to_string(), to.to_string(), step_s.to_string());
        self.get(
            "query_range",
            &[
                ("query", expr),
                ("start", &from),
                ("end", &to),
                ("step", &step),
            ],
        )
    }

    /// Returns the first value of an expression at an instant.
    pub(super) fn number(&self, expr: &str, at: f64) -> Result<f64> {
        let series = series(&self.query(expr, at)?)?;
        let value = series
            .first()
            .and_then(|s| s.samples.first())
            .map(|&(_, v)| v);
        value.with_context(|| format!("{expr} has no value"))
    }

    /// Returns the values of a label in the series that match a selector.
    pub(super) fn label_values(&self, label: &str, selector: &str) -> Result<Vec<String>> {
        let data = self.get(&format!("label/{label}/values"), &[("match[]", selector)])?;
        Ok(serde_json::from_value(data)?)
    }

    /// Returns the names of all metrics.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(
            self.get("label/__name__/values", &[])?,
        )?)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        let _late = self.process.wait(Duration::from_secs(10));
    }
}

/// Parses the series of an answer: a scalar, a vector or a matrix.
pub(super) fn series(data: &Value) -> Result<Vec<PrometheusSeries>> {
    let sample = |pair: &Value| -> Option<(f64, f64)> {
        Some((pair.get(0)?.as_f64()?, pair.get(1)?.as_str()?.parse().ok()?))
    };
    let result = &data["result"];
    if data["resultType"] == "scalar" {
        let samples = sample(result).into_iter().collect();
        return Ok(vec![PrometheusSeries {
            labels: BTreeMap::new(),
            samples,
        }]);
    }
    let rows = result.as_array().context("an answer without a result")?;
    rows.iter()
        .map(|row| {
            let samples = match row.get("values").and_then(Value::as_array) {
                Some(values) => values.iter().filter_map(sample).collect(),
                None => row.get("value").and_then(sample).into_iter().collect(),
            };
            Ok(PrometheusSeries {
                labels: serde_json::from_value(row["metric"].clone())?,
                samples,
            })
        })
        .collect()
}

fn configuration(target: &str) -> String {
    format!(
        "global: {{scrape_interval: {SCRAPE_S}s, scrape_timeout: {SCRAPE_S}s, evaluation_interval: \
         {SCRAPE_S}s}}\nrule_files: [rules.yaml]\nscrape_configs:\n- job_name: tag52\n  \
         honor_labels: true\n  static_configs:\n  - targets: [{target:?}]\n"
    )
}

/// Returns the rules with every `for` set to a second and without intervals of their own.
fn with_short_delays(rules: &str) -> String {
    rules
        .lines()
        .filter(|line| !line.trim_start().starts_with("interval:"))
        .map(|line| match line.split_once("for: ") {
            Some((before, _)) if before.trim().is_empty() => format!("{before}for: 1s\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_get_short_delays_and_no_interval() {
        let rules =
            "- name: a\n  interval: 30s\n  rules:\n  - alert: B\n    for: 5m\n    x: for: 5m\n";
        assert_eq!(
            with_short_delays(rules),
            "- name: a\n  rules:\n  - alert: B\n    for: 1s\n    x: for: 5m\n"
        );
    }

    #[test]
    fn answers_of_all_kinds_are_read() {
        let vector = r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"2"]}]}"#;
        let matrix =
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],[2,"NaN"]]}]}"#;
        let scalar = r#"{"resultType":"scalar","result":[1,"3"]}"#;
        let read = |text| series(&serde_json::from_str(text).expect("JSON")).expect("series");
        assert_eq!(read(vector)[0].samples, [(1.5, 2.0)]);
        assert_eq!(read(vector)[0].labels["a"], "b");
        assert_eq!(read(matrix)[0].samples.len(), 2);
        assert_eq!(read(scalar)[0].samples, [(1.0, 3.0)]);
    }
}
