//! What the life of one service or task is told.

use serde::{Deserialize, Serialize};

use crate::{
    event::Tick,
    model::{Background, Exit, Hook},
    reason::{FailedCheck, LastLine},
};

/// What happened to one service or task. An answer belongs to the generation that asked for it;
/// whoever delivers it says which, and answers of an older one are dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// Answers [`super::Effect::CheckPorts`].
    Ports(PortsAnswer),
    /// Answers [`super::Effect::CheckReleased`]: whether all of them are free.
    Released(bool),
    /// Answers [`super::Effect::Cleanup`]: what could not be deleted, and why.
    Cleaned(Result<(), String>),
    /// Answers [`super::Effect::RunHook`] (and the stop command).
    HookEnded {
        /// Which.
        hook: Hook,
        /// How it ended; an `Err` where it could not be run.
        exit: Result<Exit, String>,
    },
    /// Answers [`super::Effect::Spawn`].
    Spawned {
        /// The main process.
        pid: u32,
        /// When the keeper started it.
        at: Tick,
    },
    /// Answers [`super::Effect::Spawn`]: the stage and the system's error, in one line.
    SpawnFailed(String),
    /// An answer of the readiness probe.
    Probed(ProbeAnswer),
    /// An answer of the liveness probe.
    Alive(ProbeAnswer),
    /// The tree's memory passed `memory max`: its bytes.
    MemoryExceeded(u64),
    /// A task's `inputs` have not changed since its last success and its `outputs` exist
    /// (answers [`super::Effect::CheckInputs`]).
    Unchanged(bool),
    /// What a task's success leaves is written down, as far as that can be done (answers
    /// [`super::Effect::TaskSucceeded`]).
    Recorded,
    /// A step of a task began or ended. What a generation's steps have to tell is numbered from
    /// 0, so that it can be told again after a supervisor's death.
    Stepped {
        /// Which of the things to tell this is.
        line: u32,
        /// The step.
        step: String,
        /// Whether it is one of `on-failure`.
        on_failure: bool,
        /// What happened.
        news: StepNews,
    },
    /// The main process ended.
    Exited(Exited),
    /// Every process of the tree is gone; `swept` were killed after the main one had ended.
    TreeGone {
        /// How many.
        swept: usize,
    },
    /// The tree's processes could not be ended (yet): each with its pid and what it does.
    Stuck(Vec<String>),
}

/// The end of a main process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// How it ended.
    pub exit: Exit,
    /// When the keeper saw it.
    pub at: Tick,
    /// A process that it left running in the background, if it ended well.
    pub background: Option<Background>,
    /// Whether the kernel killed it because memory ran out.
    pub out_of_memory: bool,
    /// What it printed last.
    pub last_line: Option<LastLine>,
}

impl Exited {
    /// An end of which no more is known than this.
    pub fn new(exit: Exit, at: Tick) -> Self {
        Self { exit, at, background: None, out_of_memory: false, last_line: None }
    }
}

/// What happened to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepNews {
    /// It began.
    Began,
    /// It ended.
    Ended {
        /// How; of a pipe, the last member that failed.
        exit: Exit,
        /// How long it took.
        after_ms: u64,
        /// Why it failed, in a few words; none after a success.
        failed: Option<String>,
    },
}

/// The answer to "are its ports free?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortsAnswer {
    /// All of them.
    Free,
    /// Somebody else holds one.
    Busy {
        /// The port.
        port: u16,
        /// Who holds it, as far as can be seen: `pid 812 (nginx), user www-data`.
        holder: String,
    },
}

/// The answer of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeAnswer {
    /// All checks hold.
    Holds,
    /// One does not.
    Fails(FailedCheck),
}
