//! Everything that the dashboards and the rules ask has an answer, and the right one.

use dashboards::live as prometheus;

use live::{agent_binary, one_at_a_time};

#[test]
fn every_expression_has_data_in_a_real_prometheus() {
    let binary = agent_binary();
    // `cargo xtask test` has fetched it; in a virtual machine there is none.
    if let Err(error) = tools::prometheus::ensure() {
        assert!(!workspace::in_ci(), "CI=true, and no Prometheus: {error:#}");
        eprintln!("skipped: no Prometheus: {error:#}");
        return;
    }
    let _alone = one_at_a_time();
    let options = prometheus::LiveOptions {
        seconds: 40,
        allow_missing: false,
        dump: None,
    };
    let report = prometheus::run(&options, &binary).expect("it runs");
    assert!(report.failures().is_empty(), "{report}");
}
