//! The Python function that a thread is in, read from the process's memory while it runs, without
//! stopping it.
//!
//! Only the function's file, first line and qualified name are read. The memory may change
//! meanwhile: the types of the code object and of its strings prove that they are such, and
//! anything else is rejected.

use std::{io, path::Path};

use super::{
    error::FunctionError,
    layout::{FramePointer, InterpreterLayout, UnsupportedRuntime},
    memory,
    runtime::PythonRuntime,
    text::{OBJECT_TYPE, StringKind, TEXT_HEADER, parse_header},
};
use crate::domain::Function;

/// Interpreters read, and threads of each, at most. Longer lists are not plausible.
const MAX_INTERPRETERS: usize = 64;
const MAX_THREADS: usize = 4096;

/// Frames of C code skipped, at most.
const MAX_C_FRAMES: usize = 8;

/// `FRAME_OWNED_BY_CSTACK` of 3.12 and later: a frame without a function of its own.
const OWNED_BY_C_STACK: u8 = 3;

/// The function (`JSONEncoder.encode` of `json/encoder.py:183`) that a thread is in, by its id in
/// its own PID namespace. `None` when it is not a Python thread, or in no Python function.
///
/// # Errors
/// When the version is not supported, or the memory cannot be read consistently.
pub(in crate::host) fn function(
    pid: u32,
    inner_tid: u32,
    runtime: &PythonRuntime,
) -> Result<Option<Function>, FunctionError> {
    let reader = InterpreterReader::new(pid, runtime)?;
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
        location: format!("{}:{line}", with_folder(&file)),
    }))
}

/// Reads the interpreters of one process.
struct InterpreterReader {
    pid: u32,
    start: u64,
    layout: InterpreterLayout,
    code_type: u64,
    text_type: u64,
}

impl InterpreterReader {
    fn new(pid: u32, runtime: &PythonRuntime) -> Result<Self, FunctionError> {
        if runtime.free_threaded {
            return Err(UnsupportedRuntime::FreeThreaded.into());
        }
        let version = runtime.version.ok_or(UnsupportedRuntime::TooOld)?;
        let layout = InterpreterLayout::of(pid, version, runtime.start)??;
        let (Some(code_type), Some(text_type)) = (runtime.code_type, runtime.text_type) else {
            return Err(UnsupportedRuntime::NoTypes.into());
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

    /// The address of the state of the thread with this id; `None` when it is not a Python thread.
    fn thread(&self, inner_tid: u32) -> Result<Option<u64>, FunctionError> {
        let layout = &self.layout;
        let mut interpreter = self.word(self.start + layout.runtime_interpreters)?;
        for _ in 0..MAX_INTERPRETERS {
            if interpreter == 0 {
                return Ok(None);
            }
            let mut thread = self.word(interpreter + layout.interpreter_threads)?;
            for _ in 0..MAX_THREADS {
                if thread == 0 {
                    break;
                }
                if self.word(thread + layout.thread_interpreter)? != interpreter {
                    return Err(FunctionError::Inconsistent(
                        "a thread belongs to another interpreter",
                    ));
                }
                if self.word(thread + layout.thread_native_id)? == u64::from(inner_tid) {
                    return Ok(Some(thread));
                }
                thread = self.word(thread + layout.thread_next)?;
            }
            interpreter = self.word(interpreter + layout.interpreter_next)?;
        }
        Err(FunctionError::Inconsistent(
            "the list of interpreters does not end",
        ))
    }

    /// The address of the code object of the innermost Python frame.
    fn code(&self, thread: u64) -> Result<Option<u64>, FunctionError> {
        let layout = &self.layout;
        let mut frame = match layout.frames {
            FramePointer::Direct { current } => self.word(thread + current)?,
            FramePointer::OnStack { cframe, current } => match self.word(thread + cframe)? {
                0 => 0,
                cframe => self.word(cframe + current)?,
            },
        };
        for _ in 0..MAX_C_FRAMES {
            if frame == 0 {
                return Ok(None);
            }
            let [owner] = memory::bytes(self.pid, frame + layout.frame_owner)?;
            if owner > OWNED_BY_C_STACK {
                return Err(FunctionError::Inconsistent("a frame has an unknown owner"));
            }
            if owner < OWNED_BY_C_STACK {
                let code = self.word(frame + layout.frame_code)?;
                if self.word(code + OBJECT_TYPE as u64)? != self.code_type {
                    return Err(FunctionError::Inconsistent(
                        "the code of a frame is not a code object",
                    ));
                }
                return Ok(Some(code));
            }
            frame = self.word(frame + layout.frame_previous)?;
        }
        Err(FunctionError::Inconsistent(
            "the list of frames does not end",
        ))
    }

    /// The string that the pointer at this address leads to.
    fn text_at(&self, pointer: u64) -> Result<String, FunctionError> {
        let text = self.word(pointer)?;
        let header: [u8; TEXT_HEADER] = memory::bytes(self.pid, text)?;
        let (kind, length) = parse_header(&header, self.text_type)?;
        let header_bytes = match kind {
            StringKind::Ascii => self.layout.ascii,
            _ => self.layout.compact,
        };
        let mut bytes = vec![0; length * kind.width()];
        memory::read(self.pid, text + header_bytes, &mut bytes)?;
        Ok(kind.decode(&bytes))
    }
}

/// A file with the folder it is in: enough to identify it, without the paths of the machine.
fn with_folder(file: &str) -> &str {
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

    #[test]
    fn a_file_is_shown_with_its_folder_only() {
        assert_eq!(
            with_folder("/home/me/lib/json/encoder.py"),
            "json/encoder.py"
        );
        assert_eq!(with_folder("/x/app.py"), "x/app.py");
        assert_eq!(with_folder("/app.py"), "app.py");
        assert_eq!(with_folder("app.py"), "app.py");
        assert_eq!(with_folder("<string>"), "<string>");
        assert_eq!(
            with_folder("<frozen importlib._bootstrap>"),
            "<frozen importlib._bootstrap>"
        );
    }
}
