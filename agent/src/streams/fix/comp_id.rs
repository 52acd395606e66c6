//! A CompID, stored inline and safe to print.

use std::fmt;

const CAPACITY: usize = 32;

/// SenderCompID (49) or TargetCompID (56), at most 32 bytes of printable ASCII.
///
/// Every other byte is replaced by `?`. A longer value is cut off: its last byte is then `~`. Two
/// long CompIDs with the same first 31 bytes are therefore equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CompId {
    len: u8,
    cut: bool,
    bytes: [u8; CAPACITY],
}

impl CompId {
    /// Reads the value of field 49 or 56; `None` when it is empty.
    #[must_use]
    pub(crate) fn new(value: &[u8]) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        let len = value.len().min(CAPACITY);
        let cut = value.len() > CAPACITY;
        let mut bytes = [0; CAPACITY];
        for (to, &from) in bytes.iter_mut().zip(value) {
            *to = if matches!(from, b' '..=b'~') {
                from
            } else {
                b'?'
            };
        }
        if cut {
            bytes[CAPACITY - 1] = b'~';
        }
        Some(Self {
            len: len as u8,
            cut,
            bytes,
        })
    }

    /// The characters, at least one and at most 32.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }

    /// Whether the value on the wire was longer than 32 bytes.
    #[cfg(test)]
    pub(crate) const fn is_cut(&self) -> bool {
        self.cut
    }
}

impl fmt::Display for CompId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CompId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::CompId;

    #[test]
    fn it_is_bounded_printable_and_marked() {
        let id = |v: &[u8]| CompId::new(v).map(|c| (c.to_string(), c.is_cut()));
        assert_eq!(id(b""), None);
        assert_eq!(id(b"V E~"), Some(("V E~".into(), false)));
        assert_eq!(
            id(b"a\x1b[2Jb\xc3\xa9\x7f"),
            Some(("a?[2Jb???".into(), false))
        );
        assert_eq!(id(&[b'x'; 32]), Some(("x".repeat(32), false)));
        assert_eq!(id(&[b'x'; 33]), Some(("x".repeat(31) + "~", true)));
        assert_eq!(id(&[b'x'; 4000]), Some(("x".repeat(31) + "~", true)));
    }
}
