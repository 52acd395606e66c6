//! Where CPython keeps what is needed to name a function, by version.

use std::io;

use super::memory;

/// Why a version's functions are not named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Before `Py_Version` was there.
    #[error("functions of CPython before 3.11 are not read")]
    TooOld,
    /// A version whose structures have not been checked.
    #[error("functions of CPython {0}.{1} are not read: 3.11, 3.12 and 3.13 are")]
    Unchecked(u8, u8),
    /// No GIL, no holder.
    #[error("this CPython is built without a GIL")]
    FreeThreaded,
    /// The types that prove a reading right are not exported.
    #[error("this CPython does not export its types, which prove a reading right")]
    NoTypes,
    /// Its description of itself is not one of 3.13.
    #[error("_PyRuntime does not begin with the description of itself that 3.13 has")]
    NoDescription,
}

/// How a thread state leads to its innermost frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frames {
    /// Through a `_PyCFrame` on the C stack: its pointer in the thread state, the frame's in it.
    OnStack { cframe: u64, current: u64 },
    /// Directly.
    Direct { current: u64 },
}

/// Offsets in bytes, each in the structure it is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) runtime_interpreters: u64,
    pub(super) interpreter_next: u64,
    pub(super) interpreter_threads: u64,
    pub(super) thread_next: u64,
    pub(super) thread_interpreter: u64,
    pub(super) thread_native_id: u64,
    pub(super) frames: Frames,
    pub(super) frame_previous: u64,
    pub(super) frame_code: u64,
    pub(super) frame_owner: u64,
    pub(super) code_filename: u64,
    pub(super) code_qualname: u64,
    pub(super) code_first_line: u64,
    /// Header sizes of strings: of ASCII, and of others.
    pub(super) ascii: u64,
    pub(super) compact: u64,
}

/// From the headers of 3.11; the same in all of its releases looked at (3.11.2, 3.11.7).
const V3_11: Layout = Layout {
    runtime_interpreters: 40,
    interpreter_next: 0,
    interpreter_threads: 16,
    thread_next: 8,
    thread_interpreter: 16,
    thread_native_id: 160,
    frames: Frames::OnStack {
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
const V3_12: Layout = Layout {
    interpreter_threads: 72,
    thread_native_id: 144,
    frames: Frames::OnStack {
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

/// Size of 3.13's `_Py_DebugOffsets`, bytes, as far as it is read.
const DESCRIPTION: usize = 568;

/// Nothing that is read lies farther inside of its structure.
const FARTHEST: u64 = 1 << 20;

impl Layout {
    /// For a version (`Py_Version`), with `_PyRuntime` at `start`.
    pub(super) fn of(pid: u32, version: u32, start: u64) -> io::Result<Result<Self, Refusal>> {
        let [major, minor, ..] = version.to_be_bytes();
        Ok(match (major, minor) {
            (3, 11) => Ok(V3_11),
            (3, 12) => Ok(V3_12),
            (3, 13) => {
                Self::described(version, &memory::bytes(pid, start)?).ok_or(Refusal::NoDescription)
            }
            _ => Err(Refusal::Unchecked(major, minor)),
        })
    }

    /// From what 3.13 says of itself at the start of `_PyRuntime`.
    fn described(version: u32, bytes: &[u8; DESCRIPTION]) -> Option<Self> {
        let (cookie, rest) = bytes.split_at(8);
        let word = |offset: usize| -> Option<u64> {
            let bytes = rest.get(offset - 8..offset)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        let offset = |at: usize| word(at).filter(|&offset| offset < FARTHEST);
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
            frames: Frames::Direct {
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

    /// 3.13.0's, with what is not read left 0.
    fn description() -> [u8; DESCRIPTION] {
        let mut bytes = [0; DESCRIPTION];
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
    fn a_description_is_read_as_the_headers_have_it() {
        let layout = Layout::described(0x030d_00f0, &description()).expect("one of 3.13");
        let expected = Layout {
            runtime_interpreters: 632,
            interpreter_next: 7264,
            interpreter_threads: 7344,
            thread_native_id: 160,
            frames: Frames::Direct { current: 72 },
            ..V3_12
        };
        assert_eq!(layout, expected);
    }

    #[test]
    fn what_is_no_description_is_refused() {
        let version = 0x030d_00f0;
        for (at, value) in [(0, 1), (8, 0x030e_00f0), (16, 1), (40, 1 << 40)] {
            let mut bytes = description();
            bytes[at..at + 8].copy_from_slice(&u64::to_ne_bytes(value));
            assert_eq!(Layout::described(version, &bytes), None, "{at}");
        }
    }

    #[test]
    fn versions_that_were_not_checked_are_refused() {
        let refusal = |version| Layout::of(1, version, 0).expect("nothing is read").err();
        assert_eq!(refusal(0x030e_00f0), Some(Refusal::Unchecked(3, 14)));
        assert_eq!(refusal(0x030b_07f0), None);
        assert_eq!(refusal(0x030c_01f0), None);
    }
}
