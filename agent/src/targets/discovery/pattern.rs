//! Patterns for names and command lines.

use std::{fmt, str::FromStr};

/// A shell pattern: `*` (any characters, slashes too), `?` and `[abc]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(glob::Pattern);

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a pattern is needed, such as fix-* or */kubepods/*".to_owned());
        }
        glob::Pattern::new(text)
            .map(Self)
            .map_err(|error| format!("{} at character {}", error.msg, error.pos))
    }
}

impl Glob {
    /// Whether the pattern matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

/// A regular expression that matches anywhere in a command line.
#[derive(Clone)]
pub struct CommandLineRegex(regex_lite::Regex);

impl FromStr for CommandLineRegex {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        regex_lite::Regex::new(text)
            .map(Self)
            .map_err(|error| format!("not a regular expression: {error}"))
    }
}

impl fmt::Debug for CommandLineRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl CommandLineRegex {
    /// Whether it matches somewhere in the text, which is the arguments separated by spaces.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
