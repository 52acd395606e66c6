//! Finding the function named with `--handoff` in the modules the process has mapped.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    fmt, fs,
    num::NonZeroU32,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use super::ProbeError;

/// Which end of a call is the hand-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallSide {
    /// When the function is entered.
    Entry,
    /// When it returns: the application is through with the message.
    Return,
}

/// `SYMBOL`, `SYMBOL@entry` or `SYMBOL@return` (the default).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSpec {
    /// As in the symbol table, or demangled, with or without the parameter list.
    pub(crate) symbol: String,
    /// Which end counts.
    pub(crate) side: CallSide,
}

impl FromStr for FunctionSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (symbol, side) = match text.rsplit_once('@') {
            Some((symbol, "entry")) => (symbol, CallSide::Entry),
            Some((symbol, "return")) => (symbol, CallSide::Return),
            Some((_, other)) => {
                return Err(format!("@{other} is neither @entry nor @return"));
            }
            None => (text, CallSide::Return),
        };
        if symbol.is_empty() {
            return Err("a function name is needed".to_owned());
        }
        Ok(Self {
            symbol: symbol.to_owned(),
            side,
        })
    }
}

impl fmt::Display for FunctionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            CallSide::Entry => "entry",
            CallSide::Return => "return",
        };
        write!(f, "{side} of {}", self.symbol)
    }
}

/// Where the function is in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionLocation {
    /// The module as the agent can open it, through the target's own root.
    pub(super) module: PathBuf,
    /// Byte offset in that file.
    pub(super) file_offset: u64,
}

/// What matches in the files searched so far, by device and inode: processes have most of their
/// modules in common.
type SearchedFiles = HashMap<(u64, u64), Vec<(u64, String)>>;

impl FunctionSpec {
    /// Where the function is in each of these processes.
    pub(super) fn find_in(&self, pids: &[NonZeroU32]) -> Result<Vec<FunctionLocation>, ProbeError> {
        let mut searched = SearchedFiles::new();
        pids.iter()
            .map(|pid| self.find(pid.get(), &mut searched))
            .collect()
    }

    /// Where it is in this process.
    pub(super) fn find_alone(&self, pid: NonZeroU32) -> Result<FunctionLocation, ProbeError> {
        self.find(pid.get(), &mut SearchedFiles::new())
    }

    /// Searches the modules mapped by the process.
    fn find(&self, pid: u32, searched: &mut SearchedFiles) -> Result<FunctionLocation, ProbeError> {
        let mut found: BTreeMap<(PathBuf, u64), String> = BTreeMap::new();
        let mut modules_read = 0;
        for module in modules(pid).map_err(|why| self.error(why))? {
            let Some(matches) = self.matches_in(&module, searched) else {
                continue;
            };
            modules_read += 1;
            for (offset, name) in matches {
                found.insert((module.clone(), *offset), name.clone());
            }
        }
        match found.len() {
            0 => Err(self.error(format!(
                "no such function in the {modules_read} modules process {pid} has mapped \
                 (a stripped binary keeps only its exported names)"
            ))),
            1 => {
                let ((module, file_offset), _) = found
                    .pop_first()
                    .ok_or_else(|| self.error("gone".to_owned()))?;
                Ok(FunctionLocation {
                    module,
                    file_offset,
                })
            }
            n => {
                let names: Vec<_> = found.into_values().collect();
                Err(self.error(format!(
                    "{n} functions of process {pid} have this name; give one with its parameters: {}",
                    names.join(", ")
                )))
            }
        }
    }

    fn error(&self, why: String) -> ProbeError {
        ProbeError::Function {
            symbol: self.symbol.clone(),
            why,
        }
    }

