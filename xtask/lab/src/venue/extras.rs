//! What a venue sends besides its stream: resends and sequence resets.

use std::time::Duration;

use anyhow::Result;

use super::SentMessage;
use super::session::VenueSession;
use crate::fix::{SOH, execution_report};

/// Messages that are sent between two ExecutionReports of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// The number of ExecutionReports before it.
    pub after: u64,
    /// What is sent.
    pub kind: ExtraKind,
}

/// What is sent besides the stream.
#[derive(Clone, Copy, Debug)]
pub enum ExtraKind {
    /// An answer to a ResendRequest: a GapFill in place of an administrative message, then copies
    /// of the last ExecutionReports, oldest first, all with 43=Y, their original MsgSeqNum and the
    /// current time in tag 52.
    Resend {
        /// Number of ExecutionReports.
        count: usize,
        /// Tag 122 is by this much earlier than the original sending time.
        older: Duration,
        /// Every `bare`th resend has no tag 122; 0: all have it.
        bare: usize,
    },
    /// SequenceReset-GapFill that skips this number of MsgSeqNums.
    GapFill(u64),
    /// SequenceReset-Reset to this MsgSeqNum, used before or not.
    Reset(u64),
}

/// Whether a message is a resend (43=Y).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// Not a resend.
    No,
    /// A resend with this tag 122 as written, UTC nanoseconds.
    Since(i64),
    /// A resend without tag 122.
    Bare,
}

impl VenueSession<'_> {
    /// Sends the extras that are due after the ExecutionReports so far.
    pub(super) fn extras(&mut self) -> Result<()> {
        let (options, reports) = (self.options, self.reports);
        for extra in options.extras.iter().filter(|e| e.after == reports) {
            match extra.kind {
                ExtraKind::Resend { count, older, bare } => self.resend(count, older, bare)?,
                ExtraKind::GapFill(skip) => {
                    let to = self.writer.next_seq() + 1 + skip;
                    self.send("4", &format!("123=Y{SOH}36={to}{SOH}"))?;
                    self.writer.set_next_seq(to);
                }
                ExtraKind::Reset(to) => {
                    self.send("4", &format!("123=N{SOH}36={to}{SOH}"))?;
                    self.writer.set_next_seq(to);
                }
            }
        }
        Ok(())
    }

    fn resend(&mut self, count: usize, older: Duration, bare: usize) -> Result<()> {
        let fresh = |sent: &&SentMessage| sent.msg_type == "8" && sent.resend == Resend::No;
        let last = self.log.iter().rev().filter(fresh).take(count);
        let mut chosen: Vec<(u64, i64)> = last.map(|sent| (sent.seq, sent.sent_ns)).collect();
        chosen.reverse();
        let older = older.as_nanos() as i64;
        let Some(&(first_seq, first_ns)) = chosen.first() else {
            return Ok(());
        };
        self.copy(
            "4",
            first_seq,
            Some(first_ns - older),
            &format!("123=Y{SOH}36={first_seq}{SOH}"),
        )?;
        let mut fields = String::new();
        for (index, (seq, sent_ns)) in chosen.into_iter().enumerate() {
            let first = (bare == 0 || (index + 1) % bare != 0).then_some(sent_ns - older);
            execution_report(seq, *self.options.size.start(), &mut fields);
            self.copy("8", seq, first, &fields)?;
        }
        Ok(())
    }

    /// Sends a message with 43=Y and an earlier MsgSeqNum.
    fn copy(
        &mut self,
        msg_type: &'static str,
        seq: u64,
        first: Option<i64>,
        fields: &str,
    ) -> Result<()> {
        let mut all = format!("43=Y{SOH}");
        let mut resend = Resend::Bare;
        if let Some(utc) = first {
            all.push_str("122=");
            self.options.resolution.write(utc, &mut all);
            all.push(SOH);
            resend = Resend::Since(self.options.resolution.truncate(utc));
        }
        all.push_str(fields);
        let next = self.writer.next_seq();
        self.writer.set_next_seq(seq);
        let before = self.log.len();
        self.send(msg_type, &all)?;
        self.writer.set_next_seq(next);
        if let Some(sent) = self.log.get_mut(before) {
            sent.resend = resend;
        }
        Ok(())
    }
}
