//! Conditions on labels, as `kubectl` takes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use kube::core::{Expression, Selector, SelectorExt as _};

/// Conditions on labels, all of which must hold:
/// `app=oms,tier!=test,desk in (fx,rates),!canary`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector(Selector);

impl LabelSelector {
    /// Whether all conditions hold for these labels.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.matches(labels)
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelSelectorError {
    /// A condition has none of the forms.
    #[error(
        "{0:?} is no condition on labels: write key=value, key!=value, key in (a,b), \
         key notin (a,b), key or !key"
    )]
    Form(String),
    /// A key is not a valid label key.
    #[error(
        "{0:?} cannot be a label's key: 63 letters, digits, '-', '_' and '.' at the most, a DNS \
         name and '/' before it"
    )]
    Key(String),
    /// A value is not a valid label value.
    #[error("{0:?} cannot be a label's value: 63 letters, digits, '-', '_' and '.' at the most")]
    Value(String),
    /// The parentheses do not match, or are nested.
    #[error("{0:?} has a parenthesis that is not closed, or not opened")]
    Parentheses(String),
}

impl FromStr for LabelSelector {
    type Err = LabelSelectorError;

    fn from_str(text: &str) -> Result<Self, LabelSelectorError> {
        let conditions = split(text)?;
        let conditions = conditions.into_iter().map(condition);
        conditions.collect::<Result<_, _>>().map(Self)
    }
}

/// Splits a text at the commas outside of parentheses.
fn split(text: &str) -> Result<Vec<&str>, LabelSelectorError> {
    let unbalanced = || LabelSelectorError::Parentheses(text.to_owned());
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

/// Parses one condition.
fn condition(text: &str) -> Result<Expression, LabelSelectorError> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix('!') {
        return Ok(Expression::DoesNotExist(key(name)?));
    }
    if let Some(set) = text.strip_suffix(')') {
        let form = || LabelSelectorError::Form(text.to_owned());
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
        return Err(LabelSelectorError::Form(text.to_owned()));
    }
    Ok(Expression::Exists(key(text)?))
}

/// Checks a label key, with or without a DNS prefix.
fn key(text: &str) -> Result<String, LabelSelectorError> {
    let text = text.trim();
    let (prefix, name) = text.rsplit_once('/').unwrap_or(("", text));
    let is_prefix = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let prefixed = name.len() == text.len()
        || ((1..=253).contains(&prefix.len()) && prefix.bytes().all(is_prefix));
    if prefixed && !name.is_empty() && is_label_value(name) {
        Ok(text.to_owned())
    } else {
        Err(LabelSelectorError::Key(text.to_owned()))
    }
}

/// Checks a label value.
fn value(text: &str) -> Result<String, LabelSelectorError> {
    let text = text.trim();
    if is_label_value(text) {
        Ok(text.to_owned())
    } else {
        Err(LabelSelectorError::Value(text.to_owned()))
    }
}

/// Whether a text begins and ends with a letter or digit, or is empty: the syntax of label values
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>).
fn is_label_value(text: &str) -> bool {
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

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter();
        let labels = labels.map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let selector: LabelSelector = selector.parse().expect("a selector");
        selector.matches(&labels)
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
            assert_eq!(matches(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn an_invalid_selector_is_refused_with_its_reason() {
        let parse = |text: &str| text.parse::<LabelSelector>().expect_err(text);
        let long = "a".repeat(64);
        for bad in ["", ",", "app=oms,", "a b", "a in b", "a of (b)"] {
            assert!(
                matches!(parse(bad), LabelSelectorError::Form(_)),
                "{bad}: {}",
                parse(bad)
            );
        }
        for bad in ["a in (b", "a in b)", "a in ((b))", ")"] {
            assert!(
                matches!(parse(bad), LabelSelectorError::Parentheses(_)),
                "{bad}"
            );
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
            assert!(matches!(parse(bad), LabelSelectorError::Key(_)), "{bad}");
        }
        for bad in [
            "a=b=c",
            "a=-b",
            "a=b c",
            "a in (b,é)",
            "a in (b) c (d)",
            &format!("a={long}"),
        ] {
            assert!(matches!(parse(bad), LabelSelectorError::Value(_)), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "\\PC{0,60}") {
            let _any = text.parse::<LabelSelector>();
        }

        #[test]
        fn a_displayed_selector_parses_to_itself(
            text in "[a-c](=|!=|==)[a-c](,!?[a-c]( (not)?in \\([a-c](,[a-c])?\\))?){0,3}",
        ) {
            // Some of these, such as `!a in (b)`, are not selectors.
            if let Ok(selector) = text.parse::<LabelSelector>() {
                prop_assert_eq!(selector.to_string().parse::<LabelSelector>(), Ok(selector));
            }
        }
    }
}
