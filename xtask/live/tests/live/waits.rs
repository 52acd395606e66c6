//! Causes of waiting: each is charged to its part, and to who is behind it.

use std::time::Duration;

use lab::cgroup::Cgroup;
use lab::cpu;
use lab::database::Database;
use lab::rivals::Rivals;
use live::{Bench, median, observe, observe_from, one_at_a_time, rival};

#[test]
fn a_contended_mutex_is_lock_wait() {
    let _guard = one_at_a_time();
    let victim = ["--inject", "mutex", "--hold-us", "5000", "--gap-us", "1000"];
    let run = observe(Bench::start(300.0, 900, &victim));
    run.dominated_by("lock_wait");
    run.agrees_in_app("lock_wait");
    assert!(run.share("blocked") < 0.05, "{}", run.shares());
    let rival = run.blamed("lock_wait", |row| row.comm.as_deref() == Some("rival"));
    assert!(rival > 0.95, "{rival} blamed on the rival: {}", run.summary);
}

#[test]
fn a_full_pipe_is_blocked() {
    let _guard = one_at_a_time();
    let run = observe(Bench::start(
        300.0,
        600,
        &["--inject", "pipe", "--hold-us", "4000"],
    ));
    let pipe = run.blamed("blocked", |row| row.begins("write on pipe "));
    assert!(pipe > 0.95, "{pipe} blamed on the pipe: {}", run.summary);
    run.dominated_by("blocked");
    run.agrees_in_app("blocked");
    assert!(run.share("lock_wait") < 0.05, "{}", run.shares());
}

#[test]
fn a_sleep_is_blocked() {
    let _guard = one_at_a_time();
    let run = observe(Bench::start(
        300.0,
        600,
        &["--inject", "sleep", "--hold-us", "4000"],
    ));
    run.dominated_by("blocked");
    run.agrees_in_app("blocked");
    assert!(run.share("lock_wait") < 0.05, "{}", run.shares());
}

#[test]
fn a_switch_that_no_probe_observed_is_rebuilt() {
    let _guard = one_at_a_time();
    let bench = Bench::start(300.0, 600, &["--inject", "sleep", "--hold-us", "4000"]);
    let run = observe_from(bench, 6, &["--simulate-unseen-switches", "5"]);
    run.dominated_by("blocked");
    run.agrees_in_app("blocked");
    let anomalies = &run.summary["health"]["anomalies"];
    let of = |kind: &str| anomalies[kind].as_u64().unwrap_or(0);
    assert!(of("switch_rebuilt") > 100, "{anomalies}");
    let unknown: i64 = run.messages.iter().map(|m| m.part("unknown")).sum();
    let ages: i64 = run.messages.iter().map(|m| m.age_ns).sum();
    assert!(unknown * 100 < ages, "{unknown} ns of {ages} ns unknown");
}

#[test]
fn a_quota_is_throttle_and_not_run_queue() {
    let _guard = one_at_a_time();
    let group = Cgroup::with_quota(Duration::from_millis(20), Duration::from_millis(100))
        .expect("a cgroup with a quota");
    let cpu = cpu::allowed()[0].to_string();
    // 300 ms of work per second, 200 ms of quota: it is used up in every period.
    let bench = Bench::start(300.0, 900, &["--work-us", "1000", "--cpu", &cpu]);
    group
        .add(bench.victim.pid())
        .expect("the victim joins the cgroup");
    let run = observe(bench);
    run.dominated_by("throttle");
    let quota = run.blamed("throttle", |row| {
        row.begins("the quota of /") && row.ends(&group.below())
    });
    assert!(quota > 0.95, "{quota} blamed on the quota: {}", run.summary);
    assert!(
        run.share("throttle") > 2.0 * run.share("run_queue"),
        "{}",
        run.shares()
    );
    let stat = group.stat().expect("cpu.stat");
    let longest = run
        .messages
        .iter()
        .map(|message| message.part("throttle"))
        .max()
        .unwrap_or(0);
    assert!(stat.throttled_periods > 0);
    assert!(
        longest <= stat.throttled_ns.cast_signed(),
        "a message was throttled for {longest} ns, the whole group for {} ns",
        stat.throttled_ns
    );
}

#[test]
fn a_thread_that_is_woken_is_blocked_no_longer() {
    let _guard = one_at_a_time();
    let cpu = cpu::allowed()[0];
    let _rival = rival(cpu);
    // Rare messages: each finds the thread asleep, wakes it, and waits until it gets the CPU.
    let bench = Bench::start(100.0, 200, &["--cpu", &cpu.to_string()]);
    let run = observe(bench);
    let blocked: i64 = run
        .messages
        .iter()
        .filter_map(|message| message.matrix.get("queued")?.get("blocked"))
        .sum();
    let queued: i64 = run.messages.iter().map(|m| m.stage("queued")).sum();
    assert!(
        blocked * 3 < queued,
        "asleep for {blocked} ns of the {queued} ns in the queue"
    );
}

#[test]
fn rivals_on_the_cpu_are_run_queue_and_not_throttle() {
    let _guard = one_at_a_time();
    let cpu = cpu::allowed()[0];
    let rivals = [rival(cpu), rival(cpu), rival(cpu)];
    let runners = Rivals::of(&rivals, &[cpu]).expect("their accounts");
    let bench = Bench::start(
        300.0,
        700,
        &["--work-us", "1000", "--cpu", &cpu.to_string()],
    );
    let run = observe(bench);
    run.dominated_by("run_queue");
    assert!(run.share("throttle") < 0.01, "{}", run.shares());
    let share = run.blamed("run_queue", |row| runners.are_charged_by(row));
    let theirs = runners
        .share(run.truth.victim.usage.schedstat.on_cpu_ns)
        .expect("/proc/stat");
    assert!(
        share > theirs - 0.05,
        "{share} blamed on the rivals, who had {theirs} of the CPU: {}",
        run.summary
    );
    assert!(
        run.share("lock_wait") + run.share("blocked") < 0.1,
        "{}",
        run.shares()
    );
    let longest = run
        .messages
        .iter()
        .map(|message| message.part("run_queue"))
        .max()
        .unwrap_or(0);
    let delay = run.truth.victim.usage.schedstat.run_delay_ns;
    assert!(
        longest as f64 <= 1.05 * delay as f64,
        "a message waited {longest} ns, the kernel says {delay} ns for the thread's whole life"
    );
}

#[test]
fn a_database_round_trip_is_not_a_hand_off() {
    let _guard = one_at_a_time();
    let database = Database::start(Duration::from_millis(2)).expect("a database");
    for call in ["recv", "poll+recv"] {
        let port = database.port().to_string();
        let victim = ["--read", call, "--inject", "db", "--database", &port];
        let run = observe(Bench::start(200.0, 400, &victim));
        run.dominated_by("blocked");
        run.agrees_in_app("blocked");
        let round_trip = median(
            run.truth
                .victim
                .records
                .iter()
                .map(|record| record.injected_ns)
                .collect(),
        );
        let error = run.hand_off_error();
        assert!(
            error * 4 < round_trip,
            "{call}: off by {error} ns, a round trip takes {round_trip} ns"
        );
    }
}
