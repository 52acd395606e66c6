//! kustomize, as kubectl has it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::cache;
use tools::apt;
use tools::containers::finish;

/// The suite whose kubectl is new enough (kustomize 5).
const SUITE: &str = "trixie";

/// A kubectl.
#[derive(Debug)]
pub(super) struct Kustomize(PathBuf);

impl Kustomize {
    /// The machine's, else Debian's, unpacked under `target/deploy`.
    pub(super) fn ensure() -> Result<Self> {
        let own = Self("kubectl".into());
        if own.is_new_enough() {
            return Ok(own);
        }
        let folder = cache().join("kubectl");
        let fetched = Self(folder.join("usr/bin/kubectl"));
        if !fetched.0.is_file() {
            eprintln!("fetching kubectl (from Debian {SUITE}, once)");
            apt::fetch(&["kubectl"], SUITE, &folder)?;
        }
        ensure!(
            fetched.is_new_enough(),
            "{} has no kustomize 5: install kubectl 1.27 or later",
            fetched.0.display()
        );
        Ok(fetched)
    }

    fn is_new_enough(&self) -> bool {
        let version = finish(Command::new(&self.0).args(["version", "--client"]));
        version.is_ok_and(|text| text.contains("Kustomize Version: v5"))
    }

    /// What a folder makes, as YAML.
    pub(super) fn build(&self, folder: &Path) -> Result<String> {
        finish(Command::new(&self.0).arg("kustomize").arg(folder))
            .with_context(|| format!("{} cannot be built", folder.display()))
    }
}
