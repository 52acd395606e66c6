//! The Python function a thread is in: read from the process's memory while it runs, without
//! stopping it.
//!
//! Only the function's file, first line and qualified name are read. What is read may change
//! meanwhile; that a code object and its strings are such is proved by their types, and anything
//! else is no answer.

use std::{io, path::Path};

use super::{
    layout::{Frames, Layout, Refusal},
    memory,
    runtimes::Runtime,
};
use crate::domain::Function;

/// So many interpreters, and so many threads of one, are looked at.
const INTERPRETERS: usize = 64;
const THREADS: usize = 4096;

/// So many frames that stand for C code are skipped.
const SKIPPED: usize = 8;

/// The longest name read, characters.
const LONGEST: u64 = 4096;

/// `FRAME_OWNED_BY_CSTACK`, from 3.12 on: a frame without a function of its own.
const ON_C_STACK: u8 = 3;

/// Where a type is in every object, and the length and the flags in every string.
const OBJECT_TYPE: usize = 8;
const TEXT_LENGTH: usize = 16;
const TEXT_STATE: usize = 32;
const TEXT_HEADER: usize = 40;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::host) enum NoFunction {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The memory changed under the reader, or cannot be read.
    #[error("{0}")]
    Inconsistent(&'static str),
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

/// The function (`JSONEncoder.encode` of `json/encoder.py:183`) a thread is in, by its id in its
/// own PID namespace. `None` when it is no Python thread, or in no Python function.
pub(in crate::host) fn function(
    pid: u32,
    inner_tid: u32,
    runtime: &Runtime,
) -> Result<Option<Function>, NoFunction> {
    let reader = Reader::new(pid, runtime)?;
    let Some(thread) = reader.thread(inner_tid)? else {
        return Ok(None);
    };
    let Some(code) = reader.code(thread)? else {
        return Ok(None);
    };
    let file = reader.text_at(code + reader.layout.code_filename)?;
    let name = reader.text_at(code + reader.layout.code_qualname)?;
    let [a, b, c, d] = memory::bytes(pid, code + reader.layout.code_first_line)?;
    let line = u32::from_ne_bytes([a, b, c, d]);
    Ok(Some(Function {
        name,
        location: format!("{}:{line}", shortened(&file)),
    }))
}

struct Reader {
    pid: u32,
    start: u64,
    layout: Layout,
    code_type: u64,
    text_type: u64,
}

impl Reader {
    fn new(pid: u32, runtime: &Runtime) -> Result<Self, NoFunction> {
        if runtime.free_threaded {
            return Err(Refusal::FreeThreaded.into());
        }
        let version = runtime.version.ok_or(Refusal::TooOld)?;
        let layout = Layout::of(pid, version, runtime.start)??;
        let (Some(code_type), Some(text_type)) = (runtime.code_type, runtime.text_type) else {
            return Err(Refusal::NoTypes.into());
        };
        Ok(Self {
            pid,
            start: runtime.start,
            layout,
            code_type,
            text_type,
        })
    }

    fn word(&self, address: u64) -> io::Result<u64> {
        memory::word(self.pid, address)
    }

    /// The state of the thread with this id.
    fn thread(&self, inner_tid: u32) -> Result<Option<u64>, NoFunction> {
        let layout = &self.layout;
        let mut interpreter = self.word(self.start + layout.runtime_interpreters)?;
        for _ in 0..INTERPRETERS {
            if interpreter == 0 {
                return Ok(None);
            }
            let mut thread = self.word(interpreter + layout.interpreter_threads)?;
            for _ in 0..THREADS {
                if thread == 0 {
                    break;
                }
                if self.word(thread + layout.thread_interpreter)? != interpreter {
                    return Err(NoFunction::Inconsistent("a thread of another interpreter"));
                }
                if self.word(thread + layout.thread_native_id)? == u64::from(inner_tid) {
                    return Ok(Some(thread));
                }
                thread = self.word(thread + layout.thread_next)?;
            }
            interpreter = self.word(interpreter + layout.interpreter_next)?;
        }
        Err(NoFunction::Inconsistent("interpreters without end"))
    }

    /// The code of the innermost frame that has some.
    fn code(&self, thread: u64) -> Result<Option<u64>, NoFunction> {
        let layout = &self.layout;
        let mut frame = match layout.frames {
            Frames::Direct { current } => self.word(thread + current)?,
            Frames::OnStack { cframe, current } => match self.word(thread + cframe)? {
                0 => 0,
                cframe => self.word(cframe + current)?,
            },
        };
        for _ in 0..SKIPPED {
            if frame == 0 {
                return Ok(None);
            }
            let [owner] = memory::bytes(self.pid, frame + layout.frame_owner)?;
            if owner > ON_C_STACK {
                return Err(NoFunction::Inconsistent("a frame of nobody's"));
            }
            if owner < ON_C_STACK {
                let code = self.word(frame + layout.frame_code)?;
                if self.word(code + OBJECT_TYPE as u64)? != self.code_type {
                    return Err(NoFunction::Inconsistent("a frame without code"));
                }
                return Ok(Some(code));
            }
            frame = self.word(frame + layout.frame_previous)?;
        }
        Err(NoFunction::Inconsistent("frames without end"))
    }

    /// The string a pointer there leads to.
    fn text_at(&self, pointer: u64) -> Result<String, NoFunction> {
        let text = self.word(pointer)?;
        let header: [u8; TEXT_HEADER] = memory::bytes(self.pid, text)?;
        let (kind, length) = characters(&header, self.text_type)?;
        let after = match kind {
            Kind::Ascii => self.layout.ascii,
            _ => self.layout.compact,
        };
        let mut bytes = vec![0; length * kind.width()];
        memory::read(self.pid, text + after, &mut bytes)?;
        Ok(kind.decoded(&bytes))
    }
}

/// How the characters of a string are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ascii,
    Latin1,
    Ucs2,
    Ucs4,
}

impl Kind {
    const fn width(self) -> usize {
        match self {
            Self::Ascii | Self::Latin1 => 1,
            Self::Ucs2 => 2,
            Self::Ucs4 => 4,
        }
    }

    /// What is no character, and what would not be printed as one, becomes U+FFFD.
    fn decoded(self, bytes: &[u8]) -> String {
        let number = |chunk: &[u8]| match *chunk {
            [a] => u32::from(a),
            [a, b] => u32::from(u16::from_ne_bytes([a, b])),
            [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
            _ => u32::MAX,
        };
        bytes
            .chunks_exact(self.width())
            .map(|chunk| {
                char::from_u32(number(chunk))
                    .filter(|c| !c.is_control())
                    .unwrap_or(char::REPLACEMENT_CHARACTER)
            })
            .collect()
    }
}

/// Kind and length, from the head of a string object.
fn characters(header: &[u8; TEXT_HEADER], text_type: u64) -> Result<(Kind, usize), NoFunction> {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&header[at..at + 8]);
        u64::from_ne_bytes(bytes)
    };
    if word(OBJECT_TYPE) != text_type {
        return Err(NoFunction::Inconsistent("a name that is no string"));
    }
    let length = word(TEXT_LENGTH);
    if length > LONGEST {
        return Err(NoFunction::Inconsistent("a name too long"));
    }
    // interned: 2 bits, kind: 3, compact: 1, ascii: 1.
    let state = header[TEXT_STATE];
    let kind = match (state >> 5 & 1, state >> 6 & 1, state >> 2 & 7) {
        (1, 1, 1) => Kind::Ascii,
        (1, 0, 1) => Kind::Latin1,
        (1, 0, 2) => Kind::Ucs2,
        (1, 0, 4) => Kind::Ucs4,
        _ => return Err(NoFunction::Inconsistent("a name of no known form")),
    };
    Ok((kind, length as usize))
}

