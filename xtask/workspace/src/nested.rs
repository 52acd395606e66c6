//! Cargo started by a program that cargo itself has started.

use std::process::Command;

/// The variables that cargo sets for a program it runs ("Environment variables Cargo sets for
/// crates" and "for 3rd party subcommands" in the Cargo Book), except `CARGO` itself.
const OF_RUNNING_PACKAGE: [&str; 8] = [
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "CARGO_BIN_NAME",
    "OUT_DIR",
];

/// Their prefixes, where there is one for each field or binary of the package.
const PREFIXES: [&str; 2] = ["CARGO_PKG_", "CARGO_BIN_EXE_"];

/// Returns a cargo command in the workspace's folder, without what the cargo that runs us has set
/// for our own package. Every cargo of the workspace's programs is started with it.
///
/// Build scripts may ask to be run again when these variables change, as `ring`'s does. With them,
/// `cargo build` by hand and by a task would rebuild each other's `ring` and everything above it.
pub fn cargo() -> Command {
    let mut command = crate::command("cargo");
    remove(
        &mut command,
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()),
    );
    command
}

fn remove(command: &mut Command, names: impl Iterator<Item = String>) {
    for name in names.filter(|name| is_of_running_package(name)) {
        command.env_remove(name);
    }
}

fn is_of_running_package(name: &str) -> bool {
    OF_RUNNING_PACKAGE.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_nested_cargo_does_not_inherit_our_own_package() {
        // Cargo has set these for this test.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            assert!(std::env::var_os(name).is_some(), "{name}");
            let removed = (OsStr::new(name), None);
            assert!(
                cargo().get_envs().any(|variable| variable == removed),
                "{name}"
            );
        }
    }

    #[test]
    fn only_what_cargo_sets_for_a_package_is_removed() {
        let names = [
            "CARGO",
            "CARGO_BIN_EXE_tag52",
            "CARGO_BIN_NAME",
            "CARGO_HOME",
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
            "CARGO_PKG_VERSION_PRE",
            "CARGO_TARGET_DIR",
            "CARGO_TARGET_TMPDIR",
            "OUT_DIR",
            "PATH",
            "RUSTFLAGS",
        ];
        let mut command = Command::new("cargo");
        remove(&mut command, names.iter().map(|&name| name.to_owned()));
        let removed: Vec<_> = command
            .get_envs()
            .filter_map(|(name, _)| name.to_str())
            .collect();
        assert_eq!(
            removed,
            [
                "CARGO_BIN_EXE_tag52",
                "CARGO_BIN_NAME",
                "CARGO_MANIFEST_DIR",
                "CARGO_MANIFEST_PATH",
                "CARGO_PKG_VERSION_PRE",
                "CARGO_TARGET_TMPDIR",
                "OUT_DIR",
            ]
        );
    }

    #[test]
    fn every_cargo_is_started_here() {
        let mut elsewhere = Vec::new();
        for folder in ["xtask", "dashboards/generator"] {
            cargos(&crate::root().join(folder), &mut elsewhere);
        }
        assert_eq!(
            elsewhere,
            [crate::root().join("xtask/workspace/src/nested.rs")]
        );
    }

    /// The source files in a folder that start cargo by name.
    fn cargos(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            if path.is_dir() && !path.ends_with("node_modules") {
                cargos(&path, files);
            } else if is_source
                && fs::read_to_string(&path)
                    .expect("text")
                    .contains(r#"("cargo")"#)
            {
                files.push(path);
            }
        }
    }
}
