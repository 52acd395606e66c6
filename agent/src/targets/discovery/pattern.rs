//! What names and command lines are compared with.

use std::{fmt, str::FromStr};

/// A pattern of `*` (anything, slashes too), `?` and `[abc]`.
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
    /// Whether all of `text` is as described.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

/// A regular expression, which has to be found somewhere in a command line.
#[derive(Clone)]
pub struct CommandLine(regex_lite::Regex);

impl FromStr for CommandLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        regex_lite::Regex::new(text)
            .map(Self)
            .map_err(|error| format!("not a regular expression: {error}"))
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl CommandLine {
    /// Whether it is found in `text`, the arguments with a space in between.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
