//! The machines an image is made for.

use std::fmt;

/// A machine type, by the name Rust and Linux have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// amd64 to the container world.
    #[value(name = "x86_64")]
    X86_64,
    /// arm64 to the container world.
    #[value(name = "aarch64")]
    Aarch64,
}

impl Arch {
    /// All of them, in the order of an image's index.
    pub(crate) const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The one we run on, if images can be made for it.
    pub(crate) fn here() -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|arch| arch.to_string() == std::env::consts::ARCH)
    }

    /// What the OCI specifications call it.
    pub(crate) fn oci(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Rust's target for static binaries.
    pub(super) fn triple(self) -> String {
        format!("{self}-unknown-linux-musl")
    }

    /// The same in names of environment variables.
    pub(super) fn variable(self) -> String {
        self.triple().replace('-', "_")
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}
