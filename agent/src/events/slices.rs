//! The slices behind a receive record.

use agent_common::{BytesReceived, SLICE_HEAD_BYTES};

/// Iterates over slices: the TCP sequence number of the first byte, and the bytes.
#[derive(Clone, Copy)]
pub(crate) struct Slices<'a> {
    rest: &'a [u8],
}

/// The length only: slices hold bytes of messages.
impl std::fmt::Debug for Slices<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slices({} bytes)", self.rest.len())
    }
}

impl<'a> Slices<'a> {
    /// The slices in `record`, which begins with `recv`.
    pub(crate) fn behind(record: &'a [u8], recv: &BytesReceived) -> Self {
        let start = size_of::<BytesReceived>().min(record.len());
        let end = (start + recv.slice_bytes as usize).min(record.len());
        Self {
            rest: &record[start..end],
        }
    }
}

#[expect(
    clippy::copy_iterator,
    reason = "an event is copied as a whole, before its slices are read"
)]
impl<'a> Iterator for Slices<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_at_checked(SLICE_HEAD_BYTES)?;
        let seq = u32::from_le_bytes(head[..4].try_into().ok()?);
        let len = u32::from_le_bytes(head[4..].try_into().ok()?) as usize;
        let bytes = rest.get(..len)?;
        // Slices begin at multiples of four.
        self.rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((seq, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_skipped_and_a_cut_record_ends_the_slices() {
        let mut bytes = vec![0; size_of::<BytesReceived>()];
        for (seq, text) in [(7u32, &b"abcde"[..]), (9, b"xyz!")] {
            bytes.extend(seq.to_le_bytes());
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let recv = BytesReceived {
            slice_bytes: (bytes.len() - size_of::<BytesReceived>()) as u32,
            ..BytesReceived::default()
        };
        let all: Vec<_> = Slices::behind(&bytes, &recv).collect();
        assert_eq!(all, [(7, &b"abcde"[..]), (9, &b"xyz!"[..])]);
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(Slices::behind(cut, &recv).count(), 1);
        assert!(!format!("{:?}", Slices::behind(&bytes, &recv)).contains("abc"));
    }
}
