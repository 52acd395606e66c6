//! The ages, and how they split into stages, parts and culprits.

use super::family::{Family, Source};
use crate::{
    domain::{Part, Stage},
    outputs::metrics::{
        group::CHARGED,
        metric::{Label, Unit, label},
        points::seconds,
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
    "who or what the wait is charged to: a thread and its lock, a cgroup's quota, a call and its \
     object; `other`: charges before a culprit got a series, and culprits without one; `earlier`: \
     culprits that had a series and made room for others",
);

pub(super) static FAMILIES: [Family; 6] = [
    Family::histogram(
        "tag52_message_age_seconds",
        &AGE_BOUNDS_NS,
        "Age of fresh messages, from SendingTime (52) to hand-off; a negative age counts as 0",
        Source::Session(|g, points| points.put(g.age())),
    ),
    Family::histogram(
        "tag52_resend_age_seconds",
        &AGE_BOUNDS_NS,
        "Age of resends (43=Y), from OrigSendingTime (122) to hand-off; a negative age counts as 0",
        Source::Session(|g, points| {
            if g.totals.resends > 0 {
                points.put(g.resend_age());
            }
        }),
    )
    .absent("before the first resend"),
    Family::histogram(
        "tag52_stage_seconds",
        &WAIT_BOUNDS_NS,
        "Time that fresh messages spent in each stage",
        Source::Session(|g, points| {
            for stage in Stage::ALL {
                points.put_by(&[("stage", stage.name())], g.stage(stage));
            }
        }),
    )
    .by(&[STAGE], Stage::ALL.len() as u64),
    Family::histogram(
        "tag52_part_seconds",
        &WAIT_BOUNDS_NS,
        "Time of fresh messages by part, over all stages",
        Source::Session(|g, points| {
            for part in Part::ALL {
                points.put_by(&[("part", part.name())], g.part(part));
            }
        }),
    )
    .by(&[PART], Part::ALL.len() as u64),
    Family::counter(
        "tag52_age_seconds_total",
        "Summed age of fresh messages by stage and part; in_flight is network or unknown",
        Source::Session(|g, points| {
            for (stage, part) in cells() {
                let ns = g.sums.get(stage, part);
                points.put_by(
                    &[("stage", stage.name()), ("part", part.name())],
                    seconds(ns),
                );
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(&[STAGE, PART], 20),
    Family::counter(
        "tag52_blame_seconds_total",
        "Summed age of fresh messages by part and culprit; the series of a part sum to that part",
        Source::Session(|g, points| {
            for part in CHARGED {
                let mut other = g.sums.part(part);
                for ((_, culprit), &ns) in g
                    .charges
                    .by_culprit
                    .iter()
                    .filter(|((of, _), _)| *of == part)
                {
                    other -= i128::from(ns);
                    let labels = [("part", part.name()), ("culprit", culprit.as_str())];
                    points.put_by(&labels, seconds(ns.into()));
                }
                if let Some(&ns) = g.charges.retired.get(&part) {
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
    .absent("for culprits with less than 5 % of their part, and for a ninth culprit of a part"),
];

/// The cells of the matrix that can hold time: the network is the only known part of the time in
/// flight, and has no time elsewhere.
fn cells() -> impl Iterator<Item = (Stage, Part)> {
    let all = Stage::ALL
        .into_iter()
        .flat_map(|s| Part::ALL.map(|p| (s, p)));
    all.filter(|&(stage, part)| {
        part == Part::Unknown || (stage == Stage::InFlight) == (part == Part::Network)
    })
}
