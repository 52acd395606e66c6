//! Just enough FIX 4.4 for a venue and a receiver: correct BodyLength and CheckSum, no dictionary.

use std::fmt::Write as _;

use crate::clock::Resolution;

/// The field separator.
pub const SOH: char = '\u{1}';

/// Writes the messages of one side of a session, with consecutive MsgSeqNums.
#[derive(Clone, Debug)]
pub struct FixWriter {
    sender: String,
    target: String,
    resolution: Resolution,
    next: u64,
    body: String,
    message: String,
}

impl FixWriter {
    /// Creates a writer from `sender` to `target` that starts at MsgSeqNum 1.
    pub fn new(
        sender: impl Into<String>,
        target: impl Into<String>,
        resolution: Resolution,
    ) -> Self {
        Self {
            sender: sender.into(),
            target: target.into(),
            resolution,
            next: 1,
            body: String::new(),
            message: String::new(),
        }
    }

    /// Returns the MsgSeqNum of the next message.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next
    }

    /// Sets the MsgSeqNum of the next message.
    pub(crate) fn set_next_seq(&mut self, seq: u64) {
        self.next = seq;
    }

    /// Returns a complete message. `fields` is the body after the header, each field ended by SOH;
    /// `utc` is tag 52 before it is rounded to the resolution.
    pub fn message(&mut self, msg_type: &str, utc: i64, fields: &str) -> &[u8] {
        let Self { body, message, .. } = self;
        body.clear();
        let _ = write!(
            body,
            "35={msg_type}{SOH}49={}{SOH}56={}{SOH}34={}{SOH}52=",
            self.sender, self.target, self.next
        );
        self.resolution.write(utc, body);
        body.push(SOH);
        body.push_str(fields);
        message.clear();
        let _ = write!(message, "8=FIX.4.4{SOH}9={}{SOH}{body}", body.len());
        let sum = message.bytes().fold(0_u8, u8::wrapping_add);
        let _ = write!(message, "10={sum:03}{SOH}");
        self.next += 1;
        message.as_bytes()
    }
}

/// Writes the body of an ExecutionReport (35=8) for a message of about `size` bytes to `fields`.
pub fn execution_report(number: u64, size: usize, fields: &mut String) {
    fields.clear();
    let quantity = 100 + number % 900;
    let price = 100 + number % 37;
    let _ = write!(
        fields,
        "37=ORD{number:010}{SOH}11=CL{number:010}{SOH}17=EX{number:012}{SOH}150=F{SOH}39=1{SOH}1=ACC-0042{SOH}55=ESZ6{SOH}48=ESZ6{SOH}22=8{SOH}54={}{SOH}38=1000{SOH}40=2{SOH}44={price}.25{SOH}32={quantity}{SOH}31={price}.25{SOH}151={}{SOH}14={quantity}{SOH}6={price}.25{SOH}207=XCME{SOH}",
        1 + number % 2,
        1000 - quantity,
    );
    // Header and trailer take about 90 bytes; tag 58 pads to the requested size.
    let missing = size.saturating_sub(fields.len() + 95);
    if missing > 0 {
        let _ = write!(fields, "58={:.<missing$}{SOH}", "fill");
    }
}

/// Splits a byte stream into complete messages, however it was read.
#[derive(Debug, Default)]
pub struct MessageFramer {
    buffer: Vec<u8>,
    start: usize,
}

/// The fields of one message that a receiver needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFields {
    /// Tag 35.
    pub msg_type: String,
    /// Tag 34.
    pub seq: u64,
    /// Tag 52 as written.
    pub sending_time: String,
    /// Tag 112: TestReqID.
    pub test_req_id: Option<String>,
    /// Tag 45: the MsgSeqNum a Reject is about.
    pub ref_seq: Option<u64>,
}

impl MessageFramer {
    /// Appends the bytes of a receive call.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the fields of the next message if it is complete.
    pub fn next_message(&mut self) -> Option<MessageFields> {
        let rest = &self.buffer[self.start..];
        let length_at = find(rest, b"\x019=")? + 3;
        let length_end = length_at + find(&rest[length_at..], b"\x01")?;
        let length: usize = std::str::from_utf8(&rest[length_at..length_end])
            .ok()?
            .parse()
            .ok()?;
        let end = length_end + 1 + length + 7;
        let message = rest.get(..end)?;
        let header = MessageFields {
            msg_type: field(message, "35")?,
            seq: field(message, "34")?.parse().ok()?,
            sending_time: field(message, "52")?,
            test_req_id: field(message, "112"),
            ref_seq: field(message, "45").and_then(|seq| seq.parse().ok()),
        };
        self.start += end;
        Some(header)
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

/// Returns the first field with that tag.
fn field(message: &[u8], tag: &str) -> Option<String> {
    message.split(|&byte| byte == 1).find_map(|field| {
        let value = field.strip_prefix(tag.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_checksums_are_right_and_survive_any_split() {
        let mut writer = FixWriter::new("VENUE", "DROP", Resolution::Micros);
        let mut stream = Vec::new();
        let mut fields = String::new();
        for (number, size) in (1..=20).zip([300, 450].into_iter().cycle()) {
            execution_report(number, size, &mut fields);
            let message = writer.message("8", 1_772_341_199_123_456_789, &fields);
            assert!(
                message.len().abs_diff(size) < 16,
                "{} for {size}",
                message.len()
            );
            let body = find(message, b"\x0135=").expect("35") + 1;
            assert_eq!(
                field(message, "9").expect("9").parse(),
                Ok(message.len() - 7 - body)
            );
            let sum = message[..message.len() - 7]
                .iter()
                .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            assert_eq!(field(message, "10"), Some(format!("{sum:03}")));
            stream.extend_from_slice(message);
        }
        for step in [1, 7, 100, 5000] {
            let mut cutter = MessageFramer::default();
            let mut received = Vec::new();
            for piece in stream.chunks(step) {
                cutter.push(piece);
                while let Some(header) = cutter.next_message() {
                    assert_eq!(header.sending_time, "20260301-04:59:59.123456");
                    received.push(header.seq);
                }
            }
            assert_eq!(received, (1..=20).collect::<Vec<_>>());
        }
    }
}
