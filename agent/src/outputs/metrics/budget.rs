//! How many sessions have room for series of their own.

use super::families::{series_of_the_agent, series_per_session};

/// The default limit of series: room for 67 sessions.
pub const MAX_SERIES: u64 = 20_000;

/// The largest number of sessions with series of their own under a limit of series. Each session
/// is given room for every series it may ever have, so that the limit always holds.
///
/// # Errors
/// When there is not even room for one session: the smallest limit that has.
pub fn sessions_within(max_series: u64) -> Result<usize, u64> {
    // The sessions without series of their own are together one more.
    let least = series_of_the_agent() + 2 * series_per_session();
    if max_series < least {
        return Err(least);
    }
    let sessions = (max_series - series_of_the_agent()) / series_per_session() - 1;
    Ok(usize::try_from(sessions).unwrap_or(usize::MAX))
}
