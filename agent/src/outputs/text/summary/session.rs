//! One session of the summary.

use std::fmt::Write as _;

use super::{matrix::matrix, process::container_line, qualifications};
use crate::{
    domain::{
        Part, Stage,
        units::{HumanBytes, HumanDuration, HumanPercent, HumanRate, counted, human_name},
    },
    model::SessionFigures,
    outputs::text::{
        blame,
        figures::{outside_network_ns, paragraph},
        label::session_label,
        style::TextStyle,
        verdict::{cause_names, time_to_max_latency},
        waiting::{deadlock, waiting_detail, waiting_head},
    },
    stats::{AgeQuantiles, Figures},
    verdict::Flow,
};

/// Everything about one session; `seconds` is the length of the run.
pub(super) fn session(text: &mut String, s: &SessionFigures, seconds: f64, style: TextStyle) {
    headline(text, s, seconds, style);
    if let Some(line) = s.process.as_deref().and_then(container_line) {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(stall) = s.stall() {
        let _ = writeln!(text, "  at the end: {}", waiting_head(stall, style));
        let _ = writeln!(text, "{}", waiting_detail(stall, "    "));
        if let Some(line) = deadlock(stall) {
            text.push_str(&style.alarm(&paragraph(&line, "    ")));
        }
    }
    if let Some(age) = &s.figures.age {
        spread(text, "age", age);
        matrix(text, &s.figures, style);
        blame::lines(text, s);
    }
    text.push_str(&paragraph(&qualifications::list(s).join("; "), "  "));
    if let Some(age) = &s.figures.resend_age {
        let name = format!(
            "{}, age since first sent",
            counted(s.figures.resends, "resend")
        );
        spread(text, &name, age);
    }
    text.push_str(&style.bold(&paragraph(&largest_part(&s.figures), "  ")));
    verdict(text, s, style);
    for line in s.what_if_lines() {
        text.push_str(&paragraph(&format!("What if: {line}."), "  "));
    }
}

fn headline(text: &mut String, s: &SessionFigures, seconds: f64, style: TextStyle) {
    let f = &s.figures;
    let rate = HumanRate {
        events: f.messages,
        seconds,
    };
    let _ = write!(
        text,
        "\n{}  {}, {rate} msg/s",
        style.bold(&session_label(s)),
        counted(f.messages, "message")
    );
    if let Some(seq) = s.last_seq {
        let _ = write!(text, ", last seq {seq}");
    }
    if s.connections > 1 {
        let _ = write!(text, ", {}", counted(s.connections, "connection"));
    }
    text.push_str(if s.ended { ", ended\n" } else { "\n" });
}

fn spread(text: &mut String, name: &str, age: &AgeQuantiles) {
    let _ = writeln!(
        text,
        "  {name}: p50 {}  p90 {}  p99 {}  p99.9 {}  min {}  max {}",
        HumanDuration::from(age.p50_ns),
        HumanDuration::from(age.p90_ns),
        HumanDuration::from(age.p99_ns),
        HumanDuration::from(age.p999_ns),
        HumanDuration::from(age.min_ns),
        HumanDuration::from(age.max_ns),
    );
}

/// The verdict with its advice, and the flow that it rests on.
fn verdict(text: &mut String, s: &SessionFigures, style: TextStyle) {
    let Some(verdict) = &s.verdict else { return };
    let mut words = format!("Verdict: {}: {}", cause_names(verdict), verdict.sentence);
    if !verdict.advice.is_empty() {
        let _ = write!(words, " {}", verdict.advice);
    }
    if let Some(left) = verdict.flow.until_max_latency {
        let _ = write!(words, " {}", time_to_max_latency(left));
    }
    let lines = paragraph(&words, "  ");
    text.push_str(&if verdict.is_healthy() {
        lines
    } else {
        style.bold(&lines)
    });
    text.push_str(&paragraph(&flow(&verdict.flow, s.stall().is_some()), "  "));
}

/// Rates, backlog and growth; in a stall the rates alone, as the others are those before it.
fn flow(flow: &Flow, stalled: bool) -> String {
    let mut text = String::new();
    if let Some(arrivals) = flow.arrivals_per_s {
        let _ = write!(text, "{arrivals:.1} msg/s sent, ");
    }
    let _ = write!(text, "{:.1} msg/s handed off", flow.drained_per_s);
    if stalled {
        return text;
    }
    if let Some(backlog) = flow.backlog_messages {
        let backlog = counted(backlog, "message");
        let _ = write!(text, "; backlog at the end about {backlog}");
    }
    if let Some(bytes) = flow.backlog_bytes {
        let _ = write!(text, ", {}", HumanBytes(bytes));
    }
    if let Some(slope) = flow.age_slope {
        let _ = write!(text, "; age changed by {slope:+.3} s per second");
    }
    text
}

/// A sentence with the part that makes up most of the age outside the network.
fn largest_part(f: &Figures) -> String {
    let outside = outside_network_ns(f);
    let largest = Part::ALL
        .into_iter()
        .filter(|&part| part != Part::Network)
        .max_by_key(|&part| f.sums.part(part));
    let Some(part) = largest.filter(|_| outside > 0) else {
        return if f.messages == 0 {
            "No fresh messages were observed.".to_owned()
        } else {
            "No time was spent outside of the network.".to_owned()
        };
    };
    let ns = f.sums.part(part);
    let mut text = format!(
        "{} of the age outside the network ({} of {}) was {}: {}.",
        HumanPercent {
            part: ns,
            whole: outside
        },
        HumanDuration(ns),
        HumanDuration(outside),
        human_name(part.name()),
        meaning(part)
    );
    let held_back = HumanPercent {
        part: f.sums.stage(Stage::HeldBack),
        whole: outside,
    };
    if held_back.shows() {
        let _ = write!(
            text,
            " {held_back} of it passed at the sender, held back because the process did not read."
        );
    }
    text
}

const fn meaning(part: Part) -> &'static str {
    match part {
        Part::Network => "the venue and the network held the messages",
        Part::OnCpu => "the ingest thread was running, so the work itself takes that long",
        Part::RunQueue => "the ingest thread was ready to run while others had the CPU",
        Part::Throttle => "the CPU quota of the ingest thread's cgroup was used up",
        Part::LockWait => "the ingest thread slept, waiting for a lock that another thread held",
        Part::Blocked => {
            "the ingest thread slept in the kernel for something other than a lock (a pipe, a \
             disk, another socket, a page fault)"
        }
        Part::Unknown => "not observed, so it supports no conclusion",
    }
}
