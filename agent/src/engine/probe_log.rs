//! Forwards the diagnostic lines of the probes to the log (`--probe-log`).

use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

use super::RunError;
use crate::kernel::Probes;
use crate::readiness::readiness;

/// Hands the lines of the probes to the agent's log, whatever their level: they were asked for.
struct ProbeLines;

impl Log for ProbeLines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        log::info!("probe: {}", record.args());
    }

    fn flush(&self) {}
}

/// Logs from now on, for as long as the runtime lives.
pub(super) fn follow(probes: &mut Probes) -> Result<(), RunError> {
    let logger =
        EbpfLogger::init_with_logger(probes.ebpf(), ProbeLines).map_err(RunError::ProbeLog)?;
    let mut logger = readiness(logger).map_err(RunError::Runtime)?;
    tokio::spawn(async move {
        // What was logged before this descriptor was watched.
        logger.get_mut().flush();
        while let Ok(mut guard) = logger.readable_mut().await {
            guard.get_inner_mut().flush();
            guard.clear_ready();
        }
    });
    Ok(())
}
