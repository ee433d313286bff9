//! The life of one task.
//!
//! | phase     | what runs           | leaves it                                              |
//! |-----------|---------------------|--------------------------------------------------------|
//! | Idle      | nothing             | `start`                                                |
//! | Inputs    | nothing             | unchanged → Skipped; changed → Window; `cancel` → Failed |
//! | Window    | nothing             | `go` → Spawn; `refuse`, `cancel` → Failed              |
//! | Spawn     | maybe the process   | spawned → Running; not → Ending; `cancel` → Ending     |
//! | Running   | the process         | ended or too long → Ending; `cancel` → Ending          |
//! | Ending    | what is left of it  | tree gone → Recording, Done; → Spawn for a retry; → Rescue, Failed |
//! | Recording | nothing             | what a success leaves is written down, or takes too long → Done |
//! | Rescue    | `on-failure`        | ended, or killed and gone → Failed                     |
//! | Done, Skipped, Failed | nothing | `start`, `reset`                                       |
//!
//! A task that runs `without` nothing has no Window. Each run and each retry is a new generation.
//! The steps are told in [`super::task_steps`].

use serde::{Deserialize, Serialize};

use super::Effects;
use crate::{
    event::{Cause, Tick},
    model::{Background, Exit, Task, is_default},
    reason::{Failure, Reason},
    status::TaskState,
};

/// What a task is doing, and what is remembered of what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskMachine {
    /// What it is doing.
    pub phase: RunPhase,
    /// Since when it is in the state that people see.
    pub since: Tick,
    /// Its present run, or its last one; 0 before the first.
    pub generation: u64,
    /// Its main process.
    pub pid: Option<u32>,
    /// Since when that runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub started: Option<Tick>,
    /// When its run began.
    pub began: Tick,
    /// How its last run ended.
    pub exit: Option<Exit>,
    /// Why it runs.
    pub cause: Cause,
    /// The step that runs, or the one that ended the run; of a task of one command, and before
    /// the first step, none.
    pub step: Option<String>,
    pub(super) retried: u32,
    pub(super) args: Vec<String>,
    pub(super) cancelled: bool,
    /// How much of what its steps have to tell was taken in, in this generation.
    pub(super) told: u32,
    /// How the step that failed did so.
    pub(super) failure: Option<Failure>,
    /// What its last run had put into the background, which ended with it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub background: Option<Background>,
}

/// What a task is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunPhase {
    /// Nothing yet.
    Idle,
    /// Seeing whether its inputs changed.
    Inputs,
    /// It has to run: what it runs `without` is to be down first.
    Window,
    /// Asked for its process.
    Spawn,
    /// Its process runs.
    Running {
        /// Until when it may.
        until: Option<Tick>,
    },
    /// What is left of it is on its way down.
    Ending {
        /// Why it failed; none after a success.
        failed: Option<Failure>,
        /// Whether everything was killed already.
        killed: bool,
        /// When the next measure is due.
        until: Option<Tick>,
        /// Processes that could not be ended so far.
        stuck: Vec<String>,
    },
    /// It ended well; its inputs are being remembered, and old outputs tidied away. Nobody acts on
    /// a success that the next run would not know of.
    Recording {
        /// Until when that may take.
        until: Option<Tick>,
    },
    /// `on-failure` runs.
    Rescue {
        /// Why the task failed.
        failure: Failure,
        /// Until when it may.
        until: Option<Tick>,
        /// Whether it took too long and was killed.
        killed: bool,
    },
    /// Ended well.
    Done {
        /// How long it took.
        after_ms: u64,
    },
    /// Did not have to run.
    Skipped,
    /// Failed.
    Failed {
        /// Why.
        reason: Reason,
    },
}

/// What one step of a [`TaskMachine`] is taken with.
#[derive(Debug)]
pub struct TaskStep<'a> {
    /// The definition in force.
    pub task: &'a Task,
    /// Whether there is to be no further try: nobody wants it any more.
    pub called_off: bool,
    /// The time.
    pub now: Tick,
    /// What is to be done, in this order.
    pub effects: &'a mut Effects,
}

impl Default for TaskMachine {
    fn default() -> Self {
        Self {
            phase: RunPhase::Idle,
            since: Tick::default(),
            generation: 0,
            pid: None,
            started: None,
            began: Tick::default(),
            exit: None,
            cause: Cause::Supervisor,
            step: None,
            retried: 0,
            args: Vec::new(),
            cancelled: false,
            told: 0,
            failure: None,
            background: None,
        }
    }
}

impl TaskMachine {
    /// The state that people see; a task that waits for its needs is at rest here.
    pub fn state(&self) -> TaskState {
        match &self.phase {
            RunPhase::Idle => TaskState::Idle,
            RunPhase::Window => TaskState::Waiting,
            RunPhase::Inputs
            | RunPhase::Spawn
            | RunPhase::Running { .. }
            | RunPhase::Ending { .. }
            | RunPhase::Recording { .. }
            | RunPhase::Rescue { .. } => TaskState::Running,
            RunPhase::Done { .. } => TaskState::Done,
            RunPhase::Skipped => TaskState::Skipped,
            RunPhase::Failed { .. } => TaskState::Failed,
        }
    }

    /// Whether a run is on its way.
    pub fn is_live(&self) -> bool {
        matches!(self.state(), TaskState::Running | TaskState::Waiting)
    }

    /// Whether the run on its way is being ended early.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Whether its last run was good.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, RunPhase::Done { .. } | RunPhase::Skipped)
    }

    /// The processes that could not be ended, once the last deadline has passed.
    pub fn stuck(&self) -> Option<&[String]> {
        match &self.phase {
            RunPhase::Ending { killed: true, until: None, stuck, .. } => Some(stuck),
            RunPhase::Ending { .. }
            | RunPhase::Idle
            | RunPhase::Inputs
            | RunPhase::Window
            | RunPhase::Spawn
            | RunPhase::Running { .. }
            | RunPhase::Recording { .. }
            | RunPhase::Rescue { .. }
            | RunPhase::Done { .. }
            | RunPhase::Skipped
            | RunPhase::Failed { .. } => None,
        }
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Tick> {
        match &self.phase {
            RunPhase::Running { until }
            | RunPhase::Ending { until, .. }
            | RunPhase::Recording { until }
            | RunPhase::Rescue { until, .. } => *until,
            RunPhase::Idle
            | RunPhase::Inputs
            | RunPhase::Window
            | RunPhase::Spawn
            | RunPhase::Done { .. }
            | RunPhase::Skipped
            | RunPhase::Failed { .. } => None,
        }
    }
}
