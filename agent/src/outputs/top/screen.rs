//! The live view on a terminal, drawn by a thread of its own.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{self, Event},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use tokio::sync::{mpsc, watch};

use super::{
    data::ScreenData,
    draw::draw,
    keys::{KeyAction, action},
    playback::PlaybackCommand,
    state::ScreenState,
    stderr_buffer::StderrBuffer,
};
use crate::outputs::text::TextStyle;

/// The shortest time between two drawings.
pub(crate) const MIN_REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// How often the thread checks for new data and keys.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long closing may take: a terminal that takes no output must not hold up the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a screen begins with.
#[derive(Debug, Default)]
pub(crate) struct ScreenConfig {
    /// What is watched, in words: `pid 4711`.
    pub(crate) target: String,
    /// Where commands to the replay go; `None` in a live run.
    pub(crate) commands: Option<mpsc::Sender<PlaybackCommand>>,
    /// For tests: the thread of the screen panics after some drawings.
    #[cfg(feature = "fault-injection")]
    pub(crate) panics: bool,
}

/// The live view on the terminal. Dropping it restores the terminal, after a panic too.
#[derive(Debug)]
pub(crate) struct Screen {
    shared: Arc<Shared>,
    quit: watch::Receiver<()>,
    thread: Option<JoinHandle<io::Result<()>>>,
    last_shown: Option<Instant>,
    // Dropped after the thread was joined in `drop`.
    stderr: Option<StderrBuffer>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The latest data, until it is taken.
    view: Mutex<Option<ScreenData>>,
    close: AtomicBool,
}

impl Screen {
    /// Takes the terminal and begins to draw.
    ///
    /// # Errors
    /// When the terminal cannot be read, or refuses raw mode or its other screen.
    pub(crate) fn open(config: ScreenConfig) -> io::Result<Self> {
        let terminal = RawTerminal::open()?;
        let stderr = StderrBuffer::begin()?;
        let shared = Arc::new(Shared::default());
        *shared.slot() = Some(ScreenData {
            target: config.target.clone(),
            ..ScreenData::default()
        });
        let state = ScreenState::new(TextStyle::of_stdout() == TextStyle::Colour);
        let (alive, quit) = watch::channel(());
        let thread = std::thread::Builder::new().name("tag52-top".to_owned());
        let shared_by_thread = Arc::clone(&shared);
        let thread = thread.spawn(move || {
            // Dropped at the end, whatever that is.
            let _alive = alive;
            run(terminal, &shared_by_thread, &config, state)
        })?;
        Ok(Self {
            shared,
            quit,
            thread: Some(thread),
            last_shown: None,
            stderr,
        })
    }

    /// Whether new data would be drawn at once: at least [`MIN_REDRAW_INTERVAL`] since the last.
    pub(crate) fn is_due(&self) -> bool {
        self.last_shown
            .is_none_or(|at| at.elapsed() >= MIN_REDRAW_INTERVAL)
    }

    /// Shows this data from now on.
    pub(crate) fn show(&mut self, view: ScreenData) {
        self.last_shown = Some(Instant::now());
        *self.shared.slot() = Some(view);
    }

    /// Returns when the user has quit, or the screen has failed.
    pub(crate) async fn left(&mut self) {
        while self.quit.changed().await.is_ok() {}
    }

    /// Restores the terminal, unless that takes longer than two seconds.
    ///
    /// # Errors
    /// The failure that ended the screen.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.shared.close.store(true, Ordering::Relaxed);
        let ended = tokio::time::timeout(CLOSE_TIMEOUT, self.left())
            .await
            .is_ok();
        match self.thread.take() {
            Some(thread) if ended => {
                let ended = thread.join();
                self.stderr = None;
                ended
                    .unwrap_or_else(|_| Err(io::Error::other("the thread that draws has panicked")))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.shared.close.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic has printed its message.
            let _ended = thread.join();
        }
        self.stderr = None;
    }
}

impl Shared {
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<ScreenData>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The terminal in raw mode on its alternate screen; restored when dropped.
struct RawTerminal(DefaultTerminal);

impl RawTerminal {
    fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        let opened = execute!(io::stdout(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        opened.map(Self).inspect_err(|_| restore())
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal as far as it still takes output.
fn restore() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

fn run(
    mut terminal: RawTerminal,
    shared: &Shared,
    config: &ScreenConfig,
    mut state: ScreenState,
) -> io::Result<()> {
    let mut view = ScreenData::default();
    let mut drawn: Option<Instant> = None;
    #[cfg(feature = "fault-injection")]
    let mut drawings = 0;
    let mut stale = true;
    while !shared.close.load(Ordering::Relaxed) {
        let next = shared.slot().take();
        if let Some(next) = next {
            // The end is shown even when the view is paused.
            stale |= !state.paused || (next.ended && !view.ended);
            if state.paused {
                view.ended |= next.ended;
                shared.slot().get_or_insert(next);
            } else {
                view = next;
            }
        }
        let due = drawn.is_none_or(|at| at.elapsed() >= MIN_REDRAW_INTERVAL);
        if stale && due {
            terminal.0.draw(|frame| draw(frame, &view, &state))?;
            drawn = Some(Instant::now());
            stale = false;
            #[cfg(feature = "fault-injection")]
            {
                drawings += 1;
                assert!(!config.panics || drawings < 3, "a panic was asked for");
            }
        }
        let mut wait = POLL_INTERVAL;
        while event::poll(wait)? {
            wait = Duration::ZERO;
            match event::read()? {
                Event::Key(key) => match action(key, config.commands.is_some()) {
                    Some(KeyAction::Quit) => return Ok(()),
                    Some(KeyAction::Play(command)) => {
                        if let Some(player) = &config.commands {
                            // More keys than it can follow: the rest is dropped.
                            let _full = player.try_send(command);
                        }
                        // A key has its effect at once.
                        drawn = None;
                    }
                    Some(action) => {
                        state.apply(action, &view);
                        stale = true;
                        drawn = None;
                    }
                    None => {}
                },
                Event::Resize(..) => {
                    stale = true;
                    drawn = None;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
