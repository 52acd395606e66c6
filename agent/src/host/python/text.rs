//! CPython's strings.

use super::error::FunctionError;

/// Offset of the type in every object, bytes.
pub(super) const OBJECT_TYPE: usize = 8;

/// Offsets of the length and the flags in every string, and the size of what is read of its header,
/// bytes.
const TEXT_LENGTH: usize = 16;
const TEXT_STATE: usize = 32;
pub(super) const TEXT_HEADER: usize = 40;

/// Longer strings are not plausible as names, characters.
const MAX_TEXT_CHARS: u64 = 4096;

/// How a string stores its characters (PEP 393).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StringKind {
    Ascii,
    Latin1,
    Ucs2,
    Ucs4,
}

impl StringKind {
    /// Bytes per character.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Ascii | Self::Latin1 => 1,
            Self::Ucs2 => 2,
            Self::Ucs4 => 4,
        }
    }

    /// The characters as text; invalid ones and control characters become U+FFFD.
    pub(super) fn decode(self, bytes: &[u8]) -> String {
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

/// The kind and the length in characters of a string, from the header of its object.
///
/// # Errors
/// When the object is not a string, or not a plausible name.
pub(super) fn parse_header(
    header: &[u8; TEXT_HEADER],
    text_type: u64,
) -> Result<(StringKind, usize), FunctionError> {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&header[at..at + 8]);
        u64::from_ne_bytes(bytes)
    };
    if word(OBJECT_TYPE) != text_type {
        return Err(FunctionError::Inconsistent(
            "the object of a name is not a string",
        ));
    }
    let length = word(TEXT_LENGTH);
    if length > MAX_TEXT_CHARS {
        return Err(FunctionError::Inconsistent("a name is implausibly long"));
    }
    // Bit fields from the lowest bit on: interned 2, kind 3, compact 1, ascii 1.
    let state = header[TEXT_STATE];
    let kind = match (state >> 5 & 1, state >> 6 & 1, state >> 2 & 7) {
        (1, 1, 1) => StringKind::Ascii,
        (1, 0, 1) => StringKind::Latin1,
        (1, 0, 2) => StringKind::Ucs2,
        (1, 0, 4) => StringKind::Ucs4,
        _ => {
            return Err(FunctionError::Inconsistent(
                "a name has an unknown string kind",
            ));
        }
    };
    Ok((kind, length as usize))
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
    fn the_kind_of_a_string_is_in_its_type_and_flags() {
        let of = |header| parse_header(&header, TEXT_TYPE).ok();
        assert_eq!(of(header(1, 1, 1, 7)), Some((StringKind::Ascii, 7)));
        assert_eq!(of(header(1, 1, 0, 7)), Some((StringKind::Latin1, 7)));
        assert_eq!(of(header(2, 1, 0, 7)), Some((StringKind::Ucs2, 7)));
        assert_eq!(of(header(4, 1, 0, 7)), Some((StringKind::Ucs4, 7)));
        assert_eq!(of(header(1, 0, 1, 7)), None);
        assert_eq!(of(header(3, 1, 0, 7)), None);
        assert_eq!(of(header(1, 1, 1, MAX_TEXT_CHARS + 1)), None);
        assert!(parse_header(&header(1, 1, 1, 7), TEXT_TYPE + 8).is_err());
    }

    #[test]
    fn invalid_and_control_characters_are_replaced() {
        assert_eq!(StringKind::Ascii.decode(b"f\x1b"), "f\u{fffd}");
        assert_eq!(StringKind::Latin1.decode(&[0xe9]), "\u{e9}");
        let two: Vec<u8> = [0x416_u16, 0xd800]
            .iter()
            .flat_map(|u| u.to_ne_bytes())
            .collect();
        assert_eq!(StringKind::Ucs2.decode(&two), "\u{416}\u{fffd}");
        assert_eq!(
            StringKind::Ucs4.decode(&0x1f600_u32.to_ne_bytes()),
            "\u{1f600}"
        );
    }
}