/// A file with the folder it is in: enough to know it, and nothing of whose machine it is.
fn shortened(file: &str) -> &str {
    let path = Path::new(file);
    let Some(folder) = path.parent().and_then(Path::parent) else {
        return file.trim_start_matches('/');
    };
    path.strip_prefix(folder)
        .ok()
        .and_then(Path::to_str)
        .unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT_TYPE: u64 = 0x5000;

    fn header(kind: u8, compact: u8, ascii: u8, length: u64) -> [u8; TEXT_HEADER] {
        let mut header = [0; TEXT_HEADER];
        header[8..16].copy_from_slice(&TEXT_TYPE.to_ne_bytes());
        header[16..24].copy_from_slice(&length.to_ne_bytes());
        header[32] = 1 | kind << 2 | compact << 5 | ascii << 6;
        header
    }

    #[test]
    fn strings_are_told_by_type_and_flags() {
        let of = |header| characters(&header, TEXT_TYPE).ok();
        assert_eq!(of(header(1, 1, 1, 7)), Some((Kind::Ascii, 7)));
        assert_eq!(of(header(1, 1, 0, 7)), Some((Kind::Latin1, 7)));
        assert_eq!(of(header(2, 1, 0, 7)), Some((Kind::Ucs2, 7)));
        assert_eq!(of(header(4, 1, 0, 7)), Some((Kind::Ucs4, 7)));
        assert_eq!(of(header(1, 0, 1, 7)), None);
        assert_eq!(of(header(3, 1, 0, 7)), None);
        assert_eq!(of(header(1, 1, 1, LONGEST + 1)), None);
        assert!(characters(&header(1, 1, 1, 7), TEXT_TYPE + 8).is_err());
    }

    #[test]
    fn names_are_decoded() {
        assert_eq!(Kind::Ascii.decoded(b"f\x1b"), "f\u{fffd}");
        assert_eq!(Kind::Latin1.decoded(&[0xe9]), "\u{e9}");
        let two: Vec<u8> = [0x416_u16, 0xd800]
            .iter()
            .flat_map(|u| u.to_ne_bytes())
            .collect();
        assert_eq!(Kind::Ucs2.decoded(&two), "\u{416}\u{fffd}");
        assert_eq!(Kind::Ucs4.decoded(&0x1f600_u32.to_ne_bytes()), "\u{1f600}");
    }

    #[test]
    fn a_file_keeps_its_folder_only() {
        assert_eq!(shortened("/home/me/lib/json/encoder.py"), "json/encoder.py");
        assert_eq!(shortened("/x/app.py"), "x/app.py");
        assert_eq!(shortened("/app.py"), "app.py");
        assert_eq!(shortened("app.py"), "app.py");
        assert_eq!(shortened("<string>"), "<string>");
        assert_eq!(
            shortened("<frozen importlib._bootstrap>"),
            "<frozen importlib._bootstrap>"
        );
    }
}
