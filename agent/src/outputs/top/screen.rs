//! The terminal, drawn on by a thread of its own.

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

/// The least time between two drawings.
pub const MIN_REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// How often the thread looks whether there is something new.
const LOOK: Duration = Duration::from_millis(50);

/// How long the window may take to close: a terminal that takes no output must not hold up the end.
const GRACE: Duration = Duration::from_secs(2);

/// What a window begins with.
#[derive(Debug, Default)]
pub struct ScreenConfig {
    /// How the target is called: `pid 4711`.
    pub watched: String,
    /// Who plays the recording, when it is one.
    pub commands: Option<mpsc::Sender<PlaybackCommand>>,
    /// For tests: its thread panics after some drawings.
    #[cfg(feature = "fault-injection")]
    pub panics: bool,
}

/// The live view on the terminal. It gives the terminal back when dropped, a panic included.
#[derive(Debug)]
pub struct Screen {
    shared: Arc<Shared>,
    left: watch::Receiver<()>,
    thread: Option<JoinHandle<io::Result<()>>>,
    given: Option<Instant>,
    // Dropped after the thread was joined in `drop`.
    held: Option<StderrBuffer>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The latest view, until it is taken.
    view: Mutex<Option<ScreenData>>,
    close: AtomicBool,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When the terminal cannot be read, or does not do as it is told.
    pub fn open(setup: ScreenConfig) -> io::Result<Self> {
        let canvas = Canvas::open()?;
        let held = StderrBuffer::begin()?;
        let shared = Arc::new(Shared::default());
        *shared.slot() = Some(ScreenData {
            watched: setup.watched.clone(),
            ..ScreenData::default()
        });
        let state = ScreenState::new(TextStyle::of_stdout() == TextStyle::Colour);
        let (alive, left) = watch::channel(());
        let thread = std::thread::Builder::new().name("tag52-top".to_owned());
        let its = Arc::clone(&shared);
        let thread = thread.spawn(move || {
            // Dropped at the end, whatever that is.
            let _alive = alive;
            work(canvas, &its, &setup, state)
        })?;
        Ok(Self {
            shared,
            left,
            thread: Some(thread),
            given: None,
            held,
        })
    }

    /// Whether another view would be drawn: the one before may be too fresh.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.given
            .is_none_or(|given| given.elapsed() >= MIN_REDRAW_INTERVAL)
    }

    /// Shows this from now on.
    pub fn show(&mut self, view: ScreenData) {
        self.given = Some(Instant::now());
        *self.shared.slot() = Some(view);
    }

    /// Until the user has left, or the window cannot go on.
    pub async fn left(&mut self) {
        while self.left.changed().await.is_ok() {}
    }

    /// Gives the terminal back, unless that takes longer than two seconds.
    ///
    /// # Errors
    /// What made the window end.
    pub async fn close(&mut self) -> io::Result<()> {
        self.shared.close.store(true, Ordering::Relaxed);
        let ended = tokio::time::timeout(GRACE, self.left()).await.is_ok();
        match self.thread.take() {
            Some(thread) if ended => {
                let ended = thread.join();
                self.held = None;
                ended.unwrap_or_else(|_| Err(io::Error::other("it has panicked")))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.shared.close.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic was told by itself.
            let _ended = thread.join();
        }
        self.held = None;
    }
}

impl Shared {
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<ScreenData>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The terminal in raw mode on its other screen; as it was when dropped.
struct Canvas(DefaultTerminal);

impl Canvas {
    fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        let opened = execute!(io::stdout(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        opened.map(Self).inspect_err(|_| give_back())
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        give_back();
    }
}

/// As far as the terminal still listens.
fn give_back() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

fn work(
    mut canvas: Canvas,
    shared: &Shared,
    setup: &ScreenConfig,
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
            // What ends the view is shown even when it is paused.
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
            canvas.0.draw(|frame| draw(frame, &view, &state))?;
            drawn = Some(Instant::now());
            stale = false;
            #[cfg(feature = "fault-injection")]
            {
                drawings += 1;
                assert!(!setup.panics || drawings < 3, "a panic was asked for");
            }
        }
        let mut wait = LOOK;
        while event::poll(wait)? {
            wait = Duration::ZERO;
            match event::read()? {
                Event::Key(key) => match action(key, setup.commands.is_some()) {
                    Some(KeyAction::Quit) => return Ok(()),
                    Some(KeyAction::Play(command)) => {
                        if let Some(player) = &setup.commands {
                            // More keys than it can follow: the rest is dropped.
                            let _full = player.try_send(command);
                        }
                        // The key is felt at once.
                        drawn = None;
                    }
                    Some(action) => {
                        state.follow(action, &view);
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
