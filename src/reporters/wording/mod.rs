//! Every sentence about services and tasks, once: what is data everywhere else is put into words
//! here. The cause comes first and numbers after it, so that a narrow screen cuts what matters least.

mod advice;
mod because;
mod cause;
mod check;
mod evidence;
mod failure;
mod notice;
mod plan;
mod quantity;
#[cfg(test)]
mod tests;

pub use advice::advice;
pub use because::because;
pub use cause::cause;
pub use check::{check_answer, check_label, failing, pending};
pub use evidence::evidence;
pub use failure::{backoff, reason, tried_again};
pub use notice::notice;
pub use plan::{action, plan_reason, plan_step};
pub use quantity::{between, bytes, count, duration, list, millis, ticking};

use std::time::Duration;

use crate::model::time;

/// A service that is ready as far as anybody can know: nothing checks it.
pub use crate::status::STARTED;

/// A task that did not have to run.
pub const INPUTS_UNCHANGED: &str = "its inputs have not changed";

/// A service that is ready, after so many milliseconds: `ready in 1.2s`; `started` where nothing
/// checks it.
pub fn ready(after_ms: u64, checked: bool) -> String {
    match checked {
        true => format!("ready in {}", millis(after_ms)),
        false => STARTED.to_owned(),
    }
}

/// A service that was unhealthy for so many milliseconds.
pub fn healthy_again(unhealthy_ms: u64) -> String {
    format!("healthy again, after {}", millis(unhealthy_ms))
}

/// A time that is set, as it would stand in the stack file.
fn setting(ms: u64) -> String {
    time::setting(Duration::from_millis(ms))
}

/// A size that is set, in MiB.
fn mib(bytes: u64) -> u64 {
    bytes >> 20
}
