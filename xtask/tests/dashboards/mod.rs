//! Everything that the dashboards and the rules ask has an answer, and the right one.

use std::path::Path;

use xtask::dashboards::live::{self, Options};

use crate::common::{XTASK, agent_binary, one_at_a_time};

#[test]
fn every_expression_has_data_in_a_real_prometheus() {
    let binary = agent_binary();
    // `cargo xtask test` has fetched it; in a virtual machine there is none.
    if let Err(error) = live::ensure_prometheus() {
        eprintln!("skipped: no Prometheus: {error:#}");
        return;
    }
    let _alone = one_at_a_time();
    let options = Options {
        seconds: 40,
        allow_missing: false,
        dump: None,
    };
    let report = live::run(&options, &binary, Path::new(XTASK)).expect("it runs");
    assert!(report.failures().is_empty(), "{report}");
}
