//! What the scheduler does with tracked threads: switches, wake-ups, migrations, ends.

mod end;
mod present;
mod switch;
mod wake_up;

pub(crate) use end::{exited, untrack};
pub(crate) use present::present;
pub(crate) use switch::switched;
pub(crate) use wake_up::{migrating, wake_up_begins, wake_up_enqueued};
