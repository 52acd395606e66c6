//! An apt of our own: its sources, its state and its downloads are in one folder, the machine's
//! stay as they are.

mod mirror;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use mirror::Mirror;

/// apt for a few suites.
#[derive(Debug)]
pub struct Apt {
    folder: PathBuf,
    configuration: PathBuf,
}

impl Apt {
    /// Reads the suites' lists into `folder`.
    pub fn open(folder: &Path, suites: &[&str]) -> Result<Self> {
        let mirror = Mirror::find()?;
        for part in ["lists/partial", "archives/partial"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part)
                .with_context(|| format!("cannot create {}", part.display()))?;
        }
        // Nothing is installed, as far as this apt knows: what it fetches for a package is
        // complete.
        std::fs::write(folder.join("status"), "")?;
        let sources = suites
            .iter()
            .map(|suite| {
                let archive = mirror.archive(suite)?;
                Ok(format!("deb [arch=amd64] {archive} {suite} main\n"))
            })
            .collect::<Result<String>>()?;
        std::fs::write(folder.join("sources.list"), sources)?;
        let configuration = folder.join("apt.conf");
        std::fs::write(&configuration, configuration_for(folder))?;
        let apt = Self {
            folder: folder.to_owned(),
            configuration,
        };
        eprintln!("reading the package lists of {}", suites.join(", "));
        finish(apt.get().arg("update"))?;
        Ok(apt)
    }

    /// The names of all packages.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut command = Command::new("apt-cache");
        command.arg("-c").arg(&self.configuration).arg("pkgnames");
        Ok(finish(&mut command)?.lines().map(str::to_owned).collect())
    }

    /// Downloads packages with everything they depend on, from `suite` where possible, and unpacks
    /// them.
    pub fn unpack_with_dependencies(
        &self,
        packages: &[&str],
        suite: &str,
        to: &Path,
    ) -> Result<()> {
        let mut command = self.get();
        command
            .args(["install", "--yes", "--download-only", "--target-release"])
            .arg(suite)
            .args(packages);
        finish(&mut command)?;
        unpack(&self.folder.join("archives"), to)
    }

    /// Downloads just these packages and unpacks them.
    pub fn unpack(&self, packages: &[String], to: &Path) -> Result<()> {
        let archives = self.folder.join("alone");
        let _ = std::fs::remove_dir_all(&archives);
        std::fs::create_dir_all(&archives)?;
        let mut command = self.get();
        command
            .arg("download")
            .args(packages)
            .current_dir(&archives);
        finish(&mut command)?;
        unpack(&archives, to)
    }

    fn get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-qq").arg("-c").arg(&self.configuration);
        command
    }
}

/// Downloads packages from a suite of Debian, unpacks them in `to` and installs nothing.
pub fn fetch(packages: &[&str], suite: &str, to: &Path) -> Result<()> {
    let packages: Vec<String> = packages.iter().map(|&name| name.to_owned()).collect();
    let folder = to.with_extension("apt");
    Apt::open(&folder, &[suite])?.unpack(&packages, to)
}

impl Drop for Apt {
    fn drop(&mut self) {
        // The lists and the packages are worth nothing once the packages are unpacked.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn configuration_for(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Dir::Etc::sourcelist \"{folder}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         Dir::State \"{folder}\";\n\
         Dir::State::lists \"{folder}/lists\";\n\
         Dir::State::status \"{folder}/status\";\n\
         Dir::Cache \"{folder}\";\n\
         Dir::Cache::archives \"{folder}/archives\";\n\
         APT::Architecture \"amd64\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Check-Valid-Until \"false\";\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n"
    )
}

fn unpack(archives: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in archives.read_dir()? {
        let package = entry?.path();
        if package
            .extension()
            .is_some_and(|extension| extension == "deb")
        {
            finish(Command::new("dpkg").arg("-x").arg(&package).arg(to))?;
        }
    }
    Ok(())
}

/// Runs a command to its end; its standard output, or an error with what it said.
fn finish(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}: Debian's apt is needed"))?;
    ensure!(
        output.status.success(),
        "{name} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
