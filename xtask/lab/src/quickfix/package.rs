//! QuickFIX for Python: built once from PyPI's sources and cached under `target/quickfix`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::cpython::Interpreter;

/// The pinned version.
const VERSION: &str = "1.16.0";

/// Prefix of the folders of unfinished builds.
const UNFINISHED: &str = "build-";

/// Lines of a failed build's output that are shown.
const SHOWN_LINES: usize = 25;

/// QuickFIX for one interpreter.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The interpreter it was built for.
    pub python: Interpreter,
    /// The folder with the package, for PYTHONPATH.
    pub packages: PathBuf,
}

/// Returns QuickFIX for `python`; builds it unless it is cached.
pub fn engine(python: &Path) -> Result<Engine> {
    let python = Interpreter::find(python)?;
    let cache = workspace::root().join("target/quickfix");
    let packages = cache.join(format!("{VERSION}-{}", python.tag));
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("cannot create {}", cache.display()))?;
    let lock = cache.join("lock");
    // One process builds, the others wait; the lock ends with the file.
    let lock = File::create(&lock).with_context(|| format!("cannot create {}", lock.display()))?;
    lock.lock().context("cannot lock the cache of QuickFIX")?;
    if !packages.is_dir() {
        check_tools(&python)?;
        eprintln!(
            "building QuickFIX {VERSION} for {}: about 3 minutes, once",
            python.version
        );
        build(&python, &cache, &packages)?;
    }
    Ok(Engine { python, packages })
}

/// Checks for the tools of the build, which takes minutes.
fn check_tools(python: &Interpreter) -> Result<()> {
    let path = python.path.display();
    let runs = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let install = "on Debian or Ubuntu install the build dependencies of QuickFIX with: \
                   apt-get install -y python3-pip python3-dev g++";
    ensure!(
        runs(&path.to_string(), &["-m", "pip", "--version"]),
        "{path} has no pip; {install}"
    );
    ensure!(
        python.headers.join("Python.h").is_file(),
        "the headers of {path} are missing ({} holds no Python.h); {install}",
        python.headers.display()
    );
    let compiler = std::env::var("CXX").unwrap_or_else(|_| python.compiler.clone());
    let program = compiler.split_whitespace().next().unwrap_or_default();
    ensure!(
        runs(program, &["--version"]),
        "the C++ compiler {program} is missing; {install}"
    );
    Ok(())
}

/// Builds in a folder of its own and moves the result to the cache when it is complete.
fn build(python: &Interpreter, cache: &Path, packages: &Path) -> Result<()> {
    remove_unfinished(cache);
    let folder = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(cache)
        .context("cannot create a folder to build QuickFIX in")?;
    let built = folder.path().join("packages");
    let mut pip = Command::new(&python.path);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps"])
        .args(["--no-binary", "quickfix", "--target"])
        .arg(&built)
        .arg(format!("quickfix=={VERSION}"))
        // Sources and objects go here too, and are removed with it.
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null());
    // Without debug information: three quarters of the time, a tenth of the size.
    for flags in ["CFLAGS", "CXXFLAGS"] {
        let given = std::env::var(flags).unwrap_or_default();
        pip.env(flags, format!("{given} -g0"));
    }
    run(&mut pip, "pip could not build QuickFIX")?;
    let mut import = Command::new(&python.path);
    import
        .args(["-c", "import quickfix"])
        .env("PYTHONPATH", &built)
        .stdin(Stdio::null());
    run(&mut import, "QuickFIX was built and cannot be imported")?;
    std::fs::rename(&built, packages)
        .with_context(|| format!("cannot create {}", packages.display()))
}

/// Removes the folders of builds that were killed.
fn remove_unfinished(cache: &Path) {
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs a command without output; the error has its last lines.
fn run(command: &mut Command, failure: &str) -> Result<()> {
    let output = command.output().with_context(|| failure.to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    bail!(
        "{failure} ({}):\n{}",
        output.status,
        lines[from..].join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_install_before_it_builds() {
        let nothing = Interpreter {
            path: "/nowhere/python3".into(),
            version: "CPython 3.11.7".into(),
            tag: "cpython-311".into(),
            headers: "/nowhere".into(),
            compiler: "/nowhere/g++".into(),
        };
        let error = check_tools(&nothing)
            .expect_err("nothing is there")
            .to_string();
        assert!(
            error.contains("has no pip") && error.contains("apt-get install"),
            "{error}"
        );
    }
}
