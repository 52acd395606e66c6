//! The sessions with the same labels, added up.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    labels::{BaseLabels, SESSION_LABELS},
    points::{HistogramPoint, LabeledExemplar},
};
use crate::{
    domain::{LockWaitTotals, Part, ProcessInfo, Stage, TapCounts, Waiting, WindowClosures},
    model::{Model, Session},
    stats::{DurationCounts, Exclusions, Histograms, MessageExemplars, Sums, WaitingNow},
    verdict::Verdict,
    what_if::WhatIf,
};

/// The largest number of characters of an exemplar's labels, names and values together (OpenMetrics
/// 1.0.0, "Exemplars").
const MAX_EXEMPLAR_CHARACTERS: usize = 128;

/// The sessions with the same labels added up: a session and its reconnects, or all sessions
/// without series of their own.
#[derive(Debug, Default)]
pub(super) struct SessionGroup {
    pub(super) labels: BaseLabels,
    pub(super) pid: Option<u32>,
    pub(super) process: Option<Arc<ProcessInfo>>,
    /// When the first of them began, nanoseconds since 1970 UTC.
    pub(super) since_ns: i64,
    histograms: Histograms,
    pub(super) exemplars: Vec<Option<LabeledExemplar>>,
    /// The summed matrices, with the time that clock skew removed put back.
    pub(super) sums: Sums,
    pub(super) totals: GroupTotals,
    pub(super) charges: GroupCharges,
    pub(super) latest: LatestConnection,
}

/// The counts of the sessions of a group since they began.
#[derive(Debug, Default)]
pub(super) struct GroupTotals {
    pub(super) messages: u64,
    pub(super) resends: u64,
    pub(super) excluded: Exclusions,
    /// Messages with unknown time.
    pub(super) unknown: u64,
    /// Messages stamped ahead of our clock, and their time in flight below zero, nanoseconds.
    pub(super) skewed: u64,
    pub(super) negative_ns: i128,
    pub(super) ack_pending_ns: u128,
    pub(super) tap: TapCounts,
    pub(super) lock_waits: LockWaitTotals,
    pub(super) window: WindowClosures,
}

/// What the culprits of a group are charged with, nanoseconds.
#[derive(Debug, Default)]
pub(super) struct GroupCharges {
    /// The culprits with a series.
    pub(super) by_culprit: BTreeMap<(Part, String), u64>,
    /// The culprits that had a series, together.
    pub(super) retired: BTreeMap<Part, u64>,
}

/// What only the latest connection of a group has.
#[derive(Debug, Default)]
pub(super) struct LatestConnection {
    is_open: bool,
    pub(super) skew_ns: i64,
    /// The verdict on the latest interval.
    pub(super) verdict: Option<Verdict>,
    /// The what-if for the latest interval.
    pub(super) what_if: Option<WhatIf>,
    /// What waits now; `None` once it has ended.
    waiting: Option<WaitingNow>,
}

impl LatestConnection {
    /// What waits now; `None` once the session has ended, and for groups.
    pub(super) fn waiting(&self) -> Option<&Waiting> {
        self.waiting.as_ref().map(|now| &now.waiting)
    }

    /// Whether it is stalled.
    pub(super) fn is_stalled(&self) -> bool {
        self.waiting.as_ref().is_some_and(|now| now.stalled)
    }

    /// When a message was handed off last, nanoseconds since 1970 UTC.
    pub(super) fn last_hand_off_utc_ns(&self) -> Option<i64> {
        let now = self.waiting.as_ref()?;
        now.waiting.last_hand_off_ns.map(|at_ns| now.utc_ns(at_ns))
    }
}

/// The parts that culprits are charged with.
pub(super) const CHARGED: [Part; 4] = [
    Part::RunQueue,
    Part::Throttle,
    Part::LockWait,
    Part::Blocked,
];

impl SessionGroup {
    fn add(&mut self, session: &Session, model: &Model) {
        self.charges.add(session, model);
        self.totals.add(session);
        let total = session.total();
        self.since_ns = self.since_ns.min(session.series.since_ns);
        self.histograms.absorb(session.histograms());
        self.sums
            .absorb(&total.sums.with_skew_put_back(total.skew.sum_ns));
        // Sessions come in the order in which they began. The latest connection gives the values;
        // an open one goes before one that has ended.
        let is_open = session.ended.is_none();
        if is_open || !self.latest.is_open {
            self.labels = labels(session);
            self.process.clone_from(&session.process);
            self.latest = LatestConnection {
                is_open,
                skew_ns: total.skew.latest_ns,
                verdict: session.verdict().cloned(),
                what_if: session.what_if().cloned(),
                waiting: model.waiting_now(session),
            };
        }
    }

