//! From binaries to an OCI image with an index of all machines.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::arch::Arch;
use tools::containers::{Containers, finish};

/// Where the project lives, for the image's label.
const TITLE: &str = "tag52";

/// An OCI image layout: a folder of blobs.
#[derive(Clone, Debug)]
pub(crate) struct ImageLayout {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The digest of the index.
    pub(crate) digest: String,
    /// What is in it.
    pub(crate) images: Vec<Image>,
    /// When the commit was made, seconds since 1970: the age of everything in it.
    epoch: u64,
}

/// The image for one machine.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// The machine.
    pub(crate) arch: Arch,
    /// The digest of its manifest.
    pub(crate) digest: String,
    /// What is downloaded, bytes.
    pub(crate) compressed: u64,
    /// The binary, bytes.
    pub(crate) binary: u64,
}

/// Makes the image of these binaries in `folder`, anew.
pub(crate) fn build(
    containers: &Containers,
    binaries: &[(Arch, PathBuf)],
    folder: &Path,
) -> Result<ImageLayout> {
    let commit = Commit::last()?;
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.parent().context("a folder's folder")?)?;
    let context = tempfile::tempdir().context("cannot create a folder")?;
    let file = workspace::root().join("deploy/Containerfile");
    let list = format!("localhost/{TITLE}");
    finish(containers.buildah().args(["manifest", "create", &list]))?;
    // One after the other: they are listed in the order in which they were added.
    for (arch, binary) in binaries {
        fs::copy(
            binary,
            context.path().join(format!("{TITLE}-{}", arch.oci())),
        )
        .with_context(|| format!("cannot copy {}", binary.display()))?;
        let mut command = containers.build();
        command
            .args(["--quiet", "--format", "oci", "--identity-label=false"])
            .args(["--timestamp", &commit.epoch.to_string()])
            .args(["--platform", &format!("linux/{}", arch.oci())])
            .args(["--manifest", &list])
            .args(commit.labels())
            .arg("--file")
            .arg(&file)
            .arg(context.path());
        finish(&mut command)?;
    }
    let to = format!("oci:{}:{}", folder.display(), env!("CARGO_PKG_VERSION"));
    finish(
        containers
            .buildah()
            .args(["manifest", "push", "--all", "--quiet", &list, &to]),
    )?;
    finish(containers.buildah().args(["manifest", "rm", &list]))?;
    read(folder, binaries, commit.epoch)
}

impl ImageLayout {
    /// What it is, in lines.
    pub(crate) fn text(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let mut text = format!("{TITLE} {}", self.digest);
        for image in &self.images {
            let _ = write!(
                text,
                "\n  linux/{:<5} {} {:.1} MiB to download, {:.1} MiB unpacked",
                image.arch.oci(),
                image.digest,
                mib(image.compressed),
                mib(image.binary)
            );
        }
        text
    }

    /// Packs it into a file that `podman load`, `skopeo copy oci-archive:` and `ctr images import`
    /// take.
    pub(crate) fn archive(&self, to: &Path) -> Result<PathBuf> {
        finish(
            Command::new("tar")
                .arg("--directory")
                .arg(&self.folder)
                .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
                .args(["--mode=go-w", &format!("--mtime=@{}", self.epoch)])
                .arg("--create")
                .arg("--file")
                .arg(to)
                .args(["blobs", "index.json", "oci-layout"]),
        )?;
        Ok(to.to_owned())
    }
}

fn read(folder: &Path, binaries: &[(Arch, PathBuf)], epoch: u64) -> Result<ImageLayout> {
    let top = json(&folder.join("index.json"))?;
    let digest = text(&top["manifests"][0]["digest"])?;
    let index = json(&blob(folder, &digest)?)?;
    let listed = index["manifests"]
        .as_array()
        .context("an index of images")?;
    ensure!(
        listed.len() == binaries.len(),
        "{} images are listed instead of {}",
        listed.len(),
        binaries.len()
    );
    let mut images = Vec::new();
    for (entry, (arch, binary)) in listed.iter().zip(binaries) {
        ensure!(
            entry["platform"]["architecture"] == arch.oci(),
            "the image for {arch} is not where it was put"
        );
        let digest = text(&entry["digest"])?;
        let manifest = json(&blob(folder, &digest)?)?;
        let layers = manifest["layers"].as_array().context("layers")?;
        let sizes = layers.iter().filter_map(|layer| layer["size"].as_u64());
        images.push(Image {
            arch: *arch,
            digest,
            compressed: sizes.sum(),
            binary: fs::metadata(binary)?.len(),
        });
    }
    Ok(ImageLayout {
        folder: folder.to_owned(),
        digest,
        images,
        epoch,
    })
}

fn json(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("a digest")?.to_owned())
}

fn blob(folder: &Path, digest: &str) -> Result<PathBuf> {
    let (kind, hash) = digest.split_once(':').context("a digest")?;
    Ok(folder.join("blobs").join(kind).join(hash))
}

/// What the image was made of.
struct Commit {
    hash: String,
    epoch: u64,
    /// There is more in the folder than was committed.
    changed: bool,
}

impl Commit {
    fn last() -> Result<Self> {
        let git = |arguments: &[&str]| {
            finish(workspace::command("git").args(arguments))
                .context("an image is labelled with its commit")
        };
        Ok(Self {
            hash: git(&["rev-parse", "HEAD"])?.trim().to_owned(),
            epoch: git(&["log", "-1", "--format=%ct"])?.trim().parse()?,
            changed: !git(&["status", "--porcelain", "--untracked-files=no"])?
                .trim()
                .is_empty(),
        })
    }

    fn labels(&self) -> Vec<String> {
        let changed = if self.changed { "-changed" } else { "" };
        let labels = [
            ("title", TITLE.to_owned()),
            (
                "description",
                "Splits the age of every FIX message into the waiting that made it old".to_owned(),
            ),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("revision", format!("{}{changed}", self.hash)),
            ("licenses", env!("CARGO_PKG_LICENSE").to_owned()),
        ];
        labels
            .into_iter()
            .flat_map(|(name, value)| {
                [
                    "--label".to_owned(),
                    format!("org.opencontainers.image.{name}={value}"),
                ]
            })
            .collect()
    }
}
