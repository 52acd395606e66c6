//! Where a cgroup is below a mount, when both are shown from inside a cgroup namespace.
//!
//! In a container the kernel writes every cgroup path relative to the container's own cgroup: the
//! host's cgroup file system, mounted into it, has the root `/../../..`, and the cgroup of another
//! pod is `/../../pod2/container`. What stands between the two is the way from the mount's top to
//! the container's own cgroup, which is shown nowhere; [`Shown::home`] finds it by the inode of
//! that cgroup.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{DirEntryExt as _, MetadataExt as _},
    path::{Component, Path, PathBuf},
};

/// More levels than any container runtime nests.
const DEEPEST: usize = 32;

/// A path as the kernel shows it: so many levels up from the namespace's root, and from there down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    up: usize,
    down: PathBuf,
}

impl Shown {
    pub(super) fn parse(path: &Path) -> Self {
        let mut shown = Self::default();
        for part in path.components() {
            match part {
                Component::ParentDir if shown.down.as_os_str().is_empty() => shown.up += 1,
                Component::ParentDir | Component::Normal(_) => shown.down.push(part),
                _ => {}
            }
        }
        shown
    }

    /// Orders mounts of a hierarchy by how much of the tree they show: the widest is the greatest.
    pub(super) fn width(&self) -> (usize, std::cmp::Reverse<usize>) {
        (self.up, std::cmp::Reverse(self.down.components().count()))
    }

    /// Whether it is the root of our namespace.
    pub(super) fn is_home(&self) -> bool {
        self.up == 0 && self.down.as_os_str().is_empty()
    }

    /// Whether the way from here to our namespace's root has to be known to place others.
    pub(super) fn is_above_home(&self) -> bool {
        self.up > 0 && self.down.as_os_str().is_empty()
    }

    /// `path` below this one, which is the top of a mount; `home` is the way from here to our
    /// namespace's root. `None` when it is not below, or the way would have to be known and is not.
    pub(super) fn place(&self, path: &Path, home: Option<&[OsString]>) -> Option<PathBuf> {
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

    /// The way from this mount's top down to our namespace's root, which another mount has at its
    /// top.
    pub(super) fn home(&self, mount: &Path, own: &Path) -> Option<Vec<OsString>> {
        if !self.is_above_home() || self.up > DEEPEST {
            return None;
        }
        let inode = fs::metadata(own).ok()?.ino();
        let mut way = Vec::new();
        find(mount, inode, self.up, &mut way).then_some(way)
    }
}

/// The folder of that inode, so many levels further down. On a node these are some hundred folders,
/// and it is done once.
fn find(folder: &Path, inode: u64, depth: usize, way: &mut Vec<OsString>) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    for entry in folders {
        way.push(entry.file_name());
        let found = if depth == 1 {
            entry.ino() == inode
        } else {
            find(&entry.path(), inode, depth - 1, way)
        };
        if found {
            return true;
        }
        way.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &str, path: &str, home: &[&str]) -> Option<String> {
        let home: Vec<OsString> = home.iter().map(OsString::from).collect();
        let placed = Shown::parse(Path::new(root)).place(Path::new(path), Some(&home))?;
        Some(placed.to_string_lossy().into_owned())
    }

    #[test]
    fn on_the_host_a_path_is_what_it_says() {
        assert_eq!(place("/", "/a/b", &[]).as_deref(), Some("/a/b"));
        assert_eq!(place("/a", "/a/b", &[]).as_deref(), Some("/b"));
        assert_eq!(place("/a", "/a", &[]).as_deref(), Some("/"));
        assert_eq!(place("/a", "/b", &[]), None);
        assert_eq!(place("/", "/../b", &[]), None);
    }

    #[test]
    fn in_a_container_it_is_taken_from_the_mounts_top() {
        let home = ["kubepods", "burstable", "pod1", "agent"];
        let of = |path| place("/../../../..", path, &home);
        assert_eq!(of("/../../../../init").as_deref(), Some("/init"));
        let sibling = "/../../pod2/app";
        assert_eq!(of(sibling).as_deref(), Some("/kubepods/burstable/pod2/app"));
        let own = "/kubepods/burstable/pod1/agent";
        assert_eq!(of("/").as_deref(), Some(own));
        assert_eq!(of("/child").as_deref(), Some(&*format!("{own}/child")));
        assert_eq!(of("/../../../../../x"), None);
    }

    #[test]
    fn a_part_of_the_tree_beside_ours_has_only_what_is_below_it() {
        let of = |path| place("/../../pods", path, &[]);
        assert_eq!(of("/../../pods/a").as_deref(), Some("/a"));
        assert_eq!(of("/../../other"), None);
        assert_eq!(of("/../a"), None);
        // The way is not known.
        let top = Shown::parse(Path::new("/../.."));
        assert_eq!(top.place(Path::new("/../a"), None), None);
    }
}
