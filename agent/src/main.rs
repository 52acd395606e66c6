//! The `tag52` program.

use std::process::ExitCode;

use clap::Parser as _;
use tag52::{
    cli::{Cli, Command},
    engine as run,
    recording::{export, replay},
};

/// Bad use or a machine that cannot do it, as opposed to a failure (1).
const BAD_USE: u8 = 2;

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let ended = match &command {
        Command::Run(arguments) => run::run(arguments).map_err(|e| failed(&e, e.is_bad_use())),
        Command::Top(arguments) => run::top(arguments).map_err(|e| failed(&e, e.is_bad_use())),
        Command::Record(arguments) => {
            run::record(arguments).map_err(|e| failed(&e, e.is_bad_use()))
        }
        Command::Replay(arguments) => {
            replay::replay(arguments).map_err(|e| failed(&e, e.is_bad_use()))
        }
        Command::Export(arguments) => {
            export::export(arguments).map_err(|e| failed(&e, e.is_bad_use()))
        }
    };
    ended.err().unwrap_or(ExitCode::SUCCESS)
}

fn failed(error: &dyn std::error::Error, bad_use: bool) -> ExitCode {
    eprintln!("tag52: {error}");
    if bad_use {
        ExitCode::from(BAD_USE)
    } else {
        ExitCode::FAILURE
    }
}
