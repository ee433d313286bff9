//! Shows a recorded start on the real terminal, for the eye:
//!
//! ```text
//! REPLAY=sixty cargo test --lib replay_on_the_terminal -- --ignored --nocapture
//! ```

#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "it is looked at")]

use std::time::{Duration, Instant};

use indicatif::ProgressDrawTarget;

use super::*;
use crate::reporters::{progress::TICK, summary};

#[test]
#[ignore = "to be looked at"]
fn replay_on_the_terminal() {
    let (stack, records) = match std::env::var("REPLAY").as_deref() {
        Ok("sixty") => sixty(),
        Ok("fails") => (shop(), shop_fails()),
        _ => (shop(), shop_starts()),
    };
    let theme = Theme { color: true, unicode: true };
    let target = ProgressDrawTarget::stderr_with_hz(20);
    let progress = Progress::on(target, None, theme, at(0));
    let mut reporter = Reporter::bars(LiveModel::of_stack(&stack, Goal::Up), progress, theme);
    let began = Instant::now();
    let now = || at(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX));
    for record in &records {
        while now() < record.at {
            std::thread::sleep(TICK.min(Duration::from_millis(20)));
            reporter.tick(now());
        }
        reporter.record(record, now());
    }
    reporter.finish();
    let outcome = views::outcome_of(reporter.board());
    for line in summary::up(views::SHOP, &outcome, reporter.board(), began.elapsed(), theme) {
        eprintln!("{line}");
    }
}
