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
    MAX_SLEEP, PlaybackSpeed, ReplayConfig, ReplayError, UPDATES_PER_YIELD,
    control::{NextDue, PlaybackControl},
    open,
    playback::Playback,
    report_lost, report_truncated,
};
use crate::{
    domain::{Moment, Update},
    model::Summary,
    outputs::top::{
        MIN_REDRAW_INTERVAL, PlaybackCommand, PlaybackStatus, Screen, ScreenConfig, ScreenData,
    },
    recording::{ReadError, RecordingHeader, RecordingReader},
    signals::StopSignals,
};

/// Keys that wait to be obeyed; more are dropped.
const MAX_PENDING_KEYS: usize = 64;

/// Plays a recording in the live view, as keys ask for it.
pub(super) struct LiveViewPlayer<'a> {
    config: &'a ReplayConfig,
    header: RecordingHeader,
    reader: RecordingReader,
    playback: Playback,
    control: PlaybackControl,
    /// The update to publish next; `None` at the end.
    next: Option<(Moment, Update)>,
    /// The summary of the whole recording, once its end was reached.
    summary: Option<Summary>,
    /// The last damage that was met.
    damage: Option<ReadError>,
    /// When the recording ends, nanoseconds since 1970 UTC; 0 while that is being determined.
    until_ns: Arc<AtomicI64>,
    screen: Screen,
    commands: mpsc::Receiver<PlaybackCommand>,
    /// The screen does not show what the model holds.
    stale: bool,
    /// When the screen was drawn last.
    drawn_at: Option<Instant>,
}

impl<'a> LiveViewPlayer<'a> {
    /// Takes the terminal.
    pub(super) fn new(
        config: &'a ReplayConfig,
        reader: RecordingReader,
        playback: Playback,
    ) -> Result<Self, ReplayError> {
        let header = reader.header().clone();
        let speed = config.speed.unwrap_or(PlaybackSpeed::Times(1.0));
        let (keys, commands) = mpsc::channel(MAX_PENDING_KEYS);
        let screen = Screen::open(ScreenConfig {
            target: header.target.clone(),
            commands: Some(keys),
            #[cfg(feature = "fault-injection")]
            panics: false,
        })
        .map_err(ReplayError::Screen)?;
        Ok(Self {
            config,
            reader,
            playback,
            control: PlaybackControl::new(speed, header.from),
            header,
            next: None,
            summary: None,
            damage: None,
            until_ns: determine_end(config.file.clone()),
            screen,
            commands,
            stale: true,
            drawn_at: None,
        })
    }

    /// Plays until the view is left or a signal comes; returns the last damage that was met.
    pub(super) async fn play(
        mut self,
        signals: &mut StopSignals,
    ) -> Result<Option<ReadError>, ReplayError> {
        let played = self.play_until_left(signals).await;
        let closed = self.screen.close().await;
        played?;
        report_lost(self.reader.lost());
        let summary = match self.summary {
            Some(summary) => summary,
            None => self.playback.end(self.control.position())?,
        };
        self.playback.finish(&summary)?;
        closed.map_err(ReplayError::Screen)?;
        Ok(self.damage)
    }

    async fn play_until_left(&mut self, signals: &mut StopSignals) -> Result<(), ReplayError> {
        let mut published = 0_u64;
        self.advance()?;
        loop {
            let was_seeking = self.control.is_seeking();
            let due = match &self.next {
                Some((next, _)) => self.control.due(*next, self.playback.intervals()),
                None => NextDue::AfterKey,
            };
            if was_seeking && !self.control.is_seeking() {
                self.refresh();
            }
            let wake = match due {
                NextDue::Now => {
                    published += 1;
                    if !published.is_multiple_of(UPDATES_PER_YIELD) {
                        self.publish_next()?;
                        continue;
                    }
                    // Scrapes, signals and keys get their turn.
                    Instant::now()
                }
                NextDue::At(at) => at,
                NextDue::AfterKey => Instant::now() + MAX_SLEEP,
            };
            self.playback.heartbeat().beat();
            let wake = wake.min(Instant::now() + MAX_SLEEP);
            let wake = self.show().map_or(wake, |again| wake.min(again));
            tokio::select! {
                biased;
                () = signals.any() => return Ok(()),
                () = self.screen.left() => return Ok(()),
                Some(command) = self.commands.recv() => self.obey(command)?,
                () = sleep_until(wake) => {
                    if due.has_come() {
                        self.publish_next()?;
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: PlaybackCommand) -> Result<(), ReplayError> {
        self.refresh();
        if self
            .control
            .obey(command, self.header.from, self.playback.intervals())
        {
            self.reader = open(self.config)?;
            self.playback.begin(&self.header);
            self.summary = None;
            self.advance()?;
        }
        Ok(())
    }

    /// The screen is drawn again at once, however short ago that was.
    fn refresh(&mut self) {
        self.stale = true;
        self.drawn_at = None;
    }

    /// Publishes the next update.
    fn publish_next(&mut self) -> Result<(), ReplayError> {
        let Some((now, update)) = self.next.take() else {
            return Ok(());
        };
        let intervals = self.playback.intervals();
        self.playback.publish(now, update)?;
        self.control.published(now);
        self.stale |= intervals != self.playback.intervals();
        self.advance()
    }

    /// Reads the next update.
    fn advance(&mut self) -> Result<(), ReplayError> {
        loop {
            match self.reader.next() {
                Some(Ok(next)) => {
                    self.next = Some(next);
                    return Ok(());
                }
                Some(Err(error @ ReadError::Truncated { .. })) => report_truncated(&error),
                Some(Err(error)) => self.damage = Some(error),
                None => break,
            }
        }
        if self.summary.is_none() {
            self.summary = Some(self.playback.end(self.reader.until())?);
            self.control.published(self.reader.until());
        }
        self.control.ended();
        self.stale = true;
        Ok(())
    }

    /// Brings the screen up to date. Returns when that can be done, if it is too early.
    fn show(&mut self) -> Option<Instant> {
        if !self.stale {
            return None;
        }
        if let Some(again) = self.drawn_at.map(|at| at + MIN_REDRAW_INTERVAL)
            && again > Instant::now()
        {
            return Some(again);
        }
        let mut view = ScreenData::of(&self.playback.lock(), &self.header.target);
        view.ended = self.summary.is_some();
        let until_ns = self.until_ns.load(Ordering::Relaxed);
        view.playback = Some(PlaybackStatus {
            begin_ns: self.header.from.utc_ns,
            position_ns: self.control.position().utc_ns,
            end_ns: (until_ns != 0).then_some(until_ns),
            speed: match self.control.speed() {
                PlaybackSpeed::Times(times) => Some(times),
                PlaybackSpeed::Max => None,
            },
            paused: self.control.paused(),
            seeking: self.control.is_seeking(),
        });
        self.screen.show(view);
        self.drawn_at = Some(Instant::now());
        self.stale = false;
        None
    }
}

/// Reads to the end on a thread of its own, to know how long the recording is.
fn determine_end(path: PathBuf) -> Arc<AtomicI64> {
    let found = Arc::new(AtomicI64::new(0));
    let to_set = Arc::clone(&found);
    // Without the thread the length is not shown.
    let _spawned = std::thread::Builder::new()
        .name("tag52-end".to_owned())
        .spawn(move || {
            let Ok(mut reader) = RecordingReader::open(&path) else {
                return;
            };
            reader.by_ref().for_each(drop);
            to_set.store(reader.until().utc_ns, Ordering::Relaxed);
        });
    found
}
