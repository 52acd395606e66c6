//! Colours of parts and of text, or letters where there are no colours.

use ratatui::{
    style::{Color, Modifier, Style},
    text::Span,
};

use crate::domain::{Part, units::human_name};

/// The styles of the live view, with colours or without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) colour: bool,
}

impl Palette {
    /// The character that fills a part's area.
    pub(super) const fn fill(self, part: Part) -> &'static str {
        if self.colour {
            "\u{2588}"
        } else {
            letter(part)
        }
    }

    /// A part's colour.
    pub(super) fn part(self, part: Part) -> Style {
        self.in_colour(match part {
            Part::Network => Color::Blue,
            Part::OnCpu => Color::Green,
            Part::RunQueue => Color::Yellow,
            Part::Throttle => Color::Magenta,
            Part::LockWait => Color::Red,
            Part::Blocked => Color::Cyan,
            Part::Unknown => Color::DarkGray,
        })
    }

    /// Text of what is healthy.
    pub(super) fn good(self) -> Style {
        self.in_colour(Color::Green).add_modifier(Modifier::BOLD)
    }

    /// Text of what needs attention.
    pub(super) fn alarm(self) -> Style {
        self.in_colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Text of what limits the figures.
    pub(super) fn warn(self) -> Style {
        self.in_colour(Color::Yellow)
    }

    /// Text of minor importance.
    #[expect(
        clippy::unused_self,
        reason = "the same with colours and without, and used as the other styles are"
    )]
    pub(super) const fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Headings.
    #[expect(
        clippy::unused_self,
        reason = "the same with colours and without, and used as the other styles are"
    )]
    pub(super) const fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The fill of each part, with its name.
    pub(super) fn legend(self) -> Vec<Span<'static>> {
        Part::ALL
            .into_iter()
            .flat_map(|part| {
                [
                    Span::styled(self.fill(part), self.part(part)),
                    Span::raw(format!(" {}  ", human_name(part.name()))),
                ]
            })
            .collect()
    }

    fn in_colour(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}

const fn letter(part: Part) -> &'static str {
    match part {
        Part::Network => "N",
        Part::OnCpu => "C",
        Part::RunQueue => "R",
        Part::Throttle => "T",
        Part::LockWait => "L",
        Part::Blocked => "B",
        Part::Unknown => "?",
    }
}
