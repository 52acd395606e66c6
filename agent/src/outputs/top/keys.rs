//! What the keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{page::Page, playback::PlaybackCommand};

/// The line of keys of a live run.
pub(super) const KEY_LINE: &str =
    "\u{2191}\u{2193} select  Enter open  Esc back  1-4 pages  t total  p pause  ? help  q quit";

/// The line of keys of a replay.
pub(super) const KEY_LINE_REPLAY: &str = "\u{2191}\u{2193} select  1-4 pages  Space pause  n step  \u{2190}\u{2192} 10s  +- speed  ? help  q quit";

/// Every key and what it does.
pub(super) const KEYS: [(&str, &str); 7] = [
    ("\u{2191} \u{2193} k j", "select a session"),
    ("Enter, Esc", "the session's page; back to all sessions"),
    (
        "1 2 3 4, Tab",
        "sessions, session, threads, cgroup; the next page",
    ),
    ("t", "figures of the last interval, or since the start"),
    (
        "p, Space",
        "pause the view (the measurement goes on), or a replay",
    ),
    ("?", "this help, and back"),
    ("q, Ctrl-C", "quit; the summary is printed"),
];

/// Every key that only a replay has.
pub(super) const KEYS_REPLAY: [(&str, &str); 3] = [
    ("n", "to the end of the interval, then pause"),
    (
        "\u{2190}\u{2192} PgUp/Dn Home End",
        "10 seconds, a minute, all the way back or forward",
    ),
    ("- +", "slower, faster (0.1 to 100 times, then max)"),
];

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyAction {
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
    /// The help, or back.
    Help,
    /// The other [`FigureScope`](super::data::FigureScope).
    Scope,
    /// Pause, or go on.
    Pause,
    /// A command to the replay.
    Play(PlaybackCommand),
    /// Close the view.
    Quit,
}

/// What a key asks for; `None` when it has no meaning. Some keys only have one in a replay.
pub(super) fn action(key: KeyEvent, is_replay: bool) -> Option<KeyAction> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // The terminal is raw: it makes no signal of Ctrl-C.
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(KeyAction::Quit);
    }
    if is_replay && let Some(command) = playback_command(key.code) {
        return Some(KeyAction::Play(command));
    }
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => KeyAction::Up,
        KeyCode::Down | KeyCode::Char('j') => KeyAction::Down,
        KeyCode::Enter => KeyAction::Open,
        KeyCode::Esc | KeyCode::Backspace => KeyAction::Back,
        KeyCode::Tab => KeyAction::Next,
        KeyCode::BackTab => KeyAction::Previous,
        KeyCode::Char('1') => KeyAction::Show(Page::Sessions),
        KeyCode::Char('2') => KeyAction::Show(Page::Session),
        KeyCode::Char('3') => KeyAction::Show(Page::Threads),
        KeyCode::Char('4') => KeyAction::Show(Page::Cgroup),
        KeyCode::Char('?' | 'h') => KeyAction::Help,
        KeyCode::Char('t') => KeyAction::Scope,
        KeyCode::Char('p' | ' ') => KeyAction::Pause,
        KeyCode::Char('q') => KeyAction::Quit,
        _ => return None,
    })
}

const fn playback_command(code: KeyCode) -> Option<PlaybackCommand> {
    Some(match code {
        KeyCode::Char('p' | ' ') => PlaybackCommand::Pause,
        KeyCode::Char('n' | '.') => PlaybackCommand::Step,
        KeyCode::Right => PlaybackCommand::Seek(10),
        KeyCode::Left => PlaybackCommand::Seek(-10),
        KeyCode::PageDown => PlaybackCommand::Seek(60),
        KeyCode::PageUp => PlaybackCommand::Seek(-60),
        KeyCode::Home | KeyCode::Char('g') => PlaybackCommand::Begin,
        KeyCode::End | KeyCode::Char('G') => PlaybackCommand::End,
        KeyCode::Char('+' | '=') => PlaybackCommand::Faster,
        KeyCode::Char('-') => PlaybackCommand::Slower,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_what_their_line_says() {
        let of = |code| action(KeyEvent::new(code, KeyModifiers::NONE), false);
        assert_eq!(of(KeyCode::Char('j')), Some(KeyAction::Down));
        assert_eq!(of(KeyCode::Up), Some(KeyAction::Up));
        assert_eq!(of(KeyCode::Enter), Some(KeyAction::Open));
        assert_eq!(of(KeyCode::Esc), Some(KeyAction::Back));
        assert_eq!(of(KeyCode::Char('4')), Some(KeyAction::Show(Page::Cgroup)));
        assert_eq!(of(KeyCode::Char('p')), Some(KeyAction::Pause));
        assert_eq!(of(KeyCode::Char('q')), Some(KeyAction::Quit));
        assert_eq!(of(KeyCode::Char('x')), None);
        assert_eq!(of(KeyCode::Right), None);
        let control = |c| action(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL), true);
        assert_eq!(control('c'), Some(KeyAction::Quit));
        assert_eq!(control('q'), None);
    }

    #[test]
    fn a_replay_has_keys_of_its_own() {
        let of = |code| action(KeyEvent::new(code, KeyModifiers::NONE), true);
        let play = |command| Some(KeyAction::Play(command));
        assert_eq!(of(KeyCode::Char('p')), play(PlaybackCommand::Pause));
        assert_eq!(of(KeyCode::Char('n')), play(PlaybackCommand::Step));
        assert_eq!(of(KeyCode::Left), play(PlaybackCommand::Seek(-10)));
        assert_eq!(of(KeyCode::End), play(PlaybackCommand::End));
        assert_eq!(of(KeyCode::Char('j')), Some(KeyAction::Down));
        assert_eq!(of(KeyCode::Char('q')), Some(KeyAction::Quit));
    }
}
