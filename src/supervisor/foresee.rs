//! What a command would do and why, without doing it.

use super::{Command, Refusal, Supervisor};
use crate::{event::Tick, model::Stack, plan::Plan};

impl Supervisor {
    /// What a command would do and why; changes nothing.
    ///
    /// # Errors
    /// What would make the supervisor refuse it.
    pub fn plan(&self, command: &Command, now: Tick) -> Result<Plan, Refusal> {
        let _ = (command, now);
        Ok(Plan::default())
    }

    /// A line for each thing that applying this stack does.
    pub(super) fn plan_of_edit(&self, stack: &Stack) -> Vec<String> {
        let _ = stack;
        Vec::new()
    }
}
