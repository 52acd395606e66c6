//! Blame, verdict and what-if of a session.

use super::line::JsonLine;
use crate::{
    stats::{BlameRow, HolderSamples},
    verdict::{CpuUse, Verdict},
    what_if::WhatIf,
};

impl JsonLine {
    /// The rows of a part sum to the part; `culprit` is null in the row of all others.
    pub(super) fn blame(&mut self, rows: &[BlameRow]) {
        self.key("blame");
        self.open(b'[');
        for row in rows {
            self.comma();
            self.open(b'{');
            self.text("part", row.part.name());
            match &row.culprit {
                Some(culprit) => {
                    self.text("culprit", &culprit.to_string());
                    if let Some(thread) = culprit.thread() {
                        self.int("tid", thread.tid);
                        self.int("pid", thread.pid);
                        self.text("comm", &thread.comm);
                    }
                }
                None => self.null("culprit"),
            }
            self.int("ns", row.ns);
            self.int("held_back_ns", row.held_back_ns);
            self.int("waits", row.waits.count);
            self.int("waits_ns", row.waits.ns);
            self.int("longest_ns", row.waits.longest_ns);
            self.int("holds", row.waits.uninterruptible);
            self.int("holds_ns", row.waits.uninterruptible_ns);
            if row.samples.total > 0 {
                self.samples(&row.samples);
            }
            self.close(b'}');
        }
        self.close(b']');
    }

    pub(super) fn verdict(&mut self, verdict: &Verdict) {
        self.key("verdict");
        self.open(b'{');
        self.texts("causes", verdict.causes.iter().map(|cause| cause.name()));
        self.text("sentence", &verdict.sentence);
        self.text("advice", &verdict.advice);
        self.texts("evidence", verdict.evidence.iter().map(String::as_str));
        let flow = &verdict.flow;
        self.float("arrivals_per_s", flow.arrivals_per_s);
        self.float("drained_per_s", Some(flow.drained_per_s));
        for (key, count) in [
            ("backlog_messages", flow.backlog_messages),
            ("backlog_bytes", flow.backlog_bytes),
        ] {
            match count {
                Some(count) => self.int(key, count),
                None => self.null(key),
            }
        }
        match flow.age_ns {
            Some(ns) => self.int("age_ns", ns),
            None => self.null("age_ns"),
        }
        self.float("age_slope", flow.age_slope);
        let left = flow.until_max_latency.map(|left| left.as_secs_f64());
        self.float("seconds_to_max_latency", left);
        match &verdict.cpu {
            Some(cpu) => self.cpu(cpu),
            None => self.null("cpu"),
        }
        self.close(b'}');
    }

    fn cpu(&mut self, cpu: &CpuUse) {
        self.key("cpu");
        self.open(b'{');
        self.text("cgroup", &cpu.path);
        self.float("cores_used", cpu.cores);
        match &cpu.limit {
            Some(limit) => {
                self.key("limit");
                self.open(b'{');
                self.text("cgroup", &limit.path);
                self.int("quota_ns", limit.quota_ns);
                self.int("period_ns", limit.period_ns);
                self.float("cores_used", limit.used);
                self.int("periods", limit.periods);
                self.int("throttled_periods", limit.throttled_periods);
                self.close(b'}');
            }
            None => self.null("limit"),
        }
        self.float("request_cores", cpu.request);
        self.close(b'}');
    }

    pub(super) fn what_if(&mut self, what_if: &WhatIf, lines: &[String]) {
        self.key("what_if");
        self.open(b'{');
        self.spread("measured", Some(&what_if.measured));
        for outcome in &what_if.scenarios {
            self.spread(outcome.scenario.name(), Some(&outcome.age));
        }
        self.texts("lines", lines.iter().map(String::as_str));
        self.close(b'}');
    }

    /// The counts of `doing` sum to `samples`; the state is null in the row of all others.
    fn samples(&mut self, samples: &HolderSamples) {
        self.int("samples", samples.total);
        self.key("doing");
        self.open(b'[');
        for (activity, times) in &samples.activities {
            self.comma();
            self.open(b'{');
            self.text("state", activity.state.name());
            self.optional_text("call", activity.call.as_deref());
            let function = activity.function.as_ref();
            self.optional_text("function", function.map(|f| f.name.as_str()));
            self.optional_text("place", function.map(|f| f.location.as_str()));
            self.int("samples", *times);
            self.close(b'}');
        }
        if samples.other() > 0 {
            self.comma();
            self.open(b'{');
            self.null("state");
            self.int("samples", samples.other());
            self.close(b'}');
        }
        self.close(b']');
    }
}
