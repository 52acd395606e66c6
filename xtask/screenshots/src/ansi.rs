//! A terminal's text, with its colours (SGR), as a page of HTML.

use std::fmt::Write as _;

/// The first sixteen colours, as most terminals have them.
const NAMED: [&str; 16] = [
    "#1e1e1e", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d0d0d0",
    "#7f848e", "#ff7a85", "#b5e08c", "#ffd68a", "#7fc3ff", "#dd8ff5", "#6fd3df", "#ffffff",
];
const TEXT: &str = "#d0d0d0";
const GROUND: &str = "#1e1e1e";

/// The colours and the weight of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a terminal sets each of them by itself"
)]
struct Style {
    text: Option<String>,
    ground: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    reversed: bool,
}

impl Style {
    /// Takes one sequence's numbers.
    fn take(&mut self, numbers: &[u32]) {
        let mut numbers = numbers.iter().copied();
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underlined = true,
                7 => self.reversed = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                27 => self.reversed = false,
                30..=37 => self.text = Some(indexed(number - 30)),
                38 => self.text = further(&mut numbers),
                39 => self.text = None,
                40..=47 => self.ground = Some(indexed(number - 40)),
                48 => self.ground = further(&mut numbers),
                49 => self.ground = None,
                90..=97 => self.text = Some(indexed(number - 82)),
                100..=107 => self.ground = Some(indexed(number - 92)),
                _ => {}
            }
        }
    }

    fn css(&self) -> String {
        let text = self.text.as_deref().unwrap_or(TEXT);
        let ground = self.ground.as_deref().unwrap_or(GROUND);
        let (text, ground) = if self.reversed {
            (ground, text)
        } else {
            (text, ground)
        };
        let mut css = format!("color:{text};background:{ground}");
        for (set, rule) in [
            (self.bold, ";font-weight:bold"),
            (self.dim, ";opacity:.65"),
            (self.italic, ";font-style:italic"),
            (self.underlined, ";text-decoration:underline"),
        ] {
            if set {
                css.push_str(rule);
            }
        }
        css
    }
}

/// `5;N` or `2;R;G;B`.
fn further(numbers: &mut impl Iterator<Item = u32>) -> Option<String> {
    match numbers.next()? {
        5 => Some(indexed(numbers.next()?)),
        2 => {
            let mut next = || numbers.next().map(|n| n & 0xff);
            let (r, g, b) = (next()?, next()?, next()?);
            Some(format!("#{r:02x}{g:02x}{b:02x}"))
        }
        _ => None,
    }
}

/// Of the 256: sixteen named, a cube of 6 x 6 x 6, greys.
fn indexed(n: u32) -> String {
    match n {
        0..16 => NAMED[n as usize].to_owned(),
        16..232 => {
            let level = |n: u32| if n == 0 { 0 } else { 55 + 40 * n };
            let (r, g, b) = ((n - 16) / 36, (n - 16) / 6 % 6, (n - 16) % 6);
            format!("#{:02x}{:02x}{:02x}", level(r), level(g), level(b))
        }
        _ => {
            let grey = 8 + 10 * (n.min(255) - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

/// The page.
pub(super) fn page(screen: &str) -> String {
    let mut body = String::new();
    let mut style = Style::default();
    for (n, part) in screen.trim_end().split("\u{1b}[").enumerate() {
        let text = match part.split_once('m') {
            Some((numbers, text)) if n > 0 => {
                let numbers: Vec<u32> = numbers
                    .split(';')
                    .map(|number| number.parse().unwrap_or(0))
                    .collect();
                style.take(&numbers);
                text
            }
            _ => part,
        };
        // tmux shifts to other character sets and back: not shown.
        let text = text.replace(['\u{e}', '\u{f}'], "");
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        if !text.is_empty() {
            let _ = write!(body, "<span style=\"{}\">{text}</span>", style.css());
        }
    }
    format!(
        "<!doctype html><meta \
         charset=\"utf-8\"><style>body{{margin:0;background:{GROUND}}}pre{{margin:0;padding:10px \
         12px;display:inline-block;font:14px/16px 'DejaVu Sans \
         Mono',monospace}}</style><pre>{body}</pre>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_styles_and_text_stays_text() {
        let html = page(
            "a<b\u{1b}[1;31mred\u{1b}[0m\u{1b}[38;2;1;2;255mrgb\u{1b}[48;5;232;7mx\u{1b}[39;49;27my",
        );
        assert!(html.contains("a&lt;b</span>"), "{html}");
        let has = |style: &str, text: &str| {
            let span = format!("<span style=\"{style}\">{text}</span>");
            assert!(html.contains(&span), "{span} in {html}");
        };
        has("color:#e06c75;background:#1e1e1e;font-weight:bold", "red");
        has("color:#0102ff;background:#1e1e1e", "rgb");
        has("color:#080808;background:#0102ff", "x");
        has("color:#d0d0d0;background:#1e1e1e", "y");
        assert_eq!(indexed(196), "#ff0000");
        assert_eq!(indexed(255), "#eeeeee");
    }
}
