//! Promtool, an oracle that is not ours, reads the metrics.

use std::sync::{Arc, Mutex};

use super::{
    super::{Exposition, ExpositionFormat, MAX_SERIES, OutputStatus},
    busy_model,
};

/// Fails without promtool where `CI` is `true`; elsewhere it is skipped.
#[test]
fn promtool_accepts_the_metrics() {
    use std::{io::Write as _, process::Stdio};
    let model = Arc::new(Mutex::new(busy_model()));
    let status = OutputStatus::new(MAX_SERIES, "node-1");
    // Its `check metrics` reads the older text format only.
    let text = Exposition::new(Arc::clone(&model), status).render(ExpositionFormat::Text);
    let child = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let missing = "promtool is not on the PATH: it comes with a release of Prometheus";
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "{missing}"
        );
        println!("skipped: {missing}");
        return;
    };
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(&text).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
