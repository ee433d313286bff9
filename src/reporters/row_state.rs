//! What a service or task does while a command is watched, and how that is worded.

use super::wording;
use crate::{
    model::Exit,
    reason::{FailedCheck, Reason},
};

/// What a row does.
#[derive(Debug, Clone, PartialEq)]
pub enum RowState {
    /// Nothing that concerns this command.
    Quiet,
    /// Something is happening.
    Active(Activity),
    /// It has ended up somewhere.
    Ended(RowOutcome),
}

/// What is happening to a service or task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// Its needs do not hold yet.
    Waiting(Vec<String>),
    /// Its start began.
    Starting,
    /// Its process runs, a check does not hold yet.
    Checking(FailedCheck),
    /// A task runs.
    Running {
        /// The step.
        step: Option<String>,
    },
    /// It fails its liveness checks.
    Unhealthy(FailedCheck),
    /// Its process ended, and something follows.
    Ended(Exit),
    /// It is started again after a pause.
    Backoff {
        /// What went wrong.
        reason: Reason,
        /// The pause.
        delay_ms: u64,
        /// The number of the try.
        attempt: u32,
        /// How many there are.
        of: u32,
    },
    /// Its stop began.
    Stopping,
    /// Its time to stop was up.
    Killing,
}

/// Where a service or task ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOutcome {
    /// It is ready.
    Ready {
        /// How long its start took.
        after_ms: u64,
        /// Whether a check or a port told so.
        checked: bool,
        /// What went wrong with the try before.
        after: Option<Reason>,
    },
    /// It was unhealthy, and is not any more.
    Healthy {
        /// For how long it was.
        unhealthy_ms: u64,
    },
    /// The task is done.
    Done {
        /// Since its start.
        after_ms: u64,
    },
    /// The task did not have to run.
    Skipped,
    /// It is down.
    Stopped {
        /// Since the stop began, where that was seen.
        after_ms: Option<u64>,
    },
    /// It ended, and that is no failure.
    Exited(Exit),
    /// It failed.
    Failed {
        /// Why.
        reason: Reason,
        /// The last lines of its output.
        tail: Vec<String>,
    },
    /// Processes of it are left.
    Stuck(Vec<String>),
}

impl Activity {
    /// What it does now, in a few words.
    pub fn text(&self) -> String {
        match self {
            Self::Waiting(on) => format!("waiting for {}", wording::list(on)),
            Self::Starting => "starting".into(),
            Self::Checking(failed) => wording::pending(failed),
            Self::Running { step: None } => "running".into(),
            Self::Running { step: Some(step) } => format!("running {step}"),
            Self::Unhealthy(check) => format!("unhealthy: {}", wording::failing(check)),
            Self::Ended(exit) => exit.to_string(),
            Self::Backoff { reason, delay_ms, attempt, of } => {
                wording::backoff(reason, *delay_ms, Some((*attempt, *of)))
            }
            Self::Stopping => "stopping".into(),
            Self::Killing => "killing".into(),
        }
    }

    /// Whether it does nothing but wait for others.
    pub fn waits(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }
}

impl RowOutcome {
    /// How it ended up, in a few words.
    pub fn text(&self) -> String {
        match self {
            Self::Ready { after_ms, checked, after: None } => wording::ready(*after_ms, *checked),
            Self::Ready { after_ms, checked, after: Some(reason) } => {
                format!(
                    "{}, after {}",
                    wording::ready(*after_ms, *checked),
                    wording::reason(reason)
                )
            }
            Self::Healthy { unhealthy_ms } => wording::healthy_again(*unhealthy_ms),
            Self::Done { after_ms } => format!("done in {}", wording::millis(*after_ms)),
            Self::Skipped => format!("skipped: {}", wording::INPUTS_UNCHANGED),
            Self::Stopped { after_ms: None } => "stopped".into(),
            Self::Stopped { after_ms: Some(after) } => {
                format!("stopped in {}", wording::millis(*after))
            }
            Self::Exited(exit) => format!("ended ({exit})"),
            Self::Failed { reason, .. } => format!("failed: {}", wording::reason(reason)),
            Self::Stuck(processes) => {
                format!("{} could not be ended", wording::count(processes.len(), "process"))
            }
        }
    }

    /// Whether that is a failure.
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Stuck(_))
    }

    /// What to show below it: the last lines of its log, the processes that are left.
    pub fn evidence(&self) -> &[String] {
        match self {
            Self::Failed { tail, .. } => tail,
            Self::Stuck(processes) => processes,
            Self::Ready { .. }
            | Self::Healthy { .. }
            | Self::Done { .. }
            | Self::Skipped
            | Self::Stopped { .. }
            | Self::Exited(_) => &[],
        }
    }
}
