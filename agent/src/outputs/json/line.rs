//! A JSON line under construction: brackets, keys and values.

use std::io::Write as _;

/// One line of JSON in a buffer that is used again for the next.
#[derive(Debug, Default)]
pub(in crate::outputs) struct JsonLine {
    bytes: Vec<u8>,
}

impl JsonLine {
    pub(super) fn start(&mut self, kind: &str) {
        self.bytes.clear();
        self.open(b'{');
        self.text("type", kind);
    }

    pub(super) fn finish(&mut self) -> &[u8] {
        self.close(b'}');
        self.bytes.push(b'\n');
        &self.bytes
    }

    pub(super) fn open(&mut self, bracket: u8) {
        self.bytes.push(bracket);
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.bytes.push(bracket);
    }

    /// Separates from what came before on the same level, if anything did.
    pub(super) fn comma(&mut self) {
        if !matches!(self.bytes.last(), Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
    }

    pub(super) fn key(&mut self, key: &str) {
        self.comma();
        self.string(key);
        self.bytes.push(b':');
    }

    pub(super) fn int(&mut self, key: &str, value: impl JsonInteger) {
        self.key(key);
        value.write(&mut self.bytes);
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    pub(super) fn texts<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a str>) {
        self.key(key);
        self.open(b'[');
        for value in values {
            self.comma();
            self.string(value);
        }
        self.close(b']');
    }

    /// Three digits after the point; null when there is none, or none that JSON can write.
    pub(super) fn float(&mut self, key: &str, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                self.key(key);
                append(&mut self.bytes, format_args!("{value:.3}"));
            }
            None => self.null(key),
        }
    }

    pub(super) fn optional_int(&mut self, key: &str, value: Option<u64>) {
        match value {
            Some(value) => self.int(key, value),
            None => self.null(key),
        }
    }

    pub(super) fn optional_text(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    pub(super) fn bool(&mut self, key: &str, value: bool) {
        self.key(key);
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.bytes.extend_from_slice(word);
    }

    pub(super) fn null(&mut self, key: &str) {
        self.key(key);
        self.bytes.extend_from_slice(b"null");
    }

    /// A value whose text needs no escaping.
    pub(super) fn display(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        self.bytes.push(b'"');
        append(&mut self.bytes, value);
        self.bytes.push(b'"');
    }

    pub(super) fn string(&mut self, text: &str) {
        self.bytes.push(b'"');
        let plain = |b: &u8| *b >= 0x20 && !matches!(b, b'"' | b'\\');
        if text.as_bytes().iter().all(plain) {
            self.bytes.extend_from_slice(text.as_bytes());
        } else {
            for c in text.chars() {
                match c {
                    '"' | '\\' => self.bytes.extend_from_slice(&[b'\\', c as u8]),
                    '\0'..='\x1f' => {
                        append(&mut self.bytes, format_args!("\\u{:04x}", c as u32));
                    }
                    _ => append(&mut self.bytes, c),
                }
            }
        }
        self.bytes.push(b'"');
    }
}

fn append(bytes: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to memory does not fail.
    let _ = write!(bytes, "{value}");
}

/// A number that is written as a JSON integer. Summed ages may exceed 64 bits.
pub(super) trait JsonInteger {
    fn write(self, bytes: &mut Vec<u8>);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl JsonInteger for $t {
            fn write(self, bytes: &mut Vec<u8>) {
                append(bytes, self);
            }
        }
    )*};
}

integers!(u32 u64 u128 i64 i128);
