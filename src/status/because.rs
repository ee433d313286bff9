//! Why a service or task is in its state, as data.

use serde::{Deserialize, Serialize};

use crate::{
    event::Cause,
    model::{Exit, State, is_default},
    reason::{FailedCheck, Failure, Notice, Reason},
};

/// Why a service or task is in its state. What needs no explanation has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Because {
    /// These needs do not hold yet.
    Waiting {
        /// The needs.
        on: Vec<String>,
    },
    /// A need, near or far, will not come without help.
    Blocked {
        /// Which.
        by: String,
    },
    /// The exclusive window of a task keeps it down.
    Held {
        /// The task.
        by: String,
    },
    /// It is starting.
    Starting {
        /// How far it is.
        stage: StartStep,
    },
    /// Its process runs, and its checks do not hold yet.
    Checking {
        /// The one that failed last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<FailedCheck>,
    },
    /// It was found running, and the record of how it was started is lost.
    DefinitionLost,
    /// It fails its liveness checks.
    Unhealthy {
        /// The one that failed last.
        check: FailedCheck,
        /// When it is restarted for that; never by itself without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restart_in_ms: Option<u64>,
    },
    /// It is stopping.
    Stopping {
        /// How far it is.
        stage: StopStep,
        /// What went wrong, where nobody has asked for the stop.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Failure>,
    },
    /// Processes of it could not be ended.
    Stuck {
        /// Each with its pid and what it does.
        processes: Vec<String>,
    },
    /// It failed, and is tried again.
    Backoff {
        /// Why it failed.
        reason: Reason,
        /// How long that takes.
        again_in_ms: u64,
    },
    /// It ended by itself, which is no failure.
    Exited {
        /// How.
        exit: Exit,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// A step of a task runs.
    Step {
        /// Its name.
        step: String,
        /// Its number, from 1.
        number: usize,
        /// How many steps there are.
        of: usize,
    },
    /// The `on-failure` of a task runs.
    OnFailure {
        /// Why the task failed.
        reason: Reason,
    },
    /// The success of a task is being recorded.
    Recording,
    /// The inputs of a task have not changed.
    InputsUnchanged,
    /// Nothing of the stack runs.
    NothingRuns,
}

/// How far a start is, before its checks are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartStep {
    /// Looking whether its ports are free.
    Ports,
    /// Deleting what earlier runs left.
    Cleanup,
    /// `before-start`.
    Hook,
    /// Starting its process.
    Spawn,
}

/// How far a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopStep {
    /// Ending `before-start`.
    Hook,
    /// Its process is just being started.
    Spawn,
    /// The stop command.
    Command,
    /// Its processes were asked to end.
    Signal,
    /// Its processes are being killed.
    Kill,
    /// Waiting for its ports to be free.
    Ports,
    /// Deleting what it left.
    Cleanup,
    /// `after-stop`.
    AfterStop,
    /// Killing `after-stop`.
    AfterStopKill,
}

/// What is known besides the reason for a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evidence {
    /// Since when it is in its state, and why.
    Since {
        /// The state.
        #[serde(flatten)]
        state: State,
        /// Whether a check or a port tells that it is ready.
        checked: bool,
        /// For how long.
        for_ms: u64,
        /// Why.
        cause: Cause,
        /// What had gone wrong, where it was restarted for that.
        #[serde(default, skip_serializing_if = "is_default")]
        after: Option<Failure>,
    },
    /// A check that does not hold.
    Check {
        /// Which, and its answer.
        failed: FailedCheck,
    },
    /// How the process ended.
    Exit {
        /// How.
        exit: Exit,
    },
    /// A process that could not be ended.
    Stuck {
        /// Its pid and what it does.
        process: String,
    },
    /// How often it was started again by itself.
    Restarts {
        /// How often.
        times: u64,
    },
    /// A line of the log.
    LogLine {
        /// The line.
        text: String,
    },
    /// What a user should know of it.
    Notice {
        /// What.
        notice: Notice,
    },
}

/// What would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Advice {
    /// It uses too much memory.
    RaiseMemoryMax {
        /// What it may use.
        max_bytes: u64,
    },
    /// The machine has no memory left.
    FreeMemory,
    /// `memory max` restarts it in time.
    SetMemoryMax,
    /// What is done when it ends is a task.
    MakeTask,
    /// Its input must stay open.
    OpenStdin,
    /// It must not go into the background.
    StayInForeground,
    /// Its log has the cause.
    ReadLog,
    /// Its liveness checks may be too strict.
    RelaxAlive {
        /// How long an answer may take.
        timeout_ms: u64,
        /// How many may fail.
        failures: u32,
    },
    /// The server answers, so that the check may be wrong.
    CheckPath,
    /// A program may hold back what it prints, without a terminal.
    UseTty,
    /// Anything else, in words.
    #[serde(untagged)]
    Text(String),
}
