//! The walk over the fields of a header, up to the first one that is not of the header.

use super::framing::SOH;

/// The fields of interest.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeaderField {
    /// MsgSeqNum (34).
    Seq,
    /// MsgType (35).
    Type,
    /// PossDupFlag (43).
    PossDup,
    /// SenderCompID (49).
    Sender,
    /// SendingTime (52).
    SendingTime,
    /// TargetCompID (56).
    Target,
    /// OrigSendingTime (122).
    OrigSendingTime,
}

impl HeaderField {
    const COUNT: usize = 7;

    const fn from_tag(tag: u16) -> Option<Self> {
        Some(match tag {
            34 => Self::Seq,
            35 => Self::Type,
            43 => Self::PossDup,
            49 => Self::Sender,
            52 => Self::SendingTime,
            56 => Self::Target,
            122 => Self::OrigSendingTime,
            _ => return None,
        })
    }
}

/// Whether a tag is of the standard header of any version from FIX 4.0 to FIXT.1.1 / FIX 5.0 SP2.
///
/// - FIX 4.0: 8, 9, 34, 35, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129;
/// - FIX 4.1 adds the location ids 142 to 145;
/// - FIX 4.2 adds XmlDataLen and XmlData (212, 213), MessageEncoding (347), LastMsgSeqNumProcessed
///   (369) and OnBehalfOfSendingTime (370, gone again in 4.4);
/// - FIX 4.3 adds the Hops group (627 to 630);
/// - FIXT.1.1 adds ApplVerID (1128), CstmApplVerID (1129) and ApplExtID (1156).
///
/// DefaultApplVerID (1137) is a field of the body of Logon. From "Standard Message Header" in
/// volume 2 of FIX 4.0 to 4.4 and in FIXT 1.1.
const fn in_header(tag: u16) -> bool {
    matches!(
        tag,
        8 | 9
            | 34
            | 35
            | 43
            | 49
            | 50
            | 52
            | 56
            | 57
            | 90
            | 91
            | 97
            | 115
            | 116
            | 122
            | 128
            | 129
            | 142..=145
            | 212
            | 213
            | 347
            | 369
            | 370
            | 627..=630
            | 1128
            | 1129
            | 1156
    )
}

/// SecureDataLen (90) and XmlDataLen (212): each is followed by the data field it measures, whose
/// tag is the next number.
const fn measures_next(tag: u16) -> bool {
    matches!(tag, 90 | 212)
}

/// Digits of the longest tag of a header.
const MAX_DIGITS: usize = 4;

enum Tag {
    /// The tag, and the length of it and the `=`.
    Whole(u16, usize),
    /// Only digits so far.
    Partial,
    /// Not a tag of any header, whatever follows.
    Other,
}

fn tag(field: &[u8]) -> Tag {
    let mut tag = 0;
    for (i, &b) in field.iter().take(MAX_DIGITS + 1).enumerate() {
        match b {
            b'=' if i > 0 => return Tag::Whole(tag, i + 1),
            b'0' if i == 0 => return Tag::Other,
            b'0'..=b'9' if i < MAX_DIGITS => tag = tag * 10 + u16::from(b - b'0'),
            _ => return Tag::Other,
        }
    }
    Tag::Partial
}

/// Reads the decimal digits of a FIX int without a sign; `None` when there are none, when anything
/// else is in it, or when the value is above `u64::MAX`.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |n, &b| {
        let digit = b.wrapping_sub(b'0');
        (digit <= 9).then_some(())?;
        n.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// How far the header has been walked, and where in it the wanted fields are.
#[derive(Clone, Copy)]
pub(super) struct FieldWalk {
    /// Where the next field starts, counted from the message's start.
    at: usize,
    /// The data field that has to come next, and the length of its value.
    data: Option<(u16, u64)>,
    /// From where to where the values are; `(0, 0)` where there is none yet.
    values: [(u16, u16); HeaderField::COUNT],
}

impl FieldWalk {
    /// Begins with the field at `at`.
    pub(super) const fn new(at: usize) -> Self {
        Self {
            at,
            data: None,
            values: [(0, 0); HeaderField::COUNT],
        }
    }

    /// Goes on as far as `window` allows: the message from its start, never longer than `limit`,
    /// which is where the header ends at the latest. True when the header is complete.
    ///
    /// What is found depends on the bytes alone, not on how many calls it takes to show them.
    pub(super) fn advance(&mut self, window: &[u8], limit: usize) -> bool {
        while self.at < limit {
            let (tag, value_at) = match tag(&window[self.at..]) {
                Tag::Whole(tag, len) if in_header(tag) => (tag, self.at + len),
                Tag::Whole(..) | Tag::Other => return true,
                Tag::Partial => return window.len() == limit,
            };
            let end = match self.data {
                Some((data, len)) if data == tag => {
                    let end =
                        usize::try_from(len).map_or(limit, |len| value_at.saturating_add(len));
                    if end >= limit {
                        return true;
                    }
                    match window.get(end) {
                        Some(&SOH) => end,
                        // The length is wrong: nothing past it can be distinguished from data.
                        Some(_) => return true,
                        None => return false,
                    }
                }
                _ => match memchr::memchr(SOH, &window[value_at..]) {
                    Some(len) => value_at + len,
                    None => return window.len() == limit,
                },
            };
            if let Some(wanted) = HeaderField::from_tag(tag) {
                let value = &mut self.values[wanted as usize];
                // Of a repeated tag the first counts: a second one is an error of the sender.
                if *value == (0, 0) {
                    *value = (value_at as u16, end as u16);
                }
            }
            self.data = measures_next(tag)
                .then(|| number(&window[value_at..end]))
                .flatten()
                .map(|len| (tag + 1, len));
            self.at = end + 1;
        }
        true
    }

    /// How much of the message it takes to see where the header ends: up to the end of the first
    /// tag that is not of it.
    pub(super) const fn bytes(&self) -> usize {
        self.at + MAX_DIGITS + 1
    }

    /// The value of a field in the window the walk went over; empty when it was not there.
    pub(super) fn value<'a>(&self, window: &'a [u8], wanted: HeaderField) -> &'a [u8] {
        let (from, to) = self.values[wanted as usize];
        &window[usize::from(from)..usize::from(to)]
    }
}
