//! The `tag52` program.

mod cli;
mod logger;

use std::{error::Error, process::ExitCode};

use cli::{Cli, Command};
use tag52::{
    engine::{self, Config, RunOutcome},
    recording::{
        export::{self, ExportError},
        replay::{self, ReplayError},
    },
};

/// Bad use or a machine that cannot do it, as opposed to a failure (1).
const BAD_USE: u8 = 2;

/// A session was stalled, with `--exit-on stalled`.
const STALLED: u8 = 3;

fn main() -> ExitCode {
    let Cli { command, logging } = Cli::read();
    if let Err(error) = logger::install(logging) {
        return failed(&error, false);
    }
    let ended: Result<ExitCode, ExitCode> = match command {
        Command::Run(run) => watch(&run.config()),
        Command::Top(top) => watch(&top.config()),
        Command::Record(record) => watch(&record.config()),
        Command::Replay(replay) => {
            let replayed = replay::replay(&replay.config());
            replayed
                .map(|()| ExitCode::SUCCESS)
                .map_err(|e: ReplayError| failed(&e, e.is_bad_use()))
        }
        Command::Export(export) => {
            let exported = export::export(&export.config());
            exported
                .map(|()| ExitCode::SUCCESS)
                .map_err(|e: ExportError| failed(&e, e.is_bad_use()))
        }
    };
    ended.unwrap_or_else(|failed| failed)
}

fn watch(config: &Config) -> Result<ExitCode, ExitCode> {
    match engine::run(config) {
        Ok(RunOutcome::Ended) => Ok(ExitCode::SUCCESS),
        Ok(RunOutcome::Stalled) => Ok(ExitCode::from(STALLED)),
        Err(error) => Err(failed(&error, error.is_bad_use())),
    }
}

fn failed(error: &dyn Error, bad_use: bool) -> ExitCode {
    log::error!("{error}");
    if bad_use {
        ExitCode::from(BAD_USE)
    } else {
        ExitCode::FAILURE
    }
}
