//! CPython in the files that processes have mapped.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    num::NonZeroUsize,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use lru::LruCache;
use object::{
    Object as _, ObjectSegment as _, ObjectSymbol as _, SegmentFlags,
    read::{ReadCache, ReadRef},
};
use procfs::{
    FromRead as _,
    process::{MMPermissions, MMapPath, MemoryMap, MemoryMaps},
};

use super::{super::proc::Proc, memory, runtimes::Runtime};

/// So many files are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// Files are looked through up to this size.
const LARGEST_FILE: u64 = 1 << 30;

/// What a file has of CPython, as linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Linked {
    start: u64,
    size: u64,
    version: Option<u64>,
    code_type: Option<u64>,
    text_type: Option<u64>,
    /// Offset in the file and address of the executable segment.
    executable: (u64, u64),
}

type Known = LruCache<(u64, u64), Option<Linked>>;

/// The files looked through so far; the same for all clones of it.
#[derive(Clone, Debug)]
pub(in crate::host) struct Files {
    proc: Proc,
    /// By device and inode.
    known: Arc<Mutex<Known>>,
    unreadable: Arc<AtomicU64>,
    too_large: Arc<AtomicU64>,
}

impl Files {
    pub(in crate::host) fn new(proc: Proc) -> Self {
        Self {
            proc,
            known: Arc::new(Mutex::new(LruCache::new(KEPT))),
            unreadable: Arc::default(),
            too_large: Arc::default(),
        }
    }

    /// How many could not be read.
    pub(in crate::host) fn unreadable(&self) -> u64 {
        self.unreadable.load(Relaxed)
    }

    /// How many were not looked through for their size.
    pub(in crate::host) fn too_large(&self) -> u64 {
        self.too_large.load(Relaxed)
    }

    /// Looks through the files the process has mapped as code.
    pub(in crate::host) fn look(&self, pid: u32) -> Option<Runtime> {
        let maps = MemoryMaps::from_file(self.proc.of(pid, "maps")).ok()?;
        let mut files: BTreeMap<(bool, &Path), Vec<&MemoryMap>> = BTreeMap::new();
        for map in &maps.0 {
            if let MMapPath::Path(path) = &map.pathname
                && map.perms.contains(MMPermissions::EXECUTE)
            {
                // Most likely first; but any program may have CPython inside.
                let unlikely = !is_pythons(path);
                files.entry((unlikely, path)).or_default().push(map);
            }
        }
        files.into_iter().find_map(|((_, path), maps)| {
            let linked = self.linked(pid, path, maps[0])?;
            located(pid, &linked, &maps)
        })
    }

    /// What a mapped file has of CPython.
    fn linked(&self, pid: u32, path: &Path, map: &MemoryMap) -> Option<Linked> {
        let Some((file, id, size)) = self.open(pid, path, map) else {
            self.unreadable.fetch_add(1, Relaxed);
            return None;
        };
        // Not held while a file is looked through: somebody may want to know of another.
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linked) = known().get(&id) {
            return *linked;
        }
        self.too_large
            .fetch_add(u64::from(size > LARGEST_FILE), Relaxed);
        let whole = self.may_hide_it(pid, path, id);
        let linked = (size <= LARGEST_FILE)
            .then(|| symbols(&ReadCache::new(file), whole))
            .flatten();
        known().put(id, linked);
        linked
    }

    /// Whether CPython may be in a file that does not export it: linked into the program.
    fn may_hide_it(&self, pid: u32, path: &Path, id: (u64, u64)) -> bool {
        let program = fs::metadata(self.proc.of(pid, "exe"));
        is_pythons(path) || program.is_ok_and(|file| (file.dev(), file.ino()) == id)
    }

    /// The very file that is mapped, even when it has been replaced since; else the one that has
    /// its name in the process's root.
    fn open(&self, pid: u32, path: &Path, map: &MemoryMap) -> Option<(File, (u64, u64), u64)> {
        let (start, end) = map.address;
        let mapped = self.proc.of(pid, &format!("map_files/{start:x}-{end:x}"));
        let inside = path.strip_prefix("/").unwrap_or(path);
        let named: PathBuf = self.proc.of(pid, "root").join(inside);
        let file = File::open(mapped).or_else(|_| File::open(named)).ok()?;
        let about = file.metadata().ok()?;
        Some((file, (about.dev(), about.ino()), about.len()))
    }
}

/// CPython's symbols in an ELF file, of which only tables are read: the exported ones, or the
/// `whole`.
fn symbols<'data>(data: impl ReadRef<'data>, whole: bool) -> Option<Linked> {
    let file = object::File::parse(data).ok()?;
    let executable = file.segments().find_map(|segment| {
        let SegmentFlags::Elf { p_flags, .. } = segment.flags() else {
            return None;
        };
        let is_code = p_flags & object::elf::PF_X != object::elf::ProgramFlags(0);
        is_code.then(|| (segment.file_range().0, segment.address()))
    })?;
    let (mut runtime, mut version, mut code_type, mut text_type) = (None, None, None, None);
    // A program that does not export it may still have it in the full table, which may be long.
    let mut tables = [Some(file.dynamic_symbols()), whole.then(|| file.symbols())];
    for symbol in tables.iter_mut().flatten().flatten() {
        if runtime.is_some() && version.is_some() && code_type.is_some() && text_type.is_some() {
            break;
        }
        if !symbol.is_definition() {
            continue;
        }
        let Ok(name) = symbol.name_bytes() else {
            continue;
        };
        let wanted = match name {
            b"_PyRuntime" => {
                runtime.get_or_insert((symbol.address(), symbol.size()));
                continue;
            }
            b"Py_Version" => &mut version,
            b"PyCode_Type" => &mut code_type,
            b"PyUnicode_Type" => &mut text_type,
            _ => continue,
        };
        wanted.get_or_insert(symbol.address());
    }
    let (start, size) = runtime?;
    Some(Linked {
        start,
        size,
        version,
        code_type,
        text_type,
        executable,
    })
}

fn is_pythons(path: &Path) -> bool {
    path.to_string_lossy().contains("python")
}

/// Where that is in a process.
fn located(pid: u32, linked: &Linked, maps: &[&MemoryMap]) -> Option<Runtime> {
    let (offset, address) = linked.executable;
    let map = maps
        .iter()
        .find(|map| (map.offset..map.offset + (map.address.1 - map.address.0)).contains(&offset))?;
    // By how much it is moved; not a position-independent program by nothing.
    let bias = (map.address.0 + (offset - map.offset)).wrapping_sub(address);
    let here = |linked: u64| linked.wrapping_add(bias);
    let start = here(linked.start);
    let version = linked
        .version
        // An `unsigned long` of which 32 bits are used.
        .and_then(|at| u32::try_from(memory::word(pid, here(at)).ok()?).ok());
    Some(Runtime {
        start,
        size: linked.size,
        version,
        free_threaded: version.is_some_and(|v| v >= 0x030d_0000) && is_free_threaded(pid, start),
        code_type: linked.code_type.map(here),
        text_type: linked.text_type.map(here),
    })
}

/// From 3.13 on `_PyRuntime` begins with a description of itself: cookie, version, free-threaded.
fn is_free_threaded(pid: u32, start: u64) -> bool {
    memory::word(pid, start + 16).is_ok_and(|flag| flag == 1)
}
