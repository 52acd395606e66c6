//! The dashboards, drawn with Grafana's own components (npm: `@grafana/ui`) from the answers of a
//! real Prometheus.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::ScreenshotOptions;
use super::browser::Browser;
use tools::npm;

/// No picture may be larger, bytes: they are part of the repository.
const MAX_PICTURE_BYTES: u64 = 300_000;
/// How long the incident runs, seconds, when there are no answers yet.
const SECONDS: &str = "100";
/// What the page is made of.
const SOURCES: [&str; 5] = [
    "package.json",
    "package-lock.json",
    "index.html",
    "vite.config.mjs",
    "shrink.mjs",
];

/// Draws all of them; `data` has the answers, else they are asked for now.
pub(super) fn run(
    options: &ScreenshotOptions,
    data: Option<&Path>,
    agent: &Path,
) -> Result<Vec<PathBuf>> {
    let browser = Browser::ensure()?;
    let page = page()?;
    let folder = tempfile::tempdir()?;
    let data = match data {
        Some(data) => data.to_owned(),
        None => {
            let mut live = Command::new(workspace::program("dashboards")?);
            live.args(["--live", "--seconds", SECONDS, "--agent"])
                .arg(agent)
                .arg("--dump")
                .arg(folder.path())
                .stdout(std::io::stderr());
            workspace::run(&mut live)?;
            folder.path().to_owned()
        }
    };
    let to = match &options.to {
        Some(to) => to.clone(),
        None => workspace::root().join("dashboards/images"),
    };
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    let mut made = Vec::new();
    for name in names(&data)? {
        let picture = to.join(&name).with_extension("png");
        browser.dashboard(&page, &data.join(&name), &options.theme, &picture)?;
        let mut shrink = Command::new("node");
        shrink.arg("shrink.mjs").arg(&picture);
        finish(
            shrink.current_dir(workspace::tools().join("render")),
            "the picture cannot be made smaller",
        )?;
        let size = fs::metadata(&picture)?.len();
        ensure!(
            size <= MAX_PICTURE_BYTES,
            "{} has {size} bytes, more than {MAX_PICTURE_BYTES}",
            picture.display()
        );
        made.push(picture);
    }
    Ok(made)
}

/// The names of the dashboards that there are answers for.
fn names(data: &Path) -> Result<Vec<String>> {
    let files = fs::read_dir(data).with_context(|| format!("cannot read {}", data.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if let (Some(name), true) = (path.file_name(), is_json(&path)) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn is_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "json")
}

/// The page, built under `target/tools` (650 MB of packages, once).
fn page() -> Result<PathBuf> {
    let sources = workspace::root().join("xtask/screenshots/render");
    let folder = workspace::tools().join("render");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock = "package-lock.json";
    let installed = folder.join("installed");
    let wanted = fs::read_to_string(sources.join(lock))?;
    for name in SOURCES {
        fs::copy(sources.join(name), folder.join(name))?;
    }
    if !fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        eprintln!("fetching Grafana's components (from npm, 650 MB, once)");
        npm::install(&folder)?;
        fs::write(&installed, wanted)?;
    }
    let src = folder.join("src");
    let _ = fs::remove_dir_all(&src);
    fs::create_dir(&src)?;
    for entry in fs::read_dir(sources.join("src"))? {
        let entry = entry?;
        fs::copy(entry.path(), src.join(entry.file_name()))?;
    }
    let mut vite = Command::new("node");
    vite.args(["node_modules/vite/bin/vite.js", "build"]);
    finish(vite.current_dir(&folder), "the page cannot be built")?;
    Ok(folder.join("dist"))
}

fn finish(command: &mut Command, failure: &str) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| failure.to_owned())?;
    ensure!(status.success(), "{failure}: {status}");
    Ok(())
}
