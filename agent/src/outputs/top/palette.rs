//! How parts look: colours, or letters where there are none.

use ratatui::{
    style::{Color, Modifier, Style},
    text::Span,
};

use crate::domain::{Part, units::human_name};

/// With colours or without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) colour: bool,
}

impl Palette {
    /// What a part's area is filled with.
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

    /// What is as it should be.
    pub(super) fn good(self) -> Style {
        self.in_colour(Color::Green).add_modifier(Modifier::BOLD)
    }

    /// What wants attention.
    pub(super) fn alarm(self) -> Style {
        self.in_colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What is worth a look.
    pub(super) fn warn(self) -> Style {
        self.in_colour(Color::Yellow)
    }

    /// What stands back.
    pub(super) const fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Headings.
    pub(super) const fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Which fill is which part.
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
