//! What a scrape costs.

use std::sync::{Arc, Mutex};

use super::super::{Exposition, ExpositionFormat, MetricsSnapshot, OutputStatus};
use crate::{
    domain::{
        Part, Stage,
        fixtures::{message, session},
    },
    model::Model,
};

/// Of a release build: `cargo test --release -p tag52 --lib the_cost_of_a_scrape -- --ignored
/// --nocapture`.
#[test]
#[ignore = "measures the cost of a scrape, tests nothing"]
fn the_cost_of_a_scrape() {
    for sessions in [1, 64, 256] {
        let mut model = Model::at_zero();
        for n in 0..sessions {
            for seq in 0..2_000 {
                let cells = [
                    (Stage::InFlight, Part::Network, 100_000 + 977 * seq as i64),
                    (
                        Stage::Queued,
                        Part::LockWait,
                        2_000_000 + 77_777 * seq as i64,
                    ),
                    (Stage::InApp, Part::OnCpu, 20_000 + 13 * seq as i64),
                ];
                model.observe(&message(&session(n), seq, &cells));
            }
        }
        model.interval_now();
        let model = Arc::new(Mutex::new(model));
        let exposition = Exposition::new(Arc::clone(&model), OutputStatus::default());
        let started = std::time::Instant::now();
        for _ in 0..5 {
            drop(MetricsSnapshot::of(&model, OutputStatus::default()));
        }
        let copied = started.elapsed() / 5;
        for format in [
            ExpositionFormat::OpenMetrics,
            ExpositionFormat::Text,
            ExpositionFormat::Protobuf,
        ] {
            let started = std::time::Instant::now();
            let bytes = exposition.render(format).len();
            println!(
                "{sessions} sessions, {format:?}: {bytes} bytes in {:?}, the lock held for at most \
                 {copied:?}",
                started.elapsed()
            );
        }
    }
}
