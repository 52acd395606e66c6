//! Every page on a terminal that is a buffer.

use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};

use super::{
    keys::{KEYS, KEYS_PLAYING, KeyAction},
    state::Page,
    *,
};
use crate::{
    domain::{
        CgroupLevel, CgroupUse, Charge, Culprit, CulpritId, Lock, Message, Moment, Part, Stage,
        ThreadName, ThreadUse, Update, Wait,
        fixtures::{message, session},
    },
    model::Model,
};

fn at(seconds: u64) -> Moment {
    Moment {
        monotonic_ns: seconds * 1_000_000_000,
        utc_ns: (seconds * 1_000_000_000).cast_signed(),
    }
}

fn thread(tid: u32, comm: &str) -> ThreadName {
    ThreadName {
        tid,
        pid: 411,
        comm: comm.to_owned(),
    }
}

fn wait(id: u32, ms: u64, timeouts: u32) -> Update {
    Update::Wait(Wait {
        tid: 412,
        part: Part::LockWait,
        culprit: CulpritId(id),
        from_ns: 0,
        to_ns: ms * 1_000_000,
        ns: ms * 1_000_000,
        timeouts,
    })
}

/// The same message so much later.
fn later(m: &mut Message, ns: i64) {
    m.sent.utc_ns += ns;
    m.arrived_ns = m.arrived_ns.map(|at| at + ns);
    m.received_ns += ns;
    m.handed_off_ns += ns;
    m.handed_off_at = m.handed_off_at.wrapping_add_signed(ns);
}

/// Twelve seconds of the incident: ages rise, the thread waits for a lock, the CPU limit is far.
fn incident() -> Model {
    let mut model = Model::at_zero();
    let (drop, other) = (session(0), session(1));
    // Who can do what to a terminal with a name?
    let holders = [(1, thread(413, "worker\x1b[2J")), (2, thread(414, "idle"))];
    for (id, thread) in holders {
        let culprit = Culprit::Holder {
            lock: Lock::Gil,
            thread,
        };
        model.apply(at(0), &Update::Culprit(CulpritId(id), culprit.into()));
    }
    for second in 1..=12_u64 {
        for seq in 0..45_u64 {
            // Within a second ages grow half as fast as the time goes.
            let behind = (44 - seq).cast_signed() * 1_000_000;
            let age = second.cast_signed() * 1_000_000_000 - behind;
            let cells = [
                (Stage::InFlight, Part::Network, 100_000),
                (Stage::HeldBack, Part::LockWait, age / 2),
                (Stage::Queued, Part::LockWait, age * 3 / 10),
                (Stage::InApp, Part::OnCpu, age / 5),
            ];
            let mut m = message(&drop, second * 45 + seq, &cells);
            m.charges = [(1, 7), (2, 1)]
                .map(|(id, tenths)| Charge {
                    part: Part::LockWait,
                    culprit: CulpritId(id),
                    ns: age.unsigned_abs() * tenths / 10,
                    held_back_ns: 0,
                })
                .into();
            later(&mut m, second.cast_signed() * 1_000_000_000 - behind);
            model.apply(at(second), &Update::Message(Box::new(m)));
        }
        for waited in [wait(1, 18, 3), wait(1, 6, 1), wait(2, 5, 0)] {
            model.apply(at(second), &waited);
        }
        let quick = [(Stage::Queued, Part::RunQueue, 40_000)];
        model.observe(&message(&other, second, &quick));
        for (tid, comm, on_cpu, lock) in [(412, "ingest", 20, 980), (413, "worker", 900, 0)] {
            let told = ThreadUse {
                thread: thread(tid, comm),
                tracked: tid == 412,
                ns: [0, on_cpu, 0, 0, lock, 1000 - on_cpu - lock, 0].map(|ms| ms * second),
            };
            model.apply(at(second), &Update::ThreadUse(Box::new(told)));
        }
        let level = CgroupLevel {
            path: "/kubepods/pod7".to_owned(),
            quota_ns: Some(250_000_000),
            period_ns: 100_000_000,
            usage_ns: Some(second * 400_000_000),
            periods: second * 10,
            throttled_periods: 3,
            throttled_ns: 50_000_000,
        };
        let told = CgroupUse {
            pid: 411,
            levels: vec![level],
        };
        model.apply(at(second), &Update::Cgroup(Box::new(told)));
        model.take_interval(at(second));
    }
    model
}

fn view() -> ScreenData {
    ScreenData::of(&incident(), "pid 411")
}