    pub(super) fn age(&self) -> HistogramPoint<'_> {
        HistogramPoint {
            counts: &self.histograms.age,
            sum_ns: self.histograms.age_sum_ns,
            exemplars: &self.exemplars,
        }
    }

    pub(super) fn resend_age(&self) -> HistogramPoint<'_> {
        plain(
            &self.histograms.resend_age,
            self.histograms.resend_age_sum_ns,
        )
    }

    pub(super) fn stage(&self, stage: Stage) -> HistogramPoint<'_> {
        plain(
            &self.histograms.stages[stage as usize],
            self.sums.stage(stage),
        )
    }

    pub(super) fn part(&self, part: Part) -> HistogramPoint<'_> {
        plain(&self.histograms.parts[part as usize], self.sums.part(part))
    }
}

impl GroupTotals {
    fn add(&mut self, session: &Session) {
        let total = session.total();
        self.messages += total.messages();
        self.resends += total.resends();
        self.excluded.absorb(&total.excluded);
        self.unknown += total.unknown_messages;
        self.skewed += total.skew.messages;
        self.negative_ns += total.skew.sum_ns;
        self.ack_pending_ns += total.ack_pending_ns;
        self.tap.absorb(&total.tap);
        self.window.absorb(&session.windows());
        let waits = session.lock_waits();
        let longest = &mut self.lock_waits.longest_lock_wait_ns;
        *longest = waits.longest_lock_wait_ns.max(*longest);
        self.lock_waits.lock_waits += waits.lock_waits;
    }
}

impl GroupCharges {
    fn add(&mut self, session: &Session, model: &Model) {
        for part in CHARGED {
            for (culprit, ns) in model.blame_series(session, part) {
                let culprit = (part, culprit.to_string());
                *self.by_culprit.entry(culprit).or_default() += ns;
            }
            let retired = session.ended_series_ns(part);
            if retired > 0 {
                *self.retired.entry(part).or_default() += retired;
            }
        }
    }
}

/// A histogram without exemplars.
const fn plain(counts: &DurationCounts, sum_ns: i128) -> HistogramPoint<'_> {
    HistogramPoint {
        counts,
        sum_ns,
        exemplars: &[],
    }
}

/// The groups of all sessions, in the order of their labels.
pub(super) fn session_groups(model: &Model) -> Vec<SessionGroup> {
    let mut groups = BTreeMap::new();
    for session in model.sessions_with_metrics() {
        groups
            .entry(session.labels())
            .or_insert_with(|| SessionGroup {
                pid: session.name.id().map(|id| id.pid),
                since_ns: i64::MAX,
                ..SessionGroup::default()
            })
            .add(session, model);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.exemplars = named_exemplars(&group.histograms.exemplars, model);
    }
    groups
}

fn labels(session: &Session) -> BaseLabels {
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
    BaseLabels::new(
        SESSION_LABELS
            .map(|label| label.name)
            .into_iter()
            .zip(values),
    )
}

/// The namespace, pod and container that a process runs in; empty outside of a pod.
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

/// The exemplars with the names of their threads, as far as they fit.
fn named_exemplars(exemplars: &MessageExemplars, model: &Model) -> Vec<Option<LabeledExemplar>> {
    let named = |e: &crate::stats::MessageExemplar| {
        let mut labels = vec![("seq", e.seq.to_string()), ("tid", e.tid.to_string())];
        let thread = model.thread_name(e.pid, e.tid).unwrap_or_default();
        let length = |(name, value): &(&str, String)| name.len() + value.chars().count();
        let used: usize = labels.iter().map(length).sum();
        let thread = ("thread", thread.to_owned());
        if !thread.1.is_empty() && used + length(&thread) <= MAX_EXEMPLAR_CHARACTERS {
            labels.push(thread);
        }
        LabeledExemplar {
            labels,
            value: e.age_ns as f64 / 1e9,
            at_ns: e.at_ns,
        }
    };
    exemplars.iter().map(|e| e.as_ref().map(named)).collect()
}
