//! The `tag52` program.

use std::process::ExitCode;

use clap::Parser as _;
use tag52::{
    cli::{Cli, Command},
    run,
};

/// Bad use or a machine that cannot do it, as opposed to a failure (1).
const BAD_USE: u8 = 2;

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let done = match &command {
        Command::Run(arguments) => run::run(arguments),
        Command::Top(arguments) => run::top(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tag52: {error}");
            if error.is_bad_use() {
                ExitCode::from(BAD_USE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
