//! Charging messages with the waits that fell into their ages.

use super::{ledger::LedgerShare, ledger_table::LedgerTable};
use crate::domain::{Charge, Message, Part, Stage, Wait};

/// The waits of all tracked threads, by thread and part: waits of one part end one after the other,
/// but the record of a lock wait of many sleeps comes after the run-queue waits in between.
#[derive(Debug, Default)]
pub(super) struct WaitLedgers {
    pub(super) ledgers: LedgerTable,
}

/// Instants of a message by its split, `CLOCK_MONOTONIC` nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChargedSpan {
    pub(super) arrived: u64,
    pub(super) received: u64,
    pub(super) handed_off: u64,
}

impl ChargedSpan {
    pub(super) fn of(message: &Message) -> Self {
        let before = |at: u64, stage| {
            let ns = message.split.matrix().stage(stage).max(0) as u64;
            at.saturating_sub(ns)
        };
        let handed_off = message.handed_off_at;
        let received = before(handed_off, Stage::InApp);
        Self {
            arrived: before(received, Stage::Queued),
            received,
            handed_off,
        }
    }
}

impl WaitLedgers {
    /// Charges the wait's culprit with `ns` of a stretch of it.
    pub(super) fn add(&mut self, wait: &Wait, from: u64, to: u64, ns: u64) {
        let ledger = self.ledgers.ledger(wait.tid, wait.part);
        ledger.add(wait.culprit, from, to, ns);
    }

    /// Charges a message with the waits of its reader during `span`, and during the time before for
    /// which it was held back.
    pub(super) fn charge(&self, message: &mut Message, span: ChargedSpan) {
        for part in Part::ALL {
            let Some(ledger) = self.ledgers.get(message.tid, part) else {
                continue;
            };
            let matrix = message.split.matrix();
            let held_back = matrix.get(Stage::HeldBack, part).max(0) as u64;
            let here = matrix.part(part).max(0) as u64 - held_back;
            for share in capped(ledger.between(span.arrived, span.handed_off), here) {
                message.charges.push(Charge {
                    part,
                    culprit: share.culprit,
                    ns: share.ns,
                    held_back_ns: 0,
                });
            }
            if held_back > 0 {
                // The window may have been open for moments in between. Their waits count as well:
                // their culprits are as good as the others, and nobody is charged with more than
                // was held back.
                let before = ledger.between(message.held_back_from, span.arrived);
                charge_held_back(&mut message.charges, part, capped(before, held_back));
            }
        }
    }
}

fn charge_held_back(charges: &mut Vec<Charge>, part: Part, shares: Vec<LedgerShare>) {
    for share in shares {
        let existing = charges
            .iter_mut()
            .find(|charge| (charge.part, charge.culprit) == (part, share.culprit));
        if let Some(charge) = existing {
            charge.ns += share.ns;
            charge.held_back_ns = share.ns;
        } else {
            charges.push(Charge {
                part,
                culprit: share.culprit,
                ns: share.ns,
                held_back_ns: share.ns,
            });
        }
    }
}

/// Scales shares down to a sum of `max_ns`. The counters of a thread are exact; its waits are put
/// together from records and may overlap the ends of a stage.
fn capped(mut shares: Vec<LedgerShare>, max_ns: u64) -> Vec<LedgerShare> {
    let all: u64 = shares.iter().map(|share| share.ns).sum();
    if all > max_ns {
        for share in &mut shares {
            share.ns = (u128::from(share.ns) * u128::from(max_ns) / u128::from(all)) as u64;
        }
    }
    shares.retain(|share| share.ns > 0);
    shares
}
