//! What a command would do and why, and the difference between two stacks.

use serde::{Deserialize, Serialize};

/// What a command would do, in the order in which it would do it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// One step for each service and task that is touched or asked for.
    pub steps: Vec<PlanStep>,
}

/// What would be done to one service or task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// Its name.
    pub name: String,
    /// What would be done.
    pub action: Action,
    /// Why: `asked for`, `needed by api`, `run changed: "a" → "b"`, `already ready`.
    pub reason: String,
}

/// What can be done to a service or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Start a service that is down.
    Start,
    /// Stop it and start it anew.
    Restart,
    /// Stop it.
    Stop,
    /// Run a task.
    Run,
    /// Take on a setting that needs no restart.
    Update,
    /// Leave it as it is.
    Keep,
}
