//! What a command would do and why, and the difference between two stacks.

mod settings;

use serde::{Deserialize, Serialize};

pub use crate::reason::{Action, Change, PlanReason, PlanStep, TakesEffect};

use crate::model::Service;

/// What a command would do, in the order in which it would do it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// One step for each service and task that is touched or asked for.
    pub steps: Vec<PlanStep>,
}

/// A change where it is not known what a service was started by: that may have been anything.
fn unknown() -> Change {
    Change { key: UNKNOWN.to_owned(), from: None, to: None, takes_effect: TakesEffect::Restart }
}

/// In the place of a setting, where the whole definition is not known.
pub const UNKNOWN: &str = "definition";

/// What an edit does to a service, in the order of the settings' names. The one judge of it: what
/// `--dry-run` shows and what `up` does come from here.
pub fn compare(old: &Service, new: &Service) -> Vec<Change> {
    match old.is_lost && !new.is_lost {
        true => vec![unknown()],
        false if old == new => Vec::new(),
        false => settings::differences(old, new),
    }
}
