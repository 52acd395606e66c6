//! The addresses of CPython in a process.

/// CPython in a process, by the addresses of that process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) struct PythonRuntime {
    /// `_PyRuntime`.
    pub(in crate::host) start: u64,
    /// The size of `_PyRuntime`, bytes.
    pub(in crate::host) size: u64,
    /// `Py_Version`: `0x030b07f0` is 3.11.7. `None` before 3.11.
    pub(super) version: Option<u32>,
    /// Built to run without a GIL.
    pub(super) free_threaded: bool,
    /// `PyCode_Type`.
    pub(super) code_type: Option<u64>,
    /// `PyUnicode_Type`.
    pub(super) text_type: Option<u64>,
}

impl PythonRuntime {
    /// Whether a futex at this address is the GIL. The only futexes inside of `_PyRuntime` are
    /// those of the main interpreter's GIL, which is its own since 3.12; other locks of the runtime
    /// are allocated elsewhere.
    pub(super) fn has_gil_at(&self, address: u64) -> bool {
        !self.free_threaded && (self.start..self.start + self.size).contains(&address)
    }
}
