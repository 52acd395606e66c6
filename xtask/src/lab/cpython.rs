//! A CPython interpreter that can run the lab's scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// A usable Python interpreter.
#[derive(Clone, Debug)]
pub struct Interpreter {
    path: PathBuf,
    /// For people: `CPython 3.11.7`.
    pub version: String,
}

impl Interpreter {
    /// Looks behind wrapper scripts for the real binary and checks its version.
    pub fn find(python: &Path) -> Result<Self> {
        const QUESTION: &str = "import platform, sys; print(sys.executable, platform.python_implementation(), \
                                platform.python_version(), sys.version_info >= (3, 9), sep='\\n')";
        let missing = || {
            format!(
                "{} is missing; on Debian or Ubuntu install it with: apt-get install -y python3",
                python.display()
            )
        };
        let output = Command::new(python)
            .args(["-c", QUESTION])
            .output()
            .with_context(missing)?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let [path, kind, version, recent] = answer.lines().collect::<Vec<_>>()[..] else {
            bail!("{} is no working Python interpreter", python.display())
        };
        ensure!(
            kind == "CPython" && recent == "True",
            "{} is {kind} {version}; CPython 3.9 or later is needed (--python PATH)",
            python.display()
        );
        Ok(Self {
            path: path.into(),
            version: format!("{kind} {version}"),
        })
    }

    /// A command that runs this script; nothing is written beside it.
    pub fn script(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("-B").arg(script);
        command
    }
}
