//! What clients ask of the supervisor, and what they are told at the end.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    event::Tick,
    model::{Exit, Stack},
    reason::Reason,
    status::Asked,
};

/// One request of a client that takes time: it ends with exactly one [`Outcome`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpId(pub u64);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Bring the stack to what the file says.
    Up {
        /// The stack as read now.
        stack: Box<Stack>,
        /// Services, tasks or groups; none: every service with `autostart`.
        names: Vec<String>,
        /// Leave out what the named ones need.
        no_deps: bool,
        /// Services whose ports may be others than the file says, as was answered to who holds
        /// them now: like `busy="next"`, as long as the service is up.
        #[serde(default)]
        moved_ports: BTreeSet<String>,
    },
    /// Stop these, and first whatever needs them; none: everything.
    Down {
        /// Services or groups.
        names: Vec<String>,
    },
    /// Stop, wait until gone, start, wait until ready.
    Restart {
        /// The stack as read now; `None` where the file cannot be read: the one last applied.
        stack: Option<Box<Stack>>,
        /// Services or groups; none: everything that is wanted.
        names: Vec<String>,
        /// Also restart whatever needs them.
        with_dependents: bool,
        /// When it was asked for: what has begun to start since then, by the same definition, is
        /// what is asked for. Without it, whatever runs is started again.
        #[serde(default)]
        asked: Option<Tick>,
    },
    /// Run a task with its needs.
    Run {
        /// The stack as read now.
        stack: Box<Stack>,
        /// The task.
        task: String,
        /// Arguments to append.
        args: Vec<String>,
        /// Run despite unchanged inputs.
        force: bool,
        /// Whoever asks has done so before, of a supervisor that was killed: a run of theirs that
        /// is on its way, or has ended since, is the one that is meant.
        #[serde(default)]
        again: bool,
    },
    /// Wait until all of these are in a state.
    Wait {
        /// Services, tasks or groups; none: all that was asked for
        /// ([`crate::status::Status::all`]), until they are down: whatever runs.
        names: Vec<String>,
        /// Which.
        until: Until,
    },
}

/// What `wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// Services are ready, tasks done.
    Ready,
    /// Tasks are done (services ready).
    Done,
    /// Nothing of them runs.
    Down,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Each service and task that it was about, in start order, and what became of it.
    pub results: Vec<ItemResult>,
    /// Why it could not be carried out at all (an unknown name, an overlapping window).
    pub refused: Option<Refusal>,
    /// Whether a later request took it over (a `down` during an `up`).
    pub superseded: bool,
}

/// What became of one service or task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemResult {
    /// Its name.
    pub name: String,
    /// How it ended up.
    pub how: ItemOutcome,
}

/// How one service or task ended up when a request was done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum ItemOutcome {
    /// It was so already; nothing was done.
    Unchanged,
    /// It is ready (a service) or done (a task).
    Ready {
        /// Since its start.
        after_ms: u64,
    },
    /// The task did not have to run.
    Skipped,
    /// It was ready and has ended by itself, which is no failure.
    Ended {
        /// How.
        exit: Option<Exit>,
    },
    /// It is down.
    Stopped,
    /// It failed.
    Failed {
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
        /// How its process ended, where it did.
        exit: Option<Exit>,
    },
    /// It was not started, because of this one.
    Blocked {
        /// The need that failed.
        by: String,
    },
    /// It was stopped by somebody else meanwhile.
    Superseded,
    /// Processes are left.
    Stuck {
        /// Which.
        processes: Vec<String>,
    },
}

impl ItemOutcome {
    /// Whether it is not as was asked for.
    pub fn is_bad(&self, asked: Asked) -> bool {
        match self {
            Self::Failed { .. } | Self::Blocked { .. } | Self::Superseded | Self::Stuck { .. } => {
                true
            }
            Self::Ended { .. } => asked == Asked::ByName,
            Self::Unchanged | Self::Ready { .. } | Self::Skipped | Self::Stopped => false,
        }
    }
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// No service, task or group has this name.
    UnknownName {
        /// The name.
        name: String,
        /// A close one.
        similar: Option<String>,
    },
    /// It is a service where a task is asked for, or the other way round.
    WrongKind {
        /// The name.
        name: String,
        /// What it is: `service`, `task`.
        is: String,
    },
    /// A task's exclusive window holds it down.
    Window {
        /// The service.
        name: String,
        /// The task.
        task: String,
    },
}
