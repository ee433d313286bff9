//! Why a start, a process or a run of a task is no good.

use serde::{Deserialize, Serialize};

use super::FailedCheck;
use crate::model::{Background, Exit, is_default};

/// What went wrong once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Failure {
    /// The main process ended by itself.
    Exited {
        /// How.
        exit: Exit,
        /// Whether that was before it could count as up.
        #[serde(default, skip_serializing_if = "is_default")]
        early: Option<EarlyExit>,
    },
    /// The main process ended well, and another one runs on in the background. Another start would
    /// do the same.
    Background {
        /// That process.
        process: Background,
        /// What keeps the program in the foreground.
        instead: String,
    },
    /// `before-start` failed: nothing of the service itself was started.
    BeforeStart {
        /// How.
        how: HookFailure,
    },
    /// No process could be started.
    NotStarted {
        /// The stage and the system's error.
        error: String,
    },
    /// The checks did not hold in time.
    NotReady {
        /// The time that they had.
        within_ms: u64,
        /// The one that failed last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<FailedCheck>,
    },
    /// The liveness checks failed.
    Unhealthy {
        /// The one that failed last.
        check: FailedCheck,
    },
    /// Its processes used too much memory.
    Memory {
        /// How much.
        bytes: u64,
        /// How much they may use.
        max_bytes: u64,
    },
    /// The kernel killed it because memory ran out.
    OutOfMemory,
    /// Another program holds a port. Trying again would not help.
    PortHeld {
        /// The port.
        port: u16,
        /// Who holds it, as far as can be seen: `pid 812 (nginx), user www-data`.
        holder: String,
    },
    /// A step of a task failed.
    Step {
        /// The step.
        step: String,
        /// How.
        error: String,
    },
    /// A task took too long.
    TooLong {
        /// How long it may take.
        within_ms: u64,
        /// The step that ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// A run was cancelled.
    Cancelled,
    /// What a task runs `without` could not be stopped.
    NotStopped {
        /// Which service.
        name: String,
    },
    /// What a task needs is gone.
    NeedLost {
        /// Which need.
        name: String,
    },
    /// A sentence of an earlier version.
    #[serde(untagged)]
    Other(String),
}

/// An end before a service could count as up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EarlyExit {
    /// Its checks had not held yet.
    BeforeReady,
    /// Nothing checks it, and it did not live for long enough.
    AfterStart,
}

/// How a hook failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HookFailure {
    /// Its command failed.
    Exit {
        /// How.
        exit: Exit,
    },
    /// It took too long and was killed.
    TooLong,
    /// It could not be ended.
    Stuck,
    /// It could not be run, as the system words it.
    #[serde(untagged)]
    Error(String),
}

impl HookFailure {
    /// What is wrong with the end of a hook, if anything is.
    pub fn of(end: &Result<Exit, String>) -> Option<Self> {
        match end {
            Ok(Exit::SUCCESS) => None,
            Ok(exit) => Some(Self::Exit { exit: *exit }),
            Err(error) => Some(Self::Error(error.clone())),
        }
    }
}

/// Why something has failed, or is about to be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredReason")]
pub struct Reason {
    /// What went wrong last.
    pub failure: Failure,
    /// How often something has, where it was tried more than once and given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repeated>,
    /// What the process printed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_line: Option<LastLine>,
    /// How a task's `on-failure` failed, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<HookFailure>,
}

/// Failures one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// How many.
    pub times: u32,
    /// From the first to the last.
    pub over_ms: u64,
    /// Whether all were like the last one.
    pub alike: bool,
}

/// A line of a log that stands for what a process printed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLine {
    /// The line.
    pub text: String,
    /// Whether it speaks of an error, which may have been some lines before the last one.
    pub is_error: bool,
}

/// A reason as it is stored: earlier versions had a sentence.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredReason {
    Data {
        failure: Failure,
        #[serde(default)]
        repeated: Option<Repeated>,
        #[serde(default)]
        last_line: Option<LastLine>,
        #[serde(default)]
        on_failure: Option<HookFailure>,
    },
    Text(String),
}

impl From<StoredReason> for Reason {
    fn from(stored: StoredReason) -> Self {
        match stored {
            StoredReason::Data { failure, repeated, last_line, on_failure } => {
                Self { failure, repeated, last_line, on_failure }
            }
            StoredReason::Text(text) => Failure::Other(text).into(),
        }
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        Self { failure, repeated: None, last_line: None, on_failure: None }
    }
}

impl Reason {
    /// The port that another program holds, where that is why.
    pub fn port(&self) -> Option<u16> {
        match &self.failure {
            Failure::PortHeld { port, .. } => Some(*port),
            Failure::Exited { .. }
            | Failure::Background { .. }
            | Failure::BeforeStart { .. }
            | Failure::NotStarted { .. }
            | Failure::NotReady { .. }
            | Failure::Unhealthy { .. }
            | Failure::Memory { .. }
            | Failure::OutOfMemory
            | Failure::Step { .. }
            | Failure::TooLong { .. }
            | Failure::Cancelled
            | Failure::NotStopped { .. }
            | Failure::NeedLost { .. }
            | Failure::Other(_) => None,
        }
    }
}

impl Failure {
    /// Whether two failures are of one kind: sizes are never twice the same.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory { max_bytes, .. }, Self::Memory { max_bytes: other, .. }) => {
                max_bytes == other
            }
            (one, other) => one == other,
        }
    }
}
