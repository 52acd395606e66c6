//! What the keys have chosen.

use super::{
    data::{FigureScope, ScreenData, SessionView},
    keys::KeyAction,
};
use crate::model::SessionName;

/// A page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// All sessions.
    #[default]
    Sessions,
    /// One of them.
    Session,
    /// The threads of its process.
    Threads,
    /// The cgroups of its process, and the agent itself.
    Cgroup,
}

impl Page {
    /// Every page, in the order of their numbers, from 1 on.
    pub const ALL: [Self; 4] = [Self::Sessions, Self::Session, Self::Threads, Self::Cgroup];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Session => "session",
            Self::Threads => "threads",
            Self::Cgroup => "cgroup",
        }
    }

    const fn turned(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// What is shown of a view, and how.
#[derive(Clone, Debug, Default)]
pub struct ScreenState {
    /// The page.
    pub page: Page,
    /// The view stands still.
    pub paused: bool,
    /// What the keys mean is shown instead of the page.
    pub help: bool,
    /// From when on figures count.
    pub scope: FigureScope,
    /// Whether to use colours; without, parts are told apart by letters.
    pub colour: bool,
    selected: Option<SessionName>,
}

impl ScreenState {
    /// The first page.
    #[must_use]
    pub fn new(colour: bool) -> Self {
        Self {
            colour,
            ..Self::default()
        }
    }

    /// Where the selected session is: the first when that one is gone, or none was chosen.
    #[must_use]
    pub fn index(&self, view: &ScreenData) -> usize {
        let chosen = self.selected.as_ref();
        chosen
            .and_then(|name| view.sessions.iter().position(|s| s.name == *name))
            .unwrap_or(0)
    }

    /// The selected session; `None` without any.
    #[must_use]
    pub fn session<'a>(&self, view: &'a ScreenData) -> Option<&'a SessionView> {
        view.sessions.get(self.index(view))
    }

    /// Follows a key; [`KeyAction::Quit`] and [`KeyAction::Play`] are the caller's.
    pub(super) fn follow(&mut self, action: KeyAction, view: &ScreenData) {
        let helped = std::mem::replace(&mut self.help, false);
        match action {
            KeyAction::Help => self.help = !helped,
            // The first key only puts the help away.
            KeyAction::Back if helped => {}
            KeyAction::Scope => {
                self.scope = match self.scope {
                    FigureScope::LatestInterval => FigureScope::SinceStart,
                    FigureScope::SinceStart => FigureScope::LatestInterval,
                }
            }
            KeyAction::Up => self.select(view, self.index(view).saturating_sub(1)),
            KeyAction::Down => self.select(view, self.index(view) + 1),
            KeyAction::Open => {
                // It stays the selected one when others come before it.
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
