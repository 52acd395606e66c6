//! What keys mean.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::Page;

/// The line that says so.
pub(super) const HELP: &str =
    "\u{2191}\u{2193} j k select  Enter open  Esc back  Tab 1-4 pages  p pause  q quit";

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The session before.
    Up,
    /// The session after.
    Down,
    /// The selected session's page.
    Open,
    /// All sessions.
    Back,
    /// The page after.
    Next,
    /// The page before.
    Previous,
    /// A page by its number.
    Show(Page),
    /// Stand still, or go on.
    Pause,
    /// The end.
    Quit,
}

/// What a key asks for; `None` when it means nothing.
pub(super) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // The terminal is raw: it makes no signal of Ctrl-C.
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Action::Quit);
    }
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => Action::Up,
        KeyCode::Down | KeyCode::Char('j') => Action::Down,
        KeyCode::Enter => Action::Open,
        KeyCode::Esc | KeyCode::Backspace => Action::Back,
        KeyCode::Tab => Action::Next,
        KeyCode::BackTab => Action::Previous,
        KeyCode::Char('1') => Action::Show(Page::Sessions),
        KeyCode::Char('2') => Action::Show(Page::Session),
        KeyCode::Char('3') => Action::Show(Page::Threads),
        KeyCode::Char('4') => Action::Show(Page::Cgroup),
        KeyCode::Char('p') => Action::Pause,
        KeyCode::Char('q') => Action::Quit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_line_says() {
        let of = |code| action(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(of(KeyCode::Char('j')), Some(Action::Down));
        assert_eq!(of(KeyCode::Up), Some(Action::Up));
        assert_eq!(of(KeyCode::Enter), Some(Action::Open));
        assert_eq!(of(KeyCode::Esc), Some(Action::Back));
        assert_eq!(of(KeyCode::Char('4')), Some(Action::Show(Page::Cgroup)));
        assert_eq!(of(KeyCode::Char('q')), Some(Action::Quit));
        assert_eq!(of(KeyCode::Char('x')), None);
        let control = |c| action(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
        assert_eq!(control('c'), Some(Action::Quit));
        assert_eq!(control('q'), None);
    }
}