fn drawn(view: &ScreenData, state: &ScreenState, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal
        .draw(|frame| draw(frame, view, state))
        .expect("drawn");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let lines = buffer.content.chunks(width).map(|row| {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

fn state(page: Page, colour: bool) -> ScreenState {
    let mut state = ScreenState::new(colour);
    state.page = page;
    state
}

/// The page in both sizes, without colours.
fn both(page: Page) -> [String; 2] {
    [(80, 24), (120, 40)].map(|(w, h)| text(&drawn(&view(), &state(page, false), w, h)))
}

/// All of these are on the page, in this order.
fn has(page: &str, all: &[&str]) {
    let mut from = 0;
    for what in all {
        match page[from..].find(what) {
            Some(at) => from += at + what.len(),
            None => panic!("{what:?} is missing after byte {from}:\n{page}"),
        }
    }
}

#[test]
fn all_sessions() {
    for page in both(Page::Sessions) {
        has(
            &page,
            &[
                "tag52 top  pid 411 watched for 12.0s  00:00:12 UTC\n",
                "[1 sessions]  2 session",
                "SESSION",
                "HELD",
                "> VENUE>DROP :5002",
                "411/412",
                "12.0s",
                "\u{2588}",
                "45",
                "CCLLLLLLLL",
                "50.0%",
                "VENUE>DROP :5003",
                "40.0us",
                "RRRRRRRRRR",
                "1 of 2  starved-by-lock  MaxLatency 2m00s in ",
                "waits for the GIL (80.0% of the age), held for 87.5% of that",
                "by worker?[2J/413",
                "What if: ",
                "WAITED",
                "lock-wait 80.0%",
                "the GIL, held by worker?[2J/413",
                "87.5%",
                "LLL",
                "N network  C on-cpu",
                "select  Enter open  Esc back  1-4 pages  t total  p pause  ? help  q quit",
            ],
        );
        assert!(!page.contains("too small"), "{page}");
    }
    let [narrow, wide] = both(Page::Sessions);
    assert!(!narrow.contains("CAUSE"));
    has(
        &wide,
        &[
            "CAUSE",
            "> VENUE>DROP :5002",
            "starved-by-lock: worker",
            "healthy",
        ],
    );
}

#[test]
fn one_session() {
    for page in both(Page::Session) {
        has(
            &page,
            &[
                "VENUE>DROP :5002  age p50 12.0s p99 12.0s max 12.0s  45 msg/s\n",
                "starved-by-lock  MaxLatency 2m00s in 3m36s",
                "What to do: ",
                "What if: ",
                "mean age, the last 12.0s   ",
                "45 in, 45 out a second, backlog ",
                "age +0.50 s/s",
                " 12.0s\u{2524}",
                "0\u{2524}LLLLLLLLLLLL",
                "mean, now",
                "L lock-wait",
                "C on-cpu",
                "N network",
                "held-back",
                "5.99s 50.0%",
                "queued",
                "3.59s 30.0%",
                "all",
                "9.58s 80.0%",
                "WAITED",
                "FOR",
                "LONGEST",
                "HELD ON",
                "lock-wait 80.0%",
                "the GIL, held by worker?[2J/413",
                "87.5%",
                "2 ",
                "18.0ms",
                "1",
            ],
        );
    }
    let [_, wide] = both(Page::Session);
    has(
        &wide,
        &[
            "HANDED ON",
            "worker?[2J/413",
            "18.0ms",
            "the GIL, held by idle/414",
            "12.5%",
            "5.00ms",
        ],
    );
}

#[test]
fn since_the_start() {
    let view = view();
    let mut state = state(Page::Session, false);
    state.follow(KeyAction::Scope, &view);
    let page = text(&drawn(&view, &state, 120, 40));
    has(
        &page,
        &[
            "since the start  age p50 6.00s",
            "540 messages\n",
            "mean, all",
            "the GIL, held by worker?[2J/413",
            "87.5%",
            "24",
            "18.0ms",
            "12",
            "12",
        ],
    );
    state.follow(KeyAction::Show(Page::Sessions), &view);
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["1 of 2  since the start  starved-by-lock"]);
    state.follow(KeyAction::Scope, &view);
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["1 of 2  starved-by-lock"]);
}

#[test]
fn columns_rise_with_the_ages() {
    let [narrow, _] = both(Page::Session);
    let lines: Vec<_> = narrow.lines().collect();
    let title = lines.iter().position(|l| l.starts_with("mean age"));
    let top = title.expect("a title") + 1;
    let bottom = lines
        .iter()
        .position(|l| l.trim_start().starts_with("0\u{2524}"))
        .expect("a scale");
    assert!(bottom >= top + 2, "{narrow}");
    let filled = |line: &str| line.chars().filter(|c| "LCRN".contains(*c)).count();
    let heights: Vec<_> = (top..=bottom).map(|n| filled(lines[n])).collect();
    assert!(heights.is_sorted(), "{heights:?} of\n{narrow}");
    assert_eq!(heights.last(), Some(&12));
    assert!(heights[0] < 6, "{heights:?}");
}

#[test]
fn its_threads() {
    for page in both(Page::Threads) {
        has(
            &page,
            &[
                "2 threads of pid 411; > reads VENUE>DROP :5002\n",
                "TID",
                "NAME",
                "BLAMED",
                "ON-CPU",
                "> 412",
                "ingest",
                "2.0%",
                "98.0%",
                "413",
                "worker",
                "70.0%",
                "90.0%",
                "0%",
                "-",
                "-",
                "Of threads that read no session",
            ],
        );
    }
    let [narrow, wide] = both(Page::Threads);
    assert!(!narrow.contains("STATES"));
    has(&wide, &["STATES", "LLLLLLLLLL", "CCCCCCC"]);
}

#[test]
fn its_cgroup_and_the_agent() {
    for page in both(Page::Cgroup) {
        has(
            &page,
            &[
                "VENUE>DROP :5002: messages are 12.0s old (p99 12.0s)\n",
                " 12.0s\u{2524}",
                "CPU: 0.40 of 2.5 cores used, 16 % of the limit\n",
                "   2.5\u{2524}",
                "0\u{2524}\u{b7}###########",
                "pid 411\n",
                "/kubepods/pod7  0.40 of 2.5 cores, throttled 0 of 10 periods",
                "(ever 3, 50.0ms)",
                "agent: no events lost, at most 0 B waited in the ring\n",
            ],
        );
    }
    let mut model = incident();
    model.health_mut().lose("ring_full", 7);
    model.health_mut().anomaly("negative_interval", 2);
    let lossy = ScreenData::of(&model, "pid 411");
    let page = text(&drawn(&lossy, &state(Page::Cgroup, false), 80, 24));
    has(
        &page,
        &[
            "events lost: see 4\n",
            "agent: events lost: ring-full 7\n",
            "agent: anomalies: negative-interval 2\n",
        ],
    );
}

#[test]
fn a_recording_shows_where_it_is() {
    let mut view = view();
    view.playing = Some(PlaybackStatus {
        from_ns: 1_700_000_000_000_000_000,
        at_ns: 1_700_000_030_000_000_000,
        until_ns: Some(1_700_000_060_000_000_000),
        times: Some(2.0),
        paused: false,
        seeks: false,
    });
    let of = |view: &ScreenData| text(&drawn(view, &state(Page::Sessions, false), 80, 24));
    let half = "30.0s of 1m00s \u{2501}\u{2501}\u{2501}\u{2500}";
    has(
        &of(&view),
        &[
            "tag52 replay  pid 411  2023-11-14 22:13:50 UTC\n",
            "2x  ",
            half,
            "> VENUE>DROP",
            "Space pause  n step",
            "q quit",
        ],
    );
    if let Some(playing) = &mut view.playing {
        playing.paused = true;
        playing.until_ns = None;
    }
    has(&of(&view), &["paused  30.0s\n"]);
    view.ended = true;
    let over = of(&view);
    has(&over, &["end  30.0s"]);
    assert!(!over.contains("ended"), "{over}");
}

#[test]
fn help_fits_and_goes_away() {
    let mut view = view();
    for playing in [false, true] {
        view.playing = playing.then_some(PlaybackStatus {
            from_ns: 0,
            at_ns: 0,
            until_ns: None,
            times: None,
            paused: false,
            seeks: false,
        });
        let mut state = ScreenState::new(false);
        state.follow(KeyAction::Help, &view);
        let page = text(&drawn(&view, &state, 80, 24));
        has(
            &page,
            &[
                "select a session",
                "quit: the summary is printed",
                "L lock-wait",
                "What-if replays the queue",
                "Quantiles are at most 1 %",
                "too high.",
            ],
        );
        assert_eq!(page.contains("10 seconds, a minute"), playing, "{page}");
        // Nothing is cut off.
        let all = KEYS.iter().chain(KEYS_PLAYING.iter().filter(|_| playing));
        for (key, what) in all {
            has(&page, &[key, what]);
        }
        state.follow(KeyAction::Back, &view);
        let page = text(&drawn(&view, &state, 80, 24));
        has(&page, &["[1 sessions]", "> VENUE>DROP"]);
    }
}

#[test]
fn colours_only_where_wanted() {
    let coloured = |buffer: &Buffer| {
        let with = |c: &ratatui::buffer::Cell| c.fg != Color::Reset || c.bg != Color::Reset;
        buffer.content.iter().filter(|c| with(c)).count()
    };
    for page in Page::ALL {
        for (width, height) in [(80, 24), (120, 40)] {
            let plain = drawn(&view(), &state(page, false), width, height);
            assert_eq!(coloured(&plain), 0, "{page:?}");
            let bright = drawn(&view(), &state(page, true), width, height);
            if (page, width) != (Page::Threads, 80) {
                assert!(coloured(&bright) > 10, "{page:?}");
            }
            assert!(!text(&bright).contains("LLLL"), "{page:?}");
        }
    }
    let bright = drawn(&view(), &state(Page::Session, true), 80, 24);
    let red = |c: &&ratatui::buffer::Cell| c.symbol() == "\u{2588}" && c.fg == Color::Red;
    assert!(bright.content.iter().filter(red).count() > 10);
}

#[test]
fn a_small_terminal_is_told_so() {
    for (width, height) in [(79, 24), (80, 23), (24, 3), (1, 1)] {
        let page = text(&drawn(&view(), &state(Page::Sessions, true), width, height));
        assert!(!page.contains("SESSION"), "{page}");
        if width > 20 {
            has(&page, &["is too small\n", "needs 80x24\n", "q quits\n"]);
        }
    }
}

#[test]
fn nothing_yet_and_nothing_ever() {
    let mut empty = ScreenData::of(&Model::at_zero(), "pid 411");
    for page in Page::ALL {
        let waiting = text(&drawn(&empty, &state(page, false), 80, 24));
        if page != Page::Cgroup {
            has(&waiting, &["seen yet, waiting for pid 411"]);
        }
    }
    empty.ended = true;
    let over = text(&drawn(&empty, &state(Page::Sessions, false), 80, 24));
    has(
        &over,
        &["ended\n", "pid 411 has ended; no FIX session was seen"],
    );
}

#[test]
fn the_selection_stays_with_its_session() {
    let mut view = view();
    let mut state = ScreenState::new(false);
    state.follow(KeyAction::Down, &view);
    state.follow(KeyAction::Down, &view);
    assert_eq!(state.index(&view), 1);
    view.sessions.swap(0, 1);
    assert_eq!(state.index(&view), 0);
    state.follow(KeyAction::Open, &view);
    assert_eq!(state.page, Page::Session);
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["[2 session]", "VENUE>DROP :5003"]);
    state.follow(KeyAction::Back, &view);
    state.follow(KeyAction::Next, &view);
    state.follow(KeyAction::Next, &view);
    assert_eq!(state.page, Page::Threads);
    state.follow(KeyAction::Previous, &view);
    assert_eq!(state.page, Page::Session);
    state.follow(KeyAction::Pause, &view);
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["paused\n"]);
    view.sessions.remove(0);
    assert_eq!(state.index(&view), 0);
}

#[test]
fn many_sessions_scroll() {
    let mut model = Model::at_zero();
    for n in 0..100 {
        model.observe(&message(&session(n), 1, &[(Stage::Queued, Part::OnCpu, 5)]));
    }
    model.take_interval(at(1));
    let view = ScreenData::of(&model, "pid 411");
    let mut state = ScreenState::new(false);
    for _ in 0..70 {
        state.follow(KeyAction::Down, &view);
    }
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["> VENUE>DROP :5072", "71 of 100"]);
    assert!(!page.contains(":5002"), "{page}");
}

#[test]
fn ended_sessions_come_last_and_keep_their_figures() {
    let mut model = incident();
    model.end_session(&session(0));
    model.take_interval(at(13));
    model.take_interval(at(14));
    let view = ScreenData::of(&model, "pid 411");
    let page = text(&drawn(&view, &ScreenState::new(false), 80, 24));
    has(
        &page,
        &["> VENUE>DROP :5003", "VENUE>DROP :5002", "12.0s", "ended"],
    );
}