    /// As [`Self::matches`], of a file; `None` when it cannot be read.
    fn matches_in<'a>(
        &self,
        module: &Path,
        searched: &'a mut SearchedFiles,
    ) -> Option<&'a [(u64, String)]> {
        let file = fs::metadata(module).ok()?;
        let matches = match searched.entry((file.dev(), file.ino())) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(new) => new.insert(self.matches(&fs::read(module).ok()?)),
        };
        Some(matches)
    }

    /// File offset and readable name of every function that matches.
    fn matches(&self, bytes: &[u8]) -> Vec<(u64, String)> {
        let Ok(file) = object::File::parse(bytes) else {
            return Vec::new();
        };
        file.symbols()
            .chain(file.dynamic_symbols())
            .filter(|s| s.is_definition() && s.kind() == SymbolKind::Text)
            .filter_map(|symbol| {
                let name = symbol.name().ok()?;
                let readable = demangled(name);
                if !self.is(name, &readable) {
                    return None;
                }
                let section = file.section_by_index(symbol.section_index()?).ok()?;
                let (start, _) = section.file_range()?;
                let offset = symbol.address().checked_sub(section.address())? + start;
                Some((offset, readable))
            })
            .collect()
    }

    fn is(&self, mangled: &str, readable: &str) -> bool {
        if self.symbol == mangled {
            return true;
        }
        let bare = readable.split('(').next().unwrap_or(readable);
        !is_fragment(mangled) && (self.symbol == readable || self.symbol == bare)
    }
}

/// Compilers move unlikely branches of a function out of it, as symbols of their own that are never
/// called: `NAME.cold` (GCC and LLVM), `NAME.part.0` (GCC).
fn is_fragment(mangled: &str) -> bool {
    mangled
        .split('.')
        .skip(1)
        .any(|suffix| suffix == "cold" || suffix == "part")
}

fn demangled(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    cpp_demangle::Symbol::new(name)
        .ok()
        .and_then(|symbol| symbol.demangle().ok())
        .unwrap_or_else(|| name.to_owned())
}

/// Executable files mapped by the process, opened through its own root (it may be a container's).
fn modules(pid: u32) -> Result<Vec<PathBuf>, String> {
    let process = i32::try_from(pid)
        .map_err(|_| "no such process".to_owned())
        .and_then(|pid| procfs::process::Process::new(pid).map_err(|e| e.to_string()))?;
    let maps = process.maps().map_err(|e| e.to_string())?;
    let mut paths: Vec<PathBuf> = maps
        .into_iter()
        .filter(|m| m.perms.contains(procfs::process::MMPermissions::EXECUTE))
        .filter_map(|m| match m.pathname {
            procfs::process::MMapPath::Path(path) => Some(path),
            _ => None,
        })
        .map(|path| {
            let inside = path.strip_prefix("/").map_or(path.as_path(), Path::new);
            PathBuf::from(format!("/proc/{pid}/root")).join(inside)
        })
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_is_said_behind_the_name() {
        let spec: FunctionSpec = "A::b@entry".parse().expect("valid");
        assert_eq!((spec.symbol.as_str(), spec.side), ("A::b", CallSide::Entry));
        let spec: FunctionSpec = "A::b".parse().expect("valid");
        assert_eq!(spec.side, CallSide::Return);
        assert!("A::b@middle".parse::<FunctionSpec>().is_err());
        assert!("@entry".parse::<FunctionSpec>().is_err());
    }

    #[test]
    fn a_function_is_not_mistaken_for_a_piece_of_itself() {
        let spec: FunctionSpec = "A::b".parse().expect("valid");
        let is = |mangled: &str| spec.is(mangled, &demangled(mangled));
        assert!(is("_ZN1A1bEi"));
        assert!(is("_ZN1A1bEi.constprop.0"));
        assert!(!is("_ZN1A1bEi.cold"));
        assert!(!is("_ZN1A1bEi.part.0.cold"));
        let spec: FunctionSpec = "_ZN1A1bEi.cold".parse().expect("valid");
        assert!(spec.is("_ZN1A1bEi.cold", "whatever"));
    }

    #[test]
    fn a_function_of_this_very_process_is_found() {
        let here = NonZeroU32::new(std::process::id()).expect("not zero");
        let spec: FunctionSpec = "malloc".parse().expect("valid");
        // The second time from what the first one found.
        let found = spec.find_in(&[here, here]).expect("in both");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], found[1]);
        let spec: FunctionSpec = "no_such_function_anywhere".parse().expect("valid");
        let error = spec.find_in(&[here]).expect_err("in none").to_string();
        assert!(error.contains(&here.to_string()), "{error}");
    }
}
