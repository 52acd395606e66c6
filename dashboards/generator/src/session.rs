//! One session: the ages of its messages, the causes, and who is to blame.

mod age;
mod blame;
mod cpu;
mod flow;
mod now;
mod quality;

use crate::dashboard::Dashboard;
use crate::variable::{NAMESPACE, NODE, PID, POD, SENDER, TARGET, Variable};

const VARIABLES: &[Variable] = &[NODE, NAMESPACE, POD, SENDER, TARGET, PID];

/// Restricts process metrics, which have no sender and target, to the selected sessions.
const OF_THESE: &str = "and on (instance, pid) tag52_session_info{@}";
/// Fresh messages per second, as a scalar.
const MESSAGES: &str =
    "scalar(sum(rate(tag52_messages_total{@,kind=\"fresh\"}[$__rate_interval])))";

/// The dashboard of one session.
pub(super) fn session() -> Dashboard {
    Dashboard::new(
        "tag52-session",
        "tag52 / Session",
        "One FIX session: how old its messages are when the application sees them, on what they \
         spent that age, who is to blame, and what would help. Choose one sender and one target; \
         with several chosen, figures are of all of them together.",
    )
    .variables(VARIABLES)
    .row("Now", now::panels())
    .row("How old, and why", age::panels())
    .row("Who, and what would help", blame::panels())
    .row("Flow", flow::panels())
    .row("CPU beside the age", cpu::panels())
    .row("Data quality", quality::panels())
}
