//! The search for CPython in the files that processes have mapped.

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

use super::{super::proc::ProcRoot, memory, runtime::PythonRuntime};

/// Files retained, at most.
const MAX_FILES: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// Larger files are not searched.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// CPython in a file: the addresses of its symbols as linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LinkedRuntime {
    /// `_PyRuntime`.
    start: u64,
    /// The size of `_PyRuntime`, bytes.
    size: u64,
    /// `Py_Version`.
    version: Option<u64>,
    /// `PyCode_Type`.
    code_type: Option<u64>,
    /// `PyUnicode_Type`.
    text_type: Option<u64>,
    /// Offset in the file and address of the executable segment.
    executable: (u64, u64),
}

/// The searched files, by device and inode; `None` without CPython.
type FileCache = LruCache<(u64, u64), Option<LinkedRuntime>>;

/// The files searched so far; clones share them.
#[derive(Clone, Debug)]
pub(super) struct MappedFiles {
    proc: ProcRoot,
    searched: Arc<Mutex<FileCache>>,
    unreadable: Arc<AtomicU64>,
    too_large: Arc<AtomicU64>,
}

impl MappedFiles {
    pub(super) fn new(proc: ProcRoot) -> Self {
        Self {
            proc,
            searched: Arc::new(Mutex::new(LruCache::new(MAX_FILES))),
            unreadable: Arc::default(),
            too_large: Arc::default(),
        }
    }

    /// Files that could not be read.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable.load(Relaxed)
    }

    /// Files that were not searched because of their size.
    pub(super) fn too_large(&self) -> u64 {
        self.too_large.load(Relaxed)
    }

    /// Searches the files that a process has mapped as code.
    pub(super) fn find_runtime(&self, pid: u32) -> Option<PythonRuntime> {
        let maps = MemoryMaps::from_file(self.proc.file(pid, "maps")).ok()?;
        let mut files: BTreeMap<(bool, &Path), Vec<&MemoryMap>> = BTreeMap::new();
        for map in &maps.0 {
            if let MMapPath::Path(path) = &map.pathname
                && map.perms.contains(MMPermissions::EXECUTE)
            {
                // Files named after Python come first, but any program may contain CPython.
                let unlikely = !is_named_python(path);
                files.entry((unlikely, path)).or_default().push(map);
            }
        }
        files.into_iter().find_map(|((_, path), maps)| {
            let linked = self.search(pid, path, maps[0])?;
            relocate(pid, &linked, &maps)
        })
    }

    /// CPython in a mapped file.
    fn search(&self, pid: u32, path: &Path, map: &MemoryMap) -> Option<LinkedRuntime> {
        let Some((file, id, size)) = self.open(pid, path, map) else {
            self.unreadable.fetch_add(1, Relaxed);
            return None;
        };
        // Not locked while a file is searched, as another thread may need another file.
        let searched = || self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linked) = searched().get(&id) {
            return *linked;
        }
        self.too_large
            .fetch_add(u64::from(size > MAX_FILE_BYTES), Relaxed);
        let all_symbols = self.may_not_export(pid, path, id);
        let linked = (size <= MAX_FILE_BYTES)
            .then(|| search_elf(&ReadCache::new(file), all_symbols))
            .flatten();
        searched().put(id, linked);
        linked
    }

    /// Whether a file may contain CPython without exporting its symbols: a program that is linked
    /// with it statically.
    fn may_not_export(&self, pid: u32, path: &Path, id: (u64, u64)) -> bool {
        let program = fs::metadata(self.proc.file(pid, "exe"));
        is_named_python(path) || program.is_ok_and(|file| (file.dev(), file.ino()) == id)
    }

    /// Opens the mapped file itself, even when it has been replaced since; else the file of that
    /// name below the process's root. With its device and inode, and its size in bytes.
    fn open(&self, pid: u32, path: &Path, map: &MemoryMap) -> Option<(File, (u64, u64), u64)> {
        let (start, end) = map.address;
        let mapped = self.proc.file(pid, &format!("map_files/{start:x}-{end:x}"));
        let relative = path.strip_prefix("/").unwrap_or(path);
        let named: PathBuf = self.proc.file(pid, "root").join(relative);
        let file = File::open(mapped).or_else(|_| File::open(named)).ok()?;
        let metadata = file.metadata().ok()?;
        Some((file, (metadata.dev(), metadata.ino()), metadata.len()))
    }
}

/// Searches an ELF file for CPython's symbols, and reads no more of it than its tables: that of the
/// exported symbols and, if asked for, that of all symbols.
fn search_elf<'data>(data: impl ReadRef<'data>, all_symbols: bool) -> Option<LinkedRuntime> {
    let file = object::File::parse(data).ok()?;
    let executable = file.segments().find_map(|segment| {
        let SegmentFlags::Elf { p_flags, .. } = segment.flags() else {
            return None;
        };
        let is_code = p_flags & object::elf::PF_X != object::elf::ProgramFlags(0);
        is_code.then(|| (segment.file_range().0, segment.address()))
    })?;
    let (mut runtime, mut version, mut code_type, mut text_type) = (None, None, None, None);
    // The table of all symbols may be long.
    let mut tables = [
        Some(file.dynamic_symbols()),
        all_symbols.then(|| file.symbols()),
    ];
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
    Some(LinkedRuntime {
        start,
        size,
        version,
        code_type,
        text_type,
        executable,
    })
}

/// Whether a path names Python.
fn is_named_python(path: &Path) -> bool {
    path.to_string_lossy().contains("python")
}

/// Turns the addresses as linked into those of a process.
fn relocate(pid: u32, linked: &LinkedRuntime, maps: &[&MemoryMap]) -> Option<PythonRuntime> {
    let (offset, address) = linked.executable;
    let map = maps
        .iter()
        .find(|map| (map.offset..map.offset + (map.address.1 - map.address.0)).contains(&offset))?;
    // The distance from the addresses as linked: 0 for a position-dependent program.
    let bias = (map.address.0 + (offset - map.offset)).wrapping_sub(address);
    let moved = |linked: u64| linked.wrapping_add(bias);
    let start = moved(linked.start);
    let version = linked
        .version
        // An `unsigned long`, of which 32 bits are used.
        .and_then(|at| u32::try_from(memory::word(pid, moved(at)).ok()?).ok());
    Some(PythonRuntime {
        start,
        size: linked.size,
        version,
        free_threaded: version.is_some_and(|v| v >= 0x030d_0000) && is_free_threaded(pid, start),
        code_type: linked.code_type.map(moved),
        text_type: linked.text_type.map(moved),
    })
}

/// From 3.13 on `_PyRuntime` begins with `_Py_DebugOffsets`: cookie, version, free-threaded
/// (Include/internal/pycore_debug_offsets.h).
fn is_free_threaded(pid: u32, start: u64) -> bool {
    memory::word(pid, start + 16).is_ok_and(|flag| flag == 1)
}
