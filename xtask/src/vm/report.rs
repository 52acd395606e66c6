//! The results of a guest's tests, as a table.

use std::fmt::Write as _;
use std::time::Duration;

use super::binaries::TestBinaries;
use super::kernel::Kernel;

/// Whether a test does not need the probes.
pub(super) fn works_everywhere(test: &str) -> bool {
    test.starts_with("ends::bad_use")
}

/// How one check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CheckResult {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct GuestCheck {
    name: String,
    verdict: CheckResult,
    seconds: u64,
}

/// All checks on one kernel.
#[derive(Debug)]
pub(super) struct KernelReport {
    title: String,
    checks: Vec<GuestCheck>,
}

impl KernelReport {
    /// Reads the report.
    pub(super) fn read(
        kernel: &Kernel,
        subject: &TestBinaries,
        report: &str,
        took: Duration,
    ) -> Self {
        let mut checks = vec![agent(report, kernel.series.supported())];
        for name in &subject.names {
            if kernel.series.supported() || works_everywhere(name) {
                checks.push(test(report, name));
            } else {
                checks.push(GuestCheck {
                    name: name.clone(),
                    verdict: CheckResult::Skipped("this kernel lacks the hooks"),
                    seconds: 0,
                });
            }
        }
        let title = format!(
            "{} ({}), {} s, log: {}",
            kernel.series,
            marks(report, "kernel").next().unwrap_or("did not boot"),
            took.as_secs(),
            kernel.log().display()
        );
        Self { title, checks }
    }

    /// Whether anything failed.
    pub(super) fn failed(&self) -> bool {
        self.count(|verdict| matches!(verdict, CheckResult::Failed(_))) > 0
    }

    fn count(&self, which: impl Fn(&CheckResult) -> bool) -> usize {
        let checks = self.checks.iter();
        checks.filter(|check| which(&check.verdict)).count()
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for GuestCheck {
            name,
            verdict,
            seconds,
        } in &self.checks
        {
            let (word, why) = match verdict {
                CheckResult::Passed => ("passed", ""),
                CheckResult::Failed(why) => ("FAILED", why.as_str()),
                CheckResult::Skipped(why) => ("skipped", *why),
            };
            let line = format!("  {word:<8} {seconds:>4} s  {name:<44} {why}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let _ = writeln!(
            text,
            "  {} passed, {} failed, {} skipped",
            self.count(|verdict| *verdict == CheckResult::Passed),
            self.count(|verdict| matches!(verdict, CheckResult::Failed(_))),
            self.count(|verdict| matches!(verdict, CheckResult::Skipped(_)))
        );
        text
    }
}

/// The rest of the lines that begin with this mark.
fn marks<'a>(report: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    report.lines().filter_map(move |line| {
        line.strip_prefix("@@ ")?
            .strip_prefix(mark)?
            .strip_prefix(' ')
    })
}

/// `CODE START END`
fn ended(words: &str) -> Option<(i32, u64)> {
    let mut words = words.split(' ');
    let code = words.next()?.parse().ok()?;
    let start: f64 = words.next()?.parse().ok()?;
    let end: f64 = words.next()?.parse().ok()?;
    Some((code, (end - start).round() as u64))
}

/// On its own the agent attaches and ends well; without its hooks it says one line and ends with 2.
fn agent(report: &str, supported: bool) -> GuestCheck {
    let said = marks(report, "said").next().unwrap_or_default();
    let one_line = marks(report, "lines").next() == Some("1");
    let (name, (code, seconds)) = (
        if supported {
            "the agent attaches"
        } else {
            "the agent refuses in one line"
        },
        marks(report, "agent")
            .next()
            .and_then(ended)
            .unwrap_or((-1, 0)),
    );
    let verdict = match (supported, code) {
        (_, -1) => CheckResult::Failed("the guest did not get that far".into()),
        (true, 0) => CheckResult::Passed,
        (false, 2) if one_line && said.contains("this kernel") => CheckResult::Passed,
        _ => CheckResult::Failed(format!("exit code {code}: {said}")),
    };
    GuestCheck {
        name: name.into(),
        verdict,
        seconds,
    }
}

fn test(report: &str, name: &str) -> GuestCheck {
    let end = marks(report, "test")
        .filter_map(|words| words.strip_prefix(name)?.strip_prefix(' '))
        .find_map(ended);
    let (verdict, seconds) = match end {
        None => (CheckResult::Failed("it did not end".into()), 0),
        Some((0, seconds)) => (CheckResult::Passed, seconds),
        Some((124 | 137, seconds)) => (CheckResult::Failed("it took too long".into()), seconds),
        Some((_, seconds)) => (CheckResult::Failed(panic_of(report, name)), seconds),
    };
    GuestCheck {
        name: name.to_owned(),
        verdict,
        seconds,
    }
}

/// What the test said when it failed.
fn panic_of(report: &str, name: &str) -> String {
    let mut lines = report.lines();
    let found = lines
        .find(|line| line.contains(&format!("thread '{name}'")) && line.contains("panicked at"));
    let message = found.and_then(|_| lines.next()).unwrap_or("see the log");
    message.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "@@ kernel 6.12\n@@ said watching pid 1\n@@ agent 0 1.00 3.40\n\
        thread 'b' (7) panicked at x.rs:1:2:\nit is wrong\nnote\n\
        @@ test a 0 4.00 5.00\n@@ test b 101 5.00 9.00\n@@ test ab 124 9.00 10.00\n";

    #[test]
    fn tests_are_read_by_their_exact_names() {
        assert_eq!(test(REPORT, "a").verdict, CheckResult::Passed);
        assert_eq!(
            test(REPORT, "b").verdict,
            CheckResult::Failed("it is wrong".into())
        );
        assert_eq!(test(REPORT, "b").seconds, 4);
        assert_eq!(
            test(REPORT, "ab").verdict,
            CheckResult::Failed("it took too long".into())
        );
        assert_eq!(
            test(REPORT, "c").verdict,
            CheckResult::Failed("it did not end".into())
        );
    }

    #[test]
    fn a_refusal_is_right_only_where_hooks_are_missing() {
        assert_eq!(agent(REPORT, true).verdict, CheckResult::Passed);
        assert_ne!(agent(REPORT, false).verdict, CheckResult::Passed);
        let refusal = "@@ said tag52: this kernel has no x\n@@ lines 1\n@@ agent 2 1 2\n";
        assert_eq!(agent(refusal, false).verdict, CheckResult::Passed);
        assert_ne!(agent(refusal, true).verdict, CheckResult::Passed);
        let chatty = refusal.replace("lines 1", "lines 2");
        assert_ne!(agent(&chatty, false).verdict, CheckResult::Passed);
        assert_ne!(agent("", false).verdict, CheckResult::Passed);
    }
}
