//! A CPython interpreter that can run the lab's scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// A usable Python interpreter.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The interpreter's binary, behind any wrapper script.
    pub path: PathBuf,
    /// Its version for output: `CPython 3.11.7`.
    pub version: String,
    /// The ABI tag of extension modules: `cpython-311-x86_64-linux-gnu`.
    pub tag: String,
    /// The folder of its headers, which need not be installed.
    pub headers: PathBuf,
    /// The C++ compiler it was built with, for its extension modules.
    pub compiler: String,
}

impl Interpreter {
    /// Finds the binary behind `python` and checks its version.
    ///
    /// # Errors
    /// It is missing, or not CPython 3.9 or later.
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

    /// Returns a command that runs a script without writing bytecode beside it.
    pub fn script(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("-B").arg(script);
        command
    }
}
