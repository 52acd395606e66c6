//! A replay in lines, as a run without the live view prints them.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    MAX_SLEEP, PlaybackSpeed, ReplayConfig, ReplayError, UPDATES_PER_YIELD, playback::Playback,
    report_lost, report_truncated,
};
use crate::{
    domain::Moment,
    outputs::{Heartbeat, OutputError},
    recording::{ReadError, RecordingReader},
    signals::StopSignals,
};

/// Plays to the end and returns the last damage that was met. With `metrics` it stays until a
/// signal comes.
pub(super) async fn play(
    config: &ReplayConfig,
    mut reader: RecordingReader,
    mut playback: Playback,
    signals: &mut StopSignals,
    metrics: bool,
) -> Result<Option<ReadError>, ReplayError> {
    let speed = config.speed.unwrap_or(PlaybackSpeed::Max);
    let pace = Pace::new(reader.header().from, speed);
    let played = tokio::select! {
        biased;
        () = signals.any() => None,
        played = publish_all(&mut reader, &mut playback, &pace) => Some(played?),
    };
    let interrupted = played.is_none();
    report_lost(reader.lost());
    let summary = playback.end(reader.until())?;
    playback.finish(&summary)?;
    if metrics && !interrupted {
        log::info!("the recording has ended; its metrics are served until Ctrl-C");
        tokio::select! {
            () = signals.any() => {}
            () = playback.stay_alive() => {}
        }
    }
    Ok(played.flatten())
}

/// Publishes every update and returns the last damage that was met.
async fn publish_all(
    reader: &mut RecordingReader,
    playback: &mut Playback,
    pace: &Pace,
) -> Result<Option<ReadError>, OutputError> {
    let mut damage = None;
    let mut read = 0_u64;
    for next in reader {
        match next {
            Ok((now, update)) => {
                pace.wait(now, playback.heartbeat()).await;
                playback.publish(now, update)?;
            }
            Err(error @ ReadError::Truncated { .. }) => report_truncated(&error),
            Err(error) => damage = Some(error),
        }
        read += 1;
        if read.is_multiple_of(UPDATES_PER_YIELD) {
            playback.heartbeat().beat();
            tokio::task::yield_now().await;
        }
    }
    Ok(damage)
}

/// When the updates of a moment are due.
struct Pace {
    began: Instant,
    from: Moment,
    speed: PlaybackSpeed,
}

impl Pace {
    fn new(from: Moment, speed: PlaybackSpeed) -> Self {
        Self {
            began: Instant::now(),
            from,
            speed,
        }
    }

    async fn wait(&self, now: Moment, heartbeat: &Heartbeat) {
        let PlaybackSpeed::Times(times) = self.speed else {
            return;
        };
        let after = Duration::try_from_secs_f64(now.since(self.from).as_secs_f64() / times);
        let Some(at) = after.ok().and_then(|after| self.began.checked_add(after)) else {
            return;
        };
        while Instant::now() < at {
            heartbeat.beat();
            sleep_until(at.min(Instant::now() + MAX_SLEEP)).await;
        }
    }
}
