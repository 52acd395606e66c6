//! Tests of the export: its configuration, its points, and exports to receivers.

mod config;
mod exports;
mod https;
mod points;

use std::time::Duration;

use super::OtlpConfig;

fn config(url: &str, environment: &[(&str, &str)]) -> OtlpConfig {
    let get = |name: &str| {
        let found = environment.iter().find(|(of, _)| *of == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let machine = vec![("k8s.node.name".to_owned(), "node-1".to_owned())];
    OtlpConfig::new(url, Duration::from_millis(100), machine, &get).expect("valid")
}
