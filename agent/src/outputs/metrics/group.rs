//! The sessions with the same labels, added up.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    contract::SESSION,
    points::{Exemplar, Histogram, Labels},
};
use crate::{
    domain::{LockWaitTotals, Part, ProcessInfo, Stage, TapCounts, WindowClosures},
    model::{Model, Session},
    stats::{DurationCounts, Exclusions, Histograms, MessageExemplars, Sums},
    verdict::Verdict,
    what_if::WhatIf,
};

/// Characters of an exemplar's labels, names and values together, at the most (OpenMetrics 1.0).
const EXEMPLAR_CHARACTERS: usize = 128;

/// The sessions that bear the same labels: a session and its reconnects, or what has no series of
/// its own.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) labels: Labels,
    pub(super) pid: Option<u32>,
    pub(super) process: Option<Arc<ProcessInfo>>,
    /// When the first of them was seen, nanoseconds since 1970 UTC.
    pub(super) since_ns: i64,
    histograms: Histograms,
    pub(super) exemplars: Vec<Option<Exemplar>>,
    /// Where the ages went, with the time removed by clock skew put back.
    pub(super) sums: Sums,
    pub(super) negative_ns: i128,
    pub(super) messages: u64,
    pub(super) resends: u64,
    pub(super) unknown: u64,
    pub(super) ack_pending_ns: u128,
    pub(super) skewed: u64,
    pub(super) skew_latest_ns: i64,
    pub(super) excluded: Exclusions,
    pub(super) tap: TapCounts,
    pub(super) threads: LockWaitTotals,
    pub(super) window: WindowClosures,
    /// Of the latest interval, as what follows; of the latest connection.
    pub(super) verdict: Option<Verdict>,
    pub(super) what_if: Option<WhatIf>,
    latest_is_open: bool,
    /// Culprits with a series, nanoseconds.
    pub(super) blame: BTreeMap<(Part, String), u64>,
    /// Of culprits that had a series, nanoseconds.
    pub(super) retired: BTreeMap<Part, u64>,
}

/// The parts somebody is charged with.
pub(super) const CHARGED: [Part; 4] = [
    Part::RunQueue,
    Part::Throttle,
    Part::LockWait,
    Part::Blocked,
];

impl Group {
    fn add(&mut self, session: &Session, model: &Model) {
        for part in CHARGED {
            for (culprit, ns) in model.blame_series(session, part) {
                *self.blame.entry((part, culprit.to_string())).or_default() += ns;
            }
            let retired = Model::blame_retired(session, part);
            if retired > 0 {
                *self.retired.entry(part).or_default() += retired;
            }
        }
        let total = &session.total;
        self.since_ns = self.since_ns.min(session.series.since_ns);
        self.histograms.absorb(&session.histograms);
        self.sums
            .absorb(&total.sums.with_skew_put_back(total.skew.sum_ns));
        self.negative_ns += total.skew.sum_ns;
        self.messages += total.messages();
        self.resends += total.resends();
        self.unknown += total.unknown_messages;
        self.ack_pending_ns += total.ack_pending_ns;
        self.skewed += total.skew.messages;
        self.excluded.absorb(&total.excluded);
        self.tap.absorb(&total.tap);
        self.window.absorb(&session.windows());
        let threads = session.threads();
        self.threads.lock_waits += threads.lock_waits;
        self.threads.longest_lock_wait_ns = self
            .threads
            .longest_lock_wait_ns
            .max(threads.longest_lock_wait_ns);
        // Sessions come in the order of first sight: the latest connection's stays, an open one's
        // before that of one that has ended.
        let open = session.ended.is_none();
        if open || !self.latest_is_open {
            self.latest_is_open = open;
            self.labels = labels(session);
            self.process.clone_from(&session.process);
            self.skew_latest_ns = total.skew.latest_ns;
            self.verdict.clone_from(&session.verdict);
            self.what_if.clone_from(&session.what_if);
        }
    }

    pub(super) fn age(&self) -> Histogram<'_> {
        Histogram {
            counts: &self.histograms.age,
            sum_ns: self.histograms.age_sum_ns,
            exemplars: &self.exemplars,
        }
    }

    pub(super) fn resend_age(&self) -> Histogram<'_> {
        plain(
            &self.histograms.resend_age,
            self.histograms.resend_age_sum_ns,
        )
    }

    pub(super) fn stage(&self, stage: Stage) -> Histogram<'_> {
        plain(
            &self.histograms.stages[stage as usize],
            self.sums.stage(stage),
        )
    }

    pub(super) fn part(&self, part: Part) -> Histogram<'_> {
        plain(&self.histograms.parts[part as usize], self.sums.part(part))
    }
}

const fn plain(counts: &DurationCounts, sum_ns: i128) -> Histogram<'_> {
    Histogram {
        counts,
        sum_ns,
        exemplars: &[],
    }
}

/// All that have series, in the order of their labels.
pub(super) fn groups(model: &Model) -> Vec<Group> {
    let mut groups = BTreeMap::new();
    for session in model.sessions_with_metrics() {
        groups
            .entry(session.labels())
            .or_insert_with(|| Group {
                pid: session.name.id().map(|id| id.pid),
                since_ns: i64::MAX,
                ..Group::default()
            })
            .add(session, model);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.exemplars = named(&group.histograms.exemplars, model);
    }
    groups
}

fn labels(session: &Session) -> Labels {
    let (sender, target, pid, port) = session.labels();
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let [namespace, pod, container] = place(session.process.as_deref());
    let values = [
        sender.to_owned(),
        target.to_owned(),
        number(pid),
        number(port.map(u32::from)),
        namespace,
        pod,
        container,
    ];
    Labels::new(SESSION.map(|label| label.name).into_iter().zip(values))
}

/// The namespace, pod and container a process runs in; empty outside of a pod.
pub(super) fn place(process: Option<&ProcessInfo>) -> [String; 3] {
    let pod = process.and_then(|p| p.pod.as_ref());
    let container = process.and_then(|p| p.container.as_ref());
    [
        pod.and_then(|p| p.namespace.clone()),
        pod.map(|p| p.label().to_owned()),
        container.map(|c| c.label().to_owned()),
    ]
    .map(Option::unwrap_or_default)
}

fn named(exemplars: &MessageExemplars, model: &Model) -> Vec<Option<Exemplar>> {
    let named = |e: &crate::stats::MessageExemplar| {
        let mut labels = vec![("seq", e.seq.to_string()), ("tid", e.tid.to_string())];
        let thread = model.thread_name(e.pid, e.tid).unwrap_or_default();
        let of = |(name, value): &(&str, String)| name.len() + value.chars().count();
        let used: usize = labels.iter().map(of).sum();
        let thread = ("thread", thread.to_owned());
        if !thread.1.is_empty() && used + of(&thread) <= EXEMPLAR_CHARACTERS {
            labels.push(thread);
        }
        Exemplar {
            labels,
            value: e.age_ns as f64 / 1e9,
            at_ns: e.at_ns,
        }
    };
    exemplars.iter().map(|e| e.as_ref().map(named)).collect()
}
