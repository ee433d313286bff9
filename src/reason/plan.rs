//! What a command would do to one service or task, and why.

use serde::{Deserialize, Serialize};

use crate::model::State;

/// What would be done to one service or task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// Its name.
    pub name: String,
    /// What would be done.
    pub action: Action,
    /// Why.
    pub reason: PlanReason,
}

/// What can be done to a service or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Start a service that is down.
    Start,
    /// Stop a service and start it again.
    Restart,
    /// Stop it.
    Stop,
    /// Run a task.
    Run,
    /// Run a task, but only if its inputs have changed.
    RunIfChanged,
    /// Apply a setting that needs no restart.
    Update,
    /// Leave it as it is.
    Keep,
}

/// Why something would be done, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PlanReason {
    /// The command names it, or means everything.
    Requested,
    /// It is to run, and does not.
    NotRunning,
    /// Something that is to start needs it.
    NeededBy {
        /// What.
        name: String,
    },
    /// The file has another definition of it.
    Edited {
        /// What differs.
        changes: Vec<Change>,
    },
    /// A service that it follows restarts.
    Follows {
        /// Which.
        name: String,
    },
    /// A task that is to run stops it first.
    Window {
        /// Which.
        task: String,
    },
    /// The task that had stopped it is over.
    WindowOver {
        /// Which.
        task: String,
    },
    /// The file does not have it any more.
    NotInFile,
    /// Something that it needs stops.
    NeedStops {
        /// What.
        name: String,
    },
    /// Nothing asks for it any more.
    NotWanted,
    /// It is in this state, and nothing is to be changed about that.
    Already {
        /// The state.
        #[serde(flatten)]
        state: State,
    },
}

/// One setting that differs between two definitions of a service or task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The setting, as the stack file calls it: `run`, `env.LOG_LEVEL`.
    pub key: String,
    /// What it was; none if it was not there.
    pub from: Option<String>,
    /// What it is; none if it is not there.
    pub to: Option<String>,
    /// When it takes effect.
    pub takes_effect: TakesEffect,
}

impl Change {
    /// Whether a running process must be restarted to get it.
    pub fn restarts(&self) -> bool {
        self.takes_effect == TakesEffect::Restart
    }
}

/// When a changed setting takes effect for a service that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakesEffect {
    /// Only by a restart, which `up` therefore makes.
    Restart,
    /// At the next start, whenever that is.
    NextStart,
    /// At once, without a restart.
    Live,
}
