//! Many sessions, threads and processes at once: nothing is mixed up, and the sums of each session
//! hold.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Result;

use crate::compare;
use crate::observe::{attach, outcome};
use crate::truth::Timeline;
use crate::{BarCheck, Context, Experiment, MISSED, ResultRow, blame};
use lab::agent::{AgentOutput, MessageLine};
use lab::crowd_bench::{CrowdBench, CrowdShape, CrowdTruth, TrueMessage};
use lab::quantiles::Quantiles;
use lab::{process, venue};

pub(super) const MANY: Experiment = Experiment {
    name: "many",
    about: "64 sessions of 16 threads in 4 processes; two sessions a thread; sessions that move; \
            reconnects",
    run,
};

/// The longest a crowd may take to get through its streams.
const STREAM: Duration = Duration::from_mins(1);

/// Messages with unknown time, per cent: the first of a session, and those handed off before the
/// agent has found out that their thread reads several sessions.
const UNKNOWN: f64 = 2.0;

/// What the total of one session may be off by, per cent.
const SHORT_AGES: f64 = 5.0;

/// A case: what it is called, and what is started for it.
struct CrowdCase<'a> {
    name: &'static str,
    shape: CrowdShape<'a>,
}

fn run(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let stream = |rate, usual| venue::VenueOptions::of(rate, context.messages(rate, usual));
    let one = |sessions, venue, crowd| CrowdShape {
        processes: 1,
        sessions,
        venue,
        crowd,
    };
    let again = |reset| venue::VenueOptions {
        connections: 6,
        reset,
        ..stream(200.0, 0.4)
    };
    let cases = [
        CrowdCase {
            name: "64 sessions, 16 threads, 4 processes",
            shape: CrowdShape {
                processes: 4,
                sessions: 16,
                venue: stream(30.0, 6.0),
                crowd: &[
                    "--threads=4",
                    "--work-us=100",
                    "--hold-us=2000",
                    "--gap-us=8000",
                ],
            },
        },
        CrowdCase {
            name: "two sessions a thread, poll",
            shape: one(
                4,
                stream(200.0, 2.5),
                &["--threads=2", "--readers=poll", "--work-us=600"],
            ),
        },
        CrowdCase {
            name: "handed from thread to thread",
            shape: one(
                1,
                stream(400.0, 3.0),
                &["--threads=3", "--readers=turns", "--work-us=200"],
            ),
        },
        CrowdCase {
            name: "a pool of threads",
            shape: one(
                4,
                stream(200.0, 2.5),
                &["--threads=3", "--readers=pool", "--work-us=200"],
            ),
        },
        CrowdCase {
            name: "5 reconnects, MsgSeqNum goes on",
            shape: one(4, again(false), &["--threads=2", "--work-us=100"]),
        },
        CrowdCase {
            name: "5 reconnects, MsgSeqNum from 1",
            shape: one(4, again(true), &["--threads=2", "--work-us=100"]),
        },
    ];
    let rows: Vec<_> = (cases.iter())
        .map(|case| observe(context, case))
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}

fn observe(context: &Context<'_>, case: &CrowdCase<'_>) -> Result<Vec<ResultRow>> {
    let crowds = CrowdBench::start(&case.shape)?;
    let pids: Vec<String> = crowds.pids().skip(1).map(|pid| pid.to_string()).collect();
    let more: Vec<&str> = (pids.iter())
        .flat_map(|pid| ["--pid", pid.as_str()])
        .collect();
    let agent = attach(context, crowds.pids().next().unwrap_or(0), &more)?;
    let locked = case.shape.crowd.iter().any(|o| o.starts_with("--hold-us"));
    let mut holders = Vec::new();
    for pid in crowds.pids().filter(|_| locked) {
        holders.extend(process::threads(pid)?);
    }
    let truth = crowds.finish(STREAM)?;
    let mut outcome = outcome(agent)?;
    outcome.messages.retain(|message| message.msg_type == "8");
    let blame = outcome.blame()?;
    let mut rows = vec![row(case, &truth, &outcome)];
    rows[0].checks.push(blame::sums(&blame));
    if locked {
        let case = compare::ComparedCase {
            experiment: MANY.name,
            case: case.name,
            truth: "the threads that share a process's mutex, by /proc",
            part: "lock_wait",
        };
        rows.push(blame::row(&blame, outcome.messages.len(), case, |row| {
            row.begins("lock 0x") && row.tid.is_some_and(|tid| holders.contains(&tid))
        }));
    }
    Ok(rows)
}

/// Where a message was read: sender, our port, process, thread; and which it is.
type Key<'a> = (&'a str, String, i32, i32, u64);

fn key_of(message: &MessageLine) -> Key<'_> {
    let session = &message.session;
    let port = session.local.rsplit(':').next().unwrap_or_default();
    let (pid, tid) = (session.pid, session.tid);
    (&session.sender, port.to_owned(), pid, tid, message.seq)
}

fn key_in_truth(message: &TrueMessage) -> Key<'_> {
    let seq = message.sent.seq;
    let port = message.local.to_string();
    (&message.sender, port, message.pid, message.tid, seq)
}

fn true_age(message: &TrueMessage) -> i64 {
    message.record.handed_off_utc_ns - message.sent.sent_ns
}

