//! Which pods are wanted: by namespace and by labels, as `kubectl` takes them.

use std::{collections::BTreeSet, fmt, str::FromStr};

use kube::core::{Expression, Selector, SelectorExt as _};

use super::{Kube, PodFacts};
use crate::domain::ProcessInfo;

/// Whether something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// The API has not told enough so far: ask again when [`Kube::generation`] has changed.
    NotYet,
}

/// The pods that are wanted. Without any condition all processes are, in pods or not.
#[derive(Clone, Debug, Default)]
pub struct PodSelector {
    /// In one of these; empty: in any.
    pub namespaces: Vec<String>,
    /// With labels as one of these asks for; empty: with any.
    pub labels: Vec<LabelSelector>,
}

impl PodSelector {
    /// Whether there is a condition at all: then the API must be asked.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.namespaces.is_empty() && self.labels.is_empty()
    }

    /// Whether a process is wanted, as far as the API (if it is asked) knows its pod now.
    #[must_use]
    pub fn matches(&self, process: &ProcessInfo, kube: Option<&Kube>) -> Answer {
        if self.is_any() {
            return Answer::Yes;
        }
        let Some(pod) = &process.pod else {
            return Answer::No;
        };
        match kube.and_then(|kube| kube.pod(&pod.uid)) {
            Some(known) if self.wants(&known) => Answer::Yes,
            Some(_) => Answer::No,
            // Told before, and forgotten since.
            None if pod
                .namespace
                .as_ref()
                .is_some_and(|n| !self.has_namespace(n)) =>
            {
                Answer::No
            }
            None => Answer::NotYet,
        }
    }

    /// Whether a pod is wanted.
    #[must_use]
    pub fn wants(&self, pod: &PodFacts) -> bool {
        let labels = &self.labels;
        self.has_namespace(&pod.namespace)
            && (labels.is_empty() || labels.iter().any(|one| one.0.matches(&pod.labels)))
    }

    fn has_namespace(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|one| one == namespace)
    }
}

/// Conditions on labels, all of which have to hold: `app=oms,tier!=test,desk in
/// (fx,rates),!canary`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector(Selector);

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Not one of the forms.
    #[error(
        "{0:?} is no condition on labels: write key=value, key!=value, key in (a,b), key notin (a,b), \
         key or !key"
    )]
    Form(String),
    /// Not what a label may be called.
    #[error(
        "{0:?} cannot be a label's key: 63 letters, digits, '-', '_' and '.' at the most, a DNS name and \
         '/' before it"
    )]
    Key(String),
    /// Not what a label may be.
    #[error("{0:?} cannot be a label's value: 63 letters, digits, '-', '_' and '.' at the most")]
    Value(String),
    /// A parenthesis too few or too many.
    #[error("{0:?} has a parenthesis that is not closed, or not opened")]
    Parentheses(String),
}

impl FromStr for LabelSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let conditions = split(text)?;
        let conditions = conditions.into_iter().map(condition);
        conditions.collect::<Result<_, _>>().map(Self)
    }
}

/// At the commas outside of parentheses.
fn split(text: &str) -> Result<Vec<&str>, SelectorError> {
    let unbalanced = || SelectorError::Parentheses(text.to_owned());
    let (mut parts, mut from, mut open) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' if !open => open = true,
            ')' if open => open = false,
            '(' | ')' => return Err(unbalanced()),
            ',' if !open => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if open {
        return Err(unbalanced());
    }
    parts.push(&text[from..]);
    Ok(parts)
}

fn condition(text: &str) -> Result<Expression, SelectorError> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix('!') {
        return Ok(Expression::DoesNotExist(key(name)?));
    }
    if let Some(set) = text.strip_suffix(')') {
        let form = || SelectorError::Form(text.to_owned());
        let (before, values) = set.split_once('(').ok_or_else(form)?;
        let mut words = before.split_whitespace();
        let (name, operator, end) = (words.next(), words.next(), words.next());
        let values = || {
            values
                .split(',')
                .map(value)
                .collect::<Result<BTreeSet<_>, _>>()
        };
        return match (name, operator, end) {
            (Some(name), Some("in"), None) => Ok(Expression::In(key(name)?, values()?)),
            (Some(name), Some("notin"), None) => Ok(Expression::NotIn(key(name)?, values()?)),
            _ => Err(form()),
        };
    }
    if let Some((name, wanted)) = text.split_once("!=") {
        return Ok(Expression::NotEqual(key(name)?, value(wanted)?));
    }
    if let Some((name, wanted)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Expression::Equal(key(name)?, value(wanted)?));
    }
    if text.split_whitespace().count() != 1 {
        return Err(SelectorError::Form(text.to_owned()));
    }
    Ok(Expression::Exists(key(text)?))
}

fn key(text: &str) -> Result<String, SelectorError> {
    let text = text.trim();
    let (prefix, name) = text.rsplit_once('/').unwrap_or(("", text));
    let is_prefix = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let prefixed = name.len() == text.len()
        || ((1..=253).contains(&prefix.len()) && prefix.bytes().all(is_prefix));
    if prefixed && !name.is_empty() && is_plain(name) {
        Ok(text.to_owned())
    } else {
        Err(SelectorError::Key(text.to_owned()))
    }
}

