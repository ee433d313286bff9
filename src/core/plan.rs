//! What a command would do and why, and the difference between two stacks.

mod settings;

use serde::{Deserialize, Serialize};

use crate::model::Service;

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
    /// Stop it and start it again.
    Restart,
    /// Stop it.
    Stop,
    /// Run a task.
    Run,
    /// Apply a setting that needs no restart.
    Update,
    /// Leave it as it is.
    Keep,
}

impl std::fmt::Display for PlanStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.action {
            Action::Start => "start",
            Action::Restart => "restart",
            Action::Stop => "stop",
            Action::Run => "run",
            Action::Update => "update",
            Action::Keep => "keep",
        };
        write!(f, "{verb} {}: {}", self.name, self.reason)
    }
}

/// One setting that differs between two definitions of a service or task.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// When a changed setting takes effect for a service that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesEffect {
    /// Only by a restart, which `up` therefore makes.
    Restart,
    /// At the next start, whenever that is.
    NextStart,
    /// At once, without a restart.
    Live,
}

impl Change {
    /// Whether a running process must be restarted to get it.
    pub fn restarts(&self) -> bool {
        self.takes_effect == TakesEffect::Restart
    }

    /// What it was started by is not known, and may have been anything.
    fn from_unknown() -> Self {
        Self { key: UNKNOWN.to_owned(), from: None, to: None, takes_effect: TakesEffect::Restart }
    }
}

/// In the place of a setting, where the whole definition is not known.
pub const UNKNOWN: &str = "definition";

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (key, from, to) = (&self.key, &self.from, &self.to);
        // What is not for people is empty, or the same on both sides, and named alone.
        let hidden = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
        let by_name = hidden(from) || hidden(to);
        match (from, to) {
            (Some(from), Some(to)) if from == to || by_name => write!(f, "{key} changed"),
            (Some(from), Some(to)) => write!(f, "{key} changed: {from} → {to}"),
            (None, Some(_)) if by_name => write!(f, "{key} added"),
            (None, Some(to)) => write!(f, "{key} added: {to}"),
            (Some(_), None) if by_name => write!(f, "{key} removed"),
            (Some(from), None) => write!(f, "{key} removed: {from}"),
            (None, None) => f.write_str("what it was started by is not known any more"),
        }
    }
}

/// What an edit does to a service, in the order of the settings' names. The one judge of it: what
/// `--dry-run` shows and what `up` does come from here.
pub fn compare(old: &Service, new: &Service) -> Vec<Change> {
    match old.is_lost && !new.is_lost {
        true => vec![Change::from_unknown()],
        false if old == new => Vec::new(),
        false => settings::differences(old, new),
    }
}

/// Several changes in one line. Unless the service is restarted for them, those that count only from
/// its next start say so.
pub fn sentence(changes: &[Change]) -> String {
    let later = |change: &Change| change.takes_effect == TakesEffect::NextStart;
    let restarts = changes.iter().any(Change::restarts);
    let tell = |change: &Change| match later(change) && !restarts {
        true => format!("{change} (from the next start on)"),
        false => change.to_string(),
    };
    changes.iter().map(tell).collect::<Vec<_>>().join(", ")
}
