//! What each page shows.

use super::{both, drawn, has, state, text, view};
use crate::outputs::{
    fixtures::incident,
    top::{data::ScreenData, keys::KeyAction, page::Page},
};

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
                "mean age, last 12.0s   ",
                "45 in, 45 out per second, backlog ",
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
                "HOLDS",
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
            "HANDOVERS",
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
    state.apply(KeyAction::Scope, &view);
    let page = text(&drawn(&view, &state, 120, 40));
    has(
        &page,
        &[
            "since start  age p50 6.00s",
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
    state.apply(KeyAction::Show(Page::Sessions), &view);
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["1 of 2  since start  starved-by-lock"]);
    state.apply(KeyAction::Scope, &view);
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
                "For threads that read no session",
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
                "(total 3, 50.0ms)",
                "agent: no events lost; ring buffer held at most 0 B\n",
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
            "events lost: see page 4\n",
            "agent: lost events: ring-full 7\n",
            "agent: anomalies: negative-interval 2\n",
        ],
    );
}
