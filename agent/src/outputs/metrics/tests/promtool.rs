//! Promtool, an oracle that is not ours, reads the metrics.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use super::{
    super::{Exposition, ExpositionFormat, MAX_SERIES, OutputStatus},
    busy_model,
};

/// `cargo xtask test` names promtool in `TAG52_PROMTOOL`. Without one the test fails where `CI` is
/// `true`, and is skipped elsewhere.
#[test]
fn promtool_accepts_the_metrics() {
    let model = Arc::new(Mutex::new(busy_model()));
    let status = OutputStatus::new(MAX_SERIES, "node-1");
    // Its `check metrics` reads the older text format only.
    let text = Exposition::new(Arc::clone(&model), status).render(ExpositionFormat::Text);
    let promtool = std::env::var_os("TAG52_PROMTOOL").filter(|path| !path.is_empty());
    let child = Command::new(promtool.unwrap_or_else(|| "promtool".into()))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        let missing = "no promtool in TAG52_PROMTOOL or on the PATH";
        assert!(!in_ci, "{missing}");
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
