//! What the keys have chosen.

use super::{
    data::{FigureScope, ScreenData, SessionView},
    keys::KeyAction,
    page::Page,
};
use crate::model::SessionName;

/// What is shown of the data, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct ScreenState {
    /// The page.
    pub(super) page: Page,
    /// The view is paused; the measurement goes on.
    pub(super) paused: bool,
    /// The help is shown instead of the page.
    pub(super) help: bool,
    /// The time that figures cover.
    pub(super) scope: FigureScope,
    /// Whether parts have colours; otherwise they have letters.
    pub(super) colour: bool,
    selected: Option<SessionName>,
}

impl ScreenState {
    /// The first page, nothing selected.
    pub(super) fn new(colour: bool) -> Self {
        Self {
            colour,
            ..Self::default()
        }
    }

    /// The index of the selected session: the first one when that is gone, or none was selected.
    pub(super) fn index(&self, view: &ScreenData) -> usize {
        self.selected
            .as_ref()
            .and_then(|name| view.sessions.iter().position(|s| s.name == *name))
            .unwrap_or(0)
    }

    /// The selected session; `None` without any.
    pub(super) fn session<'a>(&self, view: &'a ScreenData) -> Option<&'a SessionView> {
        view.sessions.get(self.index(view))
    }

    /// Does what a key asks for. [`KeyAction::Quit`] and [`KeyAction::Play`] are the caller's.
    pub(super) fn apply(&mut self, action: KeyAction, view: &ScreenData) {
        let help_shown = std::mem::replace(&mut self.help, false);
        match action {
            KeyAction::Help => self.help = !help_shown,
            // The first Esc only closes the help.
            KeyAction::Back if help_shown => {}
            KeyAction::Scope => {
                self.scope = match self.scope {
                    FigureScope::LatestInterval => FigureScope::SinceStart,
                    FigureScope::SinceStart => FigureScope::LatestInterval,
                }
            }
            KeyAction::Up => self.select(view, self.index(view).saturating_sub(1)),
            KeyAction::Down => self.select(view, self.index(view) + 1),
            KeyAction::Open => {
                // It stays selected when others come before it.
                self.select(view, self.index(view));
                self.page = Page::Session;
            }
            KeyAction::Back => self.page = Page::Sessions,
            KeyAction::Next => self.page = self.page.turned(1),
            KeyAction::Previous => self.page = self.page.turned(Page::ALL.len() - 1),
            KeyAction::Show(page) => self.page = page,
            KeyAction::Pause => self.paused = !self.paused,
            KeyAction::Play(_) | KeyAction::Quit => {}
        }
    }

    fn select(&mut self, view: &ScreenData, index: usize) {
        let last = view.sessions.len().saturating_sub(1);
        self.selected = view.sessions.get(index.min(last)).map(|s| s.name.clone());
    }
}
