//! Remembers that everything was there, in a way that notices when it no longer is.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::linker;
use super::nightly::Nightly;

/// What was verified. Identities are size and modification time.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Stamp {
    linker_version: String,
    linker: (u64, i64),
    nightly: String,
    compiler_path: PathBuf,
    compiler: (u64, i64),
    sources: PathBuf,
}

fn identity(path: &Path) -> Option<(u64, i64)> {
    let meta = path.metadata().ok()?;
    Some((meta.size(), meta.mtime()))
}

/// The nightly's name if nothing has changed since the stamp was written.
pub(super) fn check(stamp: &Path, linker: &Path) -> Option<String> {
    let stamp: Stamp = serde_json::from_slice(&std::fs::read(stamp).ok()?).ok()?;
    let same = stamp.linker_version == linker::VERSION
        && identity(linker)? == stamp.linker
        && identity(&stamp.compiler_path)? == stamp.compiler
        && stamp.sources.is_dir();
    same.then_some(stamp.nightly)
}

/// Writes the stamp.
pub(super) fn write(path: &Path, linker: &Path, nightly: &Nightly) -> Result<()> {
    let compiler = nightly.compiler();
    let missing = |path: &Path| format!("{} is missing", path.display());
    let stamp = Stamp {
        linker_version: linker::VERSION.to_owned(),
        linker: identity(linker).with_context(|| missing(linker))?,
        nightly: nightly.name.clone(),
        compiler: identity(&compiler).with_context(|| missing(&compiler))?,
        compiler_path: compiler,
        sources: nightly.sources(),
    };
    std::fs::write(path, serde_json::to_vec_pretty(&stamp)?)
        .with_context(|| format!("cannot write {}", path.display()))
}
