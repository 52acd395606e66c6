//! How many sessions have room for series of their own.

use super::contract::{series_of_the_agent, series_per_session};

/// Series at the most, unless said otherwise: of 67 sessions.
pub const MAX_SERIES: u64 = 20_000;

/// Sessions with series of their own, at the most, where so many series are allowed. Each is given
/// room for all that it may ever have, so that the limit holds whatever comes.
///
/// # Errors
/// When there is no room for one: with the least number that has.
pub fn sessions_within(max_series: u64) -> Result<usize, u64> {
    // Those without series of their own are together one more.
    let least = series_of_the_agent() + 2 * series_per_session();
    if max_series < least {
        return Err(least);
    }
    let sessions = (max_series - series_of_the_agent()) / series_per_session() - 1;
    Ok(usize::try_from(sessions).unwrap_or(usize::MAX))
}
