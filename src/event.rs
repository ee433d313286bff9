//! The ledger's vocabulary: what happened, when, to whom, and why.
//!
//! Everything that shows or stores the life of a stack (the progress display, `events`, `why`,
//! the ledger on disk) reads the one stream of [`Record`]s. Records are owned, and know nothing of any
//! reporter.

pub mod ledger_line;

use std::{cmp::Ordering, time::Duration};

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    model::{Exit, Hook, Signal},
    reason::{FailedCheck, Notice, PlanStep, Reason},
};

/// Time since the machine booted, without the time it slept (CLOCK_MONOTONIC). The pure core knows
/// no other time, and is given it by its caller.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Tick(pub Duration);

impl Tick {
    /// The time from `earlier` to this; zero if that lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Tick {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// A place in a log, which is a sequence of files.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Place {
    /// The number of the file; that of the present one is the one it will get.
    pub file: u64,
    /// The offset in it, in bytes.
    pub offset: u64,
}

impl Place {
    /// Where what is not before this place begins in a file: behind everything in an older one.
    pub fn offset_in(self, file: u64) -> u64 {
        match file.cmp(&self.file) {
            Ordering::Less => u64::MAX,
            Ordering::Equal => self.offset,
            Ordering::Greater => 0,
        }
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts up over the whole life of the ledger.
    pub seq: u64,
    /// When, by the wall clock.
    pub at: jiff::Timestamp,
    /// When, since boot.
    #[serde(default)]
    pub tick: Tick,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// To which service or task; none for the whole stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// To which of its starts, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Why.
    pub cause: Cause,
}

/// What happened. Durations are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The supervisor took up (or took over) the stack.
    SupervisorStarted {
        /// Its process.
        pid: u32,
        /// Its version.
        version: String,
        /// Whether it took over running services.
        took_over: bool,
    },
    /// A stack file was applied.
    Applied {
        /// What the plan held: a step for each thing to do.
        #[serde(default)]
        steps: Vec<PlanStep>,
    },
    /// It is to run, and waits for these.
    Waiting {
        /// The needs that do not hold yet.
        on: Vec<String>,
    },
    /// A start began; nothing runs yet.
    Starting,
    /// Its process runs.
    Spawned {
        /// The main process.
        pid: u32,
        /// Where in its log its output begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<Place>,
    },
    /// A check was answered otherwise than the time before.
    Checked {
        /// The check and the answer.
        #[serde(rename = "detail", alias = "check")]
        failed: FailedCheck,
    },
    /// It is ready; of a service that nothing checks: it has started, and has lived for half a
    /// second since.
    Ready {
        /// How long its start took.
        after_ms: u64,
        /// Whether a check or a port told so.
        #[serde(default = "is_checked", skip_serializing_if = "Clone::clone")]
        checked: bool,
        /// Where to find it: its `url`, or its first port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// For how long it was unhealthy, where that is over: the process is the one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unhealthy_ms: Option<u64>,
    },
    /// It was ready and is not any more.
    Unhealthy {
        /// What failed.
        #[serde(rename = "detail", alias = "reason")]
        check: FailedCheck,
    },
    /// A stop began.
    Stopping,
    /// A signal was sent.
    Signalled {
        /// Which.
        #[serde(serialize_with = "as_shown")]
        signal: Signal,
        /// Whether every process of the tree got it.
        tree: bool,
    },
    /// Its main process ended (or a task did).
    Exited {
        /// How.
        exit: Exit,
        /// Whether that was asked for or is no failure.
        expected: bool,
        /// The last lines of its output, where the end is a failure.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tail: Vec<String>,
    },
    /// Processes that it left behind were killed.
    Swept {
        /// How many.
        processes: usize,
    },
    /// Every process of it is gone and its ports are free.
    Stopped,
    /// Processes of it could not be ended.
    Stuck {
        /// Which, and what they do.
        processes: Vec<String>,
    },
    /// It will be started again.
    Backoff {
        /// What went wrong.
        #[serde(rename = "detail", alias = "reason")]
        reason: Reason,
        /// After this long.
        delay_ms: u64,
        /// The number of this try; 0 where nothing failed, which is no try.
        attempt: u32,
        /// How many there may be.
        of: u32,
    },
    /// It has failed, and will not be started again by itself.
    Failed {
        /// Why.
        #[serde(rename = "detail", alias = "reason")]
        reason: Reason,
        /// The last lines of its output.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tail: Vec<String>,
    },
    /// A task's process runs.
    Running {
        /// The main process.
        pid: u32,
        /// Where in its log its output begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<Place>,
    },
    /// A step of a task began.
    Step {
        /// Its name.
        step: String,
        /// Whether it is one of `on-failure`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        on_failure: bool,
    },
    /// A step of a task ended.
    StepEnded {
        /// Its name.
        step: String,
        /// Whether it is one of `on-failure`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        on_failure: bool,
        /// How; of a pipe, the last member that failed.
        exit: Exit,
        /// How long it took.
        after_ms: u64,
        /// Why it failed, in a few words; none after a success.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    /// A task ended well.
    Done {
        /// Since its start.
        after_ms: u64,
    },
    /// A task did not have to run: its inputs have not changed.
    Skipped,
    /// A hook ended.
    Hook {
        /// Which.
        hook: Hook,
        /// How many of it there are, if more than one; they run one after the other, as far as the
        /// first that fails.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commands: Option<usize>,
        /// How.
        exit: Exit,
    },
    /// Something a user should know, said once.
    Notice {
        /// What.
        #[serde(rename = "detail", alias = "text")]
        notice: Notice,
    },
    /// The whole stack is down.
    Down,
}

impl Event {
    /// Something a user should know, in words.
    pub fn notice(text: impl Into<String>) -> Self {
        Self::Notice { notice: Notice::Text(text.into()) }
    }
}

/// One without a name as `signal 40`, as records of every version have it.
fn as_shown<S: Serializer>(signal: &Signal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(signal)
}

/// Most services are, and records of earlier versions do not say.
fn is_checked() -> bool {
    true
}

/// Why something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Cause {
    /// A person or a script asked for it.
    Command {
        /// The command line: `stackrun restart api`.
        command: String,
        /// The process that asked.
        pid: u32,
    },
    /// Something that was asked for needs it.
    Need {
        /// What needs it.
        of: String,
    },
    /// An edit of the stack file.
    Edit {
        /// What changed: `run`, `env.LOG_LEVEL`.
        keys: Vec<String>,
    },
    /// A service it follows was restarted.
    Follow {
        /// Which.
        of: String,
    },
    /// It ended by itself.
    Exit,
    /// Its start took too long or failed.
    Start,
    /// Its checks failed.
    Check,
    /// It used too much memory.
    Memory,
    /// A watched file changed.
    Watch {
        /// Which.
        path: String,
    },
    /// Its schedule.
    Schedule,
    /// An exclusive window.
    Window {
        /// Of which task.
        task: String,
    },
    /// The supervisor itself.
    Supervisor,
}

impl Cause {
    /// Whether it is that something of the service or task itself went wrong.
    pub fn is_own_fault(&self) -> bool {
        match self {
            Self::Exit | Self::Start | Self::Check | Self::Memory => true,
            Self::Command { .. }
            | Self::Need { .. }
            | Self::Edit { .. }
            | Self::Follow { .. }
            | Self::Watch { .. }
            | Self::Schedule
            | Self::Window { .. }
            | Self::Supervisor => false,
        }
    }
}