fn row(case: &CrowdCase<'_>, truth: &CrowdTruth, outcome: &AgentOutput) -> ResultRow {
    let mut found: HashMap<Key<'_>, &MessageLine> = HashMap::new();
    let mut twice = 0;
    for message in &outcome.messages {
        twice += usize::from(found.insert(key_of(message), message).is_some());
    }
    let pairs: Vec<(&TrueMessage, &MessageLine)> = (truth.messages.iter())
        .filter_map(|message| Some((message, *found.get(&key_in_truth(message))?)))
        .collect();
    let count = |is: fn(&MessageLine) -> bool| pairs.iter().filter(|(_, m)| is(m)).count();
    let inexact = count(|message| message.inexact().is_some());
    let unknown = count(|message| message.part("unknown") > 0);
    let unknown_ns: i64 = pairs.iter().map(|(_, m)| m.part("unknown")).sum();
    let (sessions, worst) = worst_session(&pairs);
    let found_ns = pairs.iter().map(|(_, message)| message.age_ns).sum();
    let lost = outcome.lost().map_or(f64::NAN, |events| events as f64);
    ResultRow {
        experiment: MANY.name,
        case: case.name.to_owned(),
        truth: "the venue's and the reading threads' own clocks",
        quantity: "age",
        messages: pairs.len(),
        truth_ns: pairs.iter().map(|(message, _)| true_age(message)).sum(),
        found_ns,
        errors: Quantiles::of_errors(pairs.iter().map(|(t, m)| m.age_ns - true_age(t))),
        leak: worst_part(truth, &pairs),
        unknown,
        checks: vec![
            BarCheck::none("sums that do not hold", inexact),
            BarCheck::none(
                "messages under another sender, port, process or thread, or twice",
                outcome.messages.len() - pairs.len() + twice,
            ),
            BarCheck::none(MISSED, truth.messages.len() - pairs.len()),
            BarCheck::at_most("total of the worst session", worst, SHORT_AGES, "%").because(
                "ages of 0.1 ms and more, and a message is handed off one or two microseconds \
                 after the thread's own clock reading",
            ),
            BarCheck::at_most(
                "messages with unknown time",
                per_cent(unknown as i64, pairs.len() as i64),
                UNKNOWN,
                "%",
            ),
            BarCheck::at_most("lost events", lost, 0.0, ""),
        ],
        remarks: vec![format!(
            "{sessions} connections; unknown {:.3} ms of {:.1} ms",
            unknown_ns as f64 / 1e6,
            found_ns as f64 / 1e6,
        )],
    }
}

/// How many sessions and connections there were, and how far the total age of the worst is off, per
/// cent. Messages whose hand-off the agent reports as unobserved do not count.
fn worst_session(pairs: &[(&TrueMessage, &MessageLine)]) -> (usize, f64) {
    let mut sessions: BTreeMap<(&str, u16), (i64, i64)> = BTreeMap::new();
    for &(message, found) in pairs {
        let session = sessions
            .entry((message.sender.as_str(), message.local))
            .or_default();
        if found.hand_off != "unseen" {
            session.0 += found.age_ns;
            session.1 += true_age(message);
        }
    }
    let off = sessions
        .values()
        .map(|&(found, truth)| per_cent(found - truth, truth));
    (sessions.len(), off.fold(0.0, f64::max))
}

fn per_cent(ns: i64, of: i64) -> f64 {
    100.0 * ns.abs() as f64 / of as f64
}

/// The part whose total since the arrivals is farthest from the threads' own accounts, nanoseconds.
/// Of running and waiting for a CPU only the sum is compared: the time an idle virtual CPU needs to
/// wake up counts as CPU time of the thread that it wakes up for in the kernel's account, for the
/// thread has been given that CPU.
fn worst_part(
    truth: &CrowdTruth,
    pairs: &[(&TrueMessage, &MessageLine)],
) -> Option<(&'static str, i64)> {
    let lines: HashMap<i32, Timeline> = (truth.threads.iter())
        .map(|(&tid, marks)| (tid, Timeline::of(marks)))
        .collect();
    let mut totals: BTreeMap<&'static str, i64> = BTreeMap::new();
    for &(message, found) in pairs {
        let record = &message.record;
        let (Some(line), Some(arrived)) = (lines.get(&message.tid), found.arrived_ns) else {
            continue;
        };
        let to_utc = record.handed_off_utc_ns - record.handed_off_ns;
        let spent = line.between(arrived - to_utc, record.handed_off_ns);
        let since = |part| {
            let stages = ["queued", "in_app"].map(|stage| found.matrix.get(stage));
            let cells = stages.into_iter().flatten();
            cells.filter_map(|parts| parts.get(part)).sum::<i64>()
        };
        let runnable = spent.on_cpu + spent.stolen + spent.run_queue;
        for (name, found, truth) in [
            (
                "on_cpu+run_queue",
                since("on_cpu") + since("run_queue"),
                runnable,
            ),
            ("throttle", since("throttle"), spent.throttle),
            ("lock_wait", since("lock_wait"), spent.lock),
            ("blocked", since("blocked"), spent.asleep),
        ] {
            *totals.entry(name).or_default() += found - truth;
        }
    }
    totals.into_iter().max_by_key(|(_, ns)| ns.abs())
}
