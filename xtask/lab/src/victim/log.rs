//! The victim's log file.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};

use super::marks::{Mark, MarkKind};
use crate::sched::Schedstat;

/// One message. Instants are monotonic nanoseconds unless noted otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VictimRecord {
    /// MsgSeqNum.
    pub seq: u64,
    /// The return of the receive call that completed the message.
    pub received_ns: i64,
    /// Right before the call of the per-message hand-off function.
    pub called_ns: i64,
    /// Time spent around the injected wait for this message.
    pub injected_ns: i64,
    /// Right before the next entry into a receive call or a wait.
    pub handed_off_ns: i64,
    /// The same instant, UTC.
    pub handed_off_utc_ns: i64,
}

/// The resource usage of the reading thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadUsage {
    /// Its schedstat.
    pub schedstat: Schedstat,
    /// Its voluntary and involuntary context switches.
    pub switches: (i64, i64),
}

impl ThreadUsage {
    /// Reads the usage of the calling thread, whose id is `tid`.
    pub fn now(tid: i32) -> Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
        Ok(Self {
            schedstat: Schedstat::of(std::process::id().cast_signed(), tid)?,
            switches: (
                usage.voluntary_context_switches(),
                usage.involuntary_context_switches(),
            ),
        })
    }
}

/// The log of a victim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VictimLog {
    /// One record per message.
    pub records: Vec<VictimRecord>,
    /// The marks of the reading thread, with `--marks`.
    pub marks: Vec<Mark>,
    /// The thread's usage at the end.
    pub usage: ThreadUsage,
}

impl VictimLog {
    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = String::new();
        for VictimRecord {
            seq,
            received_ns,
            called_ns,
            injected_ns,
            handed_off_ns,
            handed_off_utc_ns,
        } in &self.records
        {
            let _ = writeln!(
                text,
                "{seq} {received_ns} {called_ns} {injected_ns} {handed_off_ns} {handed_off_utc_ns}"
            );
        }
        for mark in &self.marks {
            let Mark {
                kind,
                at_ns,
                cpu_ns,
                delay_ns,
                throttled_ns,
            } = mark;
            let kind = kind.letter();
            let _ = writeln!(text, "{kind} {at_ns} {cpu_ns} {delay_ns} {throttled_ns}");
        }
        let ThreadUsage {
            schedstat,
            switches,
        } = self.usage;
        let _ = writeln!(
            text,
            "end {} {} {} {} {}",
            schedstat.on_cpu_ns, schedstat.run_delay_ns, schedstat.slices, switches.0, switches.1
        );
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads the file back.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut log = Self::default();
        for line in text.lines() {
            let (kind, figures) = match line.split_once(' ') {
                Some((letter, rest)) if letter.parse::<u64>().is_err() => {
                    (MarkKind::from_letter(letter), rest)
                }
                _ => (None, line),
            };
            let numbers: Vec<i64> = figures
                .split(' ')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .with_context(|| format!("unexpected line in a victim's log: {line}"))?;
            match numbers[..] {
                [at_ns, cpu_ns, delay_ns, throttled_ns] => log.marks.push(Mark {
                    kind: kind
                        .with_context(|| format!("unexpected line in a victim's log: {line}"))?,
                    at_ns,
                    cpu_ns,
                    delay_ns,
                    throttled_ns,
                }),
                [
                    seq,
                    received_ns,
                    called_ns,
                    injected_ns,
                    handed_off_ns,
                    handed_off_utc_ns,
                ] => {
                    let seq = seq.cast_unsigned();
                    log.records.push(VictimRecord {
                        seq,
                        received_ns,
                        called_ns,
                        injected_ns,
                        handed_off_ns,
                        handed_off_utc_ns,
                    });
                }
                [on_cpu, delay, slices, voluntary, involuntary] => {
                    log.usage.schedstat = Schedstat {
                        on_cpu_ns: on_cpu.cast_unsigned(),
                        run_delay_ns: delay.cast_unsigned(),
                        slices: slices.cast_unsigned(),
                    };
                    log.usage.switches = (voluntary, involuntary);
                }
                _ => anyhow::bail!("unexpected line in a victim's log: {line}"),
            }
        }
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_reads_back_as_written() {
        let record = VictimRecord {
            seq: 7,
            received_ns: 1,
            called_ns: 2,
            injected_ns: 3,
            handed_off_ns: 4,
            handed_off_utc_ns: 5,
        };
        let schedstat = Schedstat {
            on_cpu_ns: 8,
            run_delay_ns: 9,
            slices: 10,
        };
        let mark = |kind| Mark {
            kind,
            at_ns: 13,
            cpu_ns: 14,
            delay_ns: 15,
            throttled_ns: 16,
        };
        let all = [
            MarkKind::Receive,
            MarkKind::Work,
            MarkKind::Gap,
            MarkKind::Lock,
            MarkKind::Block,
        ];
        let log = VictimLog {
            records: vec![record; 3],
            marks: all.map(mark).to_vec(),
            usage: ThreadUsage {
                schedstat,
                switches: (11, 12),
            },
        };
        let file = tempfile::NamedTempFile::new().expect("a file");
        log.write(file.path()).expect("written");
        assert_eq!(VictimLog::read(file.path()).expect("read"), log);
    }
}
