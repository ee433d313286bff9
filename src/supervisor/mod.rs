//! The whole stack, pure: intent, reconcile, snapshot, why.
//!
//! [`Supervisor`] is told [`Input`]s and the time, and answers with [`Effect`]s. It never asks for
//! the time and never calls out, so a test can drive it through any history.

pub mod command;
pub mod why;

use serde::{Deserialize, Serialize};

pub use command::{Command, How, OpId, Outcome, Refusal, Settled, Until};
pub use why::{Why, WhyLink};

use crate::{
    event::{Cause, Event, Tick},
    lifecycle,
    model::{Exit, Stack},
    status::{ServiceState, TaskState},
};

/// What the supervisor is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A client asks for something; it is answered by one [`Effect::Settled`].
    Command {
        /// The number of the request.
        op: OpId,
        /// What it asks for.
        command: Command,
        /// Who asks.
        cause: Cause,
    },
    /// The client of a request does not want its answer any more; the work goes on.
    Forget {
        /// The number of the request.
        op: OpId,
    },
    /// End the run of a task: Ctrl-C of `run`.
    CancelRun {
        /// The number of the request.
        op: OpId,
    },
    /// Something happened to a service or task, in that generation.
    Unit {
        /// Its name.
        name: String,
        /// The generation that it belongs to.
        generation: u64,
        /// What happened.
        input: lifecycle::Input,
    },
    /// Time has passed.
    Timer,
}

/// What the supervisor wants done.
#[must_use = "an effect that nobody carries out stalls the stack"]
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Something for one service or task, in that generation.
    Unit {
        /// Its name.
        name: String,
        /// The generation that it belongs to.
        generation: u64,
        /// What.
        effect: lifecycle::Effect,
    },
    /// Write something about the whole stack to the ledger.
    Publish(Event, Cause),
    /// A request is done.
    Settled {
        /// Its number.
        op: OpId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Intent or stack have changed: store them before anything that follows is carried out.
    Save,
}

/// What `status` needs of one service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// Its state, as people see it.
    pub state: ServiceState,
    /// Why it is not ready.
    pub reason: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// Its generation; 0 before the first start.
    pub generation: u64,
    /// Since when it is in this state.
    pub since: Option<Tick>,
    /// Since when its process runs.
    pub started: Option<Tick>,
    /// How often it was started again since `up`.
    pub restarts: u64,
    /// How its last process ended.
    pub exit: Option<Exit>,
}

/// What `status` needs of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// Its name.
    pub name: String,
    /// Its state, as people see it.
    pub state: TaskState,
    /// Why it is not done.
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: Option<Tick>,
    /// How its last run ended.
    pub exit: Option<Exit>,
}

/// The supervisor of one stack.
#[derive(Debug, Clone)]
pub struct Supervisor {
    stack: Stack,
}

#[expect(unused_variables, reason = "to be written")]
impl Supervisor {
    /// A supervisor of a stack of which nothing runs and nothing is wanted. `seed` varies the
    /// jitter of its backoff.
    pub fn new(stack: Stack, seed: u64) -> Self {
        Self { stack }
    }

    /// The supervisor as it was when [`Supervisor::note`] was made. What became of its processes
    /// meanwhile is told by [`Input::Unit`] afterwards, as if it happened now.
    ///
    /// # Errors
    /// A note of another format.
    pub fn restore(stack: Stack, note: &str) -> Result<Self, serde_json::Error> {
        todo!()
    }

    /// Everything but the stack, for [`Supervisor::restore`].
    pub fn note(&self) -> String {
        todo!()
    }

    /// The effects whose answers are still to come, for a supervisor that was restored: its
    /// predecessor may have died before it carried them out.
    pub fn resume(&mut self, now: Tick) -> Vec<Effect> {
        todo!()
    }

    /// Takes in what happened and says what to do, in this order.
    pub fn handle(&mut self, input: Input, now: Tick) -> Vec<Effect> {
        todo!()
    }

    /// When to send [`Input::Timer`], if nothing else happens before.
    pub fn deadline(&self) -> Option<Tick> {
        todo!()
    }

    /// The stack last applied.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Whether nothing runs, nothing is wanted and no request is open.
    pub fn is_idle(&self) -> bool {
        todo!()
    }

    /// Every service, in the order of the file.
    pub fn services(&self, now: Tick) -> Vec<ServiceView> {
        todo!()
    }

    /// Every task, in the order of the file.
    pub fn tasks(&self, now: Tick) -> Vec<TaskView> {
        todo!()
    }

    /// What a command would do and why; changes nothing.
    ///
    /// # Errors
    /// What would make the supervisor refuse it.
    pub fn plan(&self, command: &Command, now: Tick) -> Result<crate::plan::Plan, Refusal> {
        todo!()
    }

    /// Why a service or task is not ready or done; `None` for a name that is neither.
    pub fn why(&self, name: &str, now: Tick) -> Option<Why> {
        todo!()
    }
}
