//! A replay in the live view.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    NAP, ReplayError, TURN,
    config::{PlaybackSpeed, ReplayConfig},
    control::{Deck, When},
    open,
    playback::Stage,
    say_lost,
};
use crate::{
    domain::{Moment, Update},
    model::Summary,
    outputs::top::{
        MIN_REDRAW_INTERVAL, PlaybackCommand, PlaybackStatus, Screen, ScreenConfig, ScreenData,
    },
    recording::{Header, ReadError, Reader},
    signals::StopSignals,
};

/// Keys on their way, at the most: more are dropped.
const KEYS: usize = 64;

/// Plays a recording as keys ask for it.
pub(super) struct Player<'a> {
    config: &'a ReplayConfig,
    header: Header,
    reader: Reader,
    stage: Stage,
    deck: Deck,
    /// What is to be told next; `None` at the end.
    next: Option<(Moment, Update)>,
    /// What there is to tell at the end, once that was reached.
    summary: Option<Summary>,
    damaged: Option<ReadError>,
    /// When the recording ends, nanoseconds since 1970 UTC; 0 while that is being looked for.
    until_ns: Arc<AtomicI64>,
    window: Screen,
    commands: mpsc::Receiver<PlaybackCommand>,
    /// The view on the window is not what the model holds.
    stale: bool,
    shown: Option<Instant>,
}

impl<'a> Player<'a> {
    /// Takes the terminal.
    pub(super) fn new(
        config: &'a ReplayConfig,
        reader: Reader,
        stage: Stage,
    ) -> Result<Self, ReplayError> {
        let header = reader.header().clone();
        let speed = config.speed.unwrap_or(PlaybackSpeed::Times(1.0));
        let (tell, commands) = mpsc::channel(KEYS);
        let window = Screen::open(ScreenConfig {
            target: header.watched.clone(),
            commands: Some(tell),
            #[cfg(feature = "fault-injection")]
            panics: false,
        })
        .map_err(ReplayError::Screen)?;
        Ok(Self {
            config,
            reader,
            stage,
            deck: Deck::new(speed, header.from),
            header,
            next: None,
            summary: None,
            damaged: None,
            until_ns: find_end(config.file.clone()),
            window,
            commands,
            stale: true,
            shown: None,
        })
    }

    /// Until the view is left or a signal comes; gives the last damage that was met.
    pub(super) async fn play(
        mut self,
        signals: &mut StopSignals,
    ) -> Result<Option<ReadError>, ReplayError> {
        let played = self.follow(signals).await;
        let closed = self.window.close().await;
        played?;
        say_lost(self.reader.lost());
        let summary = match self.summary {
            Some(summary) => summary,
            None => self.stage.rest(self.deck.at())?,
        };
        self.stage.finish(&summary)?;
        closed.map_err(ReplayError::Screen)?;
        Ok(self.damaged)
    }

    async fn follow(&mut self, signals: &mut StopSignals) -> Result<(), ReplayError> {
        let mut turn = 0_u64;
        self.advance()?;
        loop {
            let sought = self.deck.seeks();
            let when = match &self.next {
                Some((next, _)) => self.deck.when(*next, self.stage.intervals()),
                None => When::Held,
            };
            if sought && !self.deck.seeks() {
                self.refresh();
            }
            let wake = match when {
                When::Now => {
                    turn += 1;
                    if !turn.is_multiple_of(TURN) {
                        self.tell()?;
                        continue;
                    }
                    // Scrapes, signals and keys get their turn.
                    Instant::now()
                }
                When::At(at) => at,
                When::Held => Instant::now() + NAP,
            };
            self.stage.heartbeat().beat();
            let wake = wake.min(Instant::now() + NAP);
            let wake = self.show().map_or(wake, |again| wake.min(again));
            tokio::select! {
                biased;
                () = signals.any() => return Ok(()),
                () = self.window.left() => return Ok(()),
                Some(command) = self.commands.recv() => self.command(command)?,
                () = sleep_until(wake) => {
                    if when == When::Now || matches!(when, When::At(at) if at <= Instant::now()) {
                        self.tell()?;
                    }
                }
            }
        }
    }

    fn command(&mut self, command: PlaybackCommand) -> Result<(), ReplayError> {
        self.refresh();
        if self
            .deck
            .follow(command, self.header.from, self.stage.intervals())
        {
            self.reader = open(self.config)?;
            self.stage.begin(&self.header);
            self.summary = None;
            self.advance()?;
        }
        Ok(())
    }

    /// The next view comes at once, however fresh the one before is.
    fn refresh(&mut self) {
        self.stale = true;
        self.shown = None;
    }

    /// Tells what is next.
    fn tell(&mut self) -> Result<(), ReplayError> {
        let Some((now, update)) = self.next.take() else {
            return Ok(());
        };
        let intervals = self.stage.intervals();
        self.stage.publish(now, update)?;
        self.deck.told(now);
        self.stale |= intervals != self.stage.intervals();
        self.advance()
    }

    /// Reads what is next.
    fn advance(&mut self) -> Result<(), ReplayError> {
        loop {
            match self.reader.next() {
                Some(Ok(next)) => {
                    self.next = Some(next);
                    return Ok(());
                }
                // The usual end of a recording whose agent was killed.
                Some(Err(error @ ReadError::Truncated { .. })) => log::warn!("{error}"),
                Some(Err(error)) => self.damaged = Some(error),
                None => break,
            }
        }
        if self.summary.is_none() {
            self.summary = Some(self.stage.rest(self.reader.until())?);
            self.deck.told(self.reader.until());
        }
        self.deck.over();
        self.stale = true;
        Ok(())
    }

    /// Brings the window up to date. When it can be done, if that is too early.
    fn show(&mut self) -> Option<Instant> {
        if !self.stale {
            return None;
        }
        if let Some(again) = self.shown.map(|shown| shown + MIN_REDRAW_INTERVAL)
            && again > Instant::now()
        {
            return Some(again);
        }
        let mut view = ScreenData::of(&self.stage.lock(), &self.header.watched);
        view.ended = self.summary.is_some();
        let until_ns = self.until_ns.load(Ordering::Relaxed);
        view.playback = Some(PlaybackStatus {
            begin_ns: self.header.from.utc_ns,
            position_ns: self.deck.at().utc_ns,
            end_ns: (until_ns != 0).then_some(until_ns),
            speed: match self.deck.speed() {
                PlaybackSpeed::Times(times) => Some(times),
                PlaybackSpeed::Max => None,
            },
            paused: self.deck.paused(),
            seeking: self.deck.seeks(),
        });
        self.window.show(view);
        self.shown = Some(Instant::now());
        self.stale = false;
        None
    }
}

/// Reads to the end on a thread of its own, to know how long the recording is.
fn find_end(path: PathBuf) -> Arc<AtomicI64> {
    let found = Arc::new(AtomicI64::new(0));
    let tell = Arc::clone(&found);
    // Without it the length is not shown.
    let _unknown = std::thread::Builder::new()
        .name("tag52-end".to_owned())
        .spawn(move || {
            let Ok(mut reader) = Reader::open(&path) else {
                return;
            };
            reader.by_ref().for_each(drop);
            tell.store(reader.until().utc_ns, Ordering::Relaxed);
        });
    found
}
