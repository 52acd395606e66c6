//! Debian's archives, as this machine reaches them.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The addresses of the two archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    main: String,
    security: Option<String>,
}

impl Mirror {
    /// Asks apt what it is configured with.
    pub(super) fn find() -> Result<Self> {
        let output = Command::new("apt-get")
            .args(["indextargets", "Created-By: Packages"])
            .output()
            .context("apt-get is missing: the kernels and QEMU come from Debian's archive")?;
        ensure!(output.status.success(), "`apt-get indextargets` failed");
        Self::read(&String::from_utf8_lossy(&output.stdout))
            .context("apt on this machine knows no Debian mirror")
    }

    fn read(targets: &str) -> Option<Self> {
        let archive = |label: &str| {
            targets.split("\n\n").find_map(|target| {
                let field = |name: &str| {
                    target
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                (field("Origin") == Some("Debian") && field("Label") == Some(label))
                    .then(|| field("Repo-URI"))?
                    .map(str::to_owned)
            })
        };
        Some(Self {
            main: archive("Debian")?,
            security: archive("Debian-Security"),
        })
    }

    /// The archive that has the suite.
    pub(super) fn archive(&self, suite: &str) -> Result<&str> {
        if suite.ends_with("-security") {
            self.security.as_deref().with_context(|| {
                format!(
                    "apt on this machine knows no mirror of Debian's security archive ({suite})"
                )
            })
        } else {
            Ok(&self.main)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_distinguished_by_their_labels() {
        let targets = "Label: Node\nOrigin: Other\nRepo-URI: http://a/x/\n\n\
            Label: Debian-Security\nOrigin: Debian\nRepo-URI: http://b/y/\n\n\
            Label: Debian\nOrigin: Debian\nRepo-URI: http://b/z/\n";
        let mirror = Mirror::read(targets).expect("a mirror");
        assert_eq!(mirror.archive("bookworm").expect("main"), "http://b/z/");
        assert_eq!(
            mirror.archive("bullseye-security").expect("security"),
            "http://b/y/"
        );
        assert_eq!(Mirror::read("Label: Debian\nOrigin: Ubuntu\n"), None);
    }
}
