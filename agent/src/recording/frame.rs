//! Frames: a length, a checksum and compressed bytes.

use std::io::{self, Read, Write};

/// The head of a frame: packed length, length, and checksum of the lengths and the packed bytes, 32
/// bits each, little-endian.
const HEAD_BYTES: usize = 12;
/// No frame is larger, unpacked: a file that says so is damaged.
const MAX_FRAME_BYTES: usize = 1 << 24;

/// Packs frames and writes them.
#[derive(Debug, Default)]
pub(super) struct Packer {
    packed: Vec<u8>,
}

impl Packer {
    /// Packs bytes into a frame.
    pub(super) fn pack(&mut self, bytes: &[u8]) -> &[u8] {
        self.packed.resize(
            HEAD_BYTES + lz4_flex::block::get_maximum_output_size(bytes.len()),
            0,
        );
        let length = lz4_flex::block::compress_into(bytes, &mut self.packed[HEAD_BYTES..])
            .expect("room for the worst case");
        self.packed.truncate(HEAD_BYTES + length);
        self.packed[..4].copy_from_slice(&(length as u32).to_le_bytes());
        self.packed[4..8].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        let sum = checksum(&self.packed[..8], &self.packed[HEAD_BYTES..]);
        self.packed[8..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
        &self.packed
    }

    /// Packs bytes and writes the frame. Returns its length.
    pub(super) fn write(&mut self, bytes: &[u8], sink: &mut impl Write) -> io::Result<usize> {
        // The reader would take it for damage.
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let frame = self.pack(bytes);
        sink.write_all(frame)?;
        Ok(frame.len())
    }
}

fn checksum(lengths: &[u8], packed: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(lengths);
    sum.update(packed);
    sum.finalize()
}

/// Why the next frame cannot be read.
#[derive(Debug)]
pub(super) enum FrameError {
    Io(io::Error),
    /// The file ends this many bytes into a frame.
    Cut(usize),
    /// The bytes are not a frame.
    Damaged,
}

/// Reads the next frame into `bytes`, whose former content is lost, and returns its length in the
/// file.
pub(super) fn read(
    source: &mut impl Read,
    packed: &mut Vec<u8>,
    bytes: &mut Vec<u8>,
) -> Result<usize, FrameError> {
    let mut head = [0; HEAD_BYTES];
    let found = fill(source, &mut head).map_err(FrameError::Io)?;
    if found < HEAD_BYTES {
        return Err(FrameError::Cut(found));
    }
    let word = |at: usize| {
        let bytes = head[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes)
    };
    let (packed_length, length) = (word(0) as usize, word(4) as usize);
    if packed_length > 2 * MAX_FRAME_BYTES || length > MAX_FRAME_BYTES {
        return Err(FrameError::Damaged);
    }
    packed.clear();
    let found = source
        .take(packed_length as u64)
        .read_to_end(packed)
        .map_err(FrameError::Io)?;
    if found < packed_length {
        return Err(FrameError::Cut(HEAD_BYTES + found));
    }
    if checksum(&head[..8], packed) != word(8) {
        return Err(FrameError::Damaged);
    }
    bytes.resize(length, 0);
    match lz4_flex::block::decompress_into(packed, bytes) {
        Ok(found) if found == length => Ok(HEAD_BYTES + packed_length),
        _ => Err(FrameError::Damaged),
    }
}

/// Reads until the buffer is full or the source ends.
pub(super) fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
