//! The life of one service or one task, pure: a state, an input and the time give a new state
//! and effects.
//!
//! A [`ServiceMachine`] (of a service) and a [`TaskMachine`] (of a task) never start by themselves: whether they
//! should run is decided by the supervisor, which orders `start` and `stop`; everything else they
//! learn through [`Input`]s and by the passing of time (`tick`, due at `deadline`).

mod backoff;
pub mod effect;
mod end_reason;
mod health;
pub mod input;
mod phase;
mod service;
mod start;
mod stop;
mod task;
mod task_steps;
mod teardown;
mod trial;

pub use effect::{Effect, Effects};
pub use input::{Exited, Input, PortsAnswer, ProbeAnswer, StepNews};
pub use phase::{Phase, StartStage};
pub use service::{ServiceMachine, Transition};
pub use stop::{StopStage, Stopping, Then};
pub use task::{RunPhase, TaskMachine, TaskStep};

use std::time::Duration;

pub use crate::model::Hook;

/// How long a killed tree may take to be gone before it counts as stuck.
pub const KILL_WITHIN: Duration = Duration::from_secs(5);
/// How long the ports of a stopped service may take to be free.
pub const RELEASE_WITHIN: Duration = Duration::from_secs(5);
/// How long the `cleanup` of a stop may take.
pub const TIDY_WITHIN: Duration = Duration::from_secs(10);

/// Whole milliseconds, for records.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
