//! Kernel modules: which files, after which others.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::emulator::Emulator;

/// A module, unpacked.
#[derive(Debug)]
pub(super) struct Module {
    /// Its name, with underscores.
    pub(super) name: String,
    /// The object file.
    pub(super) code: Vec<u8>,
}

/// The modules with what they depend on, each after its dependencies. What is no module is built
/// in.
pub(super) fn in_order(folder: &Path, names: &[&str], emulator: &Emulator) -> Result<Vec<Module>> {
    let mut files = HashMap::new();
    list(folder, &mut files)?;
    let mut found = Vec::new();
    for name in names {
        add(name, &files, emulator, &mut found)?;
    }
    Ok(found)
}

fn add(
    name: &str,
    files: &HashMap<String, PathBuf>,
    emulator: &Emulator,
    found: &mut Vec<Module>,
) -> Result<()> {
    let Some(file) = files.get(name) else {
        return Ok(());
    };
    if found.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let code = read(file, emulator).with_context(|| format!("cannot read {}", file.display()))?;
    for dependency in dependencies(&code) {
        add(&dependency, files, emulator, found)?;
    }
    found.push(Module {
        name: name.to_owned(),
        code,
    });
    Ok(())
}

fn list(folder: &Path, files: &mut HashMap<String, PathBuf>) -> Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(&path, files)?;
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn read(file: &Path, emulator: &Emulator) -> Result<Vec<u8>> {
    if file.extension().is_some_and(|extension| extension == "ko") {
        return Ok(std::fs::read(file)?);
    }
    let output = Command::new(emulator.busybox())
        .args(["xz", "-dc"])
        .arg(file)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}

/// The `depends=` line of the object's `.modinfo` section, a list of strings that end with 0.
fn dependencies(code: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = code.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let names = code[start + KEY.len()..]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(names)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_the_object() {
        let code = b"ELF\0license=GPL\0depends=virtio,fuse-x\0name=virtiofs\0";
        assert_eq!(dependencies(code), ["virtio", "fuse_x"]);
        assert_eq!(dependencies(b"\0depends=\0"), Vec::<String>::new());
        assert_eq!(dependencies(b"nothing"), Vec::<String>::new());
    }
}
