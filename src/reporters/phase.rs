//! What a service or task does while a command is watched, and how that is worded.

use super::words;
use crate::model::Exit;

/// What a row does.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Nothing that concerns this command.
    Quiet,
    /// On the way.
    Moving(Move),
    /// Where it ended up.
    Ended(End),
}

/// What a service or task that is on the way does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Its needs do not hold yet.
    Waiting(Vec<String>),
    /// Its start began.
    Starting,
    /// Its process runs, a check does not hold yet.
    Checking {
        /// The check.
        check: String,
        /// Its answer.
        answer: String,
    },
    /// A task runs.
    Running {
        /// The step.
        step: Option<String>,
    },
    /// It is not well any more.
    Unhealthy(String),
    /// Its process ended, and something follows.
    Ended(Exit),
    /// It is started again after a pause.
    Backoff {
        /// What went wrong.
        reason: String,
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
pub enum End {
    /// It is ready.
    Ready {
        /// How long its start took.
        after_ms: u64,
        /// Whether a check or a port told so.
        checked: bool,
        /// What went wrong with the try before.
        after: Option<String>,
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
    Skipped(String),
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
        reason: String,
        /// The last lines of its output.
        tail: Vec<String>,
    },
    /// Processes of it are left.
    Stuck(Vec<String>),
}

impl Move {
    /// What it does now, in a few words.
    pub fn text(&self) -> String {
        match self {
            Self::Waiting(on) => format!("waiting for {}", words::list(on)),
            Self::Starting => "starting".into(),
            Self::Checking { check, answer } => format!("checking {check} → {answer}"),
            Self::Running { step: None } => "running".into(),
            Self::Running { step: Some(step) } => format!("running {step}"),
            Self::Unhealthy(reason) => format!("unhealthy: {reason}"),
            Self::Ended(exit) => exit.to_string(),
            Self::Backoff { reason, delay_ms, attempt, of } => {
                let delay = words::millis(*delay_ms);
                format!("{reason}; again in {delay}{}", words::attempt(*attempt, *of))
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

impl End {
    /// How it ended up, in a few words.
    pub fn text(&self) -> String {
        match self {
            Self::Ready { after_ms, checked, after: None } => words::ready(*after_ms, *checked),
            Self::Ready { after_ms, checked, after: Some(reason) } => {
                format!("{}, after {reason}", words::ready(*after_ms, *checked))
            }
            Self::Healthy { unhealthy_ms } => words::healthy_again(*unhealthy_ms),
            Self::Done { after_ms } => format!("done in {}", words::millis(*after_ms)),
            Self::Skipped(reason) => format!("skipped: {reason}"),
            Self::Stopped { after_ms: None } => "stopped".into(),
            Self::Stopped { after_ms: Some(after) } => {
                format!("stopped in {}", words::millis(*after))
            }
            Self::Exited(exit) => format!("ended ({exit})"),
            Self::Failed { reason, .. } => format!("failed: {reason}"),
            Self::Stuck(processes) => {
                format!("{} could not be ended", words::count(processes.len(), "process"))
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
            | Self::Skipped(_)
            | Self::Stopped { .. }
            | Self::Exited(_) => &[],
        }
    }
}
