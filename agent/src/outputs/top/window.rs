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
use tokio::sync::watch;

use super::{
    draw::draw,
    held::HeldErrors,
    keys::{Action, action},
    state::State,
    view::View,
};
use crate::outputs::terminal::Style;

/// The least time between two drawings.
pub const FRAME: Duration = Duration::from_millis(250);

/// How often the thread looks whether there is something new.
const LOOK: Duration = Duration::from_millis(50);

/// The live view on the terminal. It gives the terminal back when dropped, a panic included.
#[derive(Debug)]
pub struct Window {
    shared: Arc<Shared>,
    left: watch::Receiver<()>,
    thread: Option<JoinHandle<io::Result<()>>>,
    // Dropped after the thread was joined in `drop`.
    held: Option<HeldErrors>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The latest view, until it is taken.
    view: Mutex<Option<View>>,
    close: AtomicBool,
}

impl Window {
    /// Takes the terminal; `watched` names the target.
    ///
    /// # Errors
    /// When the terminal cannot be read, or does not do as it is told.
    pub fn open(watched: &str) -> io::Result<Self> {
        let canvas = Canvas::open()?;
        let held = HeldErrors::begin()?;
        let shared = Arc::new(Shared::default());
        *shared.slot() = Some(View {
            watched: watched.to_owned(),
            ..View::default()
        });
        let state = State::new(Style::of_stdout() == Style::Colour);
        let (alive, left) = watch::channel(());
        let thread = std::thread::Builder::new().name("tag52-top".to_owned());
        let its = Arc::clone(&shared);
        let thread = thread.spawn(move || {
            // Dropped at the end, whatever that is.
            let _alive = alive;
            work(canvas, &its, state)
        })?;
        Ok(Self {
            shared,
            left,
            thread: Some(thread),
            held,
        })
    }

    /// Shows this from now on.
    pub fn show(&self, view: View) {
        *self.shared.slot() = Some(view);
    }

    /// Until the user has left, or the window cannot go on.
    pub async fn left(&mut self) {
        while self.left.changed().await.is_ok() {}
    }

    /// Gives the terminal back; waits for at most `grace`, as the terminal may take no output.
    ///
    /// # Errors
    /// What made the window end.
    pub async fn close(mut self, grace: Duration) -> io::Result<()> {
        self.shared.close.store(true, Ordering::Relaxed);
        let ended = tokio::time::timeout(grace, self.left()).await.is_ok();
        match self.thread.take() {
            Some(thread) if ended => thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("it has panicked"))),
            _ => Ok(()),
        }
    }
}

impl Drop for Window {
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
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<View>> {
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

fn work(mut canvas: Canvas, shared: &Shared, mut state: State) -> io::Result<()> {
    let mut view = View::default();
    let mut drawn: Option<Instant> = None;
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
        let due = drawn.is_none_or(|at| at.elapsed() >= FRAME);
        if stale && due {
            canvas.0.draw(|frame| draw(frame, &view, &state))?;
            drawn = Some(Instant::now());
            stale = false;
        }
        let mut wait = LOOK;
        while event::poll(wait)? {
            wait = Duration::ZERO;
            match event::read()? {
                Event::Key(key) => match action(key) {
                    Some(Action::Quit) => return Ok(()),
                    Some(action) => {
                        state.follow(action, &view);
                        stale = true;
                    }
                    None => {}
                },
                Event::Resize(..) => stale = true,
                _ => {}
            }
        }
    }
    Ok(())
}
