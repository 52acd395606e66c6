//! Whether text has colours.

use std::io::IsTerminal as _;

/// Whether text is written with ANSI colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextStyle {
    /// No control sequences at all.
    Plain,
    /// ANSI colours.
    Colour,
}

impl TextStyle {
    /// Colours when standard output is a terminal that understands them (`TERM` is not `dumb`) and
    /// `NO_COLOR` is not set.
    pub(crate) fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        if std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn alarm(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}
