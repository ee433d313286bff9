//! What `status` shows: the state of a whole stack at one moment, as plain data.
//!
//! The supervisor sends it to its clients, so a reporter that starts late begins with a [`Status`] and
//! folds [`crate::event`] records into it. `status --json` is this with the reasons in words added.

mod because;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::model::{ServiceState, State, TaskState};
use crate::{model::Exit, reason::Notice};
pub use because::{Advice, Because, Evidence, StartStep, StopStep};

/// What a notice of a process begins with that a `down` could not end.
pub(crate) const LEFT: &str = "left when the stack was to be stopped: ";

/// A stack at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of this format: 1.
    pub format: u32,
    /// The stack's name.
    pub stack: String,
    /// Its file, as seen from its folder.
    #[serde(with = "crate::model::path_text")]
    pub file: PathBuf,
    /// Its supervisor; none with nothing running.
    pub supervisor: Option<SupervisorStatus>,
    /// Its services, in the order of the file.
    pub services: Vec<ServiceStatus>,
    /// Its tasks, in the order of the file.
    pub tasks: Vec<TaskStatus>,
    /// Things a person should know: a changed file, a full disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// The supervisor of a running stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorStatus {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Since when it runs.
    pub since: jiff::Timestamp,
}

/// A service at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ServiceState,
    /// Whether a check or a port tells that it is ready. Without, `ready` means that it has
    /// started.
    #[serde(default = "yes")]
    pub checked: bool,
    /// Whether its being ready is to be believed: what nothing checks has to live for half a second
    /// first. Told only until then.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub proven: bool,
    /// Whether it is part of all that was asked for: see [`Status::all`].
    #[serde(default = "yes")]
    pub wanted: bool,
    /// Why it is not ready; none where there is nothing to explain.
    #[serde(rename = "detail", skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// Its main process.
    pub pid: Option<u32>,
    /// Its start, counted from 1; 0 before the first.
    pub generation: u64,
    /// Its ports.
    pub ports: Vec<PortStatus>,
    /// Since when it is in this state.
    pub since: Option<jiff::Timestamp>,
    /// How long its process has been running.
    pub uptime_ms: Option<u64>,
    /// How often it was started again by itself: after a crash or a failed start, for its health or
    /// its memory. Edits, watched files and restarts that somebody asked for do not count; a `down`
    /// of it sets the count back, and so does an `up` or `restart` once it has failed.
    pub restarts: u64,
    /// How its last process ended.
    pub exit: Option<Exit>,
    /// How many processes it has now.
    pub processes: usize,
    /// The memory of its whole tree.
    pub memory_bytes: u64,
    /// The processor time of its whole tree.
    pub cpu_percent: f64,
    /// What it needs.
    pub needs: Vec<String>,
    /// Where to find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe: Option<String>,
    /// What a user should know of it, however well it is: a watch that is paused.
    #[serde(default, rename = "notice_details", skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// Its name.
    pub name: Option<String>,
    /// Its number; 0 for one that is not chosen yet.
    pub port: u16,
}

/// A task at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: TaskState,
    /// Whether it is part of all that was asked for: see [`Status::all`].
    #[serde(default = "yes")]
    pub wanted: bool,
    /// Why it is not done.
    #[serde(rename = "detail", skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// How its last run ended.
    pub exit: Option<Exit>,
    /// Since when it is in this state.
    pub since: Option<jiff::Timestamp>,
    /// When it runs next by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<jiff::Timestamp>,
    /// What it needs.
    #[serde(default)]
    pub needs: Vec<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe: Option<String>,
}

/// What is not said is so: as earlier versions had it.
fn yes() -> bool {
    true
}

/// How something is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// As a part of all that was asked for: is all as it should be?
    AsPartOfAll,
    /// By its name: is it ready, is it done?
    ByName,
}

/// What a state means to `up`, `status`, `wait` and `ls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as was asked for.
    Holds,
    /// Not yet.
    Pending,
    /// It is not, and will not be by itself.
    Fails,
}

