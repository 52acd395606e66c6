//! Packages from npm, as a lock file names them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Installs into `folder` exactly what its `package-lock.json` lists, anew; no package's own
/// scripts are run.
///
/// # Errors
/// npm is missing, cannot fetch a package, or the lock file is out of step with `package.json`.
pub fn install(folder: &Path) -> Result<()> {
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(["--loglevel", "error"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("npm is missing (apt-get install -y nodejs npm)")?;
    ensure!(status.success(), "npm cannot fetch them: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Map, Value};

    fn file(folder: &str, name: &str) -> Value {
        let path = workspace::root().join(folder).join(name);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    fn each<'a>(package: &'a Value, kind: &str) -> impl Iterator<Item = &'a str> {
        let names = package[kind].as_object();
        names.into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// `npm install` leaves out what the registry it asks does not have, and `npm ci` then refuses
    /// the file.
    #[test]
    fn the_lock_files_are_whole_and_name_no_registry() {
        for folder in ["xtask/screenshots/render", "dashboards/generator/schema"] {
            let lock = file(folder, "package-lock.json");
            let packages = lock["packages"].as_object().unwrap();
            let manifest = file(folder, "package.json");
            assert_eq!(packages[""]["dependencies"], manifest["dependencies"]);
            for (path, package) in packages {
                assert!(package.get("resolved").is_none(), "{folder}: {path}");
                assert!(
                    path.is_empty() || package["integrity"].is_string(),
                    "{folder}: {path}"
                );
                for kind in ["dependencies", "optionalDependencies"] {
                    for name in each(package, kind) {
                        let end = format!("node_modules/{name}");
                        assert!(
                            packages.keys().any(|path| path.ends_with(&end)),
                            "{folder}: {name}, of {path}, is not locked"
                        );
                    }
                }
            }
        }
    }
}
