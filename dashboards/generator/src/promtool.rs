//! `cargo xtask dashboards --rules`: checks the rules and runs their tests with promtool.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Checks the rules in a folder and runs their tests.
pub(super) fn check_rules(folder: &Path) -> Result<()> {
    let promtool = tools::prometheus::ensure()?.join("promtool");
    for arguments in [
        ["check", "rules", "rules.yaml"],
        ["test", "rules", "rules.test.yaml"],
    ] {
        let output = Command::new(&promtool)
            .args(arguments)
            .current_dir(folder)
            .output()
            .context("cannot run promtool")?;
        ensure!(
            output.status.success(),
            "promtool {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