impl ServiceState {
    /// Whether anything of it may run.
    pub fn runs(self) -> bool {
        match self {
            Self::Starting | Self::Ready | Self::Unhealthy | Self::Stopping => true,
            Self::Idle | Self::Waiting | Self::Backoff | Self::Exited | Self::Failed => false,
        }
    }

    /// What the state means; `proven` says whether being ready is to be believed.
    pub fn verdict(self, proven: bool, asked: Asked) -> Verdict {
        match (self, asked) {
            (Self::Ready, _) if proven => Verdict::Holds,
            // It has ended well: nothing is wrong, but ready it is not.
            (Self::Exited, Asked::AsPartOfAll) => Verdict::Holds,
            (Self::Exited, Asked::ByName) | (Self::Failed, _) => Verdict::Fails,
            (
                Self::Ready
                | Self::Idle
                | Self::Waiting
                | Self::Starting
                | Self::Unhealthy
                | Self::Stopping
                | Self::Backoff,
                _,
            ) => Verdict::Pending,
        }
    }
}

impl TaskState {
    /// What the state means.
    pub fn verdict(self, asked: Asked) -> Verdict {
        match (self, asked) {
            (Self::Done | Self::Skipped, _) => Verdict::Holds,
            // Nothing that needs it has been started since it is there.
            (Self::Idle, Asked::AsPartOfAll) => Verdict::Holds,
            (Self::Failed, _) => Verdict::Fails,
            (Self::Idle | Self::Waiting | Self::Running, _) => Verdict::Pending,
        }
    }
}

/// One service or task, as far as both are alike.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Its name.
    pub name: &'a str,
    /// The word for its state.
    pub state: &'static str,
    /// Why it is not as it should be.
    pub because: Option<&'a Because>,
    /// What the state means.
    pub verdict: Verdict,
    /// Whether anything of it may run.
    pub runs: bool,
    /// Since when it is in this state.
    pub since: Option<jiff::Timestamp>,
}

impl Status {
    /// "All": what an `up` asked for and no `down` took back, with what that needs.
    pub fn all(&self) -> impl Iterator<Item = Item<'_>> {
        self.items(Asked::AsPartOfAll).filter(|(wanted, _)| *wanted).map(|(_, item)| item)
    }

    /// Everything that there is, wanted or not.
    pub fn every(&self) -> impl Iterator<Item = Item<'_>> {
        self.items(Asked::AsPartOfAll).map(|(_, item)| item)
    }

    /// The services and tasks of these names.
    pub fn named<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = Item<'a>> {
        let named = |item: &Item<'_>| names.iter().any(|name| name == item.name);
        self.items(Asked::ByName).map(|(_, item)| item).filter(named)
    }

    /// Each with whether it is wanted.
    fn items(&self, asked: Asked) -> impl Iterator<Item = (bool, Item<'_>)> {
        let services = self.services.iter().map(move |service| {
            let item = Item {
                name: &service.name,
                state: service.state_word(),
                because: service.because.as_ref(),
                verdict: service.state.verdict(service.proven, asked),
                runs: service.state.runs(),
                since: service.since,
            };
            (service.wanted, item)
        });
        let tasks = self.tasks.iter().map(move |task| {
            let item = Item {
                name: &task.name,
                state: task.state.word(),
                because: task.because.as_ref(),
                verdict: task.state.verdict(asked),
                runs: task.state == TaskState::Running,
                since: task.since,
            };
            (task.wanted, item)
        });
        services.chain(tasks)
    }
}

impl ServiceStatus {
    /// Its state in a word, for people: what nothing checks has `started`.
    pub fn state_word(&self) -> &'static str {
        match (self.state, self.checked) {
            (ServiceState::Ready, false) => STARTED,
            (state, _) => state.word(),
        }
    }
}

/// The word for a service that is ready as far as anybody can know: nothing checks it.
pub const STARTED: &str = "started";
