//! From the model's figures to the evidence.

use std::time::Duration;

use crate::verdict::{CpuLimit, CpuUse, Evidence, Flow};
use crate::{
    domain::{CgroupLevel, CgroupUse, Moment},
    model::figures::SessionFigures,
    what_if::ReaderTime,
};

/// What the model keeps of a session for its verdict, besides the figures.
pub(crate) struct Gathered {
    pub(crate) length: Duration,
    pub(crate) flow: Flow,
    pub(crate) reader_time: ReaderTime,
    pub(crate) cpu: Option<CpuUse>,
    pub(crate) stalled: bool,
}

/// The evidence of a session.
pub(crate) fn gather(session: &SessionFigures, gathered: Gathered) -> Evidence {
    Evidence {
        length: gathered.length,
        figures: session.figures.clone(),
        flow: gathered.flow,
        reader_time: gathered.reader_time,
        blame: session.blame.clone(),
        what_if: session.what_if.clone(),
        cpu: gathered.cpu,
        stalled: gathered.stalled,
    }
}

impl CpuUse {
    /// What a process used from one reading of its cgroups to another; `None` when there is no time
    /// between them or the process has moved.
    pub(crate) fn between(from: &(Moment, CgroupUse), to: &(Moment, CgroupUse)) -> Option<Self> {
        let seconds = to.0.since(from.0).as_secs_f64();
        let levels = || from.1.levels.iter().zip(&to.1.levels);
        if seconds <= 0.0 || levels().any(|(a, b)| a.path != b.path) {
            return None;
        }
        let used = |a: &CgroupLevel, b: &CgroupLevel| {
            Some(b.usage_ns?.saturating_sub(a.usage_ns?) as f64 / 1e9 / seconds)
        };
        let (own_before, own) = levels().next()?;
        // The one that ran out most often, else the one with the least to spare.
        let limit = levels()
            .filter_map(|(a, b)| {
                Some(CpuLimit {
                    path: b.path.clone(),
                    quota_ns: b.quota_ns?,
                    period_ns: b.period_ns,
                    cores: b.cores()?,
                    used: used(a, b),
                    periods: b.periods.saturating_sub(a.periods),
                    throttled_periods: b.throttled_periods.saturating_sub(a.throttled_periods),
                })
            })
            .max_by(|a, b| {
                let spare = |l: &CpuLimit| l.cores - l.used.unwrap_or(0.0);
                let more = a.throttled_periods.cmp(&b.throttled_periods);
                more.then(spare(b).total_cmp(&spare(a)))
            });
        Some(Self {
            path: own.path.clone(),
            cores: used(own_before, own),
            limit,
            request: None,
        })
    }
}