fn value(text: &str) -> Result<String, SelectorError> {
    let text = text.trim();
    if is_plain(text) {
        Ok(text.to_owned())
    } else {
        Err(SelectorError::Value(text.to_owned()))
    }
}

/// Begins and ends with a letter or digit, or is empty.
fn is_plain(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().next_back()];
    text.len() <= 63
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && ends.iter().flatten().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Pod;

    fn pod(namespace: &str, labels: &[(&str, &str)]) -> PodFacts {
        let labels = labels.iter();
        PodFacts {
            namespace: namespace.to_owned(),
            name: "p".to_owned(),
            labels: labels.map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
            containers: Vec::new(),
        }
    }

    fn wants(selector: &str, labels: &[(&str, &str)]) -> bool {
        let selector = PodSelector {
            labels: vec![selector.parse().expect("a selector")],
            ..PodSelector::default()
        };
        selector.wants(&pod("n", labels))
    }

    #[test]
    fn conditions_are_those_of_kubectl() {
        let labels = [("app", "oms"), ("desk", "fx"), ("example.com/tier", "live")];
        for (selector, expected) in [
            ("app=oms", true),
            ("app==oms", true),
            ("app = oms", true),
            ("app=other", false),
            ("missing=oms", false),
            ("app!=other", true),
            ("missing!=other", true),
            ("app!=oms", false),
            ("desk in (fx,rates)", true),
            ("desk in ( rates )", false),
            ("missing in (fx)", false),
            ("desk notin (rates, equities)", true),
            ("missing notin (rates)", true),
            ("desk notin (fx)", false),
            ("app", true),
            ("missing", false),
            ("!missing", true),
            ("!app", false),
            ("app=oms,desk in (fx,rates),!canary", true),
            ("app=oms,desk notin (fx,rates)", false),
            ("example.com/tier=live", true),
            ("app=", false),
            ("in in (in)", false),
        ] {
            assert_eq!(wants(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_told_apart() {
        let parse = |text: &str| text.parse::<LabelSelector>().expect_err(text);
        let long = "a".repeat(64);
        for bad in ["", ",", "app=oms,", "a b", "a in b", "a of (b)"] {
            assert!(
                matches!(parse(bad), SelectorError::Form(_)),
                "{bad}: {}",
                parse(bad)
            );
        }
        for bad in ["a in (b", "a in b)", "a in ((b))", ")"] {
            assert!(matches!(parse(bad), SelectorError::Parentheses(_)), "{bad}");
        }
        for bad in [
            "=b",
            "-a=b",
            "!",
            "a/b/c=d",
            "/a=b",
            "A.com/a=b",
            &long,
            "a>b",
        ] {
            assert!(matches!(parse(bad), SelectorError::Key(_)), "{bad}");
        }
        for bad in [
            "a=b=c",
            "a=-b",
            "a=b c",
            "a in (b,é)",
            "a in (b) c (d)",
            &format!("a={long}"),
        ] {
            assert!(matches!(parse(bad), SelectorError::Value(_)), "{bad}");
        }
    }

    #[test]
    fn of_several_one_is_enough() {
        let selector = PodSelector {
            namespaces: vec!["fx".to_owned(), "rates".to_owned()],
            labels: ["app=oms", "app=gateway"]
                .map(|s| s.parse().expect("valid"))
                .to_vec(),
        };
        assert!(selector.wants(&pod("rates", &[("app", "gateway")])));
        assert!(!selector.wants(&pod("other", &[("app", "gateway")])));
        assert!(!selector.wants(&pod("fx", &[("app", "web")])));
    }

    #[test]
    fn while_the_api_has_not_told_the_answer_is_not_yet() {
        let in_pod = |namespace: Option<&str>| ProcessInfo {
            pod: Some(Pod {
                uid: "u".to_owned(),
                namespace: namespace.map(str::to_owned),
                ..Pod::default()
            }),
            ..ProcessInfo::default()
        };
        let selector = PodSelector {
            namespaces: vec!["fx".to_owned()],
            ..PodSelector::default()
        };
        assert_eq!(selector.matches(&in_pod(None), None), Answer::NotYet);
        assert_eq!(selector.matches(&in_pod(Some("fx")), None), Answer::NotYet);
        assert_eq!(selector.matches(&in_pod(Some("rates")), None), Answer::No);
        assert_eq!(selector.matches(&ProcessInfo::default(), None), Answer::No);
        let any = PodSelector::default();
        assert_eq!(any.matches(&ProcessInfo::default(), None), Answer::Yes);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,60}") {
            let _any = text.parse::<LabelSelector>();
        }

        #[test]
        fn what_is_said_is_understood_again(text in "[a-c](=|!=|==)[a-c](,!?[a-c]( (not)?in \\([a-c](,[a-c])?\\))?){0,3}") {
            // `!a in (b)` is none.
            if let Ok(selector) = text.parse::<LabelSelector>() {
                prop_assert_eq!(selector.to_string().parse::<LabelSelector>(), Ok(selector));
            }
        }
    }
}
