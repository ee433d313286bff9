//! Why something went wrong, as data: produced by the core, carried by records and states, and put
//! into words by the reporters alone.
//!
//! Records and checkpoints of earlier versions hold sentences in place of these: each type reads a
//! plain text, too.

mod check;
mod failure;
mod notice;
mod plan;

pub use check::{CheckAnswer, CheckLabel, FailedCheck};
pub use failure::{EarlyExit, Failure, HookFailure, LastLine, Reason, Repeated};
pub use notice::Notice;
pub use plan::{Action, Change, PlanReason, PlanStep, TakesEffect};
