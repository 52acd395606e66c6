//! `cargo xtask image`: the container image, from scratch with the static binary in it.
//!
//! The same commit gives the same image, byte for byte, whichever folder it is built in, as long as
//! the compilers are the same (`rustc`, the nightly for the probes; the C compiler is pinned).

mod arch;
mod binary;
mod compiler;
mod oci;
mod twice;

use anyhow::{Result, ensure};

pub(crate) use self::arch::Arch;
pub(crate) use self::oci::ImageLayout;
use tools::containers::Containers;

/// The options of `cargo xtask image`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ImageOptions {
    /// For which machines: x86_64, aarch64, both.
    #[arg(long, default_value = "both", value_parser = machines)]
    arch: Machines,
    /// Build the last commit in two clones and compare the images.
    #[arg(long)]
    check_reproducible: bool,
}

#[derive(Clone, Debug)]
struct Machines(Vec<Arch>);

fn machines(text: &str) -> Result<Machines, String> {
    if text == "both" {
        return Ok(Machines(Arch::ALL.to_vec()));
    }
    let one = Arch::ALL.into_iter().find(|arch| arch.to_string() == text);
    one.map(|arch| Machines(vec![arch]))
        .ok_or_else(|| "write x86_64, aarch64 or both".to_owned())
}

/// Builds the image and prints its digests and sizes.
pub(crate) fn run(options: &ImageOptions) -> Result<()> {
    ensure!(
        workspace::is_root(),
        "buildah keeps its storage as root here: become root"
    );
    let machines = &options.arch.0;
    if options.check_reproducible {
        return twice::check(machines);
    }
    let containers = Containers::open()?;
    let layout = build(&containers, machines)?;
    println!("{}", layout.text());
    let archive = layout.archive(&workspace::target().join("image/tag52.oci.tar"))?;
    println!("{}", archive.display());
    Ok(())
}

/// The binaries, and the image of them in `target/image/layout`.
pub(crate) fn build(containers: &Containers, machines: &[Arch]) -> Result<ImageLayout> {
    let binaries = machines
        .iter()
        .map(|&arch| Ok((arch, binary::build(arch)?)))
        .collect::<Result<Vec<_>>>()?;
    oci::build(
        containers,
        &binaries,
        &workspace::target().join("image/layout"),
    )
}
