//! Ages, and where they went.

use super::{label, seconds};
use crate::{
    domain::{Part, Stage},
    outputs::metrics::{
        group::CHARGED,
        metric::{Label, Metric, Source, Unit},
    },
    stats::{AGE_BOUNDS_NS, WAIT_BOUNDS_NS},
};

const STAGE: Label = label("stage", "`in_flight`, `held_back`, `queued`, `in_app`");
const PART: Label = label(
    "part",
    "`network`, `on_cpu`, `run_queue`, `throttle`, `lock_wait`, `blocked`, `unknown`",
);
const CHARGED_PART: Label = label("part", "`run_queue`, `throttle`, `lock_wait`, `blocked`");
const CULPRIT: Label = label(
    "culprit",
    "who: a thread and its lock, a cgroup's quota, a call and what it was on; `other`: what came before somebody was worth a series, and everybody else; `earlier`: those who had a series and made room for others",
);

pub(super) static METRICS: [Metric; 6] = [
    Metric::histogram(
        "tag52_message_age_seconds",
        &AGE_BOUNDS_NS,
        "Age of fresh messages, from SendingTime (52) to hand-off; below zero counts as 0",
        Source::Session(|g, points| points.put(g.age())),
    ),
    Metric::histogram(
        "tag52_resend_age_seconds",
        &AGE_BOUNDS_NS,
        "Age of resends (43=Y) from OrigSendingTime (122); below zero counts as 0",
        Source::Session(|g, points| {
            if g.resends > 0 {
                points.put(g.resend_age());
            }
        }),
    )
    .absent("before the first resend"),
    Metric::histogram(
        "tag52_stage_seconds",
        &WAIT_BOUNDS_NS,
        "How long fresh messages were in each stage",
        Source::Session(|g, points| {
            for stage in Stage::ALL {
                points.put_by(&[("stage", stage.name())], g.stage(stage));
            }
        }),
    )
    .by(&[STAGE], Stage::ALL.len() as u64),
    Metric::histogram(
        "tag52_part_seconds",
        &WAIT_BOUNDS_NS,
        "How long fresh messages waited for each part, over all stages",
        Source::Session(|g, points| {
            for part in Part::ALL {
                points.put_by(&[("part", part.name())], g.part(part));
            }
        }),
    )
    .by(&[PART], Part::ALL.len() as u64),
    Metric::counter(
        "tag52_age_seconds_total",
        "Summed age of fresh messages by stage and part; in flight is the network's only",
        Source::Session(|g, points| {
            for (stage, part) in cells() {
                let ns = g.sums.get(stage, part);
                points.put_by(&[("stage", stage.name()), ("part", part.name())], seconds(ns));
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(&[STAGE, PART], 20),
    Metric::counter(
        "tag52_blame_seconds_total",
        "Summed age of fresh messages by part and who is charged with it; the series of a part sum to it",
        Source::Session(|g, points| {
            for part in CHARGED {
                let mut other = g.sums.part(part);
                for ((_, culprit), &ns) in g.blame.iter().filter(|((of, _), _)| *of == part) {
                    other -= i128::from(ns);
                    let labels = [("part", part.name()), ("culprit", culprit.as_str())];
                    points.put_by(&labels, seconds(ns.into()));
                }
                if let Some(&ns) = g.retired.get(&part) {
                    other -= i128::from(ns);
                    let labels = [("part", part.name()), ("culprit", "earlier")];
                    points.put_by(&labels, seconds(ns.into()));
                }
                let labels = [("part", part.name()), ("culprit", "other")];
                points.put_by(&labels, seconds(other));
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(&[CHARGED_PART, CULPRIT], 40)
    .absent("of a culprit with less than 5 % of its part, and of a ninth one"),
];

/// Those that can hold time: in flight it is the network's, elsewhere never.
fn cells() -> impl Iterator<Item = (Stage, Part)> {
    let all = Stage::ALL
        .into_iter()
        .flat_map(|s| Part::ALL.map(|p| (s, p)));
    all.filter(|&(stage, part)| {
        part == Part::Unknown || (stage == Stage::InFlight) == (part == Part::Network)
    })
}
