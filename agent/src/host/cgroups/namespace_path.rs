//! The path of a cgroup below a mount, when the kernel shows both from inside a cgroup namespace.
//!
//! In a container the kernel writes every cgroup path relative to the container's own cgroup: the
//! host's cgroup file system, mounted into it, has the root `/../../..`, and the cgroup of another
//! pod is `/../../pod2/container`. Between the two are the folders from the mount's top to
//! the container's own cgroup, which the kernel shows nowhere; [`NamespacePath::home`] finds them
//! by the inode of that cgroup.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{DirEntryExt as _, MetadataExt as _},
    path::{Component, Path, PathBuf},
};

/// Levels searched, at most: more than any container runtime nests.
const MAX_DEPTH: usize = 32;

/// A path as the kernel shows it: a number of levels up from the root of the cgroup namespace, and
/// a path down from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamespacePath {
    up: usize,
    down: PathBuf,
}

impl NamespacePath {
    pub(super) fn parse(path: &Path) -> Self {
        let mut parsed = Self::default();
        for part in path.components() {
            match part {
                Component::ParentDir if parsed.down.as_os_str().is_empty() => parsed.up += 1,
                Component::ParentDir | Component::Normal(_) => parsed.down.push(part),
                _ => {}
            }
        }
        parsed
    }

    /// The order of mounts of a hierarchy by how much of the tree they show; the widest is the
    /// greatest.
    pub(super) fn width(&self) -> (usize, std::cmp::Reverse<usize>) {
        (self.up, std::cmp::Reverse(self.down.components().count()))
    }

    /// Whether this is the root of our namespace.
    pub(super) fn is_home(&self) -> bool {
        self.up == 0 && self.down.as_os_str().is_empty()
    }

    /// Whether this is an ancestor of the root of our namespace: other paths can be located below
    /// it only with the folders between the two.
    fn is_above_home(&self) -> bool {
        self.up > 0 && self.down.as_os_str().is_empty()
    }

    /// `path` below this one, which is the top of a mount; `home` are the folders from here to the
    /// root of our namespace. `None` when it is not below, or needs `home` and there is none.
    pub(super) fn locate(&self, path: &Path, home: Option<&[OsString]>) -> Option<PathBuf> {
        let path = Self::parse(path);
        let below = if path.up == self.up {
            path.down.strip_prefix(&self.down).ok()?.to_owned()
        } else if path.up < self.up && self.is_above_home() {
            let shared = home?.get(..self.up - path.up)?;
            let shared = shared.iter().map(OsString::as_os_str);
            shared.chain(path.down.iter()).collect()
        } else {
            return None;
        };
        let leads_up = below.components().any(|part| part == Component::ParentDir);
        (!leads_up).then(|| Path::new("/").join(below))
    }

    /// The folders from the top of this mount down to the root of our namespace, which is at the
    /// top of the mount `own`.
    pub(super) fn home(&self, mount: &Path, own: &Path) -> Option<Vec<OsString>> {
        if !self.is_above_home() || self.up > MAX_DEPTH {
            return None;
        }
        let inode = fs::metadata(own).ok()?.ino();
        let mut folders = Vec::new();
        find_folder(mount, inode, self.up, &mut folders).then_some(folders)
    }
}

/// Searches the folder with this inode, `depth` levels below another. A node has some hundred
/// folders, and this is done once.
fn find_folder(folder: &Path, inode: u64, depth: usize, path: &mut Vec<OsString>) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    for entry in folders {
        path.push(entry.file_name());
        let found = if depth == 1 {
            entry.ino() == inode
        } else {
            find_folder(&entry.path(), inode, depth - 1, path)
        };
        if found {
            return true;
        }
        path.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(root: &str, path: &str, home: &[&str]) -> Option<String> {
        let home: Vec<OsString> = home.iter().map(OsString::from).collect();
        let located = NamespacePath::parse(Path::new(root)).locate(Path::new(path), Some(&home))?;
        Some(located.to_string_lossy().into_owned())
    }

    #[test]
    fn on_the_host_paths_are_absolute() {
        assert_eq!(locate("/", "/a/b", &[]).as_deref(), Some("/a/b"));
        assert_eq!(locate("/a", "/a/b", &[]).as_deref(), Some("/b"));
        assert_eq!(locate("/a", "/a", &[]).as_deref(), Some("/"));
        assert_eq!(locate("/a", "/b", &[]), None);
        assert_eq!(locate("/", "/../b", &[]), None);
    }

    #[test]
    fn in_a_container_paths_are_relative_to_its_cgroup() {
        let home = ["kubepods", "burstable", "pod1", "agent"];
        let of = |path| locate("/../../../..", path, &home);
        assert_eq!(of("/../../../../init").as_deref(), Some("/init"));
        let sibling = "/../../pod2/app";
        assert_eq!(of(sibling).as_deref(), Some("/kubepods/burstable/pod2/app"));
        let own = "/kubepods/burstable/pod1/agent";
        assert_eq!(of("/").as_deref(), Some(own));
        assert_eq!(of("/child").as_deref(), Some(&*format!("{own}/child")));
        assert_eq!(of("/../../../../../x"), None);
    }

    #[test]
    fn a_mount_of_another_part_has_only_the_cgroups_below_it() {
        let of = |path| locate("/../../pods", path, &[]);
        assert_eq!(of("/../../pods/a").as_deref(), Some("/a"));
        assert_eq!(of("/../../other"), None);
        assert_eq!(of("/../a"), None);
        // Without the folders in between.
        let top = NamespacePath::parse(Path::new("/../.."));
        assert_eq!(top.locate(Path::new("/../a"), None), None);
    }
}
