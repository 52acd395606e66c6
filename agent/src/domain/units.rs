//! Figures and names as people read them.

use std::fmt::{self, Write as _};

/// Nanoseconds in a fitting unit, with three significant digits: `850ns`, `12.3us`, `1.23s`,
/// `3m12s`, `2h05m`, `31d04h`.
#[derive(Clone, Copy)]
pub(crate) struct HumanDuration(pub(crate) i128);

impl From<i64> for HumanDuration {
    fn from(ns: i64) -> Self {
        Self(i128::from(ns))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.unsigned_abs();
        let mut text = String::with_capacity(12);
        if self.0 < 0 {
            text.push('-');
        }
        // Each limit is where rounding to three digits reaches the next unit.
        if ns < 1_000 {
            write!(text, "{ns}ns")?;
        } else if ns < 999_500 {
            three_digits(&mut text, ns as f64 / 1e3, "us")?;
        } else if ns < 999_500_000 {
            three_digits(&mut text, ns as f64 / 1e6, "ms")?;
        } else if ns < 59_950_000_000 {
            three_digits(&mut text, ns as f64 / 1e9, "s")?;
        } else {
            let seconds = (ns + 500_000_000) / 1_000_000_000;
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60);
            if days > 0 {
                write!(text, "{days}d{:02}h", hours % 24)?;
            } else if hours > 0 {
                write!(text, "{hours}h{:02}m", minutes % 60)?;
            } else {
                write!(text, "{minutes}m{:02}s", seconds % 60)?;
            }
        }
        f.pad(&text)
    }
}

fn three_digits(text: &mut String, value: f64, unit: &str) -> fmt::Result {
    if value < 9.995 {
        write!(text, "{value:.2}{unit}")
    } else if value < 99.95 {
        write!(text, "{value:.1}{unit}")
    } else {
        write!(text, "{value:.0}{unit}")
    }
}

/// A part of a whole as a percentage; `0%` of nothing.
#[derive(Clone, Copy)]
pub(crate) struct HumanPercent {
    pub(crate) part: i128,
    pub(crate) whole: i128,
}

impl HumanPercent {
    pub(crate) fn ratio(self) -> f64 {
        if self.whole == 0 {
            return 0.0;
        }
        self.part as f64 / self.whole as f64
    }

    /// Whether it is more than `0.0%` when shown.
    pub(crate) fn shows(self) -> bool {
        self.ratio() >= 0.000_5
    }
}

impl fmt::Display for HumanPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.part == 0 || self.whole == 0 {
            "0%".to_owned()
        } else if self.part == self.whole {
            "100%".to_owned()
        } else if !self.shows() {
            "<0.1%".to_owned()
        } else if self.ratio() >= 0.999_5 {
            ">99.9%".to_owned()
        } else {
            format!("{:.1}%", 100.0 * self.ratio())
        };
        f.pad(&text)
    }
}

/// Events per second: whole ones from ten on.
#[derive(Clone, Copy)]
pub(crate) struct HumanRate {
    pub(crate) events: u64,
    pub(crate) seconds: f64,
}

impl fmt::Display for HumanRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = if self.seconds > 0.0 {
            self.events as f64 / self.seconds
        } else {
            0.0
        };
        let text = if self.events == 0 || rate >= 9.95 {
            format!("{rate:.0}")
        } else {
            format!("{rate:.1}")
        };
        f.pad(&text)
    }
}

/// A count with its thousands apart: `5,580`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes.
#[derive(Clone, Copy)]
pub(crate) struct HumanBytes(pub(crate) u64);

impl fmt::Display for HumanBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            n if n < 1 << 10 => format!("{n} B"),
            n if n < 1 << 20 => format!("{:.1} KiB", n as f64 / 1024.0),
            n if n < 1 << 30 => format!("{:.1} MiB", n as f64 / 1_048_576.0),
            n => format!("{:.1} GiB", n as f64 / 1_073_741_824.0),
        };
        f.pad(&text)
    }
}

/// Text from the wire, at most 32 characters of it, without any that could steer a terminal.
pub(crate) fn sanitize_name(text: &str) -> String {
    let mut sanitized: String = text
        .chars()
        .take(32)
        .map(|c| if is_harmless(c) { c } else { '?' })
        .collect();
    if text.chars().nth(32).is_some() {
        sanitized.push('~');
    }
    sanitized
}

/// Text of any length, without characters that could steer a terminal.
pub(crate) fn sanitize(text: &str) -> String {
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '?' })
        .collect()
}

fn is_harmless(c: char) -> bool {
    // Outside of ASCII only letters and digits: no direction marks, no zero-width characters.
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric())
}

/// Breaks the text at spaces into lines of at most `width` characters; a longer word has a line of
/// its own.
pub(crate) fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in words.split(' ') {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if used + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
                used += 1 + length;
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

/// `1 message`, `0 messages`, `2.5 cores`: a number as it is displayed and its noun, whose plural
/// ends in `s`.
pub(crate) fn counted(count: impl fmt::Display, noun: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A name of the JSON and metrics as people read it: `run_queue` as `run-queue`.
pub(crate) fn human_name(name: &str) -> String {
    name.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_carry() {
        for (ns, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1.00us"),
            (12_345, "12.3us"),
            (99_949, "99.9us"),
            (99_950, "100us"),
            (999_499, "999us"),
            (999_500, "1.00ms"),
            (999_499_999, "999ms"),
            (999_500_000, "1.00s"),
            (59_949_000_000, "59.9s"),
            (59_950_000_000, "1m00s"),
            (192_000_000_000, "3m12s"),
            (3_599_500_000_000, "1h00m"),
            (7_500_000_000_000, "2h05m"),
            (2_692_800_000_000_000, "31d04h"),
            (-1_500_000, "-1.50ms"),
        ] {
            assert_eq!(HumanDuration(ns).to_string(), text);
        }
    }

    #[test]
    fn shares_say_when_they_are_rounded() {
        let share = |part, whole| HumanPercent { part, whole }.to_string();
        assert_eq!(share(0, 0), "0%");
        assert_eq!(share(0, 5), "0%");
        assert_eq!(share(5, 5), "100%");
        assert_eq!(share(1, 100_000), "<0.1%");
        assert_eq!(share(99_999, 100_000), ">99.9%");
        assert_eq!(share(971, 1000), "97.1%");
    }

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(0, "message"), "0 messages");
        assert_eq!(counted(11, "hand-over"), "11 hand-overs");
        assert_eq!(counted("2.5", "core"), "2.5 cores");
    }

    #[test]
    fn names_from_the_wire_cannot_steer_a_terminal() {
        assert_eq!(sanitize_name("VENUE\x1b[2J\u{202e}\n"), "VENUE?[2J??");
        assert_eq!(
            sanitize_name(&"x".repeat(33)),
            format!("{}~", "x".repeat(32))
        );
    }
}
