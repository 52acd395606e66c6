//! A CPython interpreter that can run the lab's scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// A usable Python interpreter.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The real binary, whatever wrapper script was asked for.
    pub path: PathBuf,
    /// For people: `CPython 3.11.7`.
    pub version: String,
    /// What extension modules are built for: `cpython-311-x86_64-linux-gnu`.
    pub tag: String,
    /// Where its headers are, if they are installed.
    pub headers: PathBuf,
    /// The C++ compiler it was built with, for its extension modules.
    pub compiler: String,
}

impl Interpreter {
    /// Looks behind wrapper scripts for the real binary and checks its version.
    pub fn find(python: &Path) -> Result<Self> {
        const QUESTION: &str = "import platform, sys, sysconfig; print(sys.executable, \
                                platform.python_implementation(), platform.python_version(), \
                                sys.version_info >= (3, 9), sysconfig.get_config_var('SOABI'), \
                                sysconfig.get_path('include'), sysconfig.get_config_var('CXX'), \
                                sep='\\n')";
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
        let [path, kind, version, recent, tag, headers, compiler] =
            answer.lines().collect::<Vec<_>>()[..]
        else {
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
            tag: tag.to_owned(),
            headers: headers.into(),
            compiler: compiler.to_owned(),
        })
    }

    /// A command that runs this script; nothing is written beside it.
    pub fn script(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("-B").arg(script);
        command
    }
}
