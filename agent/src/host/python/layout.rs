//! The offsets in CPython's structures that lead to the name of a function, by version.

use std::io;

use super::memory;

/// Why the functions of a CPython are not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::host) enum UnsupportedRuntime {
    /// Older than `Py_Version`.
    #[error("functions of CPython before 3.11 are not read")]
    TooOld,
    /// The structures of this version have not been checked.
    #[error("functions of CPython {0}.{1} are not read: 3.11, 3.12 and 3.13 are")]
    Unchecked(u8, u8),
    /// Without a GIL there is no holder of it.
    #[error("this CPython is built without a GIL")]
    FreeThreaded,
    /// The types that prove that what was read is consistent are not exported.
    #[error("this CPython does not export its types, without which a reading cannot be verified")]
    NoTypes,
    /// `_PyRuntime` does not begin with the `_Py_DebugOffsets` of 3.13.
    #[error("_PyRuntime does not begin with the debug offsets that 3.13 has")]
    NoDebugOffsets,
}

/// How a thread state leads to its innermost frame; offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FramePointer {
    /// Through a `_PyCFrame` on the C stack: offsets of its pointer in the thread state, and of the
    /// frame's pointer in it.
    OnStack { cframe: u64, current: u64 },
    /// Directly: the offset of the frame's pointer in the thread state.
    Direct { current: u64 },
}

/// Offsets in bytes, each in the structure that it is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InterpreterLayout {
    pub(super) runtime_interpreters: u64,
    pub(super) interpreter_next: u64,
    pub(super) interpreter_threads: u64,
    pub(super) thread_next: u64,
    pub(super) thread_interpreter: u64,
    pub(super) thread_native_id: u64,
    pub(super) frames: FramePointer,
    pub(super) frame_previous: u64,
    pub(super) frame_code: u64,
    pub(super) frame_owner: u64,
    pub(super) code_filename: u64,
    pub(super) code_qualname: u64,
    pub(super) code_first_line: u64,
    /// Header sizes of strings: of ASCII strings, and of others.
    pub(super) ascii: u64,
    pub(super) compact: u64,
}

/// From the headers of 3.11; the same in both releases compared (3.11.2, 3.11.7).
const V3_11: InterpreterLayout = InterpreterLayout {
    runtime_interpreters: 40,
    interpreter_next: 0,
    interpreter_threads: 16,
    thread_next: 8,
    thread_interpreter: 16,
    thread_native_id: 160,
    frames: FramePointer::OnStack {
        cframe: 56,
        current: 8,
    },
    frame_previous: 48,
    frame_code: 32,
    frame_owner: 69,
    code_filename: 112,
    code_qualname: 128,
    code_first_line: 72,
    ascii: 48,
    compact: 72,
};

/// From the headers of 3.12.1.
const V3_12: InterpreterLayout = InterpreterLayout {
    interpreter_threads: 72,
    thread_native_id: 144,
    frames: FramePointer::OnStack {
        cframe: 56,
        current: 0,
    },
    frame_previous: 8,
    frame_code: 0,
    frame_owner: 70,
    code_first_line: 68,
    ascii: 40,
    compact: 56,
    ..V3_11
};

/// The part of 3.13's `_Py_DebugOffsets` that is read.
const DEBUG_OFFSETS_BYTES: usize = 568;

/// Larger offsets are not plausible.
const MAX_OFFSET: u64 = 1 << 20;

impl InterpreterLayout {
    /// The layout of a version (`Py_Version`), with `_PyRuntime` at `start`.
    ///
    /// # Errors
    /// When `_PyRuntime` cannot be read.
    pub(super) fn of(
        pid: u32,
        version: u32,
        start: u64,
    ) -> io::Result<Result<Self, UnsupportedRuntime>> {
        let [major, minor, ..] = version.to_be_bytes();
        Ok(match (major, minor) {
            (3, 11) => Ok(V3_11),
            (3, 12) => Ok(V3_12),
            (3, 13) => Self::from_debug_offsets(version, &memory::bytes(pid, start)?)
                .ok_or(UnsupportedRuntime::NoDebugOffsets),
            _ => Err(UnsupportedRuntime::Unchecked(major, minor)),
        })
    }

    /// From the `_Py_DebugOffsets` at the start of 3.13's `_PyRuntime`.
    fn from_debug_offsets(version: u32, bytes: &[u8; DEBUG_OFFSETS_BYTES]) -> Option<Self> {
        let (cookie, rest) = bytes.split_at(8);
        let word = |offset: usize| -> Option<u64> {
            let bytes = rest.get(offset - 8..offset)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        let offset = |at: usize| word(at).filter(|&offset| offset < MAX_OFFSET);
        if cookie != b"xdebugpy" || word(8)? != u64::from(version) || word(16)? != 0 {
            return None;
        }
        let ascii = offset(560)?;
        Some(Self {
            runtime_interpreters: offset(40)?,
            interpreter_next: offset(64)?,
            interpreter_threads: offset(72)?,
            thread_next: offset(168)?,
            thread_interpreter: offset(176)?,
            frames: FramePointer::Direct {
                current: offset(184)?,
            },
            thread_native_id: offset(200)?,
            frame_previous: offset(232)?,
            frame_code: offset(240)?,
            frame_owner: offset(264)?,
            code_filename: offset(280)?,
            code_qualname: offset(296)?,
            code_first_line: offset(312)?,
            ascii,
            // A length and a pointer for UTF-8 follow.
            compact: ascii + 16,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of 3.13.0; what is not read is 0.
    fn debug_offsets() -> [u8; DEBUG_OFFSETS_BYTES] {
        let mut bytes = [0; DEBUG_OFFSETS_BYTES];
        bytes[..8].copy_from_slice(b"xdebugpy");
        for (at, value) in [
            (8, 0x030d_00f0),
            (40, 632),
            (64, 7264),
            (72, 7344),
            (168, 8),
            (176, 16),
            (184, 72),
            (200, 160),
            (232, 8),
            (264, 70),
            (280, 112),
            (296, 128),
            (312, 68),
            (560, 40_u64),
        ] {
            bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn debug_offsets_are_those_of_the_headers() {
        let layout = InterpreterLayout::from_debug_offsets(0x030d_00f0, &debug_offsets())
            .expect("one of 3.13");
        let expected = InterpreterLayout {
            runtime_interpreters: 632,
            interpreter_next: 7264,
            interpreter_threads: 7344,
            thread_native_id: 160,
            frames: FramePointer::Direct { current: 72 },
            ..V3_12
        };
        assert_eq!(layout, expected);
    }

    #[test]
    fn invalid_debug_offsets_are_refused() {
        let version = 0x030d_00f0;
        for (at, value) in [(0, 1), (8, 0x030e_00f0), (16, 1), (40, 1 << 40)] {
            let mut bytes = debug_offsets();
            bytes[at..at + 8].copy_from_slice(&u64::to_ne_bytes(value));
            assert_eq!(
                InterpreterLayout::from_debug_offsets(version, &bytes),
                None,
                "{at}"
            );
        }
    }

    #[test]
    fn unchecked_versions_are_refused() {
        let unsupported = |version| {
            InterpreterLayout::of(1, version, 0)
                .expect("nothing is read")
                .err()
        };
        assert_eq!(
            unsupported(0x030e_00f0),
            Some(UnsupportedRuntime::Unchecked(3, 14))
        );
        assert_eq!(unsupported(0x030b_07f0), None);
        assert_eq!(unsupported(0x030c_01f0), None);
    }
}
